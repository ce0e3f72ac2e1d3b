"""How busy others keep the machine: what share of the time some processes have waited for a core. Linux only."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

NANOSECONDS = 1e9


class Load:
    """Remember how long processes have waited in all, at several moments."""

    def __init__(self, processes: Callable[[], Sequence[int | None]]) -> None:
        self._processes = processes
        self._looks: list[tuple[float, dict[int, float]]] = []

    def look(self) -> None:
        """Look now."""
        waited = {process: waited_seconds(process) for process in self._processes() if process is not None}
        self._looks.append((time.monotonic(), waited))

    def share_since(self, moment: float) -> float:
        """Tell the greatest share of the time since the look at a moment that one of the processes has waited for a core."""
        self.look()
        now, after = self._looks[-1]
        at, before = min(self._looks, key=lambda look: abs(look[0] - moment))
        shares = [(after[process] - before[process]) / (now - at) for process in after.keys() & before.keys()]
        return max(shares, default=0.0) if now > at else 0.0


def waited_seconds(process: int) -> float:
    """Tell how long the threads of a process have been ready to run and had no core."""
    total = 0.0
    for thread in Path(f"/proc/{process}/task").glob("*"):
        try:
            total += int((thread / "schedstat").read_text("ascii").split()[1]) / NANOSECONDS
        except (OSError, IndexError):
            # It has just ended, or this kernel doesn't count.
            continue
    return total
