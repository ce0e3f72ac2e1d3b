"""How the list follows the server's: the rules written beside `Snapshot` and `Delta` in the contract. Pure.

A replica stands at an epoch and a revision, or holds no list yet. It is in one of two moods:

    following    deltas are applied; a snapshot may start at any time
    awaiting     a snapshot was promised, asked for or begun: until its last chunk has come, deltas are
                 dropped and heartbeats not compared

Chunks are collected aside, so the list changes in one step, and what the application sees is never half a
snapshot. The difference between the old list and the new is told as ordinary events, so that an application
that applies every event always shows what the roster shows. Members are compared by key: within one epoch
another incarnation is a leave and a join; across epochs incarnations can't be compared, and whoever is in
both lists has stayed.

A server that says what no server may say is reported by `Received.violation`; nothing raises, and the list
never comes to be larger than its bound by more than one delta.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from adsum.client.events import (
    Back,
    Event,
    Joined,
    Left,
    MembershipEvent,
    RepairCause,
    Repaired,
    SnapshotProgress,
    Snapshotted,
    Suspect,
    Updated,
)
from adsum.client.member import DepartureReason, Liveness, Member
from adsum.client.messages import Delta, ResyncReason, ServerHeartbeat, Snapshot
from adsum.client.roster import Members, Roster, hash_of
from adsum.contract.digest import EMPTY, add

SNAPSHOTS_IN_VAIN = 3
"""After how many snapshots in a row that contradict their own digest the server is given up: it would go on for ever."""


@dataclass(frozen=True, slots=True)
class Received:
    """Say what follows from a message: events in order, a resync to ask for, or why the server can't be believed."""

    events: tuple[Event, ...] = ()
    resync: ResyncReason | None = None
    completed: bool = False
    """True if the last chunk of a snapshot has come and the list is the server's."""
    violation: str | None = None


_NOTHING = Received()


@dataclass(slots=True)
class _Assembly:
    """Collects the chunks of one snapshot."""

    head: Snapshot
    members: dict[bytes, Member]
    hashes: dict[bytes, int]
    next_index: int


class Replica:
    """Keep a copy of one lobby. `roster` is the application's view of it."""

    def __init__(self, max_members: int) -> None:
        """Hold no list yet, and never one of more than `max_members`."""
        self._max_members = max_members
        self._members = Members()
        self.roster = Roster(self._members)
        self.epoch = 0
        self.revision = 0
        self.is_complete = False
        """True once there has been a first list."""
        self.is_awaiting = True
        """True while a snapshot is awaited."""
        self.is_proved = False
        """True if the digest has been seen equal to the server's at this very revision, on this stream."""
        self._cause: ResyncReason | None = None
        self._assembly: _Assembly | None = None
        self._snapshots_in_vain = 0
        self._earlier_incarnations: dict[bytes, tuple[int, ...]] = {}

    @property
    def digest(self) -> int:
        """The digest over the members held."""
        return self._members.digest

    @property
    def is_trusted(self) -> bool:
        """True if the list is one that the server once confirmed: it can be named when resuming."""
        return self.is_complete and self._cause is not ResyncReason.DIGEST

    @property
    def progress(self) -> SnapshotProgress | None:
        """How much of the snapshot under way has come; None if none is."""
        assembly = self._assembly
        if assembly is None:
            return None
        head = assembly.head
        return SnapshotProgress(assembly.next_index, head.chunk_count, len(assembly.members), head.count)

    def begin_stream(self, *, resumed: bool, named: bool) -> None:
        """Start on a new stream: after a resume that named the list deltas go on from it, else a snapshot comes."""
        self.is_proved = False
        self.is_awaiting = not (resumed and named)
        self._assembly = None
        self._snapshots_in_vain = 0
        if not self.is_awaiting:
            self._cause = None

    def request(self) -> Received:
        """Ask for a snapshot because the application wants one. Nothing follows if one is under way."""
        return _NOTHING if self.is_awaiting else self._resync(ResyncReason.REQUESTED)

    def current_incarnation(self, public_key: bytes, incarnation: int) -> int:
        """Translate an incarnation read from an earlier list into today's, where the lobby's history was restarted in between.

        An incarnation that isn't known comes back as it is: the server will say that it is another.
        """
        member = self._members.by_key.get(public_key)
        if member is not None and incarnation in self._earlier_incarnations.get(public_key, ()):
            return member.incarnation
        return incarnation

    def receive(self, message: Snapshot | Delta | ServerHeartbeat) -> Received:
        """Take in a message that describes the list."""
        match message:
            case Snapshot():
                return self._receive_snapshot(message)
            case Delta():
                return self._receive_delta(message)
            case ServerHeartbeat():
                return self._receive_heartbeat(message)

    def _receive_snapshot(self, chunk: Snapshot) -> Received:
        if chunk.chunk_index == 0:
            # Chunks may be fewer than members, never more: a server can't keep us collecting for ever.
            if not 1 <= chunk.chunk_count <= max(1, chunk.count):
                return _violated(f"a snapshot of {chunk.count} members in {chunk.chunk_count} chunks")
            if chunk.count > self._max_members:
                return _violated(
                    f"a lobby of {chunk.count} members, more than the {self._max_members} that are taken"
                )
            self._assembly = _Assembly(chunk, {}, {}, 0)
            self.is_awaiting = True
            self.is_proved = False
        assembly = self._assembly
        if assembly is None or not _continues(assembly, chunk):
            self._assembly = None
            return _violated(f"chunk {chunk.chunk_index} of {chunk.chunk_count} of a snapshot, out of order")
        assembly.next_index += 1
        for member in chunk.members:
            if member.public_key in assembly.members:
                # Both would be in the sum that is compared, and only one in the list.
                self._assembly = None
                return _violated("a snapshot that names a member twice")
            assembly.members[member.public_key] = member
            assembly.hashes[member.public_key] = hash_of(member)
        if len(assembly.members) > chunk.count:
            self._assembly = None
            return _violated("a snapshot with more members than it counts")
        if not chunk.last:
            return _NOTHING
        self._assembly = None
        if (
            reduce(add, assembly.hashes.values(), EMPTY) != chunk.digest
            or len(assembly.members) != chunk.count
        ):
            self._snapshots_in_vain += 1
            if self._snapshots_in_vain >= SNAPSHOTS_IN_VAIN:
                return _violated("snapshots that contradict their own digest")
            return self._resync(ResyncReason.DIGEST)
        return self._adopt(assembly)

    def _adopt(self, assembly: _Assembly) -> Received:
        snapshot = assembly.head
        is_first, same_epoch = not self.is_complete, snapshot.epoch == self.epoch
        old = dict(self._members.by_key)
        self._remember_incarnations(old, assembly.members, same_epoch)
        self._members.replace(assembly.members, assembly.hashes)
        cause = self._cause
        self.epoch, self.revision = snapshot.epoch, snapshot.revision
        self.is_complete = self.is_proved = True
        self.is_awaiting = False
        self._cause = None
        self._snapshots_in_vain = 0
        if is_first:
            return Received((Snapshotted(tuple(self.roster.values()), self.revision),), completed=True)
        changes = _difference(old, assembly.members, self.revision, same_epoch)
        repaired = _repaired(_repair_cause(cause, same_epoch), changes, self.revision)
        return Received((*changes, repaired), completed=True)

    def _remember_incarnations(
        self, old: dict[bytes, Member], new: dict[bytes, Member], same_epoch: bool
    ) -> None:
        """Keep, for those who stayed across epochs, the incarnations under which the application may still know them."""
        earlier: dict[bytes, tuple[int, ...]] = {}
        for key in old.keys() & new.keys():
            known = self._earlier_incarnations.get(key, ())
            if not same_epoch:
                # A server restarted again and again must not make this grow: an older one is forgotten.
                earlier[key] = (*known[-3:], old[key].incarnation)
            elif known and old[key].incarnation == new[key].incarnation:
                earlier[key] = known
        self._earlier_incarnations = earlier

    def _receive_delta(self, delta: Delta) -> Received:
        if self.is_awaiting:
            return _NOTHING
        if delta.epoch != self.epoch:
            return self._resync(ResyncReason.EPOCH)
        if delta.revision <= self.revision:
            return _NOTHING
        if delta.base_revision != self.revision:
            return self._resync(ResyncReason.GAP)
        keys = [member.public_key for member in (*delta.joined, *delta.updated)]
        keys += [departure.public_key for departure in delta.left]
        if len(set(keys)) != len(keys):
            return _violated("a delta that names a member twice")
        changes: list[MembershipEvent] = []
        for member in (*delta.joined, *delta.updated):
            before = self._members.put(member)
            if before is None or before.incarnation != member.incarnation:
                self._earlier_incarnations.pop(member.public_key, None)
            changes.extend(_change(before, member, same_epoch=True))
        for departure in delta.left:
            gone = self._members.drop(departure.public_key)
            self._earlier_incarnations.pop(departure.public_key, None)
            if gone is not None:
                changes.append(Left(gone, departure.reason, departure.revision))
        # A merged delta has one change for each member; told by revision they come in the order in which they happened.
        changes.sort(key=lambda event: event.revision)
        self.revision = delta.revision
        if len(self.roster) > self._max_members:
            violation = f"the server sent a lobby of more than the {self._max_members} members that are taken"
            return Received(tuple(changes), violation=violation)
        if self.digest != delta.digest or len(self.roster) != delta.count:
            resync = self._resync(ResyncReason.DIGEST)
            return Received(tuple(changes), resync.resync)
        self.is_proved = True
        return Received(tuple(changes))

    def _receive_heartbeat(self, beat: ServerHeartbeat) -> Received:
        if self.is_awaiting:
            return _NOTHING
        if beat.epoch != self.epoch:
            return self._resync(ResyncReason.EPOCH)
        if beat.revision != self.revision:
            return self._resync(ResyncReason.GAP)
        if beat.digest != self.digest or beat.count != len(self.roster):
            return self._resync(ResyncReason.DIGEST)
        self.is_proved = True
        return _NOTHING

    def _resync(self, reason: ResyncReason) -> Received:
        self.is_awaiting = True
        self.is_proved = False
        self._cause = reason
        return Received(resync=reason)


def _continues(assembly: _Assembly, chunk: Snapshot) -> bool:
    head = assembly.head
    return (
        chunk.chunk_index == assembly.next_index
        and chunk.last == (chunk.chunk_index == chunk.chunk_count - 1)
        and (chunk.epoch, chunk.revision, chunk.digest) == (head.epoch, head.revision, head.digest)
        and (chunk.count, chunk.chunk_count) == (head.count, head.chunk_count)
    )


def _difference(
    old: dict[bytes, Member], new: dict[bytes, Member], revision: int, same_epoch: bool
) -> tuple[MembershipEvent, ...]:
    gone = [Left(member, DepartureReason.LEFT, revision) for key, member in old.items() if key not in new]
    changed = [
        event for key, member in new.items() for event in _change(old.get(key), member, same_epoch=same_epoch)
    ]
    return (*gone, *sorted(changed, key=lambda event: event.revision))


def _change(before: Member | None, after: Member, *, same_epoch: bool) -> Iterable[MembershipEvent]:
    """Tell one member's change: each event is complete, the last one shows the new record."""
    if before is None:
        yield Joined(after)
        return
    if same_epoch and before.incarnation != after.incarnation:
        # Nobody says any more how the earlier one went. It went before the other came: the same revision keeps them together.
        yield Left(before, DepartureReason.LEFT, after.revision)
        yield Joined(after)
        return
    if before.liveness is not after.liveness:
        yield Back(after) if after.liveness is Liveness.ONLINE else Suspect(after)
    if (before.profile, before.session_count) != (after.profile, after.session_count):
        yield Updated(after, before)


def _repair_cause(cause: ResyncReason | None, same_epoch: bool) -> RepairCause:
    match cause:
        case ResyncReason.REQUESTED:
            return RepairCause.REQUESTED if same_epoch else RepairCause.EPOCH
        case ResyncReason.DIGEST:
            return RepairCause.DIGEST
        case _:
            return RepairCause.GAP if same_epoch else RepairCause.EPOCH


def _repaired(cause: RepairCause, changes: tuple[MembershipEvent, ...], revision: int) -> Repaired:
    joined = sum(isinstance(event, Joined) for event in changes)
    left = sum(isinstance(event, Left) for event in changes)
    others = {event.member.public_key for event in changes if not isinstance(event, Joined | Left)}
    return Repaired(cause, joined, len(others), left, revision)


def _violated(what: str) -> Received:
    return Received(violation=f"the server sent {what}")
