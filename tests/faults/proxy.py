"""A TCP proxy that does to connections what networks do: it delays, throttles, slices, swallows, cuts and resets.

Each connection has two ways, up (from the client) and down, with a condition each; a new connection starts with the proxy's own
conditions. So one connection can be dead while the next one is well, as behind a router that has forgotten the first.
`tests.integration.relay` does the cutting.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from tests.integration.relay import Relay, _Link

CHUNK_BYTES = 16 * 1024
IN_FLIGHT = 256
"""How many pieces may be on their way in one direction; beyond that the sender waits, as it does for a full pipe."""
MOST_SLICE_BYTES = 7
THROTTLED_BYTES = 256
"""What a slow link passes on at a time: small enough to be slow evenly."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Say how one way of a connection is. Bytes stay in order whatever happens."""

    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    """Each piece is delayed by this much more or less."""
    bytes_per_second: float = 0.0
    """0 for no limit."""
    is_sliced: bool = False
    """Pass on pieces of 1 to 7 bytes."""
    is_swallowed: bool = False
    """Take everything and pass nothing on: what comes then is lost for good, and the connection with it."""
    is_held: bool = False
    """Pass nothing on until this is over: a cut cable, over which TCP sends everything again."""


WELL = Condition()


class Way:
    """One direction of a connection, and its condition, which may change at any time."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition
        self._changed = asyncio.Event()

    @property
    def condition(self) -> Condition:
        """How it is now."""
        return self._condition

    @condition.setter
    def condition(self, condition: Condition) -> None:
        self._condition = condition
        self._changed.set()

    async def until_passable(self) -> None:
        """Wait until nothing is held."""
        while self._condition.is_held:
            self._changed.clear()
            await self._changed.wait()


class Connection(_Link):
    """A client's connection with the one to the server that belongs to it."""

    def __init__(
        self, client: asyncio.StreamWriter, server: asyncio.StreamWriter, up: Condition, down: Condition
    ) -> None:
        super().__init__(client, server)
        self.up = Way(up)
        self.down = Way(down)


class Proxy(Relay):
    """Pass bytes between clients and one server, until told otherwise. `proxying` makes it."""

    def __init__(self, host: str, port: int, chance: random.Random) -> None:
        super().__init__(host, port)
        self.up = WELL
        self.down = WELL
        self.is_open = True
        """False to refuse new connections."""
        self.accepted = 0
        self.passed_bytes = 0
        self._chance = chance

    @property
    def connections(self) -> list[Connection]:
        """Those that are open."""
        return [link for link in self._links if isinstance(link, Connection)]

    def become(
        self, up: Condition | None = None, down: Condition | None = None, *, only_open: bool = False
    ) -> None:
        """Put every open connection into a condition, and those to come, too, unless `only_open`."""
        for connection in self.connections:
            connection.up.condition = up or connection.up.condition
            connection.down.condition = down or connection.down.condition
        if not only_open:
            self.up, self.down = up or self.up, down or self.down

    def heal(self) -> None:
        """Let everything through again, and new connections in. What was swallowed stays lost: such a connection never goes on."""
        self.is_open = True
        for connection in self.connections:
            for way in (connection.up, connection.down):
                way.condition = replace(WELL, is_swallowed=way.condition.is_swallowed)
        self.up = self.down = WELL

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.is_open:
            _Link.abort(writer)
            return
        self.accepted += 1
        connection: Connection | None = None
        try:
            try:
                upstream_reader, upstream = await asyncio.open_connection(*self._upstream)
            except OSError:
                # Nobody serves there now: the client's connection is closed.
                return
            connection = Connection(writer, upstream, self.up, self.down)
            self._links.append(connection)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pass(reader, upstream, connection, connection.up))
                tasks.create_task(self._pass(upstream_reader, writer, connection, connection.down))
        finally:
            if connection is not None:
                self._links.remove(connection)
                connection.server.close()
            writer.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: Connection, way: Way
    ) -> None:
        """Be one way. A piece has its time of arrival fixed when it is read, so that a delay doesn't slow the flow."""
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(IN_FLIGHT)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take(reader, pieces, connection, way))
            tasks.create_task(self._give(writer, pieces, connection, way))

    async def _take(
        self,
        reader: asyncio.StreamReader,
        pieces: "asyncio.Queue[tuple[float, bytes]]",
        connection: Connection,
        way: Way,
    ) -> None:
        now = asyncio.get_running_loop().time
        try:
            while content := await reader.read(CHUNK_BYTES):
                condition = way.condition
                delay = condition.delay_seconds + condition.jitter_seconds * self._chance.uniform(-1, 1)
                if not condition.is_swallowed:
                    await pieces.put((now() + max(0.0, delay), content))
        except ConnectionError:
            # Reset by one side: the other is told by the end below.
            pass
        if connection.is_stranded or way.condition.is_swallowed:
            # Nobody on the other side learns of this end.
            await asyncio.Event().wait()
        await pieces.put((0.0, b""))

    async def _give(
        self,
        writer: asyncio.StreamWriter,
        pieces: "asyncio.Queue[tuple[float, bytes]]",
        connection: Connection,
        way: Way,
    ) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due, content = await pieces.get()
            await asyncio.sleep(max(0.0, due - now()))
            await way.until_passable()
            if not content:
                break
            try:
                await self._write(writer, content, way)
            except ConnectionError:
                # The receiver is gone. Nothing more is passed on, and the sender is told by the close of its connection.
                if not connection.is_stranded:
                    connection.client.close()
                    connection.server.close()
        writer.close()

    async def _write(self, writer: asyncio.StreamWriter, content: bytes, way: Way) -> None:
        for part in self._parts(content, way.condition):
            if rate := way.condition.bytes_per_second:
                await asyncio.sleep(len(part) / rate)
            if writer.transport.is_closing():
                raise ConnectionResetError
            writer.write(part)
            await writer.drain()
            self.passed_bytes += len(part)

    def _parts(self, content: bytes, condition: Condition) -> list[bytes]:
        if not condition.is_sliced and not condition.bytes_per_second:
            return [content]
        parts, at = [], 0
        while at < len(content):
            size = self._chance.randint(1, MOST_SLICE_BYTES) if condition.is_sliced else THROTTLED_BYTES
            parts.append(content[at : at + size])
            at += size
        return parts


@asynccontextmanager
async def proxying(target: str, chance: random.Random) -> AsyncIterator[Proxy]:
    """Run a proxy to a server as long as the block runs."""
    host, _, port = target.rpartition(":")
    proxy = Proxy(host, int(port), chance)
    carriers: set[asyncio.Task[None]] = set()
    tasks = asyncio.TaskGroup()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carrier = tasks.create_task(proxy._carry(reader, writer))
        carriers.add(carrier)
        carrier.add_done_callback(carriers.discard)

    await tasks.__aenter__()
    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=CHUNK_BYTES)
    proxy.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for carrier in carriers:
            carrier.cancel()
        # The group isn't told of the block's exception: it would wrap it.
        await tasks.__aexit__(None, None, None)
