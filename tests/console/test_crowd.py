"""What bots do and when."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.console.crowd import (
    HOST_NAME,
    OUTAGE_SECONDS,
    STATUSES,
    Change,
    Come,
    Crowd,
    Go,
    Lose,
    Step,
    answer,
    key_seed,
)
from adsum.contract.text import fault_in_name, fault_in_status_text, normalise


def steps(
    count: int, *, seed: int = 1, number: int = 400, pace_seconds: float = 2.0, can_lose: bool = True
) -> list[Step]:
    crowd = Crowd(count, seed=seed, pace_seconds=pace_seconds, can_lose=can_lose)
    return [crowd.next_step() for _ in range(number)]


def test_same_seed_gives_the_same_plan_and_names() -> None:
    assert steps(12) == steps(12)
    assert steps(12) != steps(12, seed=2)
    first, second = (Crowd(12, seed=3, pace_seconds=1.0, can_lose=True).names for _ in range(2))
    assert first == second


@given(st.integers(1, 60), st.integers())
def test_plan_makes_sense(count: int, seed: int) -> None:
    present: set[int] = set()
    back_at: dict[int, float] = {}
    now = 0.0
    for step in steps(count, seed=seed, number=200):
        assert step.delay_seconds >= 0
        now += step.delay_seconds
        match step.action:
            case Come():
                assert step.bot not in present
                present.add(step.bot)
            case Go():
                assert step.bot in present
                assert now >= back_at.get(step.bot, 0.0)
                present.remove(step.bot)
            case Lose(seconds):
                assert step.bot in present
                assert now >= back_at.get(step.bot, 0.0)
                back_at[step.bot] = now + seconds
            case Change():
                assert step.bot in present
        assert 0 in present, "the host comes first, and stays"
        assert 0 not in back_at, "the host never loses its connection"


def test_everything_happens_sooner_or_later() -> None:
    actions = [step.action for step in steps(12)]
    assert {type(action) for action in actions} == {Come, Go, Change, Lose}
    losses = [action.seconds for action in actions if isinstance(action, Lose)]
    assert min(losses) < 5 < OUTAGE_SECONDS[0] <= max(losses)


def test_nobody_loses_a_connection_that_cannot_be_cut() -> None:
    assert not any(isinstance(step.action, Lose) for step in steps(12, can_lose=False))


def test_pace_is_the_average_delay() -> None:
    delays = [step.delay_seconds for step in islice(steps(12, number=3000, pace_seconds=0.5), 100, None)]
    assert sum(delays) / len(delays) == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("count", [1, 12, 200])
def test_names_are_different_and_allowed(count: int) -> None:
    names = Crowd(count, seed=None, pace_seconds=1.0, can_lose=True).names
    assert names[0] == HOST_NAME
    assert len(set(names)) == len(names) == count
    for name in names:
        assert name == normalise(name)
        assert fault_in_name(name) is None
        assert " " not in name, "can be typed without quotes"


def test_status_texts_are_allowed() -> None:
    assert all(fault_in_status_text(text) is None for _, text in STATUSES)


@given(st.text(), st.text())
def test_answer_is_friendly_and_short(name: str, text: str) -> None:
    said = answer(name, text, seed=None, bot=1)
    assert name in said
    assert len(said) < len(name) + 200
    assert said == answer(name, text, seed=None, bot=1)


def test_keys_of_bots_differ() -> None:
    assert len({key_seed(seed, bot) for seed in range(5) for bot in range(5)}) == 25
