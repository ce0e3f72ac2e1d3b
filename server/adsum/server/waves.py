"""The waves of one lobby: its streams are woken together, and rest together.

`pacing` decides when; here are the event loop's timers, the count of the writes that are under way, and the waking itself.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from adsum.server.desk import Desk
from adsum.server.logs import get_log
from adsum.server.outbox import Outbox
from adsum.server.pacing import Pacing, tail_of, wave_deadline
from adsum.server.pump import Pump
from adsum.server.wire import PRESENCE_ENVELOPE, LobbyCodec

log = get_log(__name__)


class Written(Protocol):
    """A stream, as far as a wave has to do with it."""

    pump: Pump | None


@dataclass(slots=True)
class Newcomers:
    """Those on their way into any lobby of this node: how many steps they have taken so far."""

    steps: int = 0


@dataclass(slots=True, eq=False)
class Watcher:
    """Somebody who watches a lobby through the admin service."""

    outbox: Outbox = field(default_factory=Outbox)
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Waves:
    """Wake the streams and watchers of one lobby whenever there is something for them all."""

    __slots__ = (
        "_codec",
        "_desk",
        "_is_closed",
        "_is_wanted",
        "_newcomers",
        "_next",
        "_pacing",
        "_started_at",
        "_streams",
        "_tail",
        "watchers",
        "writes",
    )

    def __init__(
        self, desk: Desk, codec: LobbyCodec, streams: Mapping[int, Written], newcomers: Newcomers
    ) -> None:
        """Begin at rest.

        Args:
            desk: Whose lines are woken.
            codec: Encodes what they are owed.
            streams: The streams of this node by their lines' numbers, as they are at any time.
            newcomers: Kept up to date by whoever lets streams in.
        """
        self.watchers: set[Watcher] = set()
        self.writes = 0
        """How many writes to the lobby's streams are under way."""
        self._desk = desk
        self._codec = codec
        self._streams = streams
        self._newcomers = newcomers
        self._pacing = Pacing()
        # When the next wave starts, or the one under way ends at the latest.
        self._next: asyncio.Handle | None = None
        # Whether somebody has wanted a wave since the one under way was handed over.
        self._is_wanted = False
        self._is_closed = False
        self._started_at = 0.0
        # A wave under way has ended when the writes are down to this; None between waves.
        self._tail: int | None = None

    def plan(self) -> None:
        """Let a wave start as soon as the pacing allows it, or after the one that is under way."""
        if self._is_closed:
            return
        if self._next is not None:
            self._is_wanted = True
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        start = self._pacing.next_start(now, self._newcomers.steps)
        self._next = loop.call_soon(self._start) if start <= now else loop.call_at(start, self._start)

    def writing(self, *, busy: bool) -> None:
        """Note that a write to one of the streams begins or has ended."""
        self.writes += 1 if busy else -1
        if self._tail is not None and self.writes <= self._tail:
            self._end()

    def close(self) -> None:
        """Start no wave any more."""
        self._is_closed = True
        self._forget_next()

    def _forget_next(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        start = self._pacing.next_start(now, self._newcomers.steps)
        if start > now:
            # It is still time to rest, or newcomers have come meanwhile.
            self._next = loop.call_at(start, self._start)
            return
        self._is_wanted = False
        self._started_at = now
        stuck = self.writes
        self._wake_all(now)
        for watcher in self.watchers:
            watcher.outbox.start_wave()
            watcher.wake.set()
        self._tail = stuck + tail_of(self.writes - stuck)
        self._next = loop.call_at(wave_deadline(now, loop.time()), self._end)
        if self.writes <= self._tail:
            self._end()

    def _wake_all(self, now: float) -> None:
        """Hand a wave over. What most streams are owed is one delta: they get it here, without being asked what else they are owed."""
        floor, revision = self._desk.lobby.floor, self._desk.lobby.revision
        deltas: dict[int, list[bytes]] = {}
        for line in self._desk.lines:
            stream = self._streams.get(line.number)
            if stream is None or (pump := stream.pump) is None:
                line.outbox.start_wave()
            elif not pump.is_idle or (base := line.outbox.take_delta(floor, revision)) is None:
                line.outbox.start_wave()
                pump.wake()
            else:
                try:
                    if (delta := deltas.get(base)) is None:
                        delta = deltas[base] = self._codec.responses(base, PRESENCE_ENVELOPE)
                except Exception:
                    # Our own mistake, and this stream's misfortune: where it comes again, the pump ends that one, and no other.
                    log.exception("a change could not be encoded")
                    line.outbox.owe_snapshot()
                    pump.wake()
                    continue
                line.writing_since = now
                self.writes += 1
                pump.write(delta)

    def _end(self) -> None:
        self._forget_next()
        self._tail = None
        now = asyncio.get_running_loop().time()
        self._pacing.ended(self._started_at, now, self._newcomers.steps)
        if self._is_wanted:
            self.plan()
