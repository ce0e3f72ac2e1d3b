//! `conformance live`: one client, told by lines of JSON what to do.
use adsum::session::{Event, Session};
use adsum::v1::{Profile, Status};
use adsum::{client, identity, json};
use data_encoding::HEXLOWER_PERMISSIVE as HEX;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, Lines, StdinLock, Write, stdin, stdout};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::mpsc;

/// What the harness calls each message, by the request id that the session has given it.
type Names = Arc<Mutex<HashMap<u64, Value>>>;

pub fn run() {
    let mut lines = stdin().lock().lines();
    let Some(connect) = next_command(&mut lines) else { return };
    if connect["command"] != "connect" {
        eprintln!("connect comes first");
        std::process::exit(2);
    }
    let (target, lobby) = (text(&connect, "target"), text(&connect, "lobby"));
    let seed: [u8; 32] = bytes(&connect, "seed").try_into().expect("a seed of 32 bytes");
    let audience = identity::audience(&target).expect("a target with a host");
    let profile =
        Profile { name: text(&connect, "name"), status: Status::Available.into(), ..Profile::default() };
    let observer = connect["observer"] == true;
    let session = Session::new(seed, &lobby, &audience, profile, observer);
    let endpoint = client::endpoint(&target).expect("a target that can be dialled");

    let names = Names::default();
    let (commands, received) = mpsc::channel(16);
    drop(lines);
    std::thread::spawn({
        let names = names.clone();
        let lobby = lobby.clone();
        move || {
            let mut lines = stdin().lock().lines();
            loop {
                let command = next_command(&mut lines).unwrap_or(json!({"command": "leave"}));
                let is_last = command["command"] == "leave";
                let sent = commands.blocking_send(perform(command, names.clone(), lobby.clone()));
                if is_last || sent.is_err() {
                    return;
                }
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ended = runtime.block_on(client::run(endpoint, session, received, |event| match event {
        Event::Sent(result) => {
            let outcome = json::word(result.outcome().as_str_name(), "SEND_OUTCOME_");
            let id = names.lock().expect("no thread has panicked").remove(&result.request_id);
            print(&lobby, "sent", json!({"id": id, "outcome": outcome, "revision": result.revision}));
        }
        event => write(&json::line(&event, &lobby)),
    }));
    // The thread that reads stdin is not waited for.
    std::process::exit(if ended.is_ok() { 0 } else { 1 });
}

/// Turns a command into what is done with the session.
fn perform(command: Value, names: Names, lobby: String) -> client::Command {
    Box::new(move |session: &mut Session| match command["command"].as_str().unwrap_or_default() {
        "update" => {
            let status =
                Status::from_str_name(&format!("STATUS_{}", text(&command, "status").to_uppercase()));
            session.update(Profile {
                name: text(&command, "name"),
                status: status.unwrap_or(Status::Available).into(),
                status_text: text(&command, "status_text"),
                ..Profile::default()
            });
        }
        "select" => session.select(bytes(&command, "key")),
        "send" => {
            let id = session.send(bytes(&command, "key"), text(&command, "text").into_bytes());
            names.lock().expect("no thread has panicked").insert(id, command["id"].clone());
        }
        "roster" => {
            let roster = &session.roster;
            let facts = json!({
                "id": command["id"],
                "epoch": format!("{:016x}", roster.epoch),
                "digest": format!("{:016x}", roster.digest),
                "revision": roster.revision,
                "is_stale": session.is_stale(),
                "members": roster.members.values().map(json::member).collect::<Vec<_>>(),
            });
            print(&lobby, "roster", facts);
        }
        "leave" => session.leave(Instant::now()),
        unknown => eprintln!("unknown command: {unknown}"),
    })
}

fn next_command(lines: &mut Lines<StdinLock>) -> Option<Value> {
    loop {
        match serde_json::from_str(&lines.next()?.ok()?) {
            Ok(command) => return Some(command),
            Err(error) => eprintln!("not JSON: {error}"),
        }
    }
}

fn print(lobby: &str, event: &str, facts: Value) {
    write(&json::record(event, lobby, facts));
}

fn write(line: &str) {
    let mut stdout = stdout().lock();
    if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
        std::process::exit(0);
    }
}

fn text(command: &Value, field: &str) -> String {
    command[field].as_str().unwrap_or_default().to_owned()
}

fn bytes(command: &Value, field: &str) -> Vec<u8> {
    HEX.decode(text(command, field).as_bytes()).unwrap_or_default()
}
