//! The copy of the lobby: what arrives is applied by the rules beside `Snapshot` and `Delta` in member.proto.
use crate::session::Event;
use crate::v1::{Delta, DepartureReason, Liveness, Member, ResyncReason, ServerHeartbeat, Snapshot, Status};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The largest lobby to hold: a server that tells of more is not believed.
const MAX_MEMBERS: usize = 100_000;
/// After how many snapshots in a row that contradict their own digest a server is given up.
const SNAPSHOTS_IN_VAIN: u32 = 3;

/// Why to ask for a snapshot, if need be; or what the server did that no server may do: its stream has to end.
pub type Followed = Result<Option<ResyncReason>, &'static str>;

pub enum Kind {
    Joined,
    Updated { before: Member },
    Suspect,
    Back,
    Left { reason: DepartureReason },
}

/// What became of one member.
pub struct Change {
    pub kind: Kind,
    pub member: Member,
    pub revision: u64,
}

#[derive(Default)]
pub struct Roster {
    pub members: BTreeMap<Vec<u8>, Member>,
    pub epoch: u64,
    pub revision: u64,
    /// The sum over `members`: kept up to date by adding and subtracting, never taken from the server.
    pub digest: u64,
    /// True once there has been a first list.
    pub is_complete: bool,
    /// True while a snapshot is awaited: deltas are dropped, and heartbeats not compared.
    pub is_awaiting: bool,
    asked: Option<ResyncReason>,
    /// The chunks so far, as one.
    partial: Option<Snapshot>,
    in_vain: u32,
}

impl Roster {
    /// Whether this was once the server's list: then a resume can name it, however old it is.
    pub fn is_trusted(&self) -> bool {
        self.is_complete && self.asked != Some(ResyncReason::Digest)
    }

    /// A new stream goes on from the list that the client has named, or brings a snapshot.
    pub fn begin(&mut self, goes_on: bool) {
        (self.is_awaiting, self.partial, self.in_vain) = (!goes_on, None, 0);
        self.asked = self.asked.filter(|_| !goes_on);
    }

    pub fn snapshot(&mut self, mut chunk: Snapshot, events: &mut Vec<Event>) -> Followed {
        self.is_awaiting = true;
        let head = |s: &Snapshot| (s.epoch, s.revision, s.digest, s.count, s.chunk_count);
        let mut whole = match self.partial.take() {
            _ if chunk.chunk_index == 0 => chunk,
            Some(mut before)
                if head(&before) == head(&chunk) && before.chunk_index == chunk.chunk_index - 1 =>
            {
                before.members.append(&mut chunk.members);
                Snapshot { members: before.members, ..chunk }
            }
            _ => return Err("a chunk of a snapshot out of order"),
        };
        let (count, chunks) = (whole.count as usize, whole.chunk_count as usize);
        if count > MAX_MEMBERS || whole.members.len() > count || chunks > count.max(1) {
            return Err("a snapshot larger than it may be");
        } else if whole.last != (whole.chunk_index as usize + 1 == chunks) {
            return Err("a snapshot in another number of chunks than it says");
        } else if !whole.last {
            self.partial = Some(whole);
            return Ok(None);
        }
        read(&mut whole.members)?;
        let fresh: BTreeMap<_, _> = whole.members.into_iter().map(|m| (m.public_key.clone(), m)).collect();
        let digest = fresh.values().fold(0_u64, |sum, member| sum.wrapping_add(digest_of(member)));
        if digest != whole.digest || fresh.len() != count {
            self.in_vain += 1;
            let is_hopeless = self.in_vain == SNAPSHOTS_IN_VAIN;
            return if is_hopeless { Err("only wrong snapshots") } else { self.ask(ResyncReason::Digest) };
        }
        let (old, same_epoch) = (std::mem::replace(&mut self.members, fresh), whole.epoch == self.epoch);
        (self.epoch, self.revision, self.digest) = (whole.epoch, whole.revision, digest);
        (self.is_awaiting, self.in_vain) = (false, 0);
        let (revision, asked) = (self.revision, self.asked.take());
        if !std::mem::replace(&mut self.is_complete, true) {
            events.push(Event::Snapshot { revision, members: self.members.values().cloned().collect() });
            return Ok(None);
        }
        // From the second list on the difference is told, as if it had come in deltas.
        let gone = old.values().filter(|member| !self.members.contains_key(&member.public_key));
        let mut changes: Vec<Change> =
            gone.map(|member| left(member, DepartureReason::Left, revision)).collect();
        for (key, member) in &self.members {
            compare(old.get(key), member, same_epoch, &mut changes);
        }
        let cause = match asked {
            Some(ResyncReason::Digest) => "digest",
            _ if same_epoch => "gap",
            _ => "epoch",
        };
        let count = |test: fn(&Kind) -> bool| {
            let changed = changes.iter().filter(|change| test(&change.kind));
            changed.map(|change| &change.member.public_key).collect::<BTreeSet<_>>().len()
        };
        let joined = count(|kind| matches!(kind, Kind::Joined));
        let updated = count(|kind| !matches!(kind, Kind::Joined | Kind::Left { .. }));
        let left = count(|kind| matches!(kind, Kind::Left { .. }));
        tell(changes, events);
        events.push(Event::Repaired { revision, cause, joined, updated, left });
        Ok(None)
    }

    pub fn delta(&mut self, mut delta: Delta, events: &mut Vec<Event>) -> Followed {
        if self.is_awaiting {
            return Ok(None);
        } else if delta.epoch != self.epoch {
            return self.ask(ResyncReason::Epoch);
        } else if delta.revision <= self.revision {
            return Ok(None);
        } else if delta.base_revision != self.revision {
            return self.ask(ResyncReason::Gap);
        }
        delta.joined.append(&mut delta.updated);
        read(&mut delta.joined)?;
        let mut changes = Vec::new();
        for member in delta.joined {
            compare(self.take(&member.public_key).as_ref(), &member, true, &mut changes);
            self.digest = self.digest.wrapping_add(digest_of(&member));
            self.members.insert(member.public_key.clone(), member);
        }
        for gone in delta.left {
            changes.extend(
                self.take(&gone.public_key).map(|member| left(&member, gone.reason(), gone.revision)),
            );
        }
        tell(changes, events);
        self.revision = delta.revision;
        match self.members.len() {
            count if count > MAX_MEMBERS => Err("a lobby larger than it may be"),
            count if self.digest != delta.digest || count != delta.count as usize => {
                self.ask(ResyncReason::Digest)
            }
            _ => Ok(None),
        }
    }

    pub fn heartbeat(&mut self, beat: &ServerHeartbeat) -> Followed {
        if self.is_awaiting {
            Ok(None)
        } else if beat.epoch != self.epoch {
            self.ask(ResyncReason::Epoch)
        } else if beat.revision != self.revision {
            self.ask(ResyncReason::Gap)
        } else if beat.digest != self.digest || beat.count as usize != self.members.len() {
            self.ask(ResyncReason::Digest)
        } else {
            Ok(None)
        }
    }

    fn ask(&mut self, reason: ResyncReason) -> Followed {
        (self.is_awaiting, self.asked) = (true, Some(reason));
        Ok(Some(reason))
    }

    fn take(&mut self, key: &[u8]) -> Option<Member> {
        let member = self.members.remove(key)?;
        self.digest = self.digest.wrapping_sub(digest_of(&member));
        Some(member)
    }
}

/// What one member adds to the digest of its lobby (see `Delta.digest`).
pub fn digest_of(member: &Member) -> u64 {
    let mut hash = Sha256::new_with_prefix(b"adsum/1");
    hash.update((member.public_key.len() as u32).to_be_bytes());
    hash.update(&member.public_key);
    hash.update(member.incarnation.to_be_bytes());
    hash.update(member.revision.to_be_bytes());
    u64::from_be_bytes(hash.finalize()[..8].try_into().expect("8 of 32 bytes"))
}

fn compare(before: Option<&Member>, after: &Member, same_epoch: bool, changes: &mut Vec<Change>) {
    let change = |kind| Change { kind, member: after.clone(), revision: after.revision };
    match before {
        None => changes.push(change(Kind::Joined)),
        // It went and came back in between. Incarnations of two epochs can't be compared.
        Some(before) if same_epoch && before.incarnation != after.incarnation => {
            changes.extend([left(before, DepartureReason::Left, after.revision), change(Kind::Joined)]);
        }
        Some(before) => {
            if before.liveness() != after.liveness() {
                changes.push(change(if is_online(after) { Kind::Back } else { Kind::Suspect }));
            }
            if (&before.profile, before.session_count) != (&after.profile, after.session_count) {
                changes.push(change(Kind::Updated { before: before.clone() }));
            }
        }
    }
}

fn left(member: &Member, reason: DepartureReason, revision: u64) -> Change {
    Change { kind: Kind::Left { reason }, member: member.clone(), revision }
}

/// Tells changes in the order in which they happened.
fn tell(mut changes: Vec<Change>, events: &mut Vec<Event>) {
    changes.sort_by_key(|change| change.revision);
    events.extend(changes.into_iter().map(Event::Change));
}

pub fn is_online(member: &Member) -> bool {
    member.liveness() == Liveness::Online
}

/// Gives a meaning to what a server has left out, or what only a later one says.
fn read(members: &mut [Member]) -> Result<(), &'static str> {
    for member in members {
        if member.public_key.len() != 32 {
            return Err("a key that isn't 32 bytes");
        }
        let profile = member.profile.get_or_insert_default();
        if profile.status() == Status::Unspecified {
            profile.set_status(Status::Available);
        }
        if !is_online(member) {
            member.set_liveness(Liveness::Suspect);
        }
    }
    Ok(())
}
