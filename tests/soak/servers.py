"""The servers of the soak: processes whose figures are sampled from within (`watched`) and from the kernel."""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.bench.machine import cpu_seconds
from tests.bench.servers import STOP_SECONDS, Server

SAMPLE_SECONDS = 90.0
"""How long a server may take to answer with its figures: a busy machine may stand still for a while."""
ASK_AGAIN_SECONDS = 5.0
LOG_OPTIONS = ("--log-format", "json", "--log-level", "warning")


class WatchedServer(Server):
    """A server process whose inside can be looked at. Killed at the end of its `with`."""

    def __init__(self, kind: str, core: int, directory: Path, words: list[str]) -> None:
        self._figures = directory / f"figures-{len(list(directory.iterdir()))}"
        self._seen = 0
        command = [sys.executable, "-m", "tests.soak.watched", str(self._figures), "PORT_FILE", *words]
        super().__init__(kind, core, command, directory)

    @classmethod
    def of_adsumd(
        cls,
        core: int,
        directory: Path,
        *options: str,
        listen: str = "127.0.0.1:0",
        handover_file: Path | None = None,
        plant: tuple[str, ...] = (),
    ) -> "WatchedServer":
        """Start the real server."""
        words = ["adsumd", *(("--plant", *plant) if plant else ()), "--", "--listen", listen]
        words += ["--admin-listen", "127.0.0.1:0", "--handover-file", str(handover_file or "none")]
        return cls("adsumd", core, directory, [*words, *LOG_OPTIONS, *options])

    @classmethod
    def of_bare(cls, core: int, directory: Path) -> "WatchedServer":
        """Start the baseline."""
        return cls("bare", core, directory, ["bare"])

    async def sample(self) -> dict[str, Any]:
        """Look inside, and at what the kernel says."""
        async with asyncio.timeout(SAMPLE_SECONDS):
            while True:
                if not self.is_running:
                    raise RuntimeError(f"{self.kind} has ended by itself")
                # Asked again, it answers twice, and the next sample may be some seconds old.
                os.kill(self.pid, signal.SIGUSR1)
                with suppress(TimeoutError):
                    async with asyncio.timeout(ASK_AGAIN_SECONDS):
                        return await self._answer() | self._from_kernel()

    async def _answer(self) -> dict[str, Any]:
        while (figures := self._written()) is None:  # noqa: ASYNC110
            # There is no event for "a file has changed" in the standard library.
            await asyncio.sleep(0.02)
        self._seen = figures["sequence"]
        return figures

    async def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        self.terminate()
        return await asyncio.to_thread(self._process.wait, STOP_SECONDS)

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def stalls(self) -> int:
        """Count how often it has logged that it was stalled: by us or by others on this machine."""
        return self._log.read_text(encoding="utf-8", errors="replace").count("the server was stalled")

    def _written(self) -> dict[str, Any] | None:
        if not self._figures.exists():
            return None
        figures: dict[str, Any] = json.loads(self._figures.read_text(encoding="ascii"))
        return figures if figures["sequence"] > self._seen else None

    def _from_kernel(self) -> dict[str, float]:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        threads = next(line for line in status.splitlines() if line.startswith("Threads:"))
        return {
            "rss_bytes": self.resident_bytes,
            "fds": len(os.listdir(f"/proc/{self.pid}/fd")),
            "threads": int(threads.split()[1]),
            "cpu_seconds": round(cpu_seconds(self.pid), 2),
        }
