//! The shell around a session: connections, the clock, chance, and when to try again. It decides nothing about the lobby.
use crate::session::{Event, Phase, Session};
use crate::v1::{Reason, lobby_service_client::LobbyServiceClient};
use futures_util::{StreamExt, TryFutureExt};
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::time::{sleep, sleep_until};
use tokio::{select, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// How many requests may wait for a server that doesn't read: more than a session ever has to say at once.
const OUTBOX: usize = 4096;
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// The ceilings of the random delay before an attempt.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);
/// How long a stream must have lived for the next attempt to be made at once again.
const STABLE: Duration = Duration::from_secs(2);
/// The longest that a server is obeyed which says when to come back.
const LONGEST_FLOOR: Duration = Duration::from_secs(600);

/// What the application wants of its session, done between two messages.
pub type Command = Box<dyn FnOnce(&mut Session) + Send>;

/// Says where to dial. For TLS build with `--features tls`.
pub fn endpoint(target: &str) -> Result<Endpoint, tonic::transport::Error> {
    let scheme = if cfg!(feature = "tls") { "https" } else { "http" };
    let endpoint = Endpoint::from_shared(format!("{scheme}://{}", target.trim()))?;
    #[cfg(feature = "tls")]
    let endpoint = endpoint.tls_config(tonic::transport::ClientTlsConfig::new().with_native_roots())?;
    Ok(endpoint)
}

/// Keeps the session connected until it has left. An error is the reason for which the server won't have it.
pub async fn run(
    endpoint: Endpoint,
    mut session: Session,
    mut commands: mpsc::Receiver<Command>,
    mut tell: impl FnMut(Event),
) -> Result<(), String> {
    let mut ceiling = Duration::ZERO;
    loop {
        let dialled = Instant::now();
        let end = stream(&endpoint, &mut session, &mut commands, &mut tell).await;
        let verdict = if session.is_leaving { Err("left".to_owned()) } else { judge(&end) };
        let floor = match verdict {
            Ok(floor) => floor,
            Err(reason) => {
                session.close(&reason);
                session.events.drain(..).for_each(&mut tell);
                return if session.is_leaving { Ok(()) } else { Err(reason) };
            }
        };
        let was_live = !matches!(session.phase, Phase::Connecting | Phase::Reconnecting);
        if !was_live || end.code() == Code::DataLoss {
            ceiling = ceiling.max(FIRST_BACKOFF);
        } else if dialled.elapsed() >= STABLE {
            ceiling = Duration::ZERO;
        }
        let delay = floor.max(session.drain_delay(Instant::now())).max(ceiling.mul_f64(chance()));
        ceiling = (ceiling * 2).clamp(FIRST_BACKOFF, LONGEST_BACKOFF);
        session.lost(if end.message().is_empty() { end.code().description() } else { end.message() }, delay);
        let mut pause = pin!(sleep(delay));
        while !session.is_leaving {
            session.events.drain(..).for_each(&mut tell);
            select! {
                () = &mut pause => break,
                Some(command) = commands.recv() => command(&mut session),
            }
        }
    }
}

/// Carries the session on one stream, on a connection of its own, and says how that ended.
async fn stream(
    endpoint: &Endpoint,
    session: &mut Session,
    commands: &mut mpsc::Receiver<Command>,
    tell: &mut impl FnMut(Event),
) -> Status {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce).expect("the operating system has randomness");
    session.dial(nonce, Instant::now());
    let (outbox, outgoing) = mpsc::channel(OUTBOX);
    let opening = async {
        let channel = endpoint.connect().await.map_err(|error| Status::unavailable(innermost(&error)))?;
        let mut client = LobbyServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        client.presence(ReceiverStream::new(outgoing)).await.map(tonic::Response::into_inner)
    };
    let mut responses = pin!(opening.try_flatten_stream());
    loop {
        session.events.drain(..).for_each(&mut *tell);
        for request in session.requests.drain(..) {
            if outbox.try_send(request).is_err() {
                return Status::unavailable("the server doesn't read");
            }
        }
        let (deadline, cause) = session.deadline().expect("an open stream has deadlines");
        if deadline < Instant::now() {
            return Status::unavailable(cause);
        }
        select! {
            // In this order: a process that was stopped for a while first reads what has come meanwhile.
            biased;
            Some(command) = commands.recv() => command(session),
            response = responses.next() => match response {
                Some(Ok(response)) => {
                    if let Err(fault) = session.receive(response, Instant::now()) {
                        return Status::data_loss(fault);
                    }
                }
                Some(Err(status)) => return status,
                None => return Status::ok("the server has closed the stream"),
            },
            () = sleep_until(deadline.into()) => return Status::unavailable(cause),
        }
    }
}

/// Tells the least time to wait before the next attempt, or the reason for which there is no use in one.
fn judge(end: &Status) -> Result<Duration, String> {
    use Reason::*;
    let floor = end.get_details_retry_info().map(|info| info.retry_delay.unwrap_or_default());
    if let Some(info) = end.get_details_error_info().filter(|info| info.domain == "adsum") {
        let may_retry = match Reason::from_str_name(&format!("REASON_{}", info.reason)) {
            Some(HandshakeTimeout | ChallengeExpired | LobbyFull | TooManyLobbies | TooManySessions) => true,
            Some(TooManyStreams | TooManyRequests | SlowReader | LeaseExpired | Draining) => true,
            Some(StoreUnavailable | Internal | SessionUnknown | BadToken) => true,
            Some(_) => false,
            // One that only a later contract knows.
            None => floor.is_some(),
        };
        if !may_retry {
            return Err(info.reason);
        }
    }
    Ok(floor.unwrap_or_default().min(LONGEST_FLOOR))
}

/// Says "Connection refused" rather than "transport error".
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

/// A random number from 0 to 1.
fn chance() -> f64 {
    getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX))
}
