"""Two hundred worlds, and every promise kept in each; and that the worlds are what they should be: eventful, and the same each time."""

import os
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.model.promises import PROMISES
from tests.simulation.report import Outcome, Report, describe_failure, run_seed
from tests.simulation.script import ACTIONS

TROUBLES = (
    "changes",
    "clock jumps",
    "crashes",
    "cuts",
    "deliveries",
    "duplicates",
    "freezes",
    "hostile streams",
    "hostile words",
    "kills",
    "overflows",
    "planned restarts",
    "resumes",
    "selects",
    "slow readers",
    "stalled paths",
    "stale tokens",
    "stalls",
    "watchers",
    "watchers in quiet",
)
OUTCOMES = (
    "DELIVERED",
    "RECIPIENT_OFFLINE",
    "RECIPIENT_SUSPECT",
    "RECIPIENT_BUSY",
    "RECIPIENT_WENT_OFFLINE",
    "UNCONFIRMED",
    "RATE_LIMITED",
    "TOO_LARGE",
)


@pytest.fixture(scope="module")
def report(worlds: list[Future[Outcome]]) -> Report:
    report = Report()
    for world in worlds:
        report.add(world.result())
    return report


@pytest.mark.timeout(300)
def test_every_promise_is_kept(report: Report) -> None:
    assert not report.failures, "\n".join(map(describe_failure, report.failures))


@pytest.mark.timeout(300)
def test_every_promise_is_looked_at(report: Report) -> None:
    assert all(report.checks[promise] > 100 for promise in PROMISES)


@pytest.mark.timeout(300)
def test_everything_happens(report: Report) -> None:
    assert [what for what in TROUBLES if not report.counts[what]] == []
    assert [name for name in OUTCOMES if not report.counts[f"outcome {name}"]] == []
    assert len(ACTIONS) == 22


def test_a_seed_does_the_same_each_time() -> None:
    seeds = (1, 2, 3)
    here = [run_seed(seed).trace_hash for seed in seeds]
    code = (
        f"from tests.simulation.report import run_seed\nfor seed in {seeds}: print(run_seed(seed).trace_hash)"
    )
    # Another process, another order of everything that is ordered by its hash or address.
    elsewhere = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert elsewhere.stdout.split() == here
    assert len(set(here)) == len(seeds)
