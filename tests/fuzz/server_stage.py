"""A server without sockets and clocks, that takes bytes and gives bytes: what hub and service do, in the same order and at once.

Streams are led by the real handshake into a real desk on a real store; what is written is what the codec makes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from adsum.contract.identity import KEY_BYTES
from adsum.contract.limits import Limits
from adsum.contract.reasons import TABLE, Reason
from adsum.server.desk import Desk
from adsum.server.effects import Effect
from adsum.server.handover import Handover
from adsum.server.history import StoredLobby
from adsum.server.memory_store import MemoryStore
from adsum.server.messages import Request, Send
from adsum.server.outbox import DeltaOwed, HeartbeatOwed, SnapshotOwed
from adsum.server.seat import Line
from adsum.server.session import Fault, Handshake, StreamState
from adsum.server.spread import Spread
from adsum.server.wire import (
    PRESENCE_ENVELOPE,
    LobbyCodec,
    MalformedRequestError,
    decode_request,
    encode_response,
    encode_status,
)
from adsum.v1 import presence_pb2 as pb
from tests.fuzz.files import through_a_file
from tests.fuzz.listener import Account, Listener
from tests.fuzz.records import record_of
from tests.model.lobby import Record
from tests.server.builders import LOBBY, UNIX_MILLIS, Room

LIMITS = Limits(
    members_per_lobby=5,
    sessions_per_member=2,
    tombstones_per_lobby=3,
    observers_per_lobby=2,
    errors_per_stream=4,
    payload_bytes=64,
    pending_deliveries=3,
    results_kept=4,
    requests_per_second=50.0,
    request_burst=100,
    updates_per_second=2.0,
    update_burst=2,
    sends_per_second=5.0,
    send_burst=5,
)
"""Small, so that a short input reaches each of them."""


@dataclass(slots=True, eq=False)
class Stream:
    """One stream: its handshake, its line once it is let in, and who listens at its other end."""

    number: int
    handshake: Handshake
    listener: Listener
    line: Line | None = None
    is_over: bool = False
    ended_by: Reason | None = None


@dataclass(slots=True, eq=False)
class Credentials:
    """What a welcome gave: it continues a session, for whoever has it."""

    public_key: bytes
    session_id: bytes
    token: bytes
    account: Account


@dataclass(slots=True)
class Stage:
    """One lobby's server, and every stream it has."""

    limits: Limits
    proves_keys: bool = True
    history: dict[tuple[int, int], dict[bytes, Record]] = field(default_factory=dict)
    streams: list[Stream] = field(default_factory=list)
    credentials: list[Credentials] = field(default_factory=list)
    accounts: dict[bytes, Account] = field(default_factory=dict)
    runs: int = 0
    checked: tuple[int, int] = (0, -1)
    """The history and revision at which the lobby was compared last."""
    room: Room = field(init=False)
    codec: LobbyCodec = field(init=False)

    def __post_init__(self) -> None:
        """Start a server with nobody."""
        self._open(Room(self.limits))

    def _open(self, room: Room) -> None:
        self.runs += 1
        # Each process has a seed of its own: delivery ids of two runs must not be the same.
        room.desk = Desk(room.lobby, self.limits, room.health, Spread(self.runs), room.now)
        room.makes_waves = False
        room.noted = self._note
        self.room, self.codec = room, LobbyCodec(room.lobby)
        self._write_down()

    def _write_down(self) -> None:
        members = [one for stored in self.room.store.dump() for one in stored.members]
        lobby = self.room.lobby
        self.history[lobby.epoch, lobby.revision] = {one.public_key: record_of(one) for one in members}

    def _note(self) -> None:
        lobby = self.room.lobby
        assert (lobby.epoch, lobby.revision) not in self.history, "P2: a revision was given twice"
        assert (lobby.epoch, lobby.revision - 1) in self.history, "P2: a revision was left out"
        self._write_down()

    # What the service does.

    def open_stream(self) -> Stream:
        """Take in a stream."""
        number = self.room.number() + 1000 * self.runs
        handshake = Handshake(self.room.draw(32), ("localhost",), proves_keys=self.proves_keys)
        stream = Stream(number, handshake, Listener(self.history))
        self.streams.append(stream)
        return stream

    def hear(self, stream: Stream, content: bytes) -> None:
        """Take bytes from the network."""
        if stream.is_over:
            return
        try:
            request = decode_request(content)
        except MalformedRequestError as error:
            if stream.line is not None:
                self.perform(self.room.desk.eject(stream.line, Reason.MALFORMED_REQUEST, self.room.now))
            self.end(stream, Fault(Reason.MALFORMED_REQUEST, str(error)))
            return
        match stream.handshake.state:
            case StreamState.OPENED:
                stream.listener.says_hello(pb.PresenceRequest.FromString(content).hello)
                self._greet(stream, request)
            case StreamState.CHALLENGED:
                self._admit(stream, request)
            case StreamState.LIVE:
                self._receive(stream, request)
            case state:
                raise AssertionError(f"a stream that goes on is {state}")

    def _greet(self, stream: Stream, request: Request) -> None:
        room, handshake = self.room, stream.handshake
        introduction = handshake.receive_hello(request)
        if isinstance(introduction, Fault):
            self.end(stream, introduction)
            return
        resume, refusal = introduction.hello.resume, Reason.UNSPECIFIED
        if resume is not None:
            refusal = Reason.SESSION_UNKNOWN
            if introduction.hello.lobby == LOBBY:
                let_in = room.desk.resume(stream.number, introduction, resume, room.draw(32), now=room.now)
                if not isinstance(let_in, Reason):
                    stream.line, effects = let_in
                    handshake.live()
                    self.perform(effects)
                    return
                refusal = let_in
        challenge = handshake.challenge(room.now, UNIX_MILLIS, refusal)
        stream.listener.told(encode_response(challenge, self.limits))

    def _admit(self, stream: Stream, request: Request) -> None:
        room = self.room
        introduction = stream.handshake.receive_proof(request, room.now)
        if isinstance(introduction, Fault):
            self.end(stream, introduction)
        elif introduction.hello.lobby != LOBBY:
            self.end(stream, Fault(Reason.TOO_MANY_LOBBIES, ""))
        elif introduction.hello.observer:
            line = room.desk.observe(stream.number, room.now)
            if isinstance(line, Reason):
                self.end(stream, Fault(line, ""))
            else:
                stream.line = line
                stream.handshake.live()
        else:
            stream.line, effects = room.desk.join(
                stream.number,
                introduction,
                room.draw(16),
                room.draw(32),
                now=room.now,
                unix_millis=UNIX_MILLIS,
            )
            stream.handshake.live()
            self.perform(effects)

    def _receive(self, stream: Stream, request: Request) -> None:
        line = stream.line
        assert line is not None
        # One that will be thrown out for its rate is never asked about.
        if isinstance(request, Send) and request.request_id and line.seat is not None:
            stream.listener.asks(request.request_id)
            if len(request.recipient) != KEY_BYTES:
                stream.listener.account.asked[request.request_id] -= 1
        effects = self.room.desk.receive(line, request, now=self.room.now, unix_millis=UNIX_MILLIS)
        self.perform(effects)

    def perform(self, effects: list[Effect]) -> None:
        """Carry out what the desk asks for, and end what it has ended."""
        self.room.perform(effects)
        for stream in self.alive():
            if stream.line is not None and stream.number in self.room.ended:
                reason = self.room.ended[stream.number]
                self.end(stream, Fault(reason, "") if reason is not None else None)

    def end(self, stream: Stream, fault: Fault | None) -> None:
        """End a stream, as the service does: by a status, and with its session lost unless it has left."""
        if stream.is_over:
            return
        stream.is_over = True
        if fault is not None:
            stream.ended_by = fault.reason
            assert encode_status(fault.reason, f"{TABLE[fault.reason].text}: {fault.detail}", 1.0)
        if stream.line is not None:
            self.perform(self.room.desk.lost(stream.line, self.room.now))
        stream.handshake.closed()
        self.streams.remove(stream)

    def write(self, stream: Stream, most: int = 10_000) -> int:
        """Let the writer write what is owed; returns how many times it found something."""
        line, room = stream.line, self.room
        for count in range(most):
            if stream.is_over or line is None or not line.is_live:
                return count
            match line.outbox.take(room.lobby):
                case None:
                    return count
                case SnapshotOwed():
                    contents = self.codec.responses(None, PRESENCE_ENVELOPE)
                case DeltaOwed(base):
                    contents = self.codec.responses(base, PRESENCE_ENVELOPE)
                case HeartbeatOwed():
                    contents = [encode_response(room.heartbeat(line), self.limits)]
                case response:
                    contents = [encode_response(response, self.limits)]
            for content in contents:
                stream.listener.told(content)
            self._note_welcome(stream)
        return most

    def _note_welcome(self, stream: Stream) -> None:
        listener, line = stream.listener, stream.line
        welcome = listener.welcome
        if welcome is None or not welcome.session_id or line is None or line.seat is None:
            return
        if any(known.token == welcome.resume_token for known in self.credentials):
            return
        account = self.accounts.setdefault(welcome.session_id, Account())
        # What was asked before the welcome was read belongs to the session too.
        account.asked += listener.account.asked
        listener.account = account
        key = line.seat.session.public_key
        self.credentials.append(Credentials(key, welcome.session_id, welcome.resume_token, account))

    # What happens to it.

    def wave(self) -> None:
        """Let every stream write everything."""
        for stream in self.alive():
            if stream.line is not None:
                stream.line.outbox.start_wave()
            self.write(stream)

    def restart(self) -> None:
        """Stop as planned, and go on with what is left behind."""
        old = self.room
        for stream in list(self.streams):
            stream.is_over = True
        self.streams.clear()
        stored = tuple((one, tuple(old.desk.bequeath())) for one in old.store.dump())
        left = through_a_file(Handover(stored)) if stored else Handover(())
        store = MemoryStore(self.limits, lambda: 1_000 + self.runs)
        store.restore(one for one, _ in left.lobbies)
        for one in store.dump():
            self._write_down_restored(one)
        room = Room(self.limits, store=store, now=old.now)
        # So that nothing that it draws was drawn before.
        room._draws, room._numbers = old._draws, old._numbers
        self._open(room)
        for _, held in left.lobbies:
            self.perform(room.desk.adopt(held, room.now))

    def _write_down_restored(self, stored: StoredLobby) -> None:
        """Write down each step of a take-over: every session that was online takes a revision."""
        now = {one.public_key: record_of(one) for one in stored.members}
        fresh = sorted(
            one.revision for one in stored.members if (stored.epoch, one.revision) not in self.history
        )
        for revision in fresh:
            before = self.history[stored.epoch, revision - 1]
            changed = {key: one for key, one in now.items() if one.revision == revision}
            self.history[stored.epoch, revision] = {**before, **changed}

    def alive(self) -> Iterator[Stream]:
        """Go through a picture of the streams that go on."""
        return iter(list(self.streams))
