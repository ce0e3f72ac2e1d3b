"""What a quick look fails for, and what it doesn't judge."""

import pytest

from tests.bench.quick import Look, judged
from tests.bench.runs import LoadFault

RECORD = {"storm": 1.0}


def _judge(*looks: Look) -> list[str]:
    best = {"storm": min(look.ratios["storm"] for look in looks)}
    return judged(list(looks), best, RECORD)[1]


def test_the_best_look_counts() -> None:
    assert not _judge(Look({"storm": 5.0}, [], 0.0), Look({"storm": 1.9}, [], 0.0))


def test_what_is_twice_as_slow_each_time_fails() -> None:
    assert _judge(Look({"storm": 5.0}, [], 0.0), Look({"storm": 2.1}, [], 0.0)) == [
        "storm: 2.1 x the baseline's, on record are 1"
    ]


@pytest.mark.parametrize(("disturbed", "fails"), [(0.05, True), (0.3, False)])
def test_a_load_that_could_not_be_made_fails_where_nobody_else_was_busy(
    disturbed: float, fails: bool
) -> None:
    look = Look({"storm": 1.0}, [LoadFault("the load was late")], disturbed)
    assert bool(_judge(look, look)) is fails


def test_nothing_is_too_slow_where_others_were_busy_each_time() -> None:
    assert not _judge(Look({"storm": 5.0}, [], 0.3), Look({"storm": 4.0}, [], 0.2))
    assert _judge(Look({"storm": 5.0}, [], 0.3), Look({"storm": 4.0}, [], 0.0))


def test_what_the_server_did_wrong_once_fails_however_busy_others_were() -> None:
    assert _judge(Look({"storm": 1.0}, ["3 deltas that left a gap"], 0.9), Look({"storm": 1.0}, [], 0.0))
