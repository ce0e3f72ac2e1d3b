"""The relay that can be cut. Real sockets on this machine; every wait is for an event."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adsum.console.relay import relay_to

WAIT_SECONDS = 5.0


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """Listen on a free port and send back what comes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(1024):
                writer.write(chunk)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def dial(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def is_lost(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(WAIT_SECONDS):
        try:
            return await reader.read(1) == b""
        except ConnectionError:
            return True


async def test_bytes_and_their_end_are_passed_both_ways() -> None:
    async with asyncio.timeout(WAIT_SECONDS), echo() as port, relay_to("127.0.0.1", port) as relay:
        reader, writer = await dial(relay.address)
        writer.write(b"x" * 100_000)
        writer.write_eof()
        assert await reader.read() == b"x" * 100_000
        writer.close()


async def test_cut_loses_the_connection_and_mend_lets_new_ones_through() -> None:
    async with asyncio.timeout(WAIT_SECONDS), echo() as port, relay_to("127.0.0.1", port) as relay:
        reader, writer = await dial(relay.address)
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        assert relay.connection_count == 1
        relay.cut()
        relay.cut()
        assert await is_lost(reader)
        writer.close()

        reader, writer = await dial(relay.address)
        assert await is_lost(reader)
        writer.close()

        relay.mend()
        reader, writer = await dial(relay.address)
        writer.write(b"b")
        assert await reader.readexactly(1) == b"b"
        writer.close()


async def test_target_that_refuses_is_a_lost_connection() -> None:
    async with echo() as closed_port:
        pass
    async with asyncio.timeout(WAIT_SECONDS), relay_to("127.0.0.1", closed_port) as relay:
        reader, writer = await dial(relay.address)
        assert await is_lost(reader)
        writer.close()


async def test_end_of_the_context_cuts_what_is_open() -> None:
    async with asyncio.timeout(WAIT_SECONDS), echo() as port:
        async with relay_to("127.0.0.1", port) as relay:
            reader, writer = await dial(relay.address)
            writer.write(b"a")
            await reader.readexactly(1)
        assert await is_lost(reader)
        writer.close()
        with pytest.raises(ConnectionError):
            await dial(relay.address)


async def test_error_of_the_body_goes_on_as_it_is() -> None:
    async with echo() as port:
        with pytest.raises(KeyError):
            async with relay_to("127.0.0.1", port):
                raise KeyError
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), relay_to("127.0.0.1", port):
                await asyncio.Event().wait()
