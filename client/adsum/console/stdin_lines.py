"""Lines from stdin, without a thread and without touching the mode of the terminal.

A terminal or pipe is read when the loop says that something is there; what can't be waited for (a file,
/dev/null) never blocks and is read at once. stdin stays in blocking mode: a terminal's stdin and stdout are
often one open file, and a write to stdout that doesn't block would lose output.
"""

import asyncio
import codecs
import os
from collections.abc import AsyncGenerator

CHUNK_BYTES = 64 * 1024
"""How much is read at once."""
LINE_CHARACTERS = 64 * 1024
"""The longest line; one that is longer is cut into several, so that memory is bounded."""


async def read_lines(descriptor: int) -> AsyncGenerator[str, None]:
    """Give each line without its end, the last one also if nothing ends it. Bytes that are not UTF-8 become U+FFFD."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    while chunk := await read_chunk(descriptor):
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        for line in lines:
            yield line.removesuffix("\r")
        while len(rest) > LINE_CHARACTERS:
            yield rest[:LINE_CHARACTERS]
            rest = rest[LINE_CHARACTERS:]
    rest += decoder.decode(b"", final=True)
    if rest:
        yield rest


async def read_chunk(descriptor: int) -> bytes:
    """Wait until something can be read and read it; empty at the end."""
    await _until_readable(descriptor)
    return os.read(descriptor, CHUNK_BYTES)


async def wait_for_end(descriptor: int) -> None:
    """Wait until the other end of a pipe is closed, and drop whatever comes before that."""
    while await read_chunk(descriptor):
        pass


async def _until_readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    try:
        loop.add_reader(descriptor, readable.set)
    except PermissionError:
        # epoll refuses what is always readable. Others shall have their turn between two reads all the same.
        await asyncio.sleep(0)
        return
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)
