"""One lobby with its clients, in which everything is real but sockets and the clock; and what must be true of it.

The server's side is store, desk, outboxes and the bytes of the codec. What a writer has taken is on the way until its
client reads it, and is lost when the connection is cut. The clients are `reference`'s. What must be true of the lobby
is kept beside it, in the simplest words: who is connected, who was lost and until when they may come back.
"""

from collections import deque
from dataclasses import dataclass, field

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.server.effects import Effect
from adsum.server.member import Liveness
from adsum.server.messages import Resume
from adsum.server.outbox import MAILBOX_CAPACITY, DeltaOwed, HeartbeatOwed, SnapshotOwed
from adsum.server.seat import Line
from adsum.server.wire import PRESENCE_ENVELOPE, LobbyCodec, decode_request, encode_response
from adsum.v1 import presence_pb2
from tests.server.builders import Room, introduction, key
from tests.server.reference import Post, ReferenceClient, Truth

NAMES = ("ada", "ada", "bob", "bob", "cleo", "dan")
"""Who there is: two of them have two devices."""
UNREAD = 3
"""How many messages fit on the way to a client that doesn't read, before a write gets stuck."""


@dataclass(slots=True, eq=False)
class Seated:
    """What must be true of one session on the server.

    `tokens` are those that continue it, `issued` all that there ever were. `gone_at` is when its grace ends, None while
    it is connected; where `may_be_gone`, it may have ended before, since nobody outside knows when silence was believed.
    """

    name: str
    tokens: set[bytes]
    issued: list[bytes]
    gone_at: float | None = None
    may_be_gone: bool = False
    has_left: bool = False
    troubled_since: float | None = None


@dataclass(slots=True, eq=False)
class Person:
    """One client program with its connection. One that is prompt reads and answers everything after each step."""

    name: str
    client: ReferenceClient
    line: Line | None = None
    on_the_way: deque[bytes] = field(default_factory=deque)
    session_id: bytes = b""
    is_prompt: bool = True
    acknowledges: bool = True
    is_reading: bool = True
    is_sending: bool = True
    forgotten_ids: int = 0


class World:
    """A lobby, its clients, and what must be true of them."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.post = Post()
        self.people = [Person(name, ReferenceClient(key(name), self.post)) for name in NAMES]
        self.observers: list[Person] = []
        self.seated: dict[bytes, Seated] = {}
        self.old_lines: list[Line] = []
        self.history: dict[int, Truth] = {}
        self.slept = 0.0
        self.has_restarted = False
        self.serial = 0

    def open(self, room: Room) -> None:
        """Start a server."""
        self.room = room
        self.codec = LobbyCodec(room.lobby)
        room.noted = self.note
        room.makes_waves = False
        self.note()

    # What is true

    def note(self) -> None:
        """Write down what the store has; called after each change."""
        members = [one for stored in self.room.store.dump() for one in stored.members]
        before = self.history.get(self.room.lobby.revision - 1, {})
        for one in members:
            stayed = before.get(one.public_key)
            assert stayed is None or stayed[0] == one.incarnation, (
                "P6: another incarnation without a departure"
            )
        self.history[self.room.lobby.revision] = {
            one.public_key: (
                one.incarnation,
                one.revision,
                any(session.liveness is Liveness.ONLINE for session in one.sessions),
                len(one.sessions),
                max(one.sessions, key=lambda session: session.profile_revision).profile.name,
                max(one.sessions, key=lambda session: session.profile_revision).profile.status_text,
            )
            for one in members
        }

    def after(self) -> None:
        """Notice whom the server has thrown out; their connections are closed, with whatever was on the way."""
        for person in self.connected():
            if person.line is not None and person.line.number in self.room.ended:
                self.cut(person)

    def connected(self) -> list[Person]:
        """List everybody who has a connection."""
        return [one for one in (*self.people, *self.observers) if one.line is not None]

    def person(self, who: int, *, connected: bool) -> Person | None:
        """Find somebody who is connected or isn't, starting the search with `who`."""
        there = [one for one in self.people if (one.line is not None) is connected]
        return there[who % len(there)] if there else None

    def seat_of(self, person: Person) -> Seated | None:
        """Find what must be true of somebody's session."""
        return self.seated.get(person.session_id)

    def cut(self, person: Person) -> None:
        """Lose a connection, with everything on the way."""
        line, person.line = person.line, None
        assert line is not None
        person.on_the_way.clear()
        person.is_reading = person.is_sending = True
        self.room.lose(line)
        self.old_lines.append(line)
        seat = self.seat_of(person)
        if seat is not None and seat.gone_at is None:
            seat.gone_at = self.room.now + self.limits.grace_seconds
            seat.may_be_gone = seat.troubled_since is not None
            seat.troubled_since = None

    # Coming and going

    def read_welcome(self, person: Person) -> None:
        """Let a client be welcomed: before that it has nothing to say."""
        assert self.write(person)
        assert self.read(person)

    def ask_to_resume(
        self, name: str, session_id: bytes, token: bytes, person: Person
    ) -> tuple[tuple[Line, list[Effect]] | Reason, bytes]:
        """Say hello, naming the list that a client holds. Returns the answer, and the token that would be next."""
        roster, fresh = person.client.roster, self.room.draw(32)
        holds = (roster.epoch, roster.revision, roster.digest) if roster.is_complete else (0, 0, 0)
        asked = Resume(session_id, token, *holds)
        return self.room.desk.resume(
            self.room.number(), introduction(name), asked, fresh, now=self.room.now
        ), fresh

    def go_on(self, person: Person, seat: Seated, line: Line, effects: list[Effect]) -> None:
        """Go on with a session on another stream."""
        if person.line is not None:
            self.old_lines.append(person.line)
            person.on_the_way.clear()
        person.line = line
        person.is_reading = person.is_sending = True
        seat.gone_at, seat.may_be_gone, seat.troubled_since = None, False, None
        self.room.perform(effects)
        person.client.begin_stream(named=person.client.roster.is_complete)

    # Being here

    def say(self, person: Person, request: presence_pb2.PresenceRequest) -> None:
        """Say something, as bytes."""
        assert person.line is not None
        is_leave = request.HasField("leave")
        seat = self.seat_of(person)
        self.room.say(person.line, decode_request(request.SerializeToString()))
        if seat is not None:
            seat.tokens = {seat.issued[-1]}
            if is_leave:
                seat.has_left = True
                seat.gone_at = self.room.now
        self.after()

    def update(self, person: Person, times: int, *, outdone: bool = False) -> None:
        """Say something new about oneself, or what the next hello says anyway."""
        for _ in range(times):
            if person.line is not None:
                self.serial += 1
                request = presence_pb2.PresenceRequest()
                request.update_profile.profile.name = person.name
                request.update_profile.profile.status_text = "" if outdone else f"text {self.serial}"
                self.say(person, request)

    def say_select(self, person: Person, public_key: bytes) -> None:
        """Select somebody."""
        self.serial += 1
        person.client.selects.append((self.serial, public_key))
        select = presence_pb2.Select(request_id=self.serial, public_key=public_key)
        self.say(person, presence_pb2.PresenceRequest(select=select))

    def recovered(self, person: Person) -> None:
        """Do what a client does that has woken up."""
        person.is_reading = person.is_sending = True
        self.settle(person)
        if person.line is not None:
            self.answer(person)
        if person.line is not None and (seat := self.seat_of(person)) is not None:
            seat.troubled_since = None

    # Writing and reading

    def write(self, person: Person) -> bool:
        """Let the server write one thing that is owed; False if there is nothing, or no room."""
        line = person.line
        if line is None or not line.is_live:
            return False
        if not person.is_reading and len(person.on_the_way) >= UNREAD:
            line.writing_since = line.writing_since or self.room.now
            return False
        line.writing_since = None
        match line.outbox.take(self.room.lobby):
            case None:
                return False
            case SnapshotOwed():
                person.on_the_way += [PRESENCE_ENVELOPE.snapshot(one) for one in self.codec.snapshot()]
            case DeltaOwed(base):
                person.on_the_way.append(PRESENCE_ENVELOPE.delta(self.codec.delta(base)))
            case HeartbeatOwed():
                person.on_the_way.append(encode_response(self.room.heartbeat(line), self.limits))
            case response:
                person.on_the_way.append(encode_response(response, self.limits))
        return True

    def read(self, person: Person) -> bool:
        """Let a client read one message."""
        if person.line is None or not person.is_reading or not person.on_the_way:
            return False
        person.client.receive(person.on_the_way.popleft(), self.history)
        return True

    def answer(self, person: Person) -> None:
        """Let a client answer the heartbeat that it has read, or just say that it is here."""
        client, request = person.client, presence_pb2.PresenceRequest()
        request.heartbeat.epoch = client.roster.epoch
        request.heartbeat.revision = client.roster.revision
        request.heartbeat.digest = client.roster.digest
        if client.beat is not None:
            request.heartbeat.echo, client.beat = client.beat.nonce, None
        self.say(person, request)

    def acknowledge(self, person: Person) -> None:
        """Let a client acknowledge all that it has been handed."""
        while person.line is not None and (ack := person.client.acknowledge()) is not None:
            self.say(person, presence_pb2.PresenceRequest(ack=ack))

    def settle(self, person: Person) -> None:
        """Let a client read everything that there is, and check that nothing is missing."""
        self.serve(person)
        if person.line is not None:
            # The wave may come later than what belongs to this stream alone.
            person.line.outbox.start_wave()
            self.serve(person)
        client = person.client
        if person.line is None or not person.is_reading:
            return
        assert not client.is_due, "P7: the word about the selection is missing"
        assert client.roster.is_complete
        if not client.roster.is_awaiting:
            assert client.roster.revision == self.room.lobby.revision
            assert client.roster.digest == self.room.lobby.digest
        if not client.is_doubtful and not client.selects and client.told is not None:
            member = self.room.lobby.member(client.told[0])
            assert member is not None, "P7: selected, but gone"
            assert (member.incarnation, member.liveness is Liveness.ONLINE) == client.told[1:]

    def serve(self, person: Person) -> None:
        """Let a client read what is written without a wave, and answer it."""
        client = person.client
        while self.write(person) or self.read(person):
            is_listed = client.has_list and not client.roster.is_awaiting
            is_first_list = is_listed and not client.has_greeted
            if person.line is not None and (client.beat is not None or is_first_list):
                client.has_greeted = client.has_greeted or is_first_list
                self.answer(person)
            if person.acknowledges:
                self.acknowledge(person)

    # Time

    def forget(self, keep: int | None) -> None:
        """Forget all tombstones but so many."""
        if keep is not None:
            self.room.lobby.forget(self.room.now + 1, keep)

    # What must hold after each step

    def sessions_are_those_that_must_be(self) -> None:
        """See that there are no ghosts and no missing members (P5), and that nobody who is in time is gone (P6, P10)."""
        stored = self.room.stored_sessions
        assert stored.keys() == {one.session.id for one in self.room.desk.seats}, (
            "a session that nobody holds"
        )
        for session_id, seat in list(self.seated.items()):
            if seat.gone_at is not None and (seat.has_left or seat.gone_at <= self.room.now):
                assert session_id not in stored, f"P5: a ghost of {seat.name}"
                del self.seated[session_id]
            elif seat.gone_at is not None:
                assert seat.may_be_gone or session_id in stored, f"P6: {seat.name} is gone too soon"
                if session_id in stored:
                    assert stored[session_id].liveness is Liveness.SUSPECT, f"P5: {seat.name} is not suspect"
            elif seat.troubled_since is None:
                assert stored[session_id].liveness is Liveness.ONLINE, f"P5: {seat.name} is missing"
            elif self.room.now > seat.troubled_since + 45 + self.slept:
                assert session_id not in stored, f"P5: {seat.name} hangs for ever"
        assert not stored.keys() - self.seated.keys(), "P5: a ghost"

    def lobby_is_what_the_store_has(self) -> None:
        """Compare the fold with the store."""
        lobby = self.room.lobby
        truth = self.history[lobby.revision]
        assert {one.public_key: (one.incarnation, one.revision) for one in lobby} == {
            public_key: record[:2] for public_key, record in truth.items()
        }
        assert len(lobby) == len(truth)
        assert lobby.suspects == sum(not record[2] for record in truth.values())

    def lists_are_what_the_lobby_was(self) -> None:
        """Compare each client's list with the lobby at the list's revision (P2, P3)."""
        for person in self.connected():
            person.client.check_list(self.history)

    def memory_is_bounded(self) -> None:
        """Count what is kept (P9)."""
        desk, lobby = self.room.desk, self.room.lobby
        seats = list(desk.seats)
        assert all(len(line.outbox) <= MAILBOX_CAPACITY for line in desk.lines)
        assert desk.stream_count == len(self.connected())
        assert len(lobby._first_incarnation) <= len(lobby)
        assert len(lobby._entries) <= len(lobby) + len(lobby._graves)
        assert len(self.codec._records) <= 2 * len(lobby) + 70
        assert {one.session.public_key for one in seats} == desk._seats_of.keys()
        for seat in seats:
            assert len(seat.correspondent.pending) <= self.limits.pending_deliveries
            assert len(seat.correspondent.results) <= self.limits.results_kept
        assert len(desk._timers) <= 3 * desk.stream_count + 2 * len(seats) + len(self.post.letters) + 1
