"""The record of a soak: a line of JSON for each thing that happened, written at once, so that a soak that is killed can be judged."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

LOSS_WAYS = ("cancel", "reset", "half close", "close", "silence")
"""The ways in which a stream ends without Leave."""


class Recorder:
    """Append lines to a file, which is begun anew."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, kind: str, at: float, **content: object) -> None:
        """Write one line."""
        self._file.write(json.dumps({"kind": kind, "at": round(at, 2), **content}) + "\n")
        self._file.flush()


def lost(deeds: dict[str, int]) -> int:
    """Count the streams that were lost."""
    return sum(deeds.get(way, 0) for way in LOSS_WAYS)


@dataclass(slots=True)
class Record:
    """What a file says."""

    start: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)
    violations: list[dict[str, Any]] = field(default_factory=list)
    roll_calls: list[dict[str, Any]] = field(default_factory=list)
    restarts: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path) -> "Record":
        """Read a file."""
        with file.open(encoding="utf-8") as lines:
            return cls.of(lines)

    @classmethod
    def of(cls, lines: Iterable[str]) -> "Record":
        """Read lines. The last may be incomplete: the soak was killed while it was written."""
        record = cls()
        for line in lines:
            if not line.endswith("\n"):
                break
            one = json.loads(line)
            match one["kind"]:
                case "start":
                    record.start = one
                case "end":
                    record.end = one
                case "sample":
                    record.samples.append(one)
                case "violation":
                    record.violations.append(one)
                case "roll call":
                    record.roll_calls.append(one)
                case "restart":
                    record.restarts.append(one)
        return record

    @property
    def seconds(self) -> float:
        """How long people churned."""
        return float(self.samples[-1]["at"]) if self.samples else 0.0

    @property
    def deeds(self) -> dict[str, dict[str, int]]:
        """What had been done at the last look."""
        return dict(self.samples[-1]["deeds"]) if self.samples else {}

    @property
    def guest_deeds(self) -> Counter[str]:
        """What all guests have done."""
        total: Counter[str] = Counter()
        for deeds in (self.samples[-1]["guests"] if self.samples else {}).values():
            total.update(deeds)
        return total

    def series(self, server: str, figure: str, phase: str, since: float) -> list[tuple[float, float, int]]:
        """List one figure over time: when, how much, and how many streams had been lost there until then."""
        return [
            (sample["at"], sample["servers"][server][figure], lost(sample["deeds"].get(server, {})))
            for sample in self.samples
            if sample["phase"] == phase
            and sample["at"] >= since
            and figure in sample["servers"].get(server, {})
        ]
