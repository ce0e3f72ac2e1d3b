"""A server in virtual time: the real hub, service and store, started and stopped as `adsum.server.app` does.

What is not here is what needs sockets, signals or a config. The handover is a real file.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import cast

import grpc.aio

from adsum.contract.limits import Limits
from adsum.server.handover import Handover, HandoverError, take_handover, write_handover
from adsum.server.history import Change, Refusal, StoredLobby
from adsum.server.hub import Hub
from adsum.server.member import DepartureReason, Session
from adsum.server.memory_store import MemoryStore
from adsum.server.service import Context as ServiceContext
from adsum.server.service import LobbyService
from adsum.server.store import Subscriber
from tests.simulation.loop import Process
from tests.simulation.network import Link, Status
from tests.simulation.server_end import Context
from tests.simulation.stranger import Stranger, StrangersWitness
from tests.simulation.witness import Observatory, StreamWitness


class WatchedStore(MemoryStore):
    """The store in memory, with somebody who sees each change."""

    def __init__(self, limits: Limits, draw_epoch: Callable[[], int], observatory: Observatory) -> None:
        super().__init__(limits, draw_epoch)
        self._observatory = observatory

    async def put(self, lobby: str, session: Session, *, sets_profile: bool) -> Change | Refusal:
        return self._seen(await super().put(lobby, session, sets_profile=sets_profile))

    async def drop(
        self, lobby: str, session_id: bytes, public_key: bytes, generation: int, reason: DepartureReason
    ) -> Change | Refusal:
        return self._seen(await super().drop(lobby, session_id, public_key, generation, reason))

    async def open(self, lobby: str, subscriber: Subscriber) -> StoredLobby | Refusal:
        stored = await super().open(lobby, subscriber)
        if isinstance(stored, StoredLobby):
            self._observatory.opened(stored)
        return stored

    def _seen(self, answer: Change | Refusal) -> Change | Refusal:
        if isinstance(answer, Change):
            self._observatory.changed(answer)
        return answer


class SimulatedHub(Hub):
    """The hub, with a wall clock that the world sets."""

    wall_clock: Callable[[], float]

    def _unix_millis(self) -> int:  # type: ignore[override]  # a static method there, called on the object
        return int(self.wall_clock() * 1000)


class Server:
    """One run of a server, from its start to its end."""

    def __init__(
        self,
        process: Process,
        observatory: Observatory,
        limits: Limits,
        random: Random,
        handover_file: Callable[[], Path],
        wall_clock: Callable[[], float],
        stopped: Callable[[], None],
        *,
        has_predecessor: bool,
    ) -> None:
        self.process = process
        self.is_listening = False
        self.hub: Hub | None = None
        self.store: WatchedStore | None = None
        self.contexts: dict[int, Context] = {}
        self.drain_seconds = 0.0
        self._observatory = observatory
        self._limits = limits
        self._random = random
        self._handover_file = handover_file
        self._wall_clock = wall_clock
        self._has_predecessor = has_predecessor
        self._stopped = stopped
        self._stop = asyncio.Event()
        process.post(self._start)

    @property
    def is_stopping(self) -> bool:
        """Whether it has been asked to stop."""
        return self._stop.is_set()

    def stop(self, drain_seconds: float) -> None:
        """Ask it to stop, as SIGTERM does."""
        self.drain_seconds = drain_seconds
        self.process.post(self._stop.set)

    def accept(self, link: Link) -> Context:
        """Take a connection in."""
        kind = StrangersWitness if isinstance(link.client, Stranger) else StreamWitness
        witness = kind(self._observatory, link.client.process.name)
        context = Context(self.process, link.network, link, witness)
        self.process.post(self._serve, link.number, context)
        return context

    def _start(self) -> None:
        _ = self.process.spawn(self._run(), "server")

    async def _run(self) -> None:
        hub, store = self._make()
        async with hub:
            for name, held in self._adopted:
                await hub.adopt(name, held)
            self.is_listening = True
            await self._stop.wait()
            self._observatory.drains()
            await hub.drain(self.drain_seconds)
            hub.seal()
            lobbies = tuple((stored, tuple(hub.bequeath(stored.name))) for stored in store.dump())
            if lobbies:
                write_handover(self._handover_file(), Handover(lobbies), self._wall_clock())
            self.is_listening = False
            tasks = []
            for context in list(self.contexts.values()):
                context.finish(Status("UNAVAILABLE", "the server goes away (GOAWAY)"))
                if context.task is not None:
                    context.task.cancel()
                    tasks.append(context.task)
            if tasks:
                await asyncio.wait(tasks)
        self._stopped()

    def _make(self) -> tuple[Hub, WatchedStore]:
        store = self.store = WatchedStore(
            self._limits, lambda: self._random.getrandbits(64), self._observatory
        )
        self._adopted = []
        try:
            handover, was_readable = None, True
            if self._has_predecessor:
                handover = take_handover(self._handover_file(), self._wall_clock())
        except HandoverError:
            handover, was_readable = None, False
        names = [stored.name for stored, _ in handover.lobbies] if handover is not None else []
        self._observatory.starts(names, was_readable=was_readable)
        if handover is not None:
            store.restore(stored for stored, _ in handover.lobbies)
            for stored in store.dump():
                self._observatory.took_over(stored)
            self._adopted = [(stored.name, held) for stored, held in handover.lobbies]
        hub = SimulatedHub(store, self._limits, self._random.randbytes, audiences=("server.example",))
        hub.wall_clock = self._wall_clock
        self.hub = hub
        return hub, store

    def _serve(self, number: int, context: Context) -> None:
        if self.hub is None or not self.is_listening:
            context.finish(Status("UNAVAILABLE", "Connection refused"))
            return
        self.contexts[number] = context
        context.task = self.process.spawn(self._present(context), "presence")
        # Not at the end of the coroutine: a task that is cancelled at once never starts.
        context.task.add_done_callback(lambda _: self._served(number, context))

    def _served(self, number: int, context: Context) -> None:
        del self.contexts[number]
        context.finish(Status("CANCELLED"))

    async def _present(self, context: Context) -> None:
        assert self.hub is not None
        # It has what the service uses of grpc.aio's.
        service, seen = LobbyService(self.hub), cast(ServiceContext, context)
        try:
            await service.presence(context, seen)
            context.finish(Status("OK"))
        except grpc.aio.AbortError:
            pass
        except Exception as error:  # noqa: BLE001  # whatever it is, it is what we look for
            context.finish(Status("INTERNAL", repr(error)))
