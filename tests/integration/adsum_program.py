"""`adsum` as a process of its own, as a person or a script runs it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.integration.adsumd import adsumd_environment

WAIT_SECONDS = 15.0
"""How long anything that must happen may take on a busy machine."""


class AdsumProgram:
    """Type to a running `adsum`, and read what it says. `running_adsum` makes it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def type(self, line: str) -> None:
        """Type a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    def close_stdin(self) -> None:
        """Type nothing more."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def close_stdout(self) -> None:
        """Read nothing more, as `head` when it has enough."""
        # asyncio offers no public way to close the reading end of a pipe.
        transport = self._process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
        transport.close()

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def line(self, *parts: str) -> str:
        """Read until a line that contains all the parts, and give it."""
        return await self.line_where(lambda line: all(part in line for part in parts), " and ".join(parts))

    async def line_where(self, fits: Callable[[str], bool], what: str = "such a line") -> str:
        """Read until a line that fits, and give it."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while line := (await self._process.stdout.readline()).decode():
                    self.lines.append(line.rstrip("\n"))
                    if fits(line):
                        return self.lines[-1]
        except TimeoutError:
            raise AssertionError(f"{what} did not come, but:\n" + "\n".join(self.lines)) from None
        raise AssertionError(f"it ended without {what}:\n" + "\n".join(self.lines))

    async def record(self, event: str, **facts: object) -> dict[str, Any]:
        """Read until a JSON event of that kind with these facts, and give it."""

        def fits(line: str) -> bool:
            record = json.loads(line)
            return bool(record["event"] == event) and facts.items() <= record.items()

        record: dict[str, Any] = json.loads(await self.line_where(fits, f"{event} with {facts}"))
        return record

    async def ended(self) -> tuple[int, str]:
        """Wait for the end, and give the exit code and what was said on stderr."""
        assert self._process.stderr is not None
        async with asyncio.timeout(WAIT_SECONDS):
            stderr = (await self._process.stderr.read()).decode()
            return await self._process.wait(), stderr


class Home:
    """Hold where a person's files are and which server they use, apart from those of whoever runs the tests."""

    def __init__(self, directory: Path, server: str = "") -> None:
        self._directory = directory
        self._server = server

    def environment(self, key: str, **more: str) -> dict[str, str]:
        """Tell the environment of a person with that key."""
        return {
            **adsumd_environment(),
            "ADSUM_SERVER": self._server,
            "ADSUM_KEY": str(self._directory / f"{key}.key"),
            "TMPDIR": str(self._directory),
            "PYTHONUNBUFFERED": "1",
            **more,
        }

    @asynccontextmanager
    async def running(self, *words: str, key: str = "observer", **more: str) -> AsyncIterator[AdsumProgram]:
        """Run `adsum` as long as the block runs, or until it ends in it."""
        process = await start(words, self.environment(key, **more))
        try:
            yield AdsumProgram(process)
        finally:
            if process.returncode is None:
                process.kill()
            # Reads what nobody has read, or a pipe might never close.
            await process.communicate()

    async def run(self, *words: str, key: str = "observer", stdin: bytes = b"") -> tuple[int, str, str]:
        """Run `adsum` to its end, and give the exit code, stdout and stderr."""
        process = await start(words, self.environment(key))
        async with asyncio.timeout(4 * WAIT_SECONDS):
            stdout, stderr = await process.communicate(stdin)
        assert process.returncode is not None
        return process.returncode, stdout.decode(), stderr.decode()


async def start(words: tuple[str, ...], environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    """Start `adsum` on pipes."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "adsum.console",
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        # Room for the snapshot of a large lobby in one line.
        limit=1 << 24,
    )


def processes_with(marker: str) -> list[int]:
    """Tell which living processes have a text in their environment. Linux only."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            # A zombie has no environment any more.
            if marker.encode() in environment:
                found.append(int(folder.name))
    return found


def process_with_argument(argument: str) -> int:
    """Tell the one process that was started with an argument. Linux only."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                arguments = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if argument.encode() in arguments:
                return int(folder.name)
    raise AssertionError(f"no process was started with {argument}")


async def no_process_with(marker: str) -> None:
    """Wait until no process with that text in its environment lives."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                if not (living := processes_with(marker)):
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"still alive: {living}") from None


def signal_code(number: signal.Signals) -> int:
    """Tell the exit code of a command that a signal has stopped."""
    return 128 + number
