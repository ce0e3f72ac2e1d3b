"""Operators who watch a lobby through the AdminService: their lists follow the same rules, and converge like everybody's (P1-P3).

It is the service itself that is asked; only the RPC around it isn't there.
"""

import asyncio
from typing import NoReturn, cast

import grpc

from adsum.server.admin import AdminService
from adsum.server.hub import Hub
from adsum.server.service import Context as ServiceContext
from adsum.v1 import admin_pb2
from adsum.v1 import presence_pb2 as pb
from tests.model.session import SelectionModel, SessionModel
from tests.model.stream import StreamModel
from tests.simulation.loop import Process
from tests.simulation.witness import Observatory


class _Refused(Exception):
    """The service has ended the call with a status."""


class _Context:
    """What the service uses of gRPC's context."""

    def __init__(self) -> None:
        self.code = ""

    async def abort(self, code: grpc.StatusCode, details: str, _: object) -> NoReturn:
        self.code = code.name
        raise _Refused(details)


class Watcher:
    """One operator. `pause_seconds` is how long they take over each message."""

    def __init__(
        self, process: Process, hub: Hub, lobby: str, observatory: Observatory, pause_seconds: float
    ) -> None:
        self.lobby = lobby
        self.model = StreamModel(observatory.checks, observatory.ledger, f"watcher of {lobby}")
        self.model.hello = pb.Hello(lobby=lobby, observer=True)
        self._process = process
        self._observatory = observatory
        self.pause_seconds = pause_seconds
        self._context = _Context()
        self._task: asyncio.Task[object] | None = None
        process.post(self._start, hub)

    def end(self) -> None:
        """Stop watching."""
        self._process.post(self._cancel)

    @property
    def is_watching(self) -> bool:
        """Whether the call goes on."""
        return self._task is not None and not self._task.done() and not self._process.is_dead

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _start(self, hub: Hub) -> None:
        self._task = self._process.spawn(self._watch(hub), "watcher")

    async def _watch(self, hub: Hub) -> None:
        request = admin_pb2.WatchLobbyRequest(lobby=self.lobby).SerializeToString()
        # It has what the service uses of gRPC's.
        responses = AdminService(hub).watch_lobby(request, cast(ServiceContext, self._context))
        session = SessionModel(b"", b"", SelectionModel(self._observatory.checks))
        self._observatory.count("watchers")
        is_first = True
        try:
            async for content in responses:
                if is_first:
                    lobby = self._observatory.lobbies[self.lobby]
                    self.model.welcomed(pb.Welcome(), session, lobby)
                    is_first = False
                self._take(admin_pb2.WatchLobbyResponse.FromString(content))
                if self.pause_seconds:
                    await self._rest()
        except _Refused:
            expected = self._context.code in ("UNAVAILABLE", "RESOURCE_EXHAUSTED")
            self._observatory.checks.that("P9", expected, "a watcher is refused: {}", self._context.code)
        finally:
            await cast("_Closable", responses).aclose()

    def _take(self, response: admin_pb2.WatchLobbyResponse) -> None:
        kind = response.WhichOneof("response")
        told = pb.PresenceResponse()
        if kind == "snapshot":
            told.snapshot.CopyFrom(response.snapshot)
        else:
            self._observatory.checks.that("P1", kind == "delta", "a watcher is told {}", kind)
            told.delta.CopyFrom(response.delta)
        self._observatory.count("told to watchers")
        self.model.told(told)

    async def _rest(self) -> None:
        future = self._process.create_future()
        self._process.call_later(
            self.pause_seconds, lambda: None if future.done() else future.set_result(None)
        )
        await future


class _Closable:
    """An async generator, of which the service's signature doesn't tell."""

    async def aclose(self) -> None:
        """Run what is left of it."""
