"""The client's end of a simulated connection, in the shapes that gRPC gives it.

`Call`, `Channel` and `Dialler` stand where the client library has `grpc.aio`'s call, its channel, and `Endpoint`. They do what was seen of
grpc.aio: what arrived is read before the status, a failed write may make up a status before the server's own comes, and every status that
is set is told.
"""

from collections.abc import Callable
from typing import NoReturn

import grpc
import grpc.aio
from grpc.aio import Metadata

from tests.simulation.loop import Process
from tests.simulation.network import Link, Network, Path, Reset, Status
from tests.simulation.waiting import Gate, Inbox

MADE_UP = Status("INTERNAL", "Internal error from Core")
"""What grpc.aio makes up when a write meets a stream that the server has ended."""
MADE_UP_SECONDS = 0.02
"""How long after it the server's own status comes."""
CANCELLED = Status("CANCELLED", "Locally cancelled by application!")


class Call:
    """One stream as the client library sees it."""

    def __init__(
        self, process: Process, network: Network, path: Path, heard: Callable[[bytes], None]
    ) -> None:
        self.process = process
        self._network = network
        self._heard = heard
        self._inbox: Inbox[bytes | Status] = Inbox(process)
        self._gate = Gate(process)
        self._link: Link | None = None
        self._status: Status | None = None
        self._callbacks: list[Callable[[object], None]] = []
        self._is_cancelled = False
        network.dial(path, self)

    # What the network tells.

    def connected(self, link: Link) -> None:
        if self._is_cancelled or self.process.is_dead:
            self._link = link
            self._hang_up()
            return
        self._link = link
        self._gate.open()

    def arrived(self, item: bytes | Status) -> None:
        if not self._is_cancelled and not self.process.is_dead:
            self._inbox.put(item)
            if isinstance(item, Status):
                self._gate.open()

    def made_room(self) -> None:
        self._gate.open()

    # What the library asks.

    def add_done_callback(self, callback: Callable[[object], None]) -> None:
        self._callbacks.append(callback)

    async def code(self) -> grpc.StatusCode:
        return grpc.StatusCode[self._known.code]

    async def details(self) -> str:
        return self._known.details

    async def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        return self._known.metadata

    async def write(self, content: bytes) -> None:
        while self._link is None and not self._has_ended:
            await self._gate.wait()
        if self._has_ended:
            self._fail_to_write()
        assert self._link is not None
        self._link.up.send(content, self.process.time())
        while not self._link.up.has_room and not self._has_ended:
            await self._gate.wait()

    async def read(self) -> object:
        if self._status is None:
            item = await self._inbox.get()
            if isinstance(item, bytes):
                if self._link is not None:
                    self._link.down.consumed()
                self._heard(item)
                return item
            if self._status is None:
                self._end(item)
        if self._known.code == "OK":
            return grpc.aio.EOF
        raise _error(self._known)

    def cancel(self) -> None:
        if not self._is_cancelled:
            self._is_cancelled = True
            if self._status is None:
                self._end(CANCELLED)
            self._hang_up()

    @property
    def _known(self) -> Status:
        assert self._status is not None, "the call has not ended"
        return self._status

    @property
    def _has_ended(self) -> bool:
        waiting = self._inbox.items
        return self._status is not None or (bool(waiting) and isinstance(waiting[-1], Status))

    def _fail_to_write(self) -> NoReturn:
        if self._status is None and self._link is not None and self._network.random.random() < 0.5:
            # The server's own status has arrived, but the failed write is noticed first.
            servers = self._inbox.items.pop()
            assert isinstance(servers, Status)
            self._inbox.items.clear()
            self._end(MADE_UP)
            self.process.call_later(MADE_UP_SECONDS, self._end, servers)
        raise _error(self._status or MADE_UP)

    def _end(self, status: Status) -> None:
        if self._is_cancelled and self._status is not None:
            return
        self._status = status
        self._inbox.items.clear()
        self._inbox.put(status)
        for callback in self._callbacks:
            callback(self)

    def _hang_up(self) -> None:
        if self._link is not None:
            self._link.up.send(Reset(), self.process.time())
            self._link.down.break_off()


def _error(status: Status) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(grpc.StatusCode[status.code], Metadata(), Metadata(), status.details)


class Channel:
    """A channel as the client library sees it: it serves one call."""

    def __init__(
        self, process: Process, network: Network, path: Path, heard: Callable[[bytes], None]
    ) -> None:
        self._process, self._network, self._path, self._heard = process, network, path, heard

    def stream_stream(self, method: str, **_: object) -> Callable[[], Call]:
        assert method == "/adsum.v1.LobbyService/Presence", method
        return lambda: Call(self._process, self._network, self._path, self._heard)

    async def close(self) -> None:
        """Have nothing to close: the call has been cancelled."""


class Dialler:
    """What the client library knows of where to dial. `heard` is told what the library reads, just before it does."""

    target = "server.example:7557"
    audience = "server.example"

    def __init__(
        self, process: Process, network: Network, path: Path, heard: Callable[[bytes], None]
    ) -> None:
        self._process, self._network, self._path, self._heard = process, network, path, heard

    def open(self) -> Channel:
        """Make a channel."""
        return Channel(self._process, self._network, self._path, self._heard)
