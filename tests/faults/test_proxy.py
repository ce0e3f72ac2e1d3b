import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from tests.faults.proxy import Condition, Proxy, proxying

SECONDS = 2.0


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy to a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while content := await reader.read(1000):
                writer.write(content)
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with proxying(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", random.Random(1)) as proxy:
        yield proxy
    server.close()


class Client:
    """A connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def of(cls, proxy: Proxy) -> "Client":
        host, _, port = proxy.address.rpartition(":")
        client = cls(*await asyncio.open_connection(host, int(port)))
        assert await client.echo(b"hello") == b"hello"
        return client

    async def echo(self, content: bytes) -> bytes:
        self.writer.write(content)
        async with asyncio.timeout(SECONDS):
            return await self.reader.readexactly(len(content))

    async def hears_nothing(self) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await self.reader.read(1)


async def test_everything_goes_through_in_order(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    content = bytes(range(256)) * 400
    assert await client.echo(content) == content
    assert proxy.accepted == 1
    client.writer.close()


async def test_slices_change_nothing_but_the_pieces(proxy: Proxy) -> None:
    proxy.become(Condition(is_sliced=True), Condition(is_sliced=True))
    client = await Client.of(proxy)
    assert await client.echo(b"0123456789" * 30) == b"0123456789" * 30
    client.writer.close()


async def test_a_delay_delays_and_keeps_the_order(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    proxy.become(up=Condition(delay_seconds=0.1, jitter_seconds=0.05))
    began = asyncio.get_running_loop().time()
    for number in range(5):
        client.writer.write(b"%d" % number)
        await asyncio.sleep(0)
    async with asyncio.timeout(SECONDS):
        assert await client.reader.readexactly(5) == b"01234"
    assert asyncio.get_running_loop().time() - began >= 0.05
    client.writer.close()


async def test_a_slow_link_takes_its_time(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    proxy.become(down=Condition(bytes_per_second=5000))
    began = asyncio.get_running_loop().time()
    await client.echo(b"x" * 1000)
    assert asyncio.get_running_loop().time() - began >= 0.18
    client.writer.close()


async def test_what_is_held_comes_when_the_link_is_healed(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    proxy.become(Condition(is_held=True), Condition(is_held=True))
    client.writer.write(b"later")
    await client.hears_nothing()
    proxy.heal()
    async with asyncio.timeout(SECONDS):
        assert await client.reader.readexactly(5) == b"later"
    client.writer.close()


async def test_what_is_swallowed_never_comes_and_other_connections_are_well(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    proxy.become(down=Condition(is_swallowed=True), only_open=True)
    client.writer.write(b"lost")
    await client.hears_nothing()
    other = await Client.of(proxy)
    proxy.heal()
    await client.hears_nothing()
    for one in (client, other):
        one.writer.close()


async def test_a_reset_is_a_reset(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(SECONDS):
            await client.reader.read(1)
    client.writer.close()


async def test_a_finish_is_an_end(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    proxy.finish()
    async with asyncio.timeout(SECONDS):
        assert await client.reader.read(1) == b""
    client.writer.close()


async def test_a_closed_door_lets_nobody_in_and_keeps_those_inside(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    proxy.is_open = False
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await Client.of(proxy)
    assert await client.echo(b"still") == b"still"
    client.writer.close()


async def test_a_stranded_connection_looks_alive_to_the_server(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    proxy.strand()
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(SECONDS):
            await client.reader.read(1)
    assert len(proxy.connections) == 1
    client.writer.close()
