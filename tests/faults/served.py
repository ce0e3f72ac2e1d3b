"""The server under test: an `adsumd` of its own that can be ended and started again at the same address."""

import os
import resource
import signal
from contextlib import AsyncExitStack
from pathlib import Path

from tests.integration.adsumd import Adsumd, running_adsumd
from tests.integration.promises import BrokenPromiseError


class Served:
    """Run `adsumd` in a folder. Use as `async with`; `stop` and `start` in between."""

    def __init__(
        self, directory: Path, *options: str, listen: str = "127.0.0.1:0", handover: Path | None = None
    ) -> None:
        self.directory = directory
        self.handover = handover or directory / "handover.bin"
        self.complaints: list[str] = []
        """What it has logged that it should not have, or has died of."""
        self._options = options
        self._listen = listen
        self._stack = AsyncExitStack()
        self._adsumd: Adsumd | None = None

    async def __aenter__(self) -> "Served":
        """Start it."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End it, whatever it is doing."""
        if self._adsumd is not None:
            os.kill(self.pid, signal.SIGCONT)
        await self._close()

    @property
    def adsumd(self) -> Adsumd:
        """The process of the moment."""
        if self._adsumd is None:
            raise AssertionError("no server runs")
        return self._adsumd

    @property
    def pid(self) -> int:
        """The process of the moment."""
        return self.adsumd.pid

    @property
    def address(self) -> str:
        """Where clients of this machine connect."""
        return self._listen.replace("0.0.0.0", "127.0.0.1")

    @property
    def admin_address(self) -> str:
        """Where to look inside. Another one after each start."""
        return self.adsumd.admin_address if self._adsumd is not None else "127.0.0.1:1"

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._adsumd is not None and Path(f"/proc/{self.pid}").exists()

    async def start(self) -> None:
        """Start a server, with what its predecessor left."""
        words = ("--handover-file", str(self.handover), "--log-format", "json", *self._options)
        self._adsumd = await self._stack.enter_async_context(
            running_adsumd(self.directory, *words, listen=self._listen)
        )
        self._listen = self._adsumd.address

    async def stop(self) -> int:
        """Stop it as an operator does, with SIGTERM; return the exit code."""
        self.adsumd.terminate()
        code = await self.adsumd.ended()
        await self._close()
        return code

    async def kill(self) -> None:
        """End it as a crash does."""
        await self.adsumd.kill()
        await self._close()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal: SIGSTOP, SIGCONT."""
        os.kill(self.pid, number)

    def allow_files(self, count: int) -> None:
        """Set how many file descriptors it may have from now on: the soft limit, or nobody could raise it again."""
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (min(count, hard), hard))

    @property
    def open_files(self) -> int:
        """How many file descriptors it has."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def log(self) -> list[str]:
        """Read all lines that it, and its predecessors, have logged."""
        files = sorted(self.directory.glob("adsumd-*.log"))
        return [line for file in files for line in file.read_text("utf-8", "replace").splitlines()]

    async def _close(self) -> None:
        self._adsumd = None
        stack, self._stack = self._stack, AsyncExitStack()
        try:
            await stack.aclose()
        except BrokenPromiseError as error:
            self.complaints.append(str(error))
