"""A terminal as people have it: tmux, whose screen is read as it stands.

Each has a tmux server of its own, so nothing of whoever runs the tests is touched.
"""

import asyncio
import shlex
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

WAIT_SECONDS = 15.0
"""How long anything that must be shown may take on a busy machine."""
POLL_SECONDS = 0.03
"""How often the screen is looked at: tmux has no event for a change of it."""
WHY_NOT = "needs tmux: apt install tmux"


def is_installed() -> bool:
    """Tell whether there is a tmux."""
    return shutil.which("tmux") is not None


class Tmux:
    """Type to what runs in a tmux, and read its screen. `in_tmux` makes it."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def start(self, directory: Path, environment: Mapping[str, str], columns: int, rows: int) -> None:
        """Start the shell. Called by `in_tmux`."""
        process = await asyncio.create_subprocess_exec(
            *("tmux", "-S", str(self._socket), "-f", "/dev/null", "new-session", "-d"),
            *("-x", str(columns), "-y", str(rows), "env PS1='$ ' bash --norc --noediting"),
            env={**environment, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"},
            cwd=directory,
        )
        assert await process.wait() == 0

    async def press(self, *keys: str) -> None:
        """Press keys by tmux's names, such as Enter, Escape, C-z, Down."""
        await self.command("send-keys", *keys)

    async def type(self, text: str) -> None:
        """Type a text."""
        await self.command("send-keys", "-l", text)

    async def screen(self) -> str:
        """Read the screen."""
        return await self.command("capture-pane", "-p")

    async def resize(self, columns: int, rows: int) -> None:
        """Change the size, as dragging the window does."""
        await self.command("resize-window", "-x", str(columns), "-y", str(rows))

    async def shows(self, *parts: str, but_not: str | None = None) -> str:
        """Wait until the screen shows all the parts at once, and without another; give the screen."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            screen = await self.screen()
            missing = [part for part in parts if part not in screen]
            if not missing and (but_not is None or but_not not in screen):
                return screen
            if time.monotonic() > deadline:
                raise AssertionError(f"{missing or but_not!r} in:\n{screen}")
            await asyncio.sleep(POLL_SECONDS)

    async def mode(self) -> str:
        """Read the mode of the terminal: echo, line editing and so on."""
        path = (await self.command("display-message", "-p", "#{pane_tty}")).strip()
        process = await asyncio.create_subprocess_exec(
            "stty", "-a", "-F", path, stdout=asyncio.subprocess.PIPE
        )
        stdout, _ = await process.communicate()
        return stdout.decode()

    async def flag(self, name: str) -> str:
        """Read a flag of tmux, such as alternate_on or cursor_flag."""
        return (await self.command("display-message", "-p", f"#{{{name}}}")).strip()

    async def end(self) -> None:
        """Close the terminal, if it isn't closed: what runs in it is hung up on."""
        process = await asyncio.create_subprocess_exec(
            "tmux", "-S", str(self._socket), "kill-server", stderr=asyncio.subprocess.DEVNULL
        )
        await process.wait()

    async def command(self, *words: str) -> str:
        """Give tmux a command, and read its answer."""
        process = await asyncio.create_subprocess_exec(
            "tmux", "-S", str(self._socket), *words, stdout=asyncio.subprocess.PIPE
        )
        stdout, _ = await process.communicate()
        assert process.returncode == 0, words
        return stdout.decode()


@asynccontextmanager
async def in_tmux(
    directory: Path, environment: Mapping[str, str], columns: int = 100, rows: int = 30
) -> AsyncIterator[Tmux]:
    """Run a shell in a terminal as long as the block runs. It edits no line, so it leaves the terminal's mode alone."""
    with tempfile.TemporaryDirectory(prefix="adsum-tmux-") as short:
        # The path of a socket is short by nature, and a test's directory isn't.
        tmux = Tmux(Path(short) / "socket")
        await tmux.start(directory, environment, columns, rows)
        try:
            await tmux.shows("$")
            yield tmux
        finally:
            await tmux.end()


def command_line(words: Sequence[str]) -> str:
    """Write words as a shell reads them."""
    return shlex.join(words)
