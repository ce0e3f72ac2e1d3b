//! Enters a lobby and prints what happens there as lines of JSON, until Ctrl-C.
use adsum::{client, identity::audience, json, session::Session, v1::Profile};
use data_encoding::HEXLOWER_PERMISSIVE as HEX;
use std::io::{Write, stdout};
use std::{error::Error, fs, os::unix::fs::OpenOptionsExt, path::Path, time::Instant};
use tokio::sync::mpsc;

const USAGE: &str = "usage: watch HOST:PORT LOBBY [--name NAME] [--seed HEX | --key FILE] [--observer]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut places, mut name, mut seed, mut observer) = (Vec::new(), "rust".to_owned(), None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--observer" => observer = true,
            "--name" => name = arguments.next().ok_or(USAGE)?,
            "--seed" => seed = Some(parse_seed(&arguments.next().ok_or(USAGE)?)?),
            "--key" => seed = Some(seed_in(Path::new(&arguments.next().ok_or(USAGE)?))?),
            option if option.starts_with('-') => return Err(USAGE.into()),
            _ => places.push(argument),
        }
    }
    let [target, lobby] = places.as_slice() else { return Err(USAGE.into()) };
    // Without a key of one's own one is somebody else each time.
    let seed = seed.map_or_else(fresh_seed, Ok)?;
    let host = audience(target).ok_or("there is no host in that")?;
    let profile = Profile { name, ..Profile::default() };
    let session = Session::new(seed, lobby, &host, profile, observer);
    let (commands, received) = mpsc::channel::<client::Command>(1);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            let _ = commands.send(Box::new(|session| session.leave(Instant::now()))).await;
        }
    });
    client::run(client::endpoint(target)?, session, received, |event| {
        if writeln!(stdout(), "{}", json::line(&event, lobby)).is_err() {
            // Nobody reads any more.
            std::process::exit(0);
        }
    })
    .await?;
    Ok(())
}

/// Reads the seed in a file of 64 hex digits, which is made first if there is none. Nobody else can read it.
fn seed_in(path: &Path) -> Result<[u8; 32], Box<dyn Error>> {
    if let Ok(mut file) = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        writeln!(file, "{}", HEX.encode(&fresh_seed()?))?;
    }
    parse_seed(fs::read_to_string(path)?.trim())
}

fn parse_seed(hex: &str) -> Result<[u8; 32], Box<dyn Error>> {
    let seed = HEX.decode(hex.as_bytes()).ok().and_then(|seed| seed.try_into().ok());
    seed.ok_or("a seed is 64 hex digits".into())
}

fn fresh_seed() -> Result<[u8; 32], Box<dyn Error>> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(seed)
}
