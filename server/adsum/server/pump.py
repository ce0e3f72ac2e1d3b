"""The writer of one stream: one write at a time, and no task of its own.

gRPC allows one write at a time on a stream. A task for each stream that waits for its turn, writes, and waits again costs two futures and
two turns of the event loop for each message. Here the coroutine of the write is stepped directly: it is started where the stream is woken,
so a wave hands over its thousand writes in one go, and the completion of one starts the next.

A write that is given up leaves the stream unwritable, so that is done only when the stream is over.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
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


class Pump:
    """Write the headers, what is pushed, and then whatever `take` gives when it is woken, until it is closed. No method raises."""

    __slots__ = (
        "_context",
        "_future",
        "_is_closed",
        "_note",
        "_opened",
        "_over",
        "_take",
        "_waiting",
        "_write",
    )

    def __init__(
        self,
        context: Writable,
        take: Callable[[], Iterable[bytes]],
        note: Callable[[bool], None],
        over: Callable[[], None],
    ) -> None:
        """Begin with the headers.

        They are sent first and alone: else the first message would carry them, and if the stream ends while that is under way, the status
        would carry them again: gRPC refuses that, and the RPC never ends.

        Args:
            context: What is written on.
            take: Gives what is to be written next, nothing if there is nothing.
            note: Is told True when a message is about to be written, and False when it has been.
            over: Is called when the client has gone.
        """
        self._context = context
        self._take = take
        self._note = note
        self._over = over
        self._waiting: deque[bytes] = deque()
        self._is_closed = False
        self._opened = asyncio.get_running_loop().create_future()
        self._future: asyncio.Future[object] | None = None
        self._write: Coroutine[Any, Any, None] | None = context.send_initial_metadata(())
        self._go_on()

    def push(self, message: bytes) -> None:
        """Write a message before anything that is taken from now on."""
        self._waiting.append(message)
        self.wake()

    def wake(self) -> None:
        """Start to write. While a write is under way there is no need to: it looks again when it is done."""
        if self._write is None:
            self._go_on()

    async def opened(self) -> None:
        """Wait until the headers have been sent or can't be: before that the RPC may not be ended."""
        await self._opened

    def close(self) -> None:
        """Give up the message that is being written, and begin no other."""
        self._is_closed = True
        if not self._opened.done():
            return
        if self._future is not None:
            self._future.remove_done_callback(self._completed)
            self._future.cancel()
            self._future = None
        if self._write is not None:
            self._write.close()
            self._write = None

    def _completed(self, _: asyncio.Future[object]) -> None:
        # A message may have been on its way here when the pump was closed.
        if not self._is_closed or not self._opened.done():
            self._go_on()

    def _go_on(self) -> None:
        try:
            while self._write is not None or (not self._is_closed and self._begin()):
                if not self._step():
                    return
                self._write = None
                if self._opened.done():
                    self._note(False)
                else:
                    self._opened.set_result(None)
        except GONE:
            self._end()
        except Exception:
            log.exception("a stream failed")
            self._end()

    def _begin(self) -> bool:
        """Begin the next write; False if there is nothing to be written."""
        if not self._waiting:
            self._waiting.extend(self._take())
            if not self._waiting:
                return False
        self._note(True)
        self._write = self._context.write(self._waiting.popleft())
        return True

    def _step(self) -> bool:
        """Let the write go on until it is done (True) or has to wait for gRPC (False)."""
        assert self._write is not None
        try:
            future: asyncio.Future[object] = self._write.send(None)
        except StopIteration:
            self._future = None
            return True
        future.add_done_callback(self._completed)
        self._future = future
        return False

    def _end(self) -> None:
        self._write = self._future = None
        self._is_closed = True
        if not self._opened.done():
            self._opened.set_result(None)
        self._over()
