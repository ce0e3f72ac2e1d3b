"""What the tests of the server's cores are built from: people, sessions, and one lobby with everything around it but time and sockets."""

import hashlib
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.server.desk import Desk
from adsum.server.effects import Drop, Effect, End, Put, Wake
from adsum.server.history import Change, Refusal, StoredLobby
from adsum.server.liveness import OwnHealth
from adsum.server.lobby import Lobby
from adsum.server.member import Liveness, Member, Profile, Session
from adsum.server.memory_store import MemoryStore
from adsum.server.messages import (
    ClientHeartbeat,
    Hello,
    ProfileClaim,
    Request,
    Response,
    Resume,
    ServerHeartbeat,
    UpdateProfile,
)
from adsum.server.outbox import DeltaOwed, HeartbeatOwed, SnapshotOwed
from adsum.server.seat import HeldSession, Line
from adsum.server.session import Introduction
from adsum.server.spread import Spread

LOBBY = "roll-call"
EPOCH = 77
UNIX_MILLIS = 1_700_000_000_000
LIMITS = Limits()

Taken: TypeAlias = Response | SnapshotOwed | DeltaOwed
_T = TypeVar("_T")


def key(name: str) -> bytes:
    """Give a person a public key. It proves nothing, which only the handshake minds."""
    return hashlib.sha256(name.encode()).digest()


ADA, BOB, CLEO, DAN = (key(name) for name in ("ada", "bob", "cleo", "dan"))


def run(coroutine: Coroutine[object, None, _T]) -> _T:
    """Run what never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: _T = stop.value
        return result
    coroutine.close()
    raise AssertionError("it waits")


def session(
    name: str,
    device: str = "phone",
    *,
    generation: int = 1,
    liveness: Liveness = Liveness.ONLINE,
    profile: Profile | None = None,
    joined_at_millis: int = UNIX_MILLIS,
) -> Session:
    """Make the record of one of a person's devices."""
    session_id = hashlib.md5(f"{name}'s {device}".encode()).digest()
    return Session(session_id, key(name), generation, liveness, profile or Profile(name), joined_at_millis)


def member(
    name: str,
    incarnation: int,
    revision: int,
    *,
    liveness: Liveness = Liveness.ONLINE,
    profile: Profile | None = None,
) -> Member:
    """Make a person with one device."""
    phone = session(name, liveness=liveness, profile=profile)
    return Member(key(name), incarnation, revision, (replace(phone, incarnation=incarnation),))


def claim(name: str, status: int = 0, status_text: str = "") -> ProfileClaim:
    """Make a profile as a client sends it."""
    return ProfileClaim(name, status, status_text, ())


def update(name: str, status_text: str = "", request_id: int = 0) -> UpdateProfile:
    """Make a request to change one's profile."""
    return UpdateProfile(request_id, claim(name, status_text=status_text))


def introduction(name: str, *, public_key: bytes | None = None, observer: bool = False) -> Introduction:
    """Make a checked hello."""
    hello = Hello(LOBBY, public_key or key(name), bytes(32), "localhost", claim(name), observer=observer)
    return Introduction(hello, Profile(name))


@dataclass(slots=True, eq=False)
class Device:
    """One client: the line it is on, and what it would name to resume. `token` is the newest that it was welcomed with."""

    name: str
    line: Line
    session_id: bytes
    token: bytes

    @property
    def public_key(self) -> bytes:
        """The person's key."""
        return key(self.name)

    def copy(self, token: bytes | None = None) -> "Device":
        """Remember it as it is now, or with another token."""
        return Device(self.name, self.line, self.session_id, self.token if token is None else token)


class Room:
    """One lobby on a memory store, its desk, and a shell that carries out effects at once, in order.

    Every change starts a wave. Time is `now`, and passes by `wait` (every deadline is met in its time) or by `sleep_through` (one
    late tick).
    """

    def __init__(
        self,
        limits: Limits = LIMITS,
        *,
        store: MemoryStore | None = None,
        epoch: int = EPOCH,
        now: float = 1000.0,
    ) -> None:
        self.now = now
        self.limits = limits
        self.health = OwnHealth(limits)
        self.store = store or MemoryStore(limits, lambda: epoch)
        stored = run(self.store.open(LOBBY, self._on_change))
        assert isinstance(stored, StoredLobby)
        self.lobby = Lobby(stored)
        self.desk = Desk(self.lobby, limits, self.health, Spread(7), now)
        self.changes: list[Change] = []
        self.makes_waves = True
        self.noted: Callable[[], None] = lambda: None
        """Is called after each change."""
        self.ended: dict[int, Reason | None] = {}
        self.woken: set[int] = set()
        self._numbers = 0
        self._draws = 0

    # Streams

    def join(self, name: str) -> Device:
        """Let a new session in; `ended` tells if it was refused."""
        session_id, token = self.draw(16), self.draw(32)
        line, effects = self.desk.join(
            self.number(), introduction(name), session_id, token, now=self.now, unix_millis=UNIX_MILLIS
        )
        self.perform(effects)
        return Device(name, line, session_id, token)

    def resume(self, device: Device, *, holds: int | None = None, name: str | None = None) -> Reason | None:
        """Let a device come back, on a new line, as a client that holds a revision would; it learns its next token."""
        epoch, revision = (self.lobby.epoch, holds) if holds is not None else (0, 0)
        asked = Resume(device.session_id, device.token, epoch, revision, 0)
        said = introduction(name or device.name, public_key=device.public_key)
        token = self.draw(32)
        let_in = self.desk.resume(self.number(), said, asked, token, now=self.now)
        if isinstance(let_in, Reason):
            return let_in
        device.line, effects = let_in
        device.token = token
        self.perform(effects)
        return None

    def blip(self, device: Device) -> None:
        """Lose a connection and resume on another."""
        self.lose(device)
        assert self.resume(device, holds=self.lobby.revision) is None

    def observe(self) -> Line:
        """Let somebody in who only looks."""
        line = self.desk.observe(self.number(), self.now)
        assert isinstance(line, Line)
        return line

    def say(self, device: Device | Line, *requests: Request) -> None:
        """Hear requests of a client, one after another."""
        line = device.line if isinstance(device, Device) else device
        for request in requests:
            self.perform(self.desk.receive(line, request, now=self.now, unix_millis=UNIX_MILLIS))

    def lose(self, device: Device | Line) -> None:
        """Lose a connection."""
        line = device.line if isinstance(device, Device) else device
        self.perform(self.desk.lost(line, self.now))

    def take(self, device: Device | Line) -> list[Taken]:
        """Take everything that a stream is owed, as a writer does that is never kept waiting."""
        line = device.line if isinstance(device, Device) else device
        taken: list[Taken] = []
        while (owed := line.outbox.take(self.lobby)) is not None:
            taken.append(self.heartbeat(line) if isinstance(owed, HeartbeatOwed) else owed)
        return taken

    def heartbeat(self, line: Line) -> ServerHeartbeat:
        """Make the heartbeat that is owed."""
        return self.desk.heartbeat(line, now=self.now, unix_millis=UNIX_MILLIS)

    # Time

    def wait(self, seconds: float) -> None:
        """Let time pass and meet every deadline in its time."""
        until = self.now + seconds
        while (due := self.desk.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.perform(self.desk.tick(self.now))
        self.now = until

    def sleep_through(self, seconds: float) -> None:
        """Let time pass, then do at once all that has become due."""
        self.now += seconds
        self.perform(self.desk.tick(self.now))

    def live(self, seconds: float, *devices: Device | Line) -> None:
        """Let time pass while the clients read, and answer each heartbeat within a second."""
        until = self.now + seconds
        while self.now < until:
            self.wait(min(1.0, until - self.now))
            for device in devices:
                self.answer(device)

    def answer(self, device: Device | Line) -> None:
        """Read everything, and answer the heartbeats among it."""
        for one in self.take(device):
            if isinstance(one, ServerHeartbeat):
                self.say(device, ClientHeartbeat(one.epoch, one.revision, one.digest, one.nonce))

    # The shell

    def perform(self, effects: Iterable[Effect]) -> None:
        """Carry out what the desk asks for, and what it asks for in turn."""
        queue = deque(effects)
        while queue:
            match queue.popleft():
                case Put() as put:
                    answer = run(self.store.put(LOBBY, put.session, sets_profile=put.sets_profile))
                    queue.extend(self.desk.stored(put, answer, self.now))
                case Drop(dropped, reason) as drop:
                    answer = run(
                        self.store.drop(LOBBY, dropped.id, dropped.public_key, dropped.generation, reason)
                    )
                    queue.extend(self.desk.stored(drop, answer, self.now))
                case Wake(line):
                    self.woken.add(line.number)
                case End(line, reason):
                    self.ended[line.number] = reason

    def adopt(self, held: Iterable[HeldSession]) -> None:
        """Take over what a predecessor held."""
        self.perform(self.desk.adopt(held, self.now))

    def number(self) -> int:
        """Number the next stream."""
        self._numbers += 1
        return self._numbers

    def draw(self, size: int) -> bytes:
        """Draw bytes that nobody has drawn before."""
        self._draws += 1
        return hashlib.sha256(self._draws.to_bytes(8, "big")).digest()[:size]

    # What there is

    @property
    def present(self) -> dict[bytes, Liveness]:
        """Who is in the lobby, and how."""
        return {one.public_key: one.liveness for one in self.lobby}

    def liveness(self, name: str) -> Liveness | None:
        """Tell how somebody is; None if they are absent."""
        return self.present.get(key(name))

    @property
    def stored_sessions(self) -> dict[bytes, Session]:
        """Every session that the store has."""
        return {
            one.id: one
            for stored in self.store.dump()
            for person in stored.members
            for one in person.sessions
        }

    def find(self, name: str) -> Member:
        """Find somebody who is present."""
        found = self.lobby.member(key(name))
        assert found is not None, f"{name} is not here"
        return found

    def _on_change(self, change: Change) -> None:
        self.changes.append(change)
        self.desk.fold(change, self.now)
        for line in self.desk.lines if self.makes_waves else ():
            line.outbox.start_wave()
        self.noted()


def written(answer: Change | Refusal) -> Change:
    """Expect a store to have written."""
    assert isinstance(answer, Change), answer
    return answer
