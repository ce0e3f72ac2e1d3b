"""Any history of a lobby, seen by clients that take every word of the contract seriously.

The server's side is real: store, desk, outboxes and the bytes of the codec; only sockets and the clock are
missing. What a writer has taken is on the way until its client reads it, and is lost when the connection is
cut. The clients are `reference`'s. What must be true of the lobby is kept beside it, in the simplest words:
who is connected, who was lost and until when they may come back.
"""

from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.server import wire
from adsum.server.effects import Effect
from adsum.server.lobby import Lobby
from adsum.server.member import Liveness
from adsum.server.memory_store import MemoryStore
from adsum.server.messages import ClientHeartbeat, Leave, Resume
from adsum.server.outbox import MAILBOX_CAPACITY, DeltaOwed, HeartbeatOwed, SnapshotOwed
from adsum.server.seat import Line
from adsum.server.wire import PRESENCE_ENVELOPE, LobbyCodec, decode_request, encode_response
from adsum.v1 import presence_pb2
from tests.server.builders import ADA, BOB, CLEO, Room, introduction, key, update
from tests.server.reference import Letter, Post, ReferenceClient, Truth

NAMES = ("ada", "ada", "bob", "bob", "cleo", "dan")
NOBODY = key("nobody")
WHO = st.integers(0, len(NAMES) - 1)
WHOM = st.sampled_from([*(key(name) for name in NAMES), NOBODY])
UNREAD = 3
"""How many messages fit on the way to a client that doesn't read, before a write gets stuck."""
BARE_BEAT = ClientHeartbeat(0, 0, 0, 0)


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


class LobbyHistory(RuleBasedStateMachine):
    """Everything that may happen to a lobby on one node."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        # Small lobbies then come in several chunks, too.
        self.patch.setattr(wire, "SNAPSHOT_CHUNK_MEMBERS", 2)
        self.post = Post()
        self.people = [Person(name, ReferenceClient(key(name), self.post)) for name in NAMES]
        self.observers: list[Person] = []
        self.seated: dict[bytes, Seated] = {}
        self.old_lines: list[Line] = []
        self.history: dict[int, Truth] = {}
        self.slept = 0.0
        self.has_restarted = False
        self.serial = 0

    def teardown(self) -> None:
        self.patch.undo()

    @initialize(grace=st.sampled_from([5.0, 5.0, 0.1, 0.0]), tombstones=st.sampled_from([2, 10_000]))
    def start(self, grace: float, tombstones: int) -> None:
        self.limits = Limits(grace_seconds=grace, tombstones_per_lobby=tombstones)
        self.open(Room(self.limits))
        for whom in (BOB, ADA, CLEO, ADA):
            self.join(0, whom)
        self.people[1].is_prompt = self.people[3].is_prompt = False

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
        seat = self.seat_of(person)
        if seat is not None and seat.gone_at is None:
            seat.gone_at = self.room.now + self.limits.grace_seconds
            seat.may_be_gone = seat.troubled_since is not None
            seat.troubled_since = None

    # Coming and going

    @rule(who=WHO, whom=WHOM)
    def join(self, who: int, whom: bytes) -> None:
        """Come in with a new session, and select somebody."""
        person = self.person(who, connected=False)
        if person is None:
            return
        devices = sum(one.public_key == key(person.name) for one in self.room.stored_sessions.values())
        device = self.room.join(person.name)
        if device.line.number in self.room.ended:
            assert self.room.ended[device.line.number] is Reason.TOO_MANY_SESSIONS
            assert devices == self.limits.sessions_per_member
            self.room.lose(device)
            return
        person.client = ReferenceClient(key(person.name), self.post)
        person.line, person.session_id, person.forgotten_ids = device.line, device.session_id, 0
        self.seated[device.session_id] = Seated(person.name, {device.token}, [device.token])
        self.say_select(person, whom)
        self.settle(person)

    @rule(
        who=WHO,
        token=st.sampled_from(["mine", "mine", "mine", "newest", "oldest", "made up", "another's"]),
        hangs=st.booleans(),
        welcome_arrives=st.booleans(),
    )
    def resume(self, who: int, token: str, hangs: bool, welcome_arrives: bool) -> None:
        """Resume, also while the first stream still hangs; and with tokens that are not the right ones."""
        person = (not hangs and self.person(who, connected=False)) or self.people[who]
        seat = self.seat_of(person)
        if seat is None or person.client.credentials is None:
            return
        session_id, mine = person.client.credentials
        others = (one.issued[-1] for one in self.seated.values() if one is not seat)
        offered = {
            "mine": mine,
            "newest": seat.issued[-1],
            "oldest": seat.issued[0],
            "made up": bytes(32),
            "another's": next(others, b""),
        }[token]
        assert self.ask_to_resume("eve", session_id, seat.issued[-1], person)[0] is Reason.SESSION_UNKNOWN
        let_in, fresh = self.ask_to_resume(person.name, session_id, offered, person)
        if session_id not in self.room.stored_sessions:
            assert let_in is Reason.SESSION_UNKNOWN
        elif offered not in seat.tokens:
            assert let_in is Reason.BAD_TOKEN
        else:
            assert not isinstance(let_in, Reason), let_in
            seat.tokens = {offered, fresh}
            seat.issued.append(fresh)
            self.go_on(person, seat, *let_in)
            if not welcome_arrives:
                self.write(person)
                self.cut(person)
            elif person.client.selects:
                _, wanted = person.client.selects[-1]
                person.client.selects = []
                self.say_select(person, wanted)

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

    @rule(who=WHO)
    def leave(self, who: int) -> None:
        person = self.person(who, connected=True)
        if person is not None:
            self.say(person, presence_pb2.PresenceRequest(leave=presence_pb2.Leave()))

    @rule(who=WHO, times=st.integers(1, 2))
    def come_and_go(self, who: int, times: int) -> None:
        """Leave and come back in a moment, again and again."""
        for _ in range(times):
            self.leave(who)
            self.join(0, ADA)

    @rule(who=WHO)
    def lose(self, who: int) -> None:
        person = self.person(who, connected=True)
        if person is not None:
            self.cut(person)
            self.after()

    @rule(who=WHO, seconds=st.sampled_from([0.0, 0.0, 0.05, 1.0, 4.0]), times=st.integers(1, 2))
    def blip(self, who: int, seconds: float, times: int) -> None:
        """Lose a connection, and come back as soon as may be."""
        person = self.person(who, connected=True)
        for _ in range(times):
            if person is not None and person.line is not None:
                self.cut(person)
                self.pass_time(seconds)
                self.resume(self.people.index(person), "mine", hangs=True, welcome_arrives=True)
                self.settle(person)

    @rule(who=WHO, other=WHO, leaves=st.booleans())
    def lose_with_the_news(self, who: int, other: int, leaves: bool) -> None:
        """Lose a connection on which the departure or the loss of somebody has just been written."""
        person, subject = self.person(who, connected=True), self.person(other, connected=True)
        if person is None or subject is None or person is subject:
            return
        if leaves:
            self.leave(other)
        else:
            self.cut(subject)
        if person.line is not None:
            person.line.outbox.start_wave()
            while self.write(person):
                continue
            self.cut(person)
        self.after()

    @precondition(lambda self: self.old_lines)
    @rule(speaks=st.booleans())
    def hear_late_of_an_old_stream(self, speaks: bool) -> None:
        line = self.old_lines.pop()
        revision = self.room.lobby.revision
        if speaks:
            self.room.say(line, Leave(), update("ghost"), BARE_BEAT)
        self.room.lose(line)
        assert self.room.lobby.revision == revision

    @rule(who=WHO)
    def observe(self, who: int) -> None:
        """Somebody comes to look, or stops looking."""
        if who and self.observers:
            observer = self.observers.pop()
            if observer.line is not None:
                self.cut(observer)
        elif not self.observers:
            self.observers.append(Person("nobody", ReferenceClient(NOBODY, self.post), self.room.observe()))

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

    @rule(who=WHO, times=st.sampled_from([1, 1, 1, 12]), outdone=st.booleans())
    def change_profile(self, who: int, times: int, outdone: bool) -> None:
        person = self.person(who, connected=True)
        for _ in range(times):
            if person is not None and person.line is not None:
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

    @rule(who=WHO, whom=st.one_of(WHOM, st.just(b"")), times=st.integers(1, 2))
    def select(self, who: int, whom: bytes, times: int) -> None:
        person = self.person(who, connected=True)
        for _ in range(times):
            if person is not None and person.line is not None:
                self.say_select(person, whom)

    @rule(who=WHO, whom=WHOM, minds=st.booleans())
    def send(self, who: int, whom: bytes, minds: bool) -> None:
        person = self.person(who, connected=True)
        if person is None:
            return
        client = person.client
        self.serial += 1
        payload = b"message %d" % self.serial
        held = client.roster.members.get(whom)
        request = presence_pb2.Send(
            request_id=client.next_request_id,
            recipient=whom,
            payload=payload,
            incarnation=held[0] if minds and held else 0,
        )
        client.sent[client.next_request_id] = (payload, request)
        client.next_request_id += 1
        self.post.letters[payload] = Letter(key(person.name), whom, request.incarnation)
        self.say(person, presence_pb2.PresenceRequest(send=request))

    @rule(who=WHO, which=st.integers(0, 50))
    def send_again(self, who: int, which: int) -> None:
        person = self.person(who, connected=True)
        if person is None or not person.client.sent:
            return
        request_id = which % len(person.client.sent) + 1
        payload, request = person.client.sent[request_id]
        if request_id > person.forgotten_ids or not self.post.letters[payload].outcome:
            self.say(person, presence_pb2.PresenceRequest(send=request))

    @rule(who=WHO)
    def resync(self, who: int) -> None:
        person = self.person(who, connected=True)
        if person is not None:
            person.client.roster.is_awaiting = True
            person.client.is_due = False
            self.say(person, presence_pb2.PresenceRequest(resync=presence_pb2.Resync()))

    @rule(who=WHO, reads=st.booleans())
    def get_into_trouble(self, who: int, reads: bool) -> None:
        """Stop reading; or hang, and do nothing any more."""
        person = self.person(who, connected=True)
        if person is not None:
            person.is_reading = False
            person.is_sending = reads and person.is_sending
            seat = self.seat_of(person)
            if seat is not None and seat.troubled_since is None:
                seat.troubled_since = self.room.now

    @rule(who=WHO)
    def recover(self, who: int) -> None:
        """Read and answer again, on the same stream."""
        person = self.person(who, connected=True)
        if person is not None:
            self.recovered(person)

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

    @rule(who=WHO, writes=st.integers(0, 3), reads=st.integers(0, 3), wave=st.booleans())
    def move_some(self, who: int, writes: int, reads: int, wave: bool) -> None:
        """Bring some messages on the way, and some to their client."""
        person = self.person(who, connected=True)
        if person is not None:
            if wave and person.line is not None:
                person.line.outbox.start_wave()
            for _ in range(writes):
                self.write(person)
            for _ in range(reads):
                self.read(person)
            if person.acknowledges:
                self.acknowledge(person)

    @rule(who=WHO, is_prompt=st.booleans(), acknowledges=st.booleans())
    def change_pace(self, who: int, is_prompt: bool, acknowledges: bool) -> None:
        """Read at once, or only now and then: what is on the way piles up, and deltas are merged."""
        person = self.person(who, connected=True)
        if person is not None:
            person.is_prompt, person.acknowledges = is_prompt, acknowledges

    # Time

    @rule(seconds=st.sampled_from([0.05, 0.3, 1.0, 4.0, 5.0, 11.0, 13.0, 30.0]))
    def pass_time(self, seconds: float) -> None:
        """Let time pass, in which healthy clients read and answer."""
        until = self.room.now + seconds
        while self.room.now < until:
            self.room.wait(min(1.0, until - self.room.now))
            self.after()
            for person in self.connected():
                if person.is_reading:
                    self.settle(person)
                elif person.is_sending:
                    self.write(person)
                    self.room.say(person.line or self.old_lines[0], BARE_BEAT)
                    if (seat := self.seat_of(person)) is not None:
                        seat.tokens = {seat.issued[-1]}
                self.after()

    @rule(seconds=st.sampled_from([0.2, 1.0]), keep=st.sampled_from([None, None, 0, 1, 2]))
    def tick_late(self, seconds: float, keep: int | None) -> None:
        """Do at once what has become due in some time; perhaps forget all tombstones but so many."""
        if keep is not None:
            self.room.lobby.forget(self.room.now + 1, keep)
        self.slept += seconds
        self.room.sleep_through(seconds)
        self.after()
        for person in self.connected():
            # However slow, a healthy client answers within a lease.
            if person.is_reading and person.line is not None and person.line.heard_at < self.room.now - 6:
                self.settle(person)

    @precondition(lambda self: not self.has_restarted)
    @rule(return_at_once=st.booleans())
    def restart(self, return_at_once: bool) -> None:
        """Stop the server after a drain, and start another on what it leaves."""
        self.has_restarted = True
        before = self.room
        before.perform(before.desk.drain(1.0))
        held = before.desk.bequeath()
        store = MemoryStore(self.limits, lambda: 5)
        store.restore(before.store.dump())
        after = Room(self.limits, store=store, now=before.now)
        after._numbers, after._draws = before._numbers, before._draws + 1
        if after.lobby.epoch != before.lobby.epoch:
            # Nobody was left in it: another history begins.
            self.history.clear()
        self.open(after)
        after.adopt(held)
        patience = max(self.limits.lease_seconds, self.limits.grace_seconds)
        for person in self.connected():
            person.line = None
            person.on_the_way.clear()
            person.is_reading = person.is_sending = True
        for person in self.people:
            person.forgotten_ids = person.client.next_request_id - 1
        for seat in self.seated.values():
            seat.troubled_since = None
            if not seat.has_left and (seat.gone_at is None or seat.gone_at > after.now):
                seat.gone_at = after.now + patience
        self.observers.clear()
        self.old_lines.clear()
        for who in range(len(self.people) * return_at_once):
            self.resume(who, "mine", hangs=True, welcome_arrives=True)

    # What must hold after each step

    @invariant()
    def everything_holds(self) -> None:
        for person in self.connected():
            if person.is_prompt and person.is_reading:
                self.settle(person)
        self.sessions_are_those_that_must_be()
        self.lobby_is_what_the_store_has()
        self.lists_are_what_the_lobby_was()
        self.memory_is_bounded()

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
        lobby: Lobby = self.room.lobby
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


TestLobbyHistory = LobbyHistory.TestCase
TestLobbyHistory.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
