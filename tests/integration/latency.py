"""How long changes took to reach their recipients: recorded and shown, never asserted.

A machine that runs a test suite is no measuring instrument. The figures go into the terminal summary, and into the JSON file that
ADSUM_RECORD_LATENCY names.
"""

import json
import os
import platform
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc

VARIABLE = "ADSUM_RECORD_LATENCY"
"""Names the file for the figures."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Sum up the latencies of one kind of change, over all recipients, in milliseconds."""

    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float


class LatencyRecorder:
    """Collect latencies by what they are latencies of."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = defaultdict(list)

    def record(self, what: str, seconds: float) -> None:
        """Note how long one change took to reach one recipient."""
        self._seconds[what].append(seconds)

    def figures(self) -> dict[str, Figures]:
        """Sum up what was recorded."""
        return {what: _figures(sorted(seconds)) for what, seconds in self._seconds.items()}

    def lines(self) -> list[str]:
        """Lay the figures out for a terminal."""
        width = max((len(what) for what in self._seconds), default=0)
        return [
            f"{what:<{width}}  p50 {one.p50_ms:7.1f} ms  p99 {one.p99_ms:7.1f} ms  max {one.max_ms:7.1f} ms"
            f"  ({one.count} arrivals)"
            for what, one in self.figures().items()
        ]

    def write(self, path: Path) -> None:
        """Write the figures, and what they were measured on."""
        content = {
            "machine": {
                "cpus": os.cpu_count(),
                "processor": platform.machine(),
                "system": f"{platform.system()} {platform.release()}",
                "python": platform.python_version(),
                "grpcio": grpc.__version__,
            },
            "milliseconds": {what: asdict(figures) for what, figures in self.figures().items()},
        }
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _figures(seconds: list[float]) -> Figures:
    def percentile(part: float) -> float:
        return round(seconds[min(len(seconds) - 1, int(part * len(seconds)))] * 1000, 2)

    return Figures(len(seconds), percentile(0.5), percentile(0.99), percentile(1))
