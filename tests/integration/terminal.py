"""A terminal for a program to run in: a pseudo-terminal whose screen is read as text."""

import asyncio
import fcntl
import os
import struct
import termios
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

WAIT_SECONDS = 15.0
CURSOR_QUESTION = b"\x1b[6n"
"""How a program asks where the cursor is. A terminal that doesn't answer is taken for a poor one."""


class Terminal:
    """Type to a program in a terminal, and see everything that it has written. `in_terminal` makes it."""

    def __init__(self, leader: int, follower: int, process: asyncio.subprocess.Process) -> None:
        self._leader = leader
        self._follower = follower
        self._news = asyncio.Event()
        self._seen = 0
        self.process = process
        self.written = b""
        self.mode_before: list[Any] = []

    @property
    def mode(self) -> list[Any]:
        """The mode of the terminal: echo, line editing and so on."""
        return termios.tcgetattr(self._follower)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._leader, text.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Change the size, as dragging the window does."""
        fcntl.ioctl(self._follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    async def shows(self, *parts: str) -> None:
        """Wait until the program has written each of the parts, in this order, after what was waited for before."""
        for part in parts:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    while (found := self.written.find(part.encode(), self._seen)) < 0:
                        self._news.clear()
                        await self._news.wait()
            except TimeoutError:
                raise AssertionError(
                    f"{part!r} was not shown after: {self.written[self._seen :]!r}"
                ) from None
            self._seen = found + len(part.encode())

    async def ended(self) -> int:
        """Wait for the end of the program, and give its exit code."""
        async with asyncio.timeout(WAIT_SECONDS):
            return await self.process.wait()

    def read(self) -> None:
        """Take in what the program has written."""
        try:
            chunk = os.read(self._leader, 65536)
        except OSError:
            # Linux says EIO when the program has gone and closed its side.
            return
        self.written += chunk
        if CURSOR_QUESTION in chunk:
            os.write(self._leader, b"\x1b[30;1R")
        self._news.set()


@asynccontextmanager
async def in_terminal(words: Sequence[str], environment: Mapping[str, str]) -> AsyncIterator[Terminal]:
    """Run a program in a terminal of 100 x 30 as long as the block runs, or until it ends in it."""
    leader, follower = os.openpty()
    loop = asyncio.get_running_loop()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    mode_before = termios.tcgetattr(follower)
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**environment, "TERM": "xterm-256color"},
        start_new_session=True,
    )
    terminal = Terminal(leader, follower, process)
    terminal.mode_before = mode_before
    loop.add_reader(leader, terminal.read)
    try:
        yield terminal
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        loop.remove_reader(leader)
        os.close(leader)
        os.close(follower)
