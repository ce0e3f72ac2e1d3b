"""A TCP relay on this machine that can be cut, so that a connection is lost without a farewell.

Client and server both believe that they speak with each other. `cut` ends every connection by a reset; until
`mend` new ones are accepted and reset at once, so that attempts fail quickly.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK_BYTES = 64 * 1024
"""How much is passed on at once."""


class Relay:
    """Pass bytes between whoever connects to `address` and the target. Made by `relay_to`."""

    def __init__(self, host: str, port: int, group: asyncio.TaskGroup) -> None:
        self._host = host
        self._port = port
        self._group = group
        self._transports: set[asyncio.WriteTransport] = set()
        self._is_cut = False
        self.address = ""
        """Where the relay listens, as `HOST:PORT`."""

    @property
    def connection_count(self) -> int:
        """How many connections have both ends open."""
        return len(self._transports) // 2

    def cut(self) -> None:
        """Lose all connections, and every new one until `mend`. Cutting twice is cutting once."""
        self._is_cut = True
        for transport in tuple(self._transports):
            transport.abort()

    def mend(self) -> None:
        """Let new connections through again."""
        self._is_cut = False

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection that has come."""
        if self._is_cut:
            writer.transport.abort()
        else:
            self._group.create_task(self._carry(reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        transports = {writer.transport, far_writer.transport}
        self._transports |= transports
        if self._is_cut:
            self.cut()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, far_writer))
                group.create_task(_pump(far_reader, writer))
        finally:
            self._transports -= transports
            for transport in transports:
                transport.abort()


@asynccontextmanager
async def relay_to(host: str, port: int) -> AsyncIterator[Relay]:
    """Listen on a free port of this machine and relay to the target until the context ends, which cuts what is still open.

    What the body raises goes on as it is, and not in a group.
    """
    group = asyncio.TaskGroup()
    relay = Relay(host, port, group)
    server = await asyncio.start_server(relay.accept, "127.0.0.1", 0)
    await group.__aenter__()
    try:
        listening_host, listening_port = server.sockets[0].getsockname()
        relay.address = f"{listening_host}:{listening_port}"
        yield relay
    finally:
        server.close()
        relay.cut()
        # The group isn't told of the body's exception: it would wrap it, and its own tasks never fail.
        await group.__aexit__(None, None, None)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, and the end of it. A lost connection is an end: the other direction is ended by `cut` or by itself."""
    with suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        return
    writer.transport.abort()
