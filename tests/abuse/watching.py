"""What an attack does to the server's process: its log, its memory, its open files, and whether it lives."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.machine import cpu_seconds, resident_bytes

MEBIBYTE = 1 << 20
SAMPLE_SECONDS = 0.1
LONGEST_GIST = 300
_ADDRESS = re.compile("0x[0-9a-f]+")
_COMPLAINTS = (
    "Traceback",
    "never awaited",
    "never retrieved",
    "unhandled",
    "Unhandled",
    "internal error",
    "CRITICAL",
)
_SERIOUS = ("error", "critical")


@dataclass(slots=True)
class LogWindow:
    """What was logged in a span of time. `exceptions` are what must not be there."""

    lines: int = 0
    size: int = 0
    events: Counter[str] = field(default_factory=Counter)
    foreign: int = 0
    """Lines of others than Adsum, such as gRPC's core."""
    exceptions: list[str] = field(default_factory=list)


def read_log(content: str) -> LogWindow:
    """Sum up log lines."""
    window = LogWindow(size=len(content))
    for line in content.splitlines():
        window.lines += 1
        record = _record_of(line)
        if record is None:
            window.foreign += 1
            is_bad = any(word in line for word in _COMPLAINTS)
        else:
            window.events[f"{record.get('level')}: {record.get('event')}"] += 1
            is_bad = record.get("level") in _SERIOUS or any(word in line for word in _COMPLAINTS)
        if is_bad:
            window.exceptions.append(_gist_of(record, line))
    return window


def _gist_of(record: dict[str, object] | None, line: str) -> str:
    """Shorten a complaint: the event, and how its traceback ends."""
    if record is None:
        return line[:LONGEST_GIST]
    last = str(record.get("exception", "")).rstrip().rpartition("\n")[2]
    gist = f"{record.get('level')}: {record.get('event')} {last}"
    return _ADDRESS.sub("0x…", gist)[:LONGEST_GIST]


def _record_of(line: str) -> dict[str, object] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


class Watch:
    """Look at one process."""

    def __init__(self, pid: int, log: Path) -> None:
        self.pid = pid
        self.peak_bytes = 0
        self._log = log
        self._offset = 0

    @property
    def is_alive(self) -> bool:
        """Whether it runs, and isn't only waiting to be buried."""
        try:
            return "\nState:\tZ" not in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        except OSError:
            return False

    @property
    def resident_mib(self) -> float:
        """Its memory."""
        return resident_bytes(self.pid) / MEBIBYTE

    @property
    def cpu_seconds(self) -> float:
        """The CPU time it has used."""
        return cpu_seconds(self.pid)

    @property
    def waited_seconds(self) -> float:
        """How long its main thread was ready to run and had no core: what others took from it."""
        schedule = Path(f"/proc/{self.pid}/task/{self.pid}/schedstat").read_text(encoding="ascii")
        return int(schedule.split()[1]) / 1e9

    @property
    def open_files(self) -> int:
        """How many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def new_log(self) -> LogWindow:
        """Read what has been logged since the last time."""
        with self._log.open("rb") as file:
            file.seek(self._offset)
            content = file.read()
        # A line that is being written is for the next time.
        content = content[: content.rfind(b"\n") + 1]
        self._offset += len(content)
        return read_log(content.decode("utf-8", "replace"))

    @asynccontextmanager
    async def sampling(self) -> AsyncIterator[None]:
        """Find out the most memory that it holds while the block runs."""
        self.peak_bytes = 0
        async with asyncio.TaskGroup() as tasks:
            sampler = tasks.create_task(self._sample())
            try:
                yield
            finally:
                sampler.cancel()

    async def _sample(self) -> None:
        while self.is_alive:
            self.peak_bytes = max(self.peak_bytes, resident_bytes(self.pid))
            await asyncio.sleep(SAMPLE_SECONDS)
