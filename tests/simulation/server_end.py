"""The server's end of a simulated connection, in the shape that gRPC gives it.

`Context` stands where the service has `grpc.aio`'s context. It does what was seen of grpc.aio: one write at a time, a write that is
given up spoils the stream, a lost client is the end of the requests or a cancelled RPC or both, and an abort waits behind unread data.
"""

import asyncio

import grpc
import grpc.aio

from tests.simulation.loop import Process
from tests.simulation.network import Link, Network, Reset, Status
from tests.simulation.waiting import Gate, Inbox


class Witness:
    """Whoever watches what a server hears and says on one stream. Does nothing; the checks do."""

    def arrived(self) -> None:
        """Be told that something has come to the server's host."""

    def heard(self, content: bytes) -> None:
        """Be told what the service reads."""

    def lost(self) -> None:
        """Be told that the server's host knows that the client is gone."""

    def told(self, content: bytes) -> None:
        """Be told what the service writes."""

    def stuck(self, *, is_stuck: bool) -> None:
        """Be told that a write waits for room, or doesn't any more."""

    def ended(self, status: Status) -> None:
        """Be told that the service has ended the stream."""


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class Context:
    """One stream as the service sees it: its context and its requests."""

    def __init__(self, process: Process, network: Network, link: Link, witness: Witness) -> None:
        self.process = process
        self.task: asyncio.Task[object] | None = None
        self.is_over = False
        self._network = network
        self._link = link
        self._witness = witness
        self._inbox: Inbox[bytes | Reset] = Inbox(process)
        self._gate = Gate(process)
        self._is_gone = False
        self._is_spoilt = False
        self._is_writing = False

    # What the network tells.

    def arrived(self, item: bytes | Reset) -> None:
        if self.is_over or self.process.is_dead or self._is_gone:
            return
        if isinstance(item, Reset):
            self._is_gone = True
            self._link.end()
            self.process.post(self._lose, self._network.random.randrange(3))
        else:
            self._witness.arrived()
            self._inbox.put(item)

    def made_room(self) -> None:
        self._gate.open()

    # What the service asks.

    def peer(self) -> str:
        return self._link.peer

    async def send_initial_metadata(self, _: object) -> None:
        await self._spend(self._network.write_seconds)
        if self._is_gone:
            raise grpc.aio.UsageError("RPC already finished.")

    async def read(self) -> object:
        item = await self._inbox.get()
        if isinstance(item, Reset):
            self._inbox.items.append(item)
            if self._network.random.random() < 0.5:
                raise grpc.aio.UsageError("RPC already finished.")
            return grpc.aio.EOF
        self._link.up.consumed()
        self._witness.heard(item)
        return item

    async def write(self, content: bytes) -> None:
        if self._is_gone or self._is_spoilt or self.is_over:
            raise grpc.aio.UsageError("RPC already finished.")
        if self._is_writing:
            raise AssertionError("two writes at once")
        self._witness.told(content)
        self._link.down.send(content, self.process.time())
        self._is_writing = True
        try:
            await self._spend(self._network.write_seconds)
            await self._wait_for_room()
        except BaseException:
            self._is_spoilt = True
            raise
        finally:
            self._is_writing = False
        if self._is_gone:
            raise grpc.aio.InternalError("Failed to write.")

    async def abort(
        self, code: grpc.StatusCode, details: str, metadata: tuple[tuple[str, bytes], ...]
    ) -> None:
        """Wait behind unread data, then end the stream."""
        if not self._is_gone:
            self._is_spoilt = False
            await self._wait_for_room()
        self.finish(Status(code.name, details, metadata))
        raise grpc.aio.AbortError("Locally aborted.")

    def finish(self, status: Status) -> None:
        """End the stream, unless it has ended."""
        if not self.is_over:
            self.is_over = True
            if not self.process.is_dead:
                self._witness.ended(status)
                self._link.down.send(status, self.process.time())
            self._link.up.break_off()

    async def _wait_for_room(self) -> None:
        if self._link.down.has_room:
            return
        self._witness.stuck(is_stuck=True)
        try:
            while not self._may_go_on():
                await self._gate.wait()
        finally:
            self._witness.stuck(is_stuck=False)

    async def _spend(self, seconds: float | None) -> None:
        """Take time, or none at all: then nothing is waited for."""
        if seconds is not None:
            future: asyncio.Future[None] = self.process.create_future()
            self.process.call_later(seconds, _finish, future)
            await future

    def _may_go_on(self) -> bool:
        return self._link.down.has_room or self._is_gone

    def _lose(self, manner: int) -> None:
        self._witness.lost()
        self._gate.open()
        if manner != 1:
            self._inbox.put(Reset())
        if manner != 2 and self.task is not None:
            self.task.cancel()
