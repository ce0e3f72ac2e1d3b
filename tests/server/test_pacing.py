"""When the next wave starts: at once at rest, after a rest under load."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.server.pacing import Pacing


def test_first_change_starts_a_wave_at_once() -> None:
    assert Pacing().next_start(now=7.0) == 7.0


def test_change_after_a_long_quiet_starts_a_wave_at_once() -> None:
    pacing = Pacing()
    pacing.ended(10.0, 10.2, newcomers_waiting=True)
    assert pacing.next_start(now=11.0) == 11.0


def test_wave_is_followed_by_a_rest_that_is_a_share_of_it() -> None:
    pacing = Pacing()
    pacing.ended(10.0, 10.04, newcomers_waiting=False)
    assert pacing.next_start(now=10.04) == pytest.approx(10.05)
    assert pacing.next_start(now=10.045) == pytest.approx(10.05)


def test_rest_is_as_long_as_the_wave_while_newcomers_wait() -> None:
    pacing = Pacing()
    pacing.ended(10.0, 10.04, newcomers_waiting=True)
    assert pacing.next_start(now=10.04) == pytest.approx(10.08)


@pytest.mark.parametrize("newcomers_waiting", [False, True])
def test_rest_never_costs_the_promised_100_ms(newcomers_waiting: bool) -> None:
    pacing = Pacing()
    pacing.ended(10.0, 40.0, newcomers_waiting=newcomers_waiting)
    assert 40.0 < pacing.next_start(now=40.0) <= 40.06


def test_newest_wave_counts() -> None:
    pacing = Pacing()
    pacing.ended(0.0, 0.05, newcomers_waiting=True)
    pacing.ended(0.1, 0.1, newcomers_waiting=False)
    assert pacing.next_start(now=0.1) == 0.1


@given(st.floats(0, 1e6), st.floats(0, 100), st.floats(-10, 10), st.booleans())
def test_wave_starts_never_in_the_past_and_never_late(
    started_at: float, duration: float, later: float, newcomers_waiting: bool
) -> None:
    pacing = Pacing()
    ended_at = started_at + duration
    pacing.ended(started_at, ended_at, newcomers_waiting=newcomers_waiting)
    now = ended_at + later
    assert now <= pacing.next_start(now) <= max(now, ended_at + 0.06)
