"""The shell that keeps a session connected: channels, streams and tasks. It decides nothing.

`run` makes attempt after attempt, each with a channel of its own, until the application leaves or trying
again is no use. An attempt is one stream, held by one TaskGroup with a reader, the only writer, and the
clock; the first of reader and clock to finish ends it. Whatever the session answers goes to `deliver` at
once, in order, in the same step of the event loop.
"""

import asyncio
import os
import random
from collections.abc import Callable, Coroutine
from typing import TypeAlias, TypeVar

import grpc
import grpc.aio

from adsum.client import wire
from adsum.client.backoff import Attempt, Persistence
from adsum.client.ending import Ending, judge
from adsum.client.endpoint import Endpoint
from adsum.client.errors import AdsumError, ProtocolViolation
from adsum.client.messages import Hello
from adsum.client.patience import End
from adsum.client.session import Output, Session, Stage
from adsum.client.settings import Settings
from adsum.contract.identity import NONCE_BYTES

_Call: TypeAlias = "grpc.aio.StreamStreamCall[bytes, bytes]"
_NEVER = float("inf")
_T = TypeVar("_T")
_WRITE_FAILED = "Internal error from Core"
"""The details of the status that grpc.aio makes up when a write meets a stream that the server has ended."""
_STATUS_SECONDS = 1.0
"""How long the server's own status is waited for when there is such a one."""
_Status: TypeAlias = tuple[grpc.StatusCode, str, tuple[tuple[str, str | bytes], ...]]


class _Statuses:
    """Know the status with which the server ended a call, even if a write failed at the same time.

    grpc.aio then makes up a status of its own, which stands in the place of the server's: before it comes, or
    after it came. So every status is read the moment it is set.
    """

    def __init__(self, call: _Call) -> None:
        self._call = call
        self._made_up: _Status | None = None
        self._servers: asyncio.Future[_Status] = asyncio.get_running_loop().create_future()
        call.add_done_callback(self._note)

    async def last_word(self) -> _Status:
        """Wait for the server's status, or take what there is."""
        if self._made_up is not None:
            await asyncio.wait((self._servers,), timeout=_STATUS_SECONDS)
            if not self._servers.done():
                return self._made_up
        return await self._servers

    def _note(self, _: object) -> None:
        metadata = _at_once(self._call.trailing_metadata())
        status = (_at_once(self._call.code()), _at_once(self._call.details()) or "", tuple(metadata or ()))
        if status[:2] == (grpc.StatusCode.INTERNAL, _WRITE_FAILED):
            self._made_up = status
        elif not self._servers.done():
            self._servers.set_result(status)


def _at_once(coroutine: Coroutine[object, None, _T]) -> _T:
    """Get what a coroutine returns that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as returned:
        value: _T = returned.value
        return value
    coroutine.close()
    raise AssertionError("a call that has ended knows its status")


class Driver:
    """Keep one session connected. `run` once; the other methods may be called from anywhere in the same event loop."""

    def __init__(
        self,
        session: Session,
        endpoint: Endpoint,
        settings: Settings,
        deliver: Callable[[Output], None],
        has_room: Callable[[], bool],
    ) -> None:
        """Do nothing yet."""
        self._session = session
        self._endpoint = endpoint
        self._settings = settings
        self._deliver = deliver
        self._has_room = has_room
        self._is_leaving = False
        self._leaving = asyncio.Event()
        self._to_write = asyncio.Event()
        self._clock_changed = asyncio.Event()
        self._clock_sleeps_until = _NEVER
        self._give_up_at = _NEVER

    def poke(self) -> None:
        """Let the writer and the clock look at the session again, because the application has changed it."""
        self._to_write.set()
        self._clock_changed.set()

    def leave(self) -> None:
        """Say Leave and let `run` return. Without a connection it returns at once."""
        self._is_leaving = True
        self._session.outbox.leave()
        self._leaving.set()
        self._to_write.set()

    async def run(self) -> None:
        """Keep the session connected until the application leaves.

        Raises:
            Refused: the server refused for good.
            Unavailable: no server was reached in time at first, or in `max_attempts` attempts later.
        """
        session = self._session
        persistence = Persistence(self._settings, self._endpoint.target, self._now())
        self._give_up_at = persistence.give_up_at
        while True:
            ending = await self._attempt()
            if self._is_leaving:
                return
            now = self._now()
            live_seconds = None if session.live_since is None else now - session.live_since
            attempt = Attempt(ending, live_seconds, session.drain_seconds(now))
            self._deliver(session.lost(ending.cause, now))
            if ending.is_session_gone:
                session.forget()
            verdict = persistence.after(attempt, session.resumable_until, now, random.random())
            if isinstance(verdict, AdsumError):
                raise verdict
            if verdict > 0 and await self._pause(verdict):
                return

    async def _pause(self, delay_seconds: float) -> bool:
        """Wait for the next attempt; True if the application leaves meanwhile."""
        self._deliver(self._session.will_retry(delay_seconds, self._now()))
        try:
            async with asyncio.timeout(delay_seconds):
                await self._leaving.wait()
        except TimeoutError:
            self._deliver(self._session.retries())
        return self._is_leaving

    async def _attempt(self) -> Ending:
        """Hold one stream, from dialling to its end."""
        channel = self._endpoint.open()
        try:
            call: _Call = channel.stream_stream(
                wire.METHOD, request_serializer=None, response_deserializer=None
            )()
            try:
                return await self._hold(call)
            finally:
                call.cancel()
        finally:
            await channel.close()

    async def _hold(self, call: _Call) -> Ending:
        hello = self._session.dial(os.urandom(NONCE_BYTES), self._now())
        statuses = _Statuses(call)
        async with asyncio.TaskGroup() as stream:
            reader = stream.create_task(self._read(call, statuses), name="adsum reader")
            clock = stream.create_task(self._watch_clock(), name="adsum clock")
            writer = stream.create_task(self._write(call, hello), name="adsum writer")
            await asyncio.wait((reader, clock), return_when=asyncio.FIRST_COMPLETED)
            first = reader if reader.done() else clock
            for task in (reader, clock, writer):
                task.cancel()
        return first.result()

    async def _read(self, call: _Call, statuses: "_Statuses") -> Ending:
        session = self._session
        try:
            while isinstance(data := await call.read(), bytes):
                try:
                    message = wire.decode(data)
                except ProtocolViolation as exc:
                    return Ending(str(exc), is_violation=True)
                now = self._now()
                if message is None:
                    session.hear(now)
                    continue
                output = session.receive(message, now, has_room=self._has_room())
                self._deliver(output)
                if output.end is not None:
                    return _ending(output.end)
                self._to_write.set()
                if session.deadline(now) < self._clock_sleeps_until:
                    self._clock_changed.set()
        except grpc.aio.AioRpcError:
            # The status tells why, below.
            pass
        code, details, metadata = await statuses.last_word()
        refusal = None
        for key, value in metadata:
            if key == wire.STATUS_DETAILS_KEY and isinstance(value, bytes):
                refusal = wire.decode_refusal(value)
        return judge(code.name, details, refusal, self._endpoint.target)

    async def _write(self, call: _Call, hello: Hello) -> None:
        try:
            await call.write(wire.encode(hello))
            while True:
                self._to_write.clear()
                while (request := self._session.take_request()) is not None:
                    await call.write(wire.encode(request))
                await self._to_write.wait()
        except (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError):
            # The stream has ended under the writer. The reader sees that too, and knows why.
            return

    async def _watch_clock(self) -> Ending:
        session = self._session
        while True:
            now = self._now()
            output = session.tick(now)
            self._deliver(output)
            if output.end is not None:
                return _ending(output.end)
            give_up_at = (
                _NEVER if session.stage is Stage.WELCOMED or session.replica.is_complete else self._give_up_at
            )
            if now >= give_up_at:
                return Ending("no answer in time", is_given_up=True)
            self._clock_changed.clear()
            self._clock_sleeps_until = min(session.deadline(now), give_up_at)
            try:
                async with asyncio.timeout_at(self._clock_sleeps_until):
                    await self._clock_changed.wait()
            except TimeoutError:
                continue

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _ending(end: End) -> Ending:
    return Ending(end.cause, is_violation=end.is_violation, is_planned=end.is_planned)
