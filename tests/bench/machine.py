"""What the kernel says: CPU and memory of processes, and what else the machine did meanwhile."""

import os
import platform
import resource
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import grpc

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SCHEDULER_CLOCK = 2
"""CPUCLOCK_SCHED: the clock of a process that counts what all its threads have used, in nanoseconds."""


def cpu_seconds(process_id: int) -> float:
    """Tell how much CPU a process has used, all its threads together, also those that have ended."""
    return time.clock_gettime(~process_id << 3 | _SCHEDULER_CLOCK)


def resident_bytes(process_id: int) -> int:
    """Tell how much memory a process holds."""
    return int(Path(f"/proc/{process_id}/statm").read_text(encoding="ascii").split()[1]) * _PAGE


def raise_descriptor_limit() -> int:
    """Allow this process, and those that it starts, as many open files as may be. Returns how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def prefer(nice: int) -> None:
    """Change the priority of this process and of those that it starts.

    Where Linux groups processes by session (autogroup), a nice value counts only within the session, and the session has one of its own.
    """
    if not nice:
        return
    os.nice(nice)
    autogroup = Path("/proc/self/autogroup")
    if autogroup.exists():
        autogroup.write_text(str(nice), encoding="ascii")


def cores() -> tuple[int, int]:
    """Choose the server's core and the load's: the first two that this process may use, or twice the only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[1] if len(usable) > 1 else usable[0]


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep this process on one core, so that what it starts stays there for good. Undone for this process only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True)
class Usage:
    """Hold what was used up to a moment: by each process of interest, and by everybody on their cores."""

    at: float
    processes: tuple[float, ...]
    busy: tuple[float, ...]
    """For each core, in seconds: all but idle."""
    stolen: float
    """What the hypervisor gave to others."""


def usage(process_ids: Iterable[int], on_cores: Iterable[int]) -> Usage:
    """Look at the clocks."""
    lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    by_name = {
        line.split()[0]: [int(field) for field in line.split()[1:]] for line in lines if line[:3] == "cpu"
    }
    busy = tuple(
        (sum(by_name[f"cpu{core}"][:8]) - by_name[f"cpu{core}"][3] - by_name[f"cpu{core}"][4]) / _TICKS
        for core in on_cores
    )
    processes = tuple(cpu_seconds(process_id) for process_id in process_ids)
    return Usage(time.monotonic(), processes, busy, by_name["cpu"][7] / _TICKS)


def facts(*, uvloop: bool) -> dict[str, object]:
    """Tell what figures were measured on."""
    cpu = "?"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return {
        "cpu": cpu,
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "system": platform.system(),
        "python": platform.python_version(),
        "grpcio": grpc.__version__,
        "uvloop": uvloop and find_spec("uvloop") is not None,
        "load": os.getloadavg()[0],
    }
