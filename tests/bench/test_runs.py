"""What is made of measurements: medians, ratios, verdicts, and when a run is worth nothing."""

from typing import Any

import pytest

from tests.bench import quick
from tests.bench.runs import Run, churn_run, medians
from tests.bench.targets import passing_rate, verdicts


def answer(**changes: object) -> dict[str, Any]:
    """What the crowd tells of a flawless run."""
    latency = {"count": 3000, "p50_ms": 10.0, "p90_ms": 20.0, "p99_ms": 30.0, "max_ms": 40.0}
    return {
        "seconds": 10.0,
        "server_cpu": 3.0,
        "server_share": 0.3,
        "load_share": 0.2,
        "foreign_on_server_core": 0.01,
        "foreign_on_load_core": 0.0,
        "stolen_share": 0.0,
        "faults": [],
        "events": 100,
        "starved": 0,
        "unseen": 0,
        "behind": 0,
        "miscounted": 0,
        "deliveries": 100_000,
        "messages": 50_000,
        "late_p99_ms": 1.0,
        "highest_resident_bytes": 1 << 26,
        "latency": latency,
        "latency_by_kind": {"join": latency},
    } | changes


def run(scene: str, server: str, members: int, rate: float, **figures: float) -> Run:
    return Run(scene, server, members, rate, 0, figures)


def test_what_the_server_uses_at_rest_is_not_counted() -> None:
    one = churn_run("light", "adsumd", 1000, 4.0, 0, answer(), idle_share=0.1)
    assert one.figures["us_per_delivery"] == pytest.approx(20.0)
    assert one.figures["us_per_message"] == pytest.approx(40.0)
    assert one.figures["join_p99_ms"] == 30.0
    assert one.faults == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"load_share": 0.91}, "the load was the bottleneck"),
        ({"starved": 10}, "only 100 of 110 events"),
        ({"late_p99_ms": 51.0}, "the load was late"),
        ({"unseen": 1}, "never seen"),
        ({"behind": 1}, "left behind"),
        ({"miscounted": 1}, "another length"),
        ({"faults": ["3 deltas that left a gap"]}, "a gap"),
    ],
)
def test_a_run_that_did_not_measure_the_server_says_so(changes: dict[str, Any], fault: str) -> None:
    one = churn_run("light", "adsumd", 1000, 4.0, 0, answer(**changes), 0.0)
    assert len(one.faults) == 1
    assert fault in one.faults[0]


def test_a_run_beside_others_is_marked() -> None:
    assert churn_run("light", "adsumd", 1, 4.0, 0, answer(foreign_on_load_core=0.4), 0.0).disturbed == 0.4


def test_repeats_become_medians_with_their_ratio_to_the_baseline_of_the_same_run() -> None:
    runs = [run("light", "bare", 100, 4.0, us=20.0, p99=0.0)]
    runs += [run("light", "adsumd", 100, 4.0, us=us, p99=5.0) for us in (30.0, 10.0, 90.0)]
    runs += [run("light", "adsumd", 500, 4.0, us=30.0)]
    runs[1].faults.append("something")
    bare, adsumd, larger = medians(runs)
    assert (bare.ratios, larger.ratios) == ({}, {})
    assert (adsumd.figures, adsumd.ratios, adsumd.repeats) == ({"us": 30.0, "p99": 5.0}, {"us": 1.5}, 3)
    assert adsumd.faults == ["something"]


def test_targets_are_judged_where_they_were_measured() -> None:
    runs = [
        run("light", "adsumd", 1_000, 4.0, us_per_delivery=41.0, p99_ms=39.0),
        run("light", "bare", 1_000, 4.0, us_per_delivery=90.0, p99_ms=90.0),
        run("heavy", "adsumd", 500, 200.0, us_per_delivery=2.0, p99_ms=300.0),
        run("heavy", "adsumd", 2_000, 200.0, us_per_delivery=2.2, p99_ms=99.0),
        run("storm after a cut", "adsumd", 1_000, 0.0, storm_seconds=0.7),
    ]
    met = {verdict.what: verdict.is_met for verdict in verdicts(medians(runs))}
    assert met == {
        "light, N=1,000, 4/s: CPU per delivered event": False,
        "light, N=1,000, 4/s: p99": True,
        "heavy, N=2,000, 200/s: p99": True,
        "storm after a cut, N=1,000": False,
        "heavy, 200/s: CPU per delivered event at N=2,000, of that at N=500": True,
    }


def test_the_rate_at_which_the_promise_breaks_lies_between_those_measured() -> None:
    runs = [run("heavy", "adsumd", 500, rate, p99_ms=p99) for rate, p99 in ((10, 40), (50, 80), (100, 120))]
    assert passing_rate(medians(runs), 500) == (75.0, True)
    assert passing_rate(medians(runs[:2]), 500) == (50.0, False)
    assert passing_rate(medians(runs), 1_000) is None


def test_a_figure_is_too_bad_when_it_is_twice_what_is_on_record() -> None:
    record = {"a": 1.0, "b": 1.0, "gone": 1.0}
    assert list(quick.worse({"a": 2.0, "b": 2.01, "new": 9.0}, record)) == ["b"]


def test_every_figure_of_the_quick_run_is_on_record() -> None:
    record = quick.read_record()
    assert set(quick.MICRO_FIGURES) < set(record)
    assert all(ratio > 0 for ratio in record.values())
