//! The client's half of a session, across streams: messages go in, requests and events come out. No socket, no
//! clock and no chance of its own: `client` brings them.
use crate::identity::transcript;
use crate::roster::{Change, Roster};
use crate::v1::{presence_request::Request, presence_response::Response, *};
use ed25519_dalek::{Signer, SigningKey};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// How many delivery ids are remembered, to show each message once.
const DELIVERIES_REMEMBERED: usize = 1024;
/// How many messages may wait for their result, and how large they may be for a server that doesn't say.
const MAX_WAITING: usize = 1024;
const PAYLOAD_BYTES: u32 = 4096;
/// How long it may take from dialling to Welcome, until a list that was promised or asked for is complete, and to leave.
const WELCOME_WITHIN: Duration = Duration::from_secs(5);
const LIST_WITHIN: Duration = Duration::from_secs(30);
const LEAVE_WITHIN: Duration = Duration::from_secs(2);
/// The longest that a server which stops is obeyed.
const LONGEST_DRAIN: Duration = Duration::from_secs(60);
/// The lease of a server that hasn't told its own.
const LEASE: Duration = Duration::from_secs(12);

/// What a client tells its application.
pub enum Event {
    /// The first list, once.
    Snapshot {
        revision: u64,
        members: Vec<Member>,
    },
    Change(Change),
    /// The list was replaced. The changes before this one told the difference.
    Repaired {
        revision: u64,
        cause: &'static str,
        joined: usize,
        updated: usize,
        left: usize,
    },
    State {
        phase: Phase,
        before: Phase,
        cause: String,
        retry_in: Option<Duration>,
    },
    Selection {
        update: SelectionUpdate,
        was: Option<SelectionState>,
    },
    Message {
        delivery: Delivery,
        sender: Option<Member>,
    },
    /// What became of a message, by the request id that `Session::send` has returned. Exactly one for each.
    Sent(SendResult),
    Refused(RequestError),
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Phase {
    #[default]
    Connecting,
    Live,
    Reconnecting,
    Stale,
    Degraded,
    Closed,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Stage {
    #[default]
    Offline,
    Greeting,
    Proving,
    Welcomed,
    /// Leave is said, and nothing after it.
    Leaving,
}

/// A Select or Send without an answer.
struct Waiting {
    request: Request,
    /// On this stream.
    is_said: bool,
    /// It was said on any stream of this session. A resume resets only the other, as another session may still come
    /// before it is said again.
    may_have_arrived: bool,
}

#[derive(Default)]
pub struct Session {
    pub roster: Roster,
    pub phase: Phase,
    pub is_leaving: bool,
    /// What to tell the application, and what to write to the stream after that: what is acknowledged has been told.
    pub events: Vec<Event>,
    pub requests: Vec<PresenceRequest>,
    seed: [u8; 32],
    profile: Profile,
    stage: Stage,
    /// What was said first on this stream; and the last Welcome, with the session that can be resumed.
    hello: Hello,
    welcome: Welcome,
    is_degraded: bool,
    last_id: u64,
    update_id: u64,
    /// By their request ids.
    waiting: BTreeMap<u64, Waiting>,
    selected: Option<SelectionUpdate>,
    seen: VecDeque<u64>,
    /// When the server was heard last, when Welcome or the list is due, and when to be gone.
    heard: Option<Instant>,
    due: Option<Instant>,
    gone: Option<Instant>,
}

impl Session {
    /// `audience` is the host that the user dialled, and never what a server has said.
    pub fn new(seed: [u8; 32], lobby: &str, audience: &str, profile: Profile, observer: bool) -> Self {
        let public_key = SigningKey::from_bytes(&seed).verifying_key().to_bytes().to_vec();
        let (lobby, audience) = (lobby.to_owned(), audience.to_owned());
        let hello = Hello { lobby, public_key, audience, observer, ..Hello::default() };
        Self { seed, profile, hello, ..Self::default() }
    }

    // What the application wants.

    /// Replaces the profile: now, or with the next Hello.
    pub fn update(&mut self, profile: Profile) {
        self.profile = profile.clone();
        if self.stage == Stage::Welcomed {
            self.update_id = self.next_id();
            self.say(Request::UpdateProfile(UpdateProfile {
                request_id: self.update_id,
                profile: Some(profile),
            }));
        }
    }

    /// Selects a member, or nobody with an empty key. Only the newest wish counts.
    pub fn select(&mut self, public_key: Vec<u8>) {
        let request_id = self.next_id();
        self.waiting.retain(|_, it| !matches!(it.request, Request::Select(_)));
        self.wait(request_id, Request::Select(Select { request_id, public_key }));
    }

    /// Sends a message: now, or as soon as there is a connection again. Returns its request id.
    pub fn send(&mut self, recipient: Vec<u8>, payload: Vec<u8>) -> u64 {
        let request_id = self.next_id();
        let limit = self.welcome.limits.map_or(0, |limits| limits.payload_bytes);
        if payload.len() > if limit == 0 { PAYLOAD_BYTES } else { limit } as usize {
            self.sent(request_id, SendOutcome::TooLarge);
        } else if self.waiting.len() >= MAX_WAITING {
            self.sent(request_id, SendOutcome::RateLimited);
        } else {
            let send = Send { request_id, recipient, payload, incarnation: 0 };
            self.wait(request_id, Request::Send(send));
        }
        request_id
    }

    pub fn leave(&mut self, now: Instant) {
        (self.is_leaving, self.gone) = (true, Some(now + LEAVE_WITHIN));
        self.settle(now);
    }

    /// Whether the list may not be the server's.
    pub fn is_stale(&self) -> bool {
        !matches!(self.phase, Phase::Live | Phase::Degraded)
    }

    // The life of a stream.

    /// Starts on a new stream, with fresh random bytes.
    pub fn dial(&mut self, nonce: [u8; 32], now: Instant) {
        let Welcome { session_id, resume_token: token, .. } = self.welcome.clone();
        let Roster { epoch, revision, digest, .. } = self.roster;
        // A list known to be wrong isn't named: a snapshot comes then.
        let named = if self.roster.is_trusted() { (epoch, revision, digest) } else { (0, 0, 0) };
        let resume = Resume { session_id, token, epoch: named.0, revision: named.1, digest: named.2 };
        self.hello.resume = Some(resume).filter(|resume| !resume.session_id.is_empty());
        self.hello.client_nonce = nonce.to_vec();
        self.hello.profile = Some(self.profile.clone());
        (self.stage, self.is_degraded) = (Stage::Greeting, false);
        (self.heard, self.due) = (Some(now), Some(now + WELCOME_WITHIN));
        self.say(Request::Hello(self.hello.clone()));
    }

    /// The stream has ended, or had to be ended. The next one is dialled in `retry_in`.
    pub fn lost(&mut self, cause: &str, retry_in: Duration) {
        self.stage = Stage::Offline;
        self.requests.clear();
        self.gone = self.gone.filter(|_| self.is_leaving);
        let phase = if self.roster.is_complete { Phase::Reconnecting } else { Phase::Connecting };
        self.enter(phase, cause, Some(retry_in));
    }

    /// The end, for good.
    pub fn close(&mut self, cause: &str) {
        self.stage = Stage::Offline;
        self.give_up_sends(true);
        self.enter(Phase::Closed, cause, None);
    }

    /// How long a server that stops still wants this client to wait before it comes back.
    pub fn drain_delay(&self, now: Instant) -> Duration {
        self.gone.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }

    /// When the stream must be given up if nothing is heard before, and why.
    pub fn deadline(&self) -> Option<(Instant, &'static str)> {
        let lease = match self.welcome.lease_millis {
            millis if millis > 0 && self.stage == Stage::Welcomed => Duration::from_millis(millis.into()),
            _ => LEASE,
        };
        let silent = self.heard.map(|at| (at + lease, "the server is silent"));
        let late = self.due.map(|at| (at, "the server takes too long"));
        let gone = self.gone.map(|at| (at, "the server is stopping"));
        [silent, late, gone].into_iter().flatten().min()
    }

    /// Takes in what the server says. An error is what no server may do: the stream has to end.
    pub fn receive(&mut self, response: PresenceResponse, now: Instant) -> Result<(), &'static str> {
        self.heard = Some(now);
        // One that isn't known is from a later server.
        let Some(response) = response.response else { return Ok(()) };
        let mut resync = None;
        match (response, self.stage) {
            (Response::Challenge(challenge), Stage::Greeting) if challenge.server_nonce.len() == 32 => {
                let signature = SigningKey::from_bytes(&self.seed).sign(&transcript(&self.hello, &challenge));
                self.stage = Stage::Proving;
                self.say(Request::Proof(Proof { signature: signature.to_bytes().to_vec() }));
            }
            (Response::Welcome(welcome), Stage::Greeting | Stage::Proving) => self.begin(welcome)?,
            (Response::Challenge(_) | Response::Welcome(_), _) => return Err("the handshake went wrong"),
            (Response::RequestError(error), _) => self.refused(error),
            (Response::Draining(draining), _) => {
                let delay = Duration::from_millis(draining.reconnect_delay_millis.into());
                self.gone.get_or_insert(now + delay.min(LONGEST_DRAIN));
            }
            (_, Stage::Offline | Stage::Greeting | Stage::Proving) => {
                return Err("something came before Welcome");
            }
            (Response::Snapshot(chunk), _) => resync = self.roster.snapshot(chunk, &mut self.events)?,
            (Response::Delta(delta), _) => resync = self.roster.delta(delta, &mut self.events)?,
            (Response::Heartbeat(beat), _) => {
                self.is_degraded = beat.degraded;
                self.beat(beat.nonce);
                resync = self.roster.heartbeat(&beat)?;
            }
            (Response::SelectionUpdate(update), _) => self.selection(update)?,
            (Response::SendResult(result), _) => {
                if self.take_send(result.request_id) {
                    self.events.push(Event::Sent(result));
                }
            }
            (Response::Delivery(delivery), _) => self.deliver(delivery)?,
        }
        if let Some(reason) = resync {
            self.say(Request::Resync(Resync { reason: reason.into() }));
        }
        self.settle(now);
        Ok(())
    }

    fn begin(&mut self, welcome: Welcome) -> Result<(), &'static str> {
        if welcome.resumed && self.hello.resume.as_ref().is_none_or(|it| it.session_id != welcome.session_id)
        {
            return Err("a session goes on that wasn't asked for");
        }
        if !welcome.resumed {
            // What only the old session knew is gone with it.
            self.give_up_sends(false);
            self.seen.clear();
            if let Some(before) = self.selected.take() {
                let (was, revision) = (Some(before.state()), self.roster.revision);
                let mut update =
                    SelectionUpdate { public_key: before.public_key, revision, ..Default::default() };
                update.set_state(SelectionState::Cleared);
                self.events.push(Event::Selection { update, was });
            }
        }
        self.waiting.values_mut().for_each(|it| it.is_said = false);
        self.roster.begin(welcome.resumed && self.roster.is_trusted());
        (self.stage, self.welcome, self.due) = (Stage::Welcomed, welcome, None);
        if self.hello.profile.as_ref() != Some(&self.profile) {
            self.update(self.profile.clone());
        }
        Ok(())
    }

    /// Draws the conclusions from where the stream stands now.
    fn settle(&mut self, now: Instant) {
        if self.stage != Stage::Welcomed {
            return;
        }
        let has_list = !matches!(self.phase, Phase::Connecting | Phase::Reconnecting);
        self.due = if self.roster.is_awaiting { self.due.or(Some(now + LIST_WITHIN)) } else { None };
        if !self.roster.is_awaiting && !has_list {
            self.beat(0);
        }
        match (self.roster.is_awaiting, self.is_degraded) {
            (true, _) if !has_list => {}
            (true, _) => self.enter(Phase::Stale, "the list is fetched again", None),
            (false, true) => self.enter(Phase::Degraded, "the server has trouble", None),
            (false, false) => self.enter(Phase::Live, "", None),
        }
        self.flush();
        if self.is_leaving {
            self.say(Request::Leave(Leave {}));
            self.stage = Stage::Leaving;
        }
    }

    fn wait(&mut self, id: u64, request: Request) {
        self.waiting.insert(id, Waiting { request, is_said: false, may_have_arrived: false });
        self.flush();
    }

    /// Says what has waited for the server's list: no answer then speaks of members that aren't known here.
    fn flush(&mut self) {
        if self.stage == Stage::Welcomed && !self.roster.is_awaiting {
            for it in self.waiting.values_mut().filter(|it| !it.is_said) {
                (it.is_said, it.may_have_arrived) = (true, true);
                self.requests.push(PresenceRequest { request: Some(it.request.clone()) });
            }
        }
    }

    fn selection(&mut self, mut update: SelectionUpdate) -> Result<(), &'static str> {
        let id = update.request_id;
        if update.state() == SelectionState::Unspecified {
            update.set_state(SelectionState::Unavailable);
        }
        self.waiting.retain(|key, it| *key != id || !matches!(it.request, Request::Select(_)));
        let current = self.selected.as_ref();
        if update.public_key.is_empty() {
            update.public_key = current.map(|before| before.public_key.clone()).unwrap_or_default();
        }
        let is_current = current.is_some_and(|before| before.public_key == update.public_key);
        let is_over = update.state() == SelectionState::Cleared;
        if !is_current && is_over {
            // Nobody was selected; or this is the farewell to one before, and the next is confirmed already.
            return Ok(());
        } else if update.public_key.len() != 32 {
            return Err("a key that isn't 32 bytes");
        }
        let was = self.selected.take().map(|before| before.state());
        let is_held = !is_over && update.reason() != SelectionReason::NotPresent;
        self.selected = is_held.then(|| update.clone());
        self.events.push(Event::Selection { update, was });
        Ok(())
    }

    fn deliver(&mut self, delivery: Delivery) -> Result<(), &'static str> {
        let delivery_id = delivery.delivery_id;
        if delivery.sender.len() != 32 {
            return Err("a key that isn't 32 bytes");
        } else if !self.seen.contains(&delivery_id) {
            self.seen.truncate(DELIVERIES_REMEMBERED - 1);
            self.seen.push_front(delivery_id);
            let sender = self.roster.members.get(&delivery.sender).cloned();
            self.events.push(Event::Message { delivery, sender });
        }
        self.say(Request::Ack(Ack { delivery_id }));
        Ok(())
    }

    fn refused(&mut self, error: RequestError) {
        let id = error.request_id;
        let me = self.roster.members.get(&self.hello.public_key);
        if let Some(profile) =
            me.and_then(|me| me.profile.clone()).filter(|_| id != 0 && id == self.update_id)
        {
            // Said again in the next Hello, what was refused now would be refused for good.
            self.profile = profile;
        }
        self.events.push(Event::Refused(error));
        if self.take_send(id) {
            self.sent(id, SendOutcome::Unconfirmed);
        }
        self.waiting.remove(&id);
    }

    /// Ends the waiting of those whose fate nobody will tell any more.
    fn give_up_sends(&mut self, all: bool) {
        let lost = self.waiting.iter().filter(|(_, it)| all || it.may_have_arrived);
        for id in lost.map(|(id, _)| *id).collect::<Vec<_>>() {
            if self.take_send(id) {
                self.sent(id, SendOutcome::Unconfirmed);
            }
        }
    }

    fn take_send(&mut self, id: u64) -> bool {
        let is_send = matches!(self.waiting.get(&id), Some(Waiting { request: Request::Send(_), .. }));
        is_send && self.waiting.remove(&id).is_some()
    }

    fn sent(&mut self, request_id: u64, outcome: SendOutcome) {
        let revision = self.roster.revision;
        self.events.push(Event::Sent(SendResult { request_id, outcome: outcome.into(), revision }));
    }

    fn enter(&mut self, phase: Phase, cause: &str, retry_in: Option<Duration>) {
        let before = std::mem::replace(&mut self.phase, phase);
        if phase != before || retry_in.is_some() {
            self.events.push(Event::State { phase, before, cause: cause.to_owned(), retry_in });
        }
    }

    fn beat(&mut self, echo: u64) {
        let Roster { epoch, revision, digest, .. } = self.roster;
        self.say(Request::Heartbeat(ClientHeartbeat { epoch, revision, digest, echo }));
    }

    fn say(&mut self, request: Request) {
        if self.stage != Stage::Leaving {
            self.requests.push(PresenceRequest { request: Some(request) });
        }
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}
