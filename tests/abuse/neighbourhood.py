"""The healthy members as the attacks see them: a process to be asked how it is (`neighbours`)."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.abuse.people import LOBBY
from tests.integration.adsumd import adsumd_environment

COUNT = 4
ANSWER_SECONDS = 20.0
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Window:
    """What the neighbours went through in a span of time. `updates` counts arrivals."""

    updates: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    unseen: int
    sent: int
    complaints: dict[str, int]


class Neighbourhood:
    """Ask the neighbours. `neighbourhood` makes it."""

    def __init__(self, process: asyncio.subprocess.Process, stderr: Path) -> None:
        self._process = process
        self._stderr = stderr
        self._asking = asyncio.Lock()
        self.keys: frozenset[bytes] = frozenset()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def said_on_stderr(self) -> str:
        """What must stay empty: the library logs nothing, and no exception is lost."""
        return self._stderr.read_text(encoding="utf-8", errors="replace")

    async def arrive(self) -> None:
        """Wait until all are in."""
        self.keys = frozenset(bytes.fromhex(key) for key in (await self._hear())["keys"])

    async def mark(self) -> None:
        """Start a new window."""
        await self.ask("mark")

    async def report(self) -> Window:
        """Sum up the window."""
        return Window(**await self.ask("report"))

    async def rest(self) -> list[dict[str, Any]]:
        """Let them change nothing any more, and get everybody's list when it has settled."""
        lists: list[dict[str, Any]] = (await self.ask("rest"))["lists"]
        return lists

    async def live(self) -> None:
        """Let them go on."""
        await self.ask("live")

    async def stranger(self, key: bytes) -> dict[str, Any]:
        """Get what the neighbours know of somebody else, and the payloads they have got from them since this was last asked."""
        return await self.ask(f"stranger {key.hex()}")

    async def ask(self, line: str) -> dict[str, Any]:
        """Ask something."""
        assert self._process.stdin is not None
        async with self._asking:
            self._process.stdin.write(f"{line}\n".encode())
            return await self._hear()

    async def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(ANSWER_SECONDS):
            line = await self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the neighbours have gone: {self.said_on_stderr}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@asynccontextmanager
async def neighbourhood(directory: Path, address: str) -> AsyncIterator[Neighbourhood]:
    """Let healthy members live in a process of their own as long as the block runs."""
    stderr = directory / "neighbours.stderr"
    with stderr.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.abuse.neighbours", address, LOBBY, str(COUNT)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=file,
            cwd=_ROOT,
            env={**adsumd_environment(), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            limit=1 << 24,
        )
    neighbours = Neighbourhood(process, stderr)
    try:
        await neighbours.arrive()
        yield neighbours
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
