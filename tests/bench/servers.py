"""The servers that are measured, each a process of its own, pinned to the server's core."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tests.bench.machine import pinned, resident_bytes

START_SECONDS = 30.0
STOP_SECONDS = 30.0
ADSUMD = "from adsum.server.__main__ import main; raise SystemExit(main())"
"""The program. A loop that must not be used is hidden from it first."""
HIDE_UVLOOP = "import sys; sys.modules['uvloop'] = None; "
ROOM = (
    # A storm from one machine is thousands of streams that have not proved their key yet.
    *("--unproved-streams", "20000", "--unproved-streams-per-address", "20000"),
    *("--members-per-lobby", "20000"),
)
"""What a benchmark needs more of than the defaults give."""


class Server:
    """A server process. Use as `with Server.adsumd(...) as server:`; it is killed at the end."""

    def __init__(self, kind: str, core: int, command: Sequence[str], directory: Path) -> None:
        self.kind = kind
        self.core = core
        self._port_file = directory / f"port-{time.monotonic_ns()}"
        self._log = directory / f"{kind}-{time.monotonic_ns()}.log"
        words = [word.replace("PORT_FILE", str(self._port_file)) for word in command]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ADSUM_")}
        with pinned(core), self._log.open("wb") as log:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        self.address, self.admin_address = self._addresses()
        self.resident_at_start = resident_bytes(self.pid)

    @classmethod
    def adsumd(
        cls,
        core: int,
        directory: Path,
        *options: str,
        uvloop: bool = True,
        listen: str = "127.0.0.1:0",
        handover_file: Path | None = None,
    ) -> "Server":
        """Start the real server."""
        program = ADSUMD if uvloop else HIDE_UVLOOP + ADSUMD
        command = [
            *(sys.executable, "-c", program, "--listen", listen, "--admin-listen", "127.0.0.1:0"),
            *("--port-file", "PORT_FILE", "--handover-file", str(handover_file or "none")),
            *("--log-format", "json", "--log-level", "warning", *ROOM, *options),
        ]
        return cls("adsumd", core, command, directory)

    @classmethod
    def bare(cls, core: int, directory: Path, *, uvloop: bool = True) -> "Server":
        """Start the baseline."""
        command = [sys.executable, "-m", "tests.bench.bare", "PORT_FILE"]
        return cls("bare", core, command if uvloop else [*command, "--no-uvloop"], directory)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def resident_bytes(self) -> int:
        """How much memory it holds now."""
        return resident_bytes(self.pid)

    @property
    def is_on_uvloop(self) -> bool:
        """Whether it really runs on uvloop, whatever was asked for."""
        return "uvloop" in Path(f"/proc/{self.pid}/maps").read_text(encoding="utf-8")

    def terminate(self) -> None:
        """Ask it to stop."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        """Wait for its end."""
        self._process.wait(STOP_SECONDS)

    def complaints(self) -> list[str]:
        """List what it has logged that it should not have."""
        words = ("Traceback", "never awaited", '"error"', '"critical"')
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if any(word in line for word in words)]

    def __enter__(self) -> "Server":
        """Be used in a `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def _addresses(self) -> tuple[str, str]:
        ends_at = time.monotonic() + START_SECONDS
        while time.monotonic() < ends_at:
            if self._process.poll() is not None:
                break
            if self._port_file.exists() and (content := self._port_file.read_text(encoding="utf-8")):
                ports = json.loads(content)
                return ports["listen"], ports["admin"] or ""
            time.sleep(0.005)
        self._process.kill()
        raise RuntimeError(
            f"{self.kind} did not start:\n{self._log.read_text(encoding='utf-8', errors='replace')}"
        )


def scratch() -> "tempfile.TemporaryDirectory[str]":
    """Make a folder for port files, logs and handovers."""
    return tempfile.TemporaryDirectory(prefix="adsum-bench-")
