"""Everything alive on this node: lobbies that are open, streams that are connected, and deadlines.

The hub is the shell around the desks. It pumps the store's changes into the lobbies, carries out what desks ask for, has streams woken in
waves (`waves`), and calls the desks when something is due. It decides nothing about presence.

    request -> desk -> effects -> store -> fold -> wave -> each stream takes what it is owed

One clock (the loop's) for all deadlines; wall-clock time only goes into messages.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.server.desk import REASON_OF_REFUSAL, Desk
from adsum.server.door import Door
from adsum.server.effects import Drop, Effect, End, Put, Wake
from adsum.server.history import Change, Refusal
from adsum.server.liveness import OwnHealth
from adsum.server.lobby import Lobby
from adsum.server.logs import get_log
from adsum.server.messages import Request, Resume
from adsum.server.outbox import DeltaOwed, HeartbeatOwed, SnapshotOwed
from adsum.server.pump import Pump
from adsum.server.seat import HeldSession, Line
from adsum.server.session import Fault, Handshake, Introduction
from adsum.server.spread import Spread
from adsum.server.store import Store
from adsum.server.waves import Newcomers, Watcher, Waves
from adsum.server.wire import PRESENCE_ENVELOPE, WATCH_ENVELOPE, LobbyCodec, encode_response

TICK_SECONDS = 0.1
"""How often deadlines are looked at. None of them needs to be finer; what must be fast doesn't wait for a deadline."""

log = get_log(__name__)


@dataclass(slots=True, eq=False)
class OpenLobby:
    """A lobby that is open on this node.

    `pins` keeps it open while somebody is on the way in. `effects` are what the desk has asked for and what has not been carried
    out yet; they are carried out one after another, in the order in which the desk decided.
    """

    desk: Desk
    codec: LobbyCodec
    waves: Waves
    pins: int = 0
    effects: deque[Effect] = field(default_factory=deque)
    performing: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True, eq=False)
class Stream:
    """One Presence RPC. When it is to end, `fault` tells why if there is a reason."""

    hub: "Hub"
    number: int
    address: str
    handshake: Handshake
    pump: Pump | None = None
    fault: Fault | None = None
    place: OpenLobby | None = None
    line: Line | None = None
    # Not an event: that has a queue for those who wait, 700 bytes for each stream.
    _over: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def is_over(self) -> bool:
        """Whether the stream is to end, or has ended."""
        return self._over.done()

    def end(self) -> None:
        """Let the stream end."""
        if not self._over.done():
            self._over.set_result(None)

    async def until_over(self) -> None:
        """Wait until the stream is to end. One may wait; who is cancelled meanwhile has ended the stream."""
        await self._over

    def wake(self) -> None:
        """Let what is owed be written."""
        if self.pump is not None:
            self.pump.wake()

    def take(self) -> list[bytes]:
        """Take what is to be written next, in order; an empty list if nothing is."""
        return self.hub.take(self)

    def writing(self, busy: bool) -> None:
        """Note that a write begins or has ended."""
        self.hub.writing(self, busy)


class Hub:
    """Run the lobbies of this node. Use as `async with hub:`; every task it starts ends with that block."""

    def __init__(
        self,
        store: Store,
        limits: Limits,
        draw: Callable[[int], bytes],
        *,
        audiences: Collection[str] | None = None,
        proves_keys: bool = True,
    ) -> None:
        """Prepare a hub.

        Args:
            store: Who orders the changes. The hub doesn't close it.
            limits: What is accepted.
            draw: Gives so many random bytes, good enough for secrets.
            audiences: The names that this server answers to; None for any.
            proves_keys: False to believe any key, for development.
        """
        self.limits = limits
        self.door = Door(limits)
        self.is_draining = False
        self._is_sealed = False
        self._store = store
        self._draw = draw
        self._audiences = audiences
        self._proves_keys = proves_keys
        self._health = OwnHealth(limits)
        self._places: dict[str, OpenLobby] = {}
        self._opening = asyncio.Lock()
        self._streams: dict[int, Stream] = {}
        self._numbers = 0
        self._newcomers = Newcomers()
        self._tasks = asyncio.TaskGroup()
        self._ticker: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()

    async def __aenter__(self) -> "Hub":
        """Start to look at deadlines."""
        await self._tasks.__aenter__()
        self._ticker = self._tasks.create_task(self._run_deadlines())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop. A stream that ends after this changes nothing any more."""
        self._is_sealed = True
        if self._ticker is not None:
            self._ticker.cancel()
        for place in self._places.values():
            place.waves.close()
        await self._tasks.__aexit__(None, None, None)

    # Streams

    def open_stream(self, address: str) -> Stream | Reason:
        """Take in a stream that has just begun, or refuse it. Whoever gets one must call `close_stream`."""
        if self.is_draining:
            return Reason.DRAINING
        if not self.door.enter(address):
            return Reason.TOO_MANY_STREAMS
        self._newcomers.steps += 1
        self._numbers += 1
        handshake = Handshake(self._draw(32), self._audiences, proves_keys=self._proves_keys)
        stream = Stream(self, self._numbers, address, handshake)
        self._streams[stream.number] = stream
        return stream

    async def greet(self, stream: Stream, request: Request) -> bytes | None:
        """Take the first request. Returns the challenge to write, or None if the stream is live or over."""
        if self.is_draining:
            self._fail(stream, Fault(Reason.DRAINING, ""))
            return None
        self._newcomers.steps += 1
        introduction = stream.handshake.receive_hello(request)
        if isinstance(introduction, Fault):
            self._fail(stream, introduction)
            return None
        resume = introduction.hello.resume
        refusal = Reason.UNSPECIFIED
        if resume is not None:
            refusal = await self._resume(stream, introduction, resume)
            if refusal is Reason.UNSPECIFIED:
                return None
        challenge = stream.handshake.challenge(self._now(), self._unix_millis(), refusal)
        return encode_response(challenge, self.limits)

    async def admit(self, stream: Stream, request: Request) -> None:
        """Take the answer to the challenge: afterwards the stream is live or over."""
        if self.is_draining:
            self._fail(stream, Fault(Reason.DRAINING, ""))
            return
        introduction = stream.handshake.receive_proof(request, self._now())
        if isinstance(introduction, Fault):
            self._fail(stream, introduction)
            return
        async with self._pinned(introduction.hello.lobby) as place:
            if isinstance(place, Reason):
                self._fail(stream, Fault(place, ""))
            elif introduction.hello.observer:
                line = place.desk.observe(stream.number, self._now())
                if isinstance(line, Reason):
                    self._fail(stream, Fault(line, ""))
                else:
                    self._let_in(stream, place, line)
                    place.waves.plan()
            else:
                line, effects = place.desk.join(
                    stream.number,
                    introduction,
                    self._draw(16),
                    self._draw(32),
                    now=self._now(),
                    unix_millis=self._unix_millis(),
                )
                self._let_in(stream, place, line)
                await self._perform(place, effects)

    async def receive(self, stream: Stream, request: Request) -> None:
        """Take a request from a live stream."""
        if stream.place is None or stream.line is None:
            raise AssertionError("the stream is not live")
        if self._is_sealed:
            return
        if stream.place.effects:
            # What has been decided is carried out before the next request is judged: else a message to somebody whose connection has
            # just been lost would be refused while every list, the sender's too, shows them online.
            await self._perform(stream.place, [])
        effects = stream.place.desk.receive(
            stream.line, request, now=self._now(), unix_millis=self._unix_millis()
        )
        if effects:
            await self._perform(stream.place, effects)

    async def eject(self, stream: Stream, reason: Reason) -> None:
        """End a stream whose client broke the rules."""
        if stream.place is None or stream.line is None:
            self._fail(stream, Fault(reason, ""))
            return
        await self._perform(stream.place, stream.place.desk.eject(stream.line, reason, self._now()))

    def take(self, stream: Stream) -> list[bytes]:
        """Take what is to be written next on a stream, in order; an empty list if nothing is."""
        place, line = stream.place, stream.line
        if place is None or line is None or not line.is_live:
            return []
        match line.outbox.take(place.desk.lobby):
            case None:
                return []
            case SnapshotOwed():
                return place.codec.responses(None, PRESENCE_ENVELOPE)
            case DeltaOwed(base):
                return place.codec.responses(base, PRESENCE_ENVELOPE)
            case HeartbeatOwed():
                beat = place.desk.heartbeat(line, now=self._now(), unix_millis=self._unix_millis())
                return [encode_response(beat, self.limits)]
            case response:
                return [encode_response(response, self.limits)]

    def writing(self, stream: Stream, busy: bool) -> None:
        """Note that a write begins or has ended."""
        line, place = stream.line, stream.place
        # The challenge is written before there is a line, and may end after.
        if line is None or place is None or busy == (line.writing_since is not None):
            return
        line.writing_since = self._now() if busy else None
        place.waves.writing(busy=busy)

    def close_stream(self, stream: Stream) -> None:
        """Note that a stream's client is gone, for whatever reason. Its session is suspect, unless it said Leave."""
        self._streams.pop(stream.number, None)
        if stream.place is None or stream.line is None:
            self.door.leave(stream.address)
        else:
            if stream.line.writing_since is not None:
                self.writing(stream, False)
            effects = stream.place.desk.lost(stream.line, self._now())
            if effects and not self._is_sealed:
                # The caller may be a cancelled task, in which nothing can be waited for. The effects take their place in the
                # order now, before anything that is decided until the task runs.
                stream.place.effects.extend(effects)
                self._tasks.create_task(self._perform(stream.place, []))
        stream.handshake.closed()
        if not self._streams:
            self._empty.set()

    # Lobbies

    @property
    def lobbies(self) -> Iterable[OpenLobby]:
        """The lobbies that are open on this node."""
        return self._places.values()

    def find(self, lobby: str) -> OpenLobby | None:
        """Find a lobby that is open on this node."""
        return self._places.get(lobby)

    async def watch(self, lobby: str) -> AsyncGenerator[bytes, None]:
        """Yield the WatchLobbyResponses of a lobby: snapshot first, then deltas, for as long as the caller asks.

        Raises:
            LookupError: the lobby can't be opened; the argument is the reason.
        """
        async with self._pinned(lobby) as place:
            if isinstance(place, Reason):
                raise LookupError(place)
            if len(place.waves.watchers) >= self.limits.observers_per_lobby:
                raise LookupError(Reason.LOBBY_FULL)
            watcher = Watcher()
            place.waves.watchers.add(watcher)
            try:
                while not self.is_draining:
                    watcher.wake.clear()
                    match watcher.outbox.take(place.desk.lobby):
                        case SnapshotOwed():
                            for content in place.codec.responses(None, WATCH_ENVELOPE):
                                yield content
                        case DeltaOwed(base):
                            for content in place.codec.responses(base, WATCH_ENVELOPE):
                                yield content
                        case _:
                            await watcher.wake.wait()
            finally:
                place.waves.watchers.discard(watcher)

    @asynccontextmanager
    async def _pinned(self, lobby: str) -> AsyncIterator[OpenLobby | Reason]:
        place = await self._open(lobby)
        if isinstance(place, Reason):
            yield place
            return
        place.pins += 1
        try:
            yield place
        finally:
            place.pins -= 1

    async def _open(self, name: str) -> OpenLobby | Reason:
        async with self._opening:
            if (place := self._places.get(name)) is not None:
                return place
            # Changes that come before the desk stands are folded in afterwards.
            early: list[Change] = []
            stored = await self._store.open(name, lambda change: self._on_change(name, early, change))
            if isinstance(stored, Refusal):
                return REASON_OF_REFUSAL[stored]
            lobby = Lobby(stored)
            seed = Spread(int.from_bytes(self._draw(8), "big"))
            desk = Desk(lobby, self.limits, self._health, seed, self._now())
            codec = LobbyCodec(lobby)
            waves = Waves(desk, codec, self._streams, self._newcomers)
            place = self._places[name] = OpenLobby(desk, codec, waves)
            for change in early:
                self._fold(place, change)
            log.debug("lobby opened", lobby=name, epoch=lobby.epoch, members=len(lobby))
            return place

    async def _close_idle(self) -> None:
        for name, place in list(self._places.items()):
            if place.desk.is_idle and not place.pins:
                del self._places[name]
                await self._store.close(name)
                place.waves.close()
                log.debug("lobby closed", lobby=name)

    def _on_change(self, name: str, early: list[Change], change: Change) -> None:
        place = self._places.get(name)
        if place is None:
            early.append(change)
        else:
            self._fold(place, change)

    def _fold(self, place: OpenLobby, change: Change) -> None:
        place.desk.fold(change, self._now())
        place.waves.plan()

    # Effects

    async def _perform(self, place: OpenLobby, effects: list[Effect]) -> None:
        if self._is_sealed:
            return
        place.effects.extend(effects)
        async with place.performing:
            while place.effects:
                await self._carry_out(place, place.effects.popleft())

    async def _carry_out(self, place: OpenLobby, effect: Effect) -> None:
        match effect:
            case Put():
                answer = await self._store.put(
                    place.desk.lobby.name, effect.session, sets_profile=effect.sets_profile
                )
                place.effects.extend(place.desk.stored(effect, answer, self._now()))
            case Drop(session, reason):
                answer = await self._store.drop(
                    place.desk.lobby.name, session.id, session.public_key, session.generation, reason
                )
                place.effects.extend(place.desk.stored(effect, answer, self._now()))
            case Wake(with_wave=True):
                place.waves.plan()
            case Wake(line):
                if (stream := self._streams.get(line.number)) is not None:
                    stream.wake()
            case End(line, reason, detail):
                if (stream := self._streams.get(line.number)) is not None:
                    self._fail(stream, Fault(reason, detail) if reason is not None else None)

    def _fail(self, stream: Stream, fault: Fault | None) -> None:
        stream.fault = fault
        stream.end()

    async def _resume(self, stream: Stream, introduction: Introduction, resume: Resume) -> Reason:
        place = self._places.get(introduction.hello.lobby)
        if place is None:
            return Reason.SESSION_UNKNOWN
        let_in = place.desk.resume(stream.number, introduction, resume, self._draw(32), now=self._now())
        if isinstance(let_in, Reason):
            return let_in
        line, effects = let_in
        self._let_in(stream, place, line)
        await self._perform(place, effects)
        return Reason.UNSPECIFIED

    def _let_in(self, stream: Stream, place: OpenLobby, line: Line) -> None:
        self._newcomers.steps += 1
        stream.place = place
        stream.line = line
        stream.handshake.live()
        self.door.leave(stream.address)
        if stream.pump is not None and not stream.pump.is_idle:
            # The headers or the challenge, which may be stuck like any other message.
            self.writing(stream, True)

    # Deadlines

    async def _run_deadlines(self) -> None:
        while True:
            now = self._now()
            late = self._health.tick(now, now + TICK_SECONDS)
            if late:
                log.warning("the server was stalled", seconds=round(late, 3))
                # What waits in the sockets is heard before anybody is judged.
                await asyncio.sleep(0)
            for place in [] if self._is_sealed else list(self._places.values()):
                if late:
                    place.desk.postpone(late, now)
                if (due := place.desk.next_deadline()) is not None and due <= now:
                    await self._perform(place, place.desk.tick(now))
            await self._close_idle()
            await asyncio.sleep(TICK_SECONDS)

    # Stopping and taking over

    async def drain(self, seconds: float) -> None:
        """Let nobody in any more, ask everybody to move within so many seconds, and wait until they have or the time is up."""
        self.is_draining = True
        for place in list(self._places.values()):
            for watcher in place.waves.watchers:
                watcher.wake.set()
            await self._perform(place, place.desk.drain(seconds))
        if not self._streams:
            return
        self._empty.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            log.info("streams are left at the end of the drain", streams=len(self._streams))

    def seal(self) -> None:
        """Change nothing from now on: what is left for a successor is what stands here.

        A change made after that would be lost, and the successor would give its revision to another.
        """
        self._is_sealed = True
        for stream in self._streams.values():
            self._fail(stream, Fault(Reason.DRAINING, ""))

    def bequeath(self, lobby: str) -> list[HeldSession]:
        """List the sessions that this node holds in a lobby, for a successor."""
        place = self._places.get(lobby)
        return place.desk.bequeath() if place is not None else []

    async def adopt(self, lobby: str, held: Iterable[HeldSession]) -> None:
        """Take over the sessions that a predecessor held in a lobby that the store has already.

        Each is suspect until its client comes back; how long that may take is the desk's rule.
        """
        async with self._pinned(lobby) as place:
            if isinstance(place, Reason):
                raise AssertionError(f"{lobby!r} can't be opened: {place.name}")
            await self._perform(place, place.desk.adopt(held, self._now()))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    @staticmethod
    def _unix_millis() -> int:
        return time.time_ns() // 1_000_000
