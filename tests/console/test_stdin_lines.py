"""Lines from stdin, whatever stdin is."""

import asyncio
import os
from pathlib import Path

from adsum.console.stdin_lines import LINE_CHARACTERS, read_lines, wait_for_end

WAIT_SECONDS = 5.0


async def lines_of_file(path: Path) -> list[str]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            return [line async for line in read_lines(descriptor)]
    finally:
        os.close(descriptor)


async def test_pipe_is_read_line_by_line_as_it_comes() -> None:
    reading, writing = os.pipe()
    lines = read_lines(reading)
    async with asyncio.timeout(WAIT_SECONDS):
        os.write(writing, b"one\r\ntw")
        assert await anext(lines) == "one"
        os.write(writing, "o é".encode() + b"\xff\nthree")
        assert await anext(lines) == "two é\ufffd"
        os.close(writing)
        assert [line async for line in lines] == ["three"]
    os.close(reading)


async def test_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\n\ntwo\n")
    assert await lines_of_file(path) == ["one", "", "two"]


async def test_nothing_comes_from_dev_null() -> None:
    assert await lines_of_file(Path(os.devnull)) == []


async def test_terminal_keeps_its_mode() -> None:
    leader, follower = os.openpty()
    os.write(leader, b"hello\n")
    lines = read_lines(follower)
    async with asyncio.timeout(WAIT_SECONDS):
        assert await anext(lines) == "hello"
    assert os.get_blocking(follower)
    await lines.aclose()
    os.close(leader)
    os.close(follower)


async def test_endless_line_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "endless"
    path.write_bytes(b"x" * (3 * LINE_CHARACTERS))
    lines = await lines_of_file(path)
    assert "".join(lines) == "x" * (3 * LINE_CHARACTERS)
    assert max(map(len, lines)) <= 2 * LINE_CHARACTERS


async def test_end_of_a_pipe_is_noticed() -> None:
    reading, writing = os.pipe()
    async with asyncio.timeout(WAIT_SECONDS), asyncio.TaskGroup() as group:
        waiting = group.create_task(wait_for_end(reading))
        os.write(writing, b"ignored\n")
        os.close(writing)
        await waiting
    os.close(reading)
