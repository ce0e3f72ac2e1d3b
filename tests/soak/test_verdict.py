import json
import random
from typing import Any

import pytest

from tests.soak.plan import Plan
from tests.soak.record import Record, lost
from tests.soak.report import report
from tests.soak.verdict import (
    CLOSED_LATER,
    NOTHING_LEFT,
    RESULTS_KEPT,
    SAME_AT_ROLL_CALLS,
    excesses,
    judge_count,
    judge_memory,
    leftovers,
    roll_call_faults,
    shortcomings,
    unsteady,
)

MIB = 2**20


def _noisy(level: float, growth: float, noise: float = 3.0) -> list[tuple[float, float]]:
    """Make an hour of samples of a figure that grows by so much in that time."""
    chance = random.Random(7)
    return [(15.0 * n, level + growth * n / 240 + chance.gauss(0.0, noise)) for n in range(240)]


def _by_loss(kib_per_loss: float, noise_kib: float = 20.0) -> list[tuple[float, float, int]]:
    chance = random.Random(8)
    return [
        (15.0 * n, 60 * MIB + 1024 * (kib_per_loss * 90 * n + chance.gauss(0.0, noise_kib)), 90 * n)
        for n in range(240)
    ]


def _record(*lines: dict[str, Any]) -> Record:
    return Record.of(json.dumps(line) + "\n" for line in lines)


def _sample(phase: str, at: float = 0.0, **figures: int) -> dict[str, Any]:
    return {
        "kind": "sample",
        "at": at,
        "phase": phase,
        "servers": {"steady": figures},
        "deeds": {"steady": {}, "bare": {}},
        "guests": {},
    }


def test_constant_figure_is_flat() -> None:
    assert judge_count("tasks", [(float(n), 130.0) for n in range(50)]).is_flat


def test_noisy_figure_without_drift_is_flat() -> None:
    assert judge_count("tasks", _noisy(130.0, 0.0)).is_flat


def test_figure_that_grows_by_a_tenth_is_not_flat() -> None:
    finding = judge_count("tasks", _noisy(130.0, 13.0))
    assert not finding.is_flat
    assert finding.why == "GROWS"


def test_figure_that_grows_by_a_hundredth_is_flat() -> None:
    finding = judge_count("objects", _noisy(50_000.0, 500.0))
    assert finding.is_flat
    assert "3%" in finding.why


def test_figure_that_falls_is_flat() -> None:
    assert judge_count("tombstones", _noisy(1000.0, -300.0)).is_flat


def test_less_than_one_more_is_flat_even_at_a_low_level() -> None:
    assert judge_count("fds", [(15.0 * n, 2.0 + 0.002 * n) for n in range(240)]).is_flat


def test_figure_with_too_few_samples_is_not_called_flat() -> None:
    assert not judge_count("tasks", [(0.0, 1.0), (1.0, 1.0)]).is_flat


def test_memory_that_grows_as_the_baseline_does_is_flat() -> None:
    finding = judge_memory("rss_bytes", _by_loss(0.5), _by_loss(0.5))
    assert finding.is_flat
    assert finding.why == "no more than the baseline"


def test_memory_that_grows_more_than_the_baseline_is_not_flat() -> None:
    assert not judge_memory("rss_bytes", _by_loss(1.0), _by_loss(0.5)).is_flat


def test_memory_that_does_not_grow_needs_no_baseline() -> None:
    assert judge_memory("rss_bytes", _by_loss(0.0), []).is_flat


def test_memory_that_grows_without_a_baseline_is_not_flat() -> None:
    assert not judge_memory("rss_bytes", _by_loss(1.0), []).is_flat


def test_one_task_more_at_a_roll_call_is_a_fault() -> None:
    same = dict.fromkeys((*SAME_AT_ROLL_CALLS, CLOSED_LATER), 5)
    calls = [_sample("roll call", **same | {"tasks": tasks}) for tasks in (9, 10, 10, 11)]
    assert roll_call_faults(_record(*calls[:3])) == []
    assert len(roll_call_faults(_record(*calls))) == 1


@pytest.mark.parametrize(
    ("counts", "grows"), [((7, 7, 8, 8, 7), False), ((8, 7, 8, 7, 9), False), ((7, 7, 8, 8, 8), True)]
)
def test_descriptors_may_be_closed_later_but_not_become_more(counts: tuple[int, ...], grows: bool) -> None:
    same = dict.fromkeys(SAME_AT_ROLL_CALLS, 5)
    calls = [_sample("roll call", **same | {CLOSED_LATER: count}) for count in (0, *counts)]
    assert bool(roll_call_faults(_record(*calls))) is grows


def test_anything_left_in_the_end_is_a_fault() -> None:
    nothing = dict.fromkeys(NOTHING_LEFT, 0)
    before = _sample("before", **nothing | {"tasks": 12})
    assert leftovers(_record(before, _sample("empty", **nothing | {"tasks": 12}))) == []
    assert len(leftovers(_record(before, _sample("empty", **nothing | {"tasks": 12, "timers": 1})))) == 1
    assert len(leftovers(_record(before, _sample("empty", **nothing | {"tasks": 13})))) == 1


def test_soak_in_which_nothing_was_done_has_failed() -> None:
    record = _record(_sample("churn", at=600.0))
    faults = shortcomings(record, Plan(10, 1))
    assert any("joins" in fault for fault in faults)
    assert any("restart" in fault for fault in faults)


def test_lost_streams_are_those_without_leave() -> None:
    assert lost({"cancel": 1, "reset": 2, "half close": 3, "close": 4, "silence": 5, "leaves": 100}) == 15


def test_record_of_a_killed_soak_is_read_up_to_its_last_whole_line() -> None:
    whole = json.dumps(_sample("churn", at=15.0)) + "\n"
    record = Record.of([whole, whole[:40]])
    assert len(record.samples) == 1


def test_unfinished_soak_is_judged_and_said_to_be_unfinished() -> None:
    start = {"kind": "start", "at": 0.0, "minutes": 60.0, "seed": 1, "plant": [], "facts": {}}
    lines, holds = report(_record(start))
    assert not holds
    assert any("not come to its end" in line for line in lines)


def test_broken_promise_fails_the_soak_and_stands_in_the_report() -> None:
    start = {"kind": "start", "at": 0.0, "minutes": 60.0, "seed": 1, "plant": [], "facts": {}}
    violation = {"kind": "violation", "at": 1.0, "where": "steady", "promise": "P8", "what": "lost"}
    lines, holds = report(_record(start, violation))
    assert not holds
    assert any(line.startswith("P8") and "BROKEN 1 times" in line for line in lines)
    assert any("steady: P8: lost" in line for line in lines)


def test_load_that_becomes_less_is_a_fault_because_a_leak_could_hide_behind_it() -> None:
    steady = [_sample("churn", at=15.0 * n, streams=100 + n % 3) for n in range(40)]
    falling = [_sample("churn", at=15.0 * n, streams=100 - n) for n in range(40)]
    assert unsteady(_record(*steady), 0.0) == []
    assert len(unsteady(_record(*falling), 0.0)) == 1


@pytest.mark.parametrize(("figure", "most"), [("first_incarnations", 10), ("results", 2 * RESULTS_KEPT)])
def test_more_than_a_bound_allows_is_a_fault_at_once(figure: str, most: int) -> None:
    figures = {"members": 10, "lobbies": 1, "records": 20, "uncollectable": 0, "seats": 2}
    figures |= {"first_incarnations": 0, "results": 0}
    within = _sample("churn", **figures | {figure: most})
    beyond = _sample("churn", **figures | {figure: most + 1})
    assert excesses(_record(within)) == []
    assert len(excesses(_record(within, beyond))) == 1
