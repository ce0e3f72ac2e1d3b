"""A run: places side by side where that is sound, each judged by the checkers, and rows of figures by fault."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults import disks, places, wires
from tests.faults.checkers import check_all
from tests.faults.faults import FAULTS, Fault
from tests.faults.figures import check_neighbours, gone_seconds, recovery_seconds, suspect_seconds
from tests.faults.history import CHANGES, Findings, History, Injection, Violation
from tests.faults.letters import check_letters
from tests.faults.town import Town

FEWEST_CHANGES = 10
"""What must have been checked during a fault: a run in which nothing happens proves nothing."""


@dataclass(slots=True)
class Row:
    """Hold what is told of one fault."""

    fault: str
    injected: int = 0
    suspect: list[float] = field(default_factory=list)
    gone: list[float] = field(default_factory=list)
    recover: list[float] = field(default_factory=list)
    news: list[float] = field(default_factory=list)
    changes: int = 0
    messages: int = 0
    violations: list[Violation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Run:
    """Hold what a run has found."""

    def __init__(self, seed: int, faults: Sequence[Fault]) -> None:
        self.seed = seed
        self.rows = {fault.name: Row(fault.name) for fault in faults}
        self.skipped: dict[str, str] = {}
        self.checks: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self.outcomes: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.histories: list[History] = []

    def judge(self, town: Town) -> None:
        """Check the history of a town, and take its figures."""
        history, findings = town.history, town.findings
        self.histories.append(history)
        check_all(history, findings)
        self.outcomes += check_letters(history, findings)
        for injection in history.injections:
            row = self.rows[injection.fault]
            row.injected += 1
            row.suspect += suspect_seconds(history, injection)
            row.gone += gone_seconds(history, injection)
            row.recover += recovery_seconds(history, injection)
            row.notes += injection.notes
        for name in {injection.fault for injection in history.injections}:
            self._count(history, self.rows[name], findings)
            self.rows[name].news += check_neighbours(history, name, findings)
        for violation in findings.violations:
            if (cause := _injection_before(history, violation.at)) is not None:
                self.rows[cause.fault].violations.append(violation)
        self.violations += findings.violations
        self.checks += findings.counts
        seen = [one.event for diary in history.diaries for one in diary.seen]
        self.counts["changes"] += sum(event in CHANGES for event in seen)
        self.counts["changes checked where they were seen"] += sum(diary.counted for diary in history.diaries)
        self.counts["messages"] += seen.count("sends")
        self.counts["quiet points"] += town.quiet_points
        self.counts["clients"] += len(history.diaries) - 1

    def _count(self, history: History, row: Row, findings: Findings) -> None:
        spans = [(one.began, one.watched) for one in history.injections if one.fault == row.fault]
        during = [
            one.event
            for diary in history.diaries
            for one in diary.seen
            if any(began <= one.at <= settled for began, settled in spans)
        ]
        row.changes += sum(event in CHANGES for event in during)
        row.messages += during.count("sends")
        what = f"{row.fault}: only {row.changes} changes were seen"
        findings.that("P3", row.changes >= FEWEST_CHANGES, spans[-1][1], what, "nothing done")

    def close(self) -> None:
        """Check that whatever was to be injected has been."""
        findings = Findings()
        for row in self.rows.values():
            if row.fault not in self.skipped:
                findings.that("P9", row.injected, 0.0, f"{row.fault} was never injected", "nothing done")
        injected = sum(row.injected for row in self.rows.values())
        what = f"{self.counts['messages']} messages, {self.counts['quiet points']} quiet points"
        done = min(self.counts["messages"], self.counts["quiet points"] * FEWEST_CHANGES)
        findings.that("P8", done >= injected, 0.0, what, "nothing done")
        self.violations += findings.violations


async def run_all(seed: int, names: Sequence[str], times: int) -> Run:
    """Run what was chosen: what mostly waits side by side, the crowd by itself."""
    faults = [fault for fault in FAULTS if fault.name in names]
    run = Run(seed, faults)
    for place, why in (("wire", wires.why_not()), ("disk", disks.why_not())):
        if why is not None:
            run.skipped |= {fault.name: why for fault in faults if fault.place == place}
    faults = [fault for fault in faults if fault.name not in run.skipped]

    async def visit(place: places.Place, *kinds: str) -> None:
        if chosen := [fault for fault in faults if fault.place in kinds]:
            await place(seed, chosen, times, run.judge)

    async def short_ones() -> None:
        await visit(places.server, "server")
        await visit(places.files, "files")
        await visit(places.disk, "disk")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(visit(places.clients, "clients"))
        tasks.create_task(visit(places.silence, "silence", "wire"))
        tasks.create_task(short_ones())
    await visit(places.crowd, "crowd")
    run.close()
    return run


def _injection_before(history: History, at: float) -> Injection | None:
    before = [injection for injection in history.injections if injection.began <= at]
    return max(before, key=lambda injection: injection.began, default=None)
