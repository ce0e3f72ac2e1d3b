"""The writer of one stream: one write at a time, and no task of its own.

gRPC allows one write at a time on a stream. A task for each stream that waits for its turn, writes, and waits again costs two futures and
two turns of the event loop for each message. Here the coroutine of the write is stepped directly: it is started where the stream is woken,
so a wave hands over its thousand writes in one go, and the completion of one starts the next.

A write that is given up leaves the stream unwritable, so that is done only when the stream is over.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, Protocol

import grpc

from adsum.server.logs import get_log

GONE = (grpc.aio.UsageError, grpc.aio.InternalError)
"""What a write raises when the client has gone in the meantime."""

log = get_log(__name__)


class Writable(Protocol):
    """What is written on: gRPC's context of one RPC."""

    def write(self, message: bytes) -> Coroutine[Any, Any, None]:
        """Write one message."""

    def send_initial_metadata(self, initial_metadata: tuple[()]) -> Coroutine[Any, Any, None]:
        """Write the headers."""


class Owner(Protocol):
    """Whose stream is written: it says what, and is told how it goes."""

    def take(self) -> Iterable[bytes]:
        """Give what is to be written next, nothing if there is nothing."""

    def writing(self, busy: bool) -> None:
        """Note that a message that was taken or pushed is about to be written (True), or that any, or the headers, have been (False)."""

    def end(self) -> None:
        """Note that the client has gone."""


class Pump:
    """Write the headers, what is pushed, and then whatever there is to take when it is woken, until it is closed. No method raises.

    A wave may also hand over what it has taken for the stream itself (`write`).
    """

    __slots__ = (
        "_context",
        "_future",
        "_is_closed",
        "_is_woken",
        "_opened",
        "_owner",
        "_waiting",
        "_write",
        "is_idle",
    )

    def __init__(self, context: Writable, owner: Owner) -> None:
        """Begin with the headers.

        They are sent first and alone: else the first message would carry them, and if the stream ends while that is under way, the status
        would carry them again: gRPC refuses that, and the RPC never ends.
        """
        self._context = context
        self._owner = owner
        # A list: almost always it is empty, and an empty deque has 600 bytes.
        self._waiting: list[bytes] = []
        self._is_woken = False
        self._is_closed = False
        self._opened = asyncio.get_running_loop().create_future()
        self._future: asyncio.Future[object] | None = None
        self._write: Coroutine[Any, Any, None] | None = context.send_initial_metadata(())
        self.is_idle = False
        """Whether a message may be written now: the headers have been, nothing else is, and the stream isn't over."""
        self._go_on()

    def push(self, message: bytes) -> None:
        """Write a message before anything that is taken from now on."""
        self._waiting.append(message)
        self.wake()

    def wake(self) -> None:
        """Look for what is to be written. While a write is under way that is done as soon as it has ended."""
        self._is_woken = True
        if self.is_idle:
            self._go_on()

    def write(self, messages: list[bytes]) -> None:
        """Begin to write messages that were taken already, the first of them noted; only while idle.

        A wave does this to most streams. Afterwards nothing more is looked for, unless it is woken meanwhile.
        """
        self.is_idle = False
        if len(messages) > 1:
            self._waiting.extend(messages[1:])
        self._write = self._context.write(messages[0])
        self._go_on()

    async def opened(self) -> None:
        """Wait until the headers have been sent or can't be: before that the RPC may not be ended."""
        await self._opened

    def close(self) -> None:
        """Give up the message that is being written, and begin no other."""
        self._is_closed = True
        self.is_idle = False
        if not self._opened.done():
            return
        if self._future is not None:
            self._future.remove_done_callback(self._go_on)
            self._future.cancel()
            self._future = None
        if self._write is not None:
            self._write.close()
            self._write = None

    def _go_on(self, _: asyncio.Future[object] | None = None) -> None:
        """Step the write that is under way, and begin others, until one has to wait for gRPC or there is nothing to be written."""
        try:
            while self._write is not None or self._begin():
                try:
                    future: asyncio.Future[object] = self._write.send(None)  # type: ignore[union-attr]  # `_begin` has set it
                except StopIteration:
                    self._write = self._future = None
                    if not self._opened.done():
                        self._opened.set_result(None)
                    self._owner.writing(False)
                    continue
                future.add_done_callback(self._go_on)
                self._future = future
                return
        except GONE:
            self._end()
        except Exception:
            log.exception("a stream failed")
            self._end()

    def _begin(self) -> bool:
        """Begin the next write; False if there is nothing to be written, or the stream is over."""
        if self._is_closed:
            # A message may have been on its way here when the pump was closed.
            return False
        if not self._waiting and self._is_woken:
            self._waiting.extend(self._owner.take())
            self._is_woken = bool(self._waiting)
        if not self._waiting:
            self.is_idle = True
            return False
        self.is_idle = False
        self._owner.writing(True)
        self._write = self._context.write(self._waiting.pop(0))
        return True

    def _end(self) -> None:
        self._write = self._future = None
        self._is_closed = True
        self.is_idle = False
        if not self._opened.done():
            self._opened.set_result(None)
        self._owner.end()
