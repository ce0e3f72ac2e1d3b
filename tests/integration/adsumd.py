"""`adsumd` as a process of its own, for what only a process has: signals, a kill, a restart, its memory."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.integration.promises import promised

START_SECONDS = 15.0
"""How long a start may take on a busy machine."""
STOP_SECONDS = 15.0
_COMPLAINTS = ("Traceback", "never awaited", "never retrieved", '"level": "error"', '"level":"error"')


class Adsumd:
    """A server process. `running_adsumd` makes it."""

    def __init__(self, process: asyncio.subprocess.Process, ports: dict[str, str | None]) -> None:
        self._process = process
        self.address = ports["listen"] or ""
        self.admin_address = ports["admin"] or ""

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def resident_bytes(self) -> int:
        """How much memory it holds now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def terminate(self) -> None:
        """Ask it to stop: SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    async def kill(self) -> None:
        """End it as a crash does: SIGKILL."""
        self._process.kill()
        await self._process.wait()

    async def ended(self) -> int:
        """Wait for its end; return the exit code."""
        async with asyncio.timeout(STOP_SECONDS):
            return await self._process.wait()


def adsumd_environment() -> dict[str, str]:
    """This environment without settings of Adsum."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ADSUM_")}


@asynccontextmanager
async def running_adsumd(
    directory: Path, *arguments: str, listen: str = "127.0.0.1:0"
) -> AsyncIterator[Adsumd]:
    """Run `adsumd` as long as the block runs, or until it is ended in it.

    Its log goes to a file in `directory`. It must not hold a traceback or an error in the end.
    """
    port_file, log = _files(directory)
    command: Sequence[str] = (
        *(sys.executable, "-m", "adsum.server"),
        *("--listen", listen, "--admin-listen", "127.0.0.1:0", "--port-file", str(port_file)),
        *arguments,
    )
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file, env=adsumd_environment()
        )
    try:
        yield Adsumd(process, await _ports(process, port_file, log))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    complaints = _complaints(log)
    promised("P9", not complaints, f"adsumd wrote into its log: {complaints[:3]}")


async def _ports(process: asyncio.subprocess.Process, port_file: Path, log: Path) -> dict[str, str | None]:
    async with asyncio.timeout(START_SECONDS):
        while (ports := _read_ports(port_file)) is None:
            if process.returncode is not None:
                raise AssertionError(f"adsumd ended with {process.returncode}:\n{_read(log)}")
            # There is no event for "a file has appeared" in the standard library.
            await asyncio.sleep(0.02)
    return ports


def _files(directory: Path) -> tuple[Path, Path]:
    number = len(list(directory.iterdir()))
    return directory / f"adsumd-{number}.json", directory / f"adsumd-{number}.log"


def _read_ports(port_file: Path) -> dict[str, str | None] | None:
    if not port_file.exists():
        return None
    ports: dict[str, str | None] = json.loads(_read(port_file))
    return ports


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


def _complaints(log: Path) -> list[str]:
    return [line for line in _read(log).splitlines() if any(word in line for word in _COMPLAINTS)]
