"""A bad network: a TCP relay that can cut, freeze, strand and slow down what goes through it.

The kernel here has no netem. What a relay can't do is lose single packets: TCP would hide that anyway.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_CHUNK_BYTES = 16 * 1024
_LINGER_NONE = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends RST."""


class Relay:
    """Pass bytes between clients and one server, until told not to. `relaying` makes it."""

    def __init__(self, host: str, port: int) -> None:
        self.address = ""
        self._upstream = (host, port)
        self._links: list[_Link] = []
        self._flows_up = asyncio.Event()
        self._flows_down = asyncio.Event()
        self.thaw()
        self._bytes_per_second = 0.0

    @property
    def link_count(self) -> int:
        """How many connections go through."""
        return len(self._links)

    def reset(self) -> None:
        """Cut every connection with RST, as a crashed host does."""
        for link in self._links:
            link.abort(link.client)
            link.abort(link.server)

    def finish(self) -> None:
        """Close every connection with FIN, as a proxy that stops does."""
        for link in self._links:
            link.client.close()
            link.server.close()

    def strand(self) -> None:
        """Cut the clients' half only: to the server the connections look alive, and are silent for ever."""
        for link in self._links:
            link.is_stranded = True
            link.abort(link.client)

    def freeze(self) -> None:
        """Let nothing through any more, in either direction, as a cut cable or a lost radio does."""
        self._flows_up.clear()
        self._flows_down.clear()

    def mute(self) -> None:
        """Let nothing through from the clients any more; they still hear the server."""
        self._flows_up.clear()

    def thaw(self) -> None:
        """Let everything through again; nothing is lost."""
        self._flows_up.set()
        self._flows_down.set()

    def throttle(self, bytes_per_second: float) -> None:
        """Let each direction of each connection carry so much; 0 for no limit."""
        self._bytes_per_second = bytes_per_second

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link: _Link | None = None
        try:
            try:
                upstream_reader, upstream = await asyncio.open_connection(*self._upstream)
            except OSError:
                # Nobody serves there now: the client's connection is closed.
                return
            link = _Link(writer, upstream)
            self._links.append(link)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, upstream, link, self._flows_up))
                tasks.create_task(self._pump(upstream_reader, writer, link, self._flows_down))
        finally:
            if link is not None:
                self._links.remove(link)
                link.server.close()
            writer.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: "_Link", flows: asyncio.Event
    ) -> None:
        try:
            while content := await reader.read(_CHUNK_BYTES):
                await flows.wait()
                if self._bytes_per_second:
                    await asyncio.sleep(len(content) / self._bytes_per_second)
                writer.write(content)
                await writer.drain()
        except ConnectionError:
            # Reset by one side: the other is told by the close below.
            pass
        if link.is_stranded:
            await asyncio.Event().wait()
        writer.close()


class _Link:
    """One connection of a client and the one that belongs to it, to the server."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.is_stranded = False

    @staticmethod
    def abort(writer: asyncio.StreamWriter) -> None:
        if writer.transport.is_closing():
            return
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        writer.transport.abort()


@asynccontextmanager
async def relaying(target: str) -> AsyncIterator[Relay]:
    """Run a relay to a server as long as the block runs."""
    host, _, port = target.rpartition(":")
    relay = Relay(host, int(port))
    carriers: set[asyncio.Task[None]] = set()
    tasks = asyncio.TaskGroup()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carrier = tasks.create_task(relay._carry(reader, writer))
        carriers.add(carrier)
        carrier.add_done_callback(carriers.discard)

    await tasks.__aenter__()
    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=_CHUNK_BYTES)
    relay.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()
        for carrier in carriers:
            carrier.cancel()
        # The group isn't told of the block's exception: it would wrap it.
        await tasks.__aexit__(None, None, None)
