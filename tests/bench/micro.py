"""Micro-benchmarks of the cores: what one operation costs, without sockets and without gRPC.

Each is timed in batches, and the median batch counts. The unit for comparison between machines is a SHA-256 over 1 KiB by `hashlib`,
timed in the same run.
"""

import hashlib
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from adsum.client.messages import Delta, Snapshot
from adsum.client.replica import Replica
from adsum.client.wire import decode
from adsum.contract.digest import add, member_digest
from adsum.contract.identity import Identity, proof_transcript
from adsum.server.history import Change, StoredLobby
from adsum.server.lobby import Lobby
from adsum.server.member import Liveness, Member, Profile, Session
from adsum.server.messages import Hello, ProfileClaim, Proof
from adsum.server.session import Fault, Handshake
from adsum.server.wire import PRESENCE_ENVELOPE, LobbyCodec

MEMBERS = 1_000
FAR_MEMBERS = 20_000
"""In the lobby whose differences reach 10,000 revisions back, each of another member."""
BATCHES = 7
BATCH_SECONDS = 0.02
MOST_AT_ONCE = 2_500
UNIT = "unit: SHA-256 of 1 KiB"
_EPOCH = 7


def measured() -> dict[str, float]:
    """Tell microseconds by name; the first is the unit."""
    return {name: 1e6 * seconds for name, seconds in _all()}


def _all() -> Iterator[tuple[str, float]]:
    kilobyte = bytes(1024)
    yield UNIT, _time(lambda: hashlib.sha256(kilobyte).digest())
    yield "digest of one change", _time(_digest_of_a_change)
    world = _World(MEMBERS)
    yield "apply one change", _time(world.change)
    yield "encode one change", _time(lambda: _encode(world))
    lobby = _World(FAR_MEMBERS)
    for _ in range(10_000):
        lobby.change()
    for distance in (1, 100, 10_000):
        base = lobby.lobby.revision - distance
        yield f"since, {distance:,} back", _time(lambda base=base: lobby.lobby.since(base))  # type: ignore[misc]
    yield f"encode {MEMBERS:,} new records", _time(lambda: LobbyCodec(world.lobby).snapshot())
    roster = _Follower(_World(MEMBERS))
    yield "change the roster by one", _time(roster.follow)
    yield "handshake, the server's part", _time(_Door().let_in)
    yield "handshake, the client's part", _time(_Door().prove)


def _time(operation: Callable[[], object]) -> float:
    """Time one operation, in seconds."""
    started_at = time.perf_counter()
    operation()
    count = max(1, min(MOST_AT_ONCE, int(BATCH_SECONDS / max(1e-7, time.perf_counter() - started_at))))
    batches = []
    for _ in range(BATCHES):
        started_at = time.perf_counter()
        for _ in range(count):
            operation()
        batches.append((time.perf_counter() - started_at) / count)
    return statistics.median(batches)


def _digest_of_a_change() -> int:
    return add(0, member_digest(bytes(32), 5, 7))


class _World:
    """A lobby whose members change in turn."""

    def __init__(self, members: int) -> None:
        self._random = random.Random(7)
        self.lobby = Lobby(StoredLobby("bench", _EPOCH, 0, (), 0))
        self._sessions: list[Session] = []
        for number in range(members):
            key = self._random.randbytes(32)
            session = Session(
                self._random.randbytes(16),
                key,
                1,
                Liveness.ONLINE,
                Profile(f"Member {number:05}"),
                1_700_000_000_000,
                incarnation=number + 1,
                profile_revision=number + 1,
            )
            self._sessions.append(session)
            self._apply(session)
        self._turn = 0

    def change(self) -> None:
        """Let the next member say something else."""
        index = self._turn % len(self._sessions)
        self._turn += 1
        before = self._sessions[index]
        session = replace(before, profile=replace(before.profile, status_text=f"u{self._turn}"))
        self._sessions[index] = session
        self._apply(session)

    def _apply(self, session: Session) -> None:
        revision = self.lobby.revision + 1
        member = Member(session.public_key, session.incarnation, revision, (session,))
        self.lobby.apply(Change("bench", _EPOCH, revision, session.public_key, session.id, member), 0.0)


def _encode(world: _World) -> bytes:
    # A new codec for each: the records of the others aren't needed, the delta of one is never known already.
    return PRESENCE_ENVELOPE.delta(LobbyCodec(world.lobby).delta(world.lobby.revision - 1))


class _Follower:
    """A client that follows a lobby."""

    def __init__(self, world: _World) -> None:
        self._replica = Replica(10 * MEMBERS)
        for chunk in LobbyCodec(world.lobby).snapshot():
            snapshot = decode(PRESENCE_ENVELOPE.snapshot(chunk))
            assert isinstance(snapshot, Snapshot)
            self._replica.receive(snapshot)
        codec = LobbyCodec(world.lobby)
        self._deltas: list[bytes] = []
        # Enough for every batch that is timed; a delta is taken once.
        for _ in range(BATCHES * MOST_AT_ONCE + 1):
            base = world.lobby.revision
            world.change()
            self._deltas.append(PRESENCE_ENVELOPE.delta(codec.delta(base)))
        self._deltas.reverse()

    def follow(self) -> None:
        """Take the next change, from the bytes on."""
        delta = decode(self._deltas.pop())
        assert isinstance(delta, Delta)
        if self._replica.receive(delta).resync is not None:
            raise AssertionError("the roster differs from the lobby")


class _Door:
    """One handshake, again and again: the server's nonce and clock are arguments."""

    def __init__(self) -> None:
        self._identity = Identity.from_seed(bytes(range(32)))
        self._nonce = bytes(32)
        self._hello = Hello(
            "bench", self._identity.public_key, bytes(range(32)), "localhost", ProfileClaim("Ann", 1, "", ())
        )
        self._expires_at_unix_millis = self._greeted().challenge(0.0, 0).expires_at_unix_millis
        self._proof = Proof(self.prove())

    def prove(self) -> bytes:
        """Sign, as a client does."""
        transcript = proof_transcript(
            audience="localhost",
            server_nonce=self._nonce,
            client_nonce=self._hello.client_nonce,
            public_key=self._identity.public_key,
            lobby="bench",
            expires_at_unix_millis=self._expires_at_unix_millis,
        )
        return self._identity.sign(transcript)

    def let_in(self) -> None:
        """Judge a hello and a proof, as a server does."""
        handshake = self._greeted()
        handshake.challenge(0.0, 0)
        if isinstance(handshake.receive_proof(self._proof, 0.0), Fault):
            raise AssertionError("the proof was refused")

    def _greeted(self) -> Handshake:
        handshake = Handshake(self._nonce, ["localhost"])
        if isinstance(handshake.receive_hello(self._hello), Fault):
            raise AssertionError("the hello was refused")
        return handshake
