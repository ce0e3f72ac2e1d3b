"""Where the two ends of a simulated connection wait: for something to read, and for room to write."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

from tests.simulation.loop import Process

T = TypeVar("T")


class Inbox(Generic[T]):
    """What has arrived and waits to be read, by one reader."""

    def __init__(self, process: Process) -> None:
        self.items: deque[T] = deque()
        self._process = process
        self._waiter: asyncio.Future[None] | None = None

    def put(self, item: T) -> None:
        """Let something wait to be read."""
        self.items.append(item)
        if self._waiter is not None:
            self._process.post(self._wake)

    async def get(self) -> T:
        """Read the next."""
        while not self.items:
            self._waiter = self._process.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self.items.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Gate:
    """Where a writer waits for room."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._waiter: asyncio.Future[None] | None = None

    async def wait(self) -> None:
        """Wait until somebody opens."""
        self._waiter = self._process.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def open(self) -> None:
        """Let the writer go on and look again."""
        self._process.post(self._wake)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
