"""Any history of a lobby, seen by clients that take every word of the contract seriously."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.server import wire
from adsum.server.effects import Effect
from adsum.server.memory_store import MemoryStore
from adsum.server.messages import ClientHeartbeat, Leave
from adsum.v1 import presence_pb2
from tests.server.builders import ADA, BOB, CLEO, Room, key, update
from tests.server.reference import Letter, ReferenceClient
from tests.server.world import NAMES, Person, Seated, World

NOBODY = key("nobody")
WHO = st.integers(0, len(NAMES) - 1)
WHOM = st.sampled_from([*(key(name) for name in NAMES), NOBODY])
BARE_BEAT = ClientHeartbeat(0, 0, 0, 0)


class LobbyHistory(RuleBasedStateMachine, World):
    """Everything that may happen to a lobby on one node."""

    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        World.__init__(self, Limits())
        self.patch = pytest.MonkeyPatch()
        # Small lobbies then come in several chunks, too.
        self.patch.setattr(wire, "SNAPSHOT_CHUNK_MEMBERS", 2)

    def teardown(self) -> None:
        self.patch.undo()

    @initialize(grace=st.sampled_from([5.0, 5.0, 0.1, 0.0]), tombstones=st.sampled_from([2, 10_000]))
    def start(self, grace: float, tombstones: int) -> None:
        self.limits = Limits(grace_seconds=grace, tombstones_per_lobby=tombstones)
        self.open(Room(self.limits))
        for whom in (BOB, ADA, CLEO, ADA):
            self.join(0, whom)
        self.people[1].is_prompt = self.people[3].is_prompt = False

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
        self.read_welcome(person)
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
                return
            self.read_welcome(person)
            if person.client.selects:
                _, wanted = person.client.selects[-1]
                person.client.selects = []
                self.say_select(person, wanted)

    @rule(who=WHO)
    def leave(self, who: int) -> None:
        person = self.person(who, connected=True)
        if person is not None:
            self.say(person, presence_pb2.PresenceRequest(leave=presence_pb2.Leave()))

    @rule(who=WHO, keep=st.sampled_from([None, None, 0, 1]), times=st.integers(1, 2))
    def come_and_go(self, who: int, keep: int | None, times: int) -> None:
        """Leave and come back in a moment; the tombstone may be forgotten in between."""
        for _ in range(times):
            self.leave(who)
            self.forget(keep)
            self.join(0, ADA)

    @rule(who=WHO, hastily=st.booleans())
    def lose(self, who: int, hastily: bool) -> None:
        """Lose a connection, perhaps with an update that still waits for its rate."""
        person = self.person(who, connected=True)
        if person is not None:
            if hastily:
                self.update(person, times=12)
            if person.line is not None:
                self.cut(person)
            self.after()

    @rule(
        who=WHO,
        seconds=st.sampled_from([0.0, 0.0, 0.05, 1.0, 4.0]),
        lost_welcomes=st.integers(0, 2),
        is_heard_late=st.booleans(),
    )
    def blip(self, who: int, seconds: float, lost_welcomes: int, is_heard_late: bool) -> None:
        """Lose a connection, and come back as soon as may be; the loss may be noted after that."""
        person = self.person(who, connected=True)
        if person is None or person.line is None or (seat := self.seat_of(person)) is None:
            return
        late: list[Effect] = []
        if is_heard_late:
            late = self.room.desk.lost(person.line, self.room.now)
        else:
            self.cut(person)
            self.pass_time(seconds)
        for arrives in (*[False] * lost_welcomes, True):
            self.resume(self.people.index(person), "mine", hangs=True, welcome_arrives=arrives)
        revision = self.room.lobby.revision
        self.room.perform(late)
        assert self.room.lobby.revision == revision, "P6: the late loss of an older stream was written"
        self.settle(person)
        if seat.gone_at is None and seat.issued[0] not in seat.tokens:
            self.resume(self.people.index(person), "oldest", hangs=True, welcome_arrives=True)

    @rule(who=WHO, other=WHO, leaves=st.booleans(), returns=st.booleans())
    def lose_with_the_news(self, who: int, other: int, leaves: bool, returns: bool) -> None:
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
        if returns:
            self.resume(self.people.index(person), "mine", hangs=True, welcome_arrives=True)
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

    @rule(who=WHO, times=st.sampled_from([1, 1, 1, 12]), outdone=st.booleans())
    def change_profile(self, who: int, times: int, outdone: bool) -> None:
        person = self.person(who, connected=True)
        if person is not None:
            self.update(person, times, outdone=outdone)

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

    @rule(
        who=WHO,
        sends=st.booleans(),
        seconds=st.sampled_from([0.0, 4.0, 13.0, 15.0, 25.0, 28.0, 50.0]),
        recovers=st.booleans(),
    )
    def get_into_trouble(self, who: int, sends: bool, seconds: float, recovers: bool) -> None:
        """Stop reading; or hang, and do nothing any more; and perhaps wake up again on the same stream."""
        person = self.person(who, connected=True)
        if person is None:
            return
        person.is_reading = False
        person.is_sending = sends and person.is_sending
        seat = self.seat_of(person)
        if seat is not None and seat.troubled_since is None:
            seat.troubled_since = self.room.now
        self.pass_time(seconds)
        if recovers and person.line is not None:
            self.recovered(person)

    @rule(who=WHO)
    def recover(self, who: int) -> None:
        """Read and answer again."""
        person = self.person(who, connected=True)
        if person is not None:
            self.recovered(person)

    # Writing and reading

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
        self.forget(keep)
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


TestLobbyHistory = LobbyHistory.TestCase
TestLobbyHistory.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
