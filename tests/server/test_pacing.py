"""When the next wave starts: at once at rest, after a rest under load."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.server.pacing import (
    LONGEST_REST_SECONDS,
    NEWCOMER_SECONDS,
    REST_SHARE,
    Pacing,
    tail_of,
    wave_deadline,
)

NEVER = float("-inf")


def paced(started_at: float, ended_at: float) -> Pacing:
    pacing = Pacing()
    pacing.ended(started_at, ended_at)
    return pacing


def test_first_change_starts_a_wave_at_once() -> None:
    assert Pacing().next_start(7.0, NEVER) == 7.0
    # Even if it is a newcomer's.
    assert Pacing().next_start(7.0, 7.0) == 7.0


def test_change_after_a_long_quiet_starts_a_wave_at_once() -> None:
    pacing = paced(10.0, 10.2)
    assert pacing.next_start(11.0, NEVER) == 11.0
    assert pacing.next_start(11.0, 11.0) == 11.0


def test_wave_is_followed_by_a_rest_that_is_a_share_of_it() -> None:
    pacing = paced(10.0, 10.04)
    assert pacing.next_start(10.04, NEVER) == pytest.approx(10.05)
    assert pacing.next_start(10.045, NEVER) == pytest.approx(10.05)


def test_rest_goes_on_while_newcomers_follow_each_other() -> None:
    pacing = paced(10.0, 10.04)
    assert pacing.next_start(10.05, 10.049) == pytest.approx(10.054)
    assert pacing.next_start(10.08, 10.079) == pytest.approx(10.084)
    # The last came some time ago.
    assert pacing.next_start(10.09, 10.079) == 10.09


@pytest.mark.parametrize(("took", "longest"), [(0.04, 0.06), (0.09, 0.09)])
def test_rest_ends_however_many_newcomers_come(took: float, longest: float) -> None:
    pacing = paced(10.0, 10.0 + took)
    assert pacing.next_start(10.0 + took, 10.0 + took + longest) == pytest.approx(10.0 + took + longest)


def test_rest_never_costs_the_promised_100_ms() -> None:
    assert 40.0 < paced(10.0, 40.0).next_start(40.0, NEVER) <= 40.06


def test_newest_wave_counts() -> None:
    pacing = paced(0.0, 0.05)
    pacing.ended(0.1, 0.1)
    assert pacing.next_start(0.1, NEVER) == 0.1


def test_wave_waits_for_no_slow_tenth_but_for_nearly_all() -> None:
    assert tail_of(0) == tail_of(19) == 0
    assert tail_of(1000) == 50


def test_wave_to_the_deaf_ends_soon() -> None:
    assert wave_deadline(7.0, 7.001) == pytest.approx(7.012)
    assert wave_deadline(7.0, 7.03) == pytest.approx(7.07)


@given(st.floats(0, 1e6), st.floats(0, 100), st.floats(-10, 10), st.floats(-10, 10))
def test_wave_starts_never_in_the_past_and_never_late(
    started_at: float, duration: float, later: float, newcomer: float
) -> None:
    pacing = Pacing()
    ended_at = started_at + duration
    pacing.ended(started_at, ended_at)
    now = ended_at + later
    assert (
        now <= pacing.next_start(now, now + newcomer) <= max(now, ended_at + max(0.06, ended_at - started_at))
    )


WRITE_SECONDS = 50e-6
"""What a write costs on the machine on which the promises were measured."""
STEPS, STEP_SECONDS, HANDSHAKE_SECONDS = 3, 0.002, 0.0008
"""A newcomer's turns, how long their client takes between two, and the server's time for all of them."""


def storm(people: int) -> float:
    """Let so many come at once into an empty lobby; tell after how long all have been told of all.

    The loop does one thing at a time. In a rest it takes the steps of newcomers; each step is followed by the next a moment later.
    """
    pacing, now, present, told, newcomer_at = Pacing(), 0.0, 0, 0, NEVER
    steps = [(0.0, STEPS) for _ in range(people)]
    while told < people:
        start = pacing.next_start(now, newcomer_at) if present > told else float("inf")
        steps.sort(reverse=True)
        if steps and max(now, steps[-1][0]) < start:
            ready_at, left = steps.pop()
            now = newcomer_at = max(now, ready_at) + HANDSHAKE_SECONDS / STEPS
            if left > 1:
                steps.append((now + STEP_SECONDS, left - 1))
            else:
                present += 1
        else:
            started_at = max(now, start)
            now, told = started_at + present * WRITE_SECONDS, present
            pacing.ended(started_at, now)
    return now


def test_storm_is_over_soon_and_needs_few_waves() -> None:
    assert storm(1000) < 2.0
    assert storm(300) < 0.6


def latencies(people: int, rate: float, seconds: float = 5.0) -> list[float]:
    """Make changes evenly; tell after how long each has reached the last of so many."""
    pacing, free_at, found = Pacing(), 0.0, []
    times = [index / rate for index in range(int(rate * seconds))]
    while times:
        start = max(free_at, pacing.next_start(max(times[0], free_at), NEVER))
        wave = [at for at in times if at <= start]
        times = times[len(wave) :]
        free_at = start + people * WRITE_SECONDS
        pacing.ended(start, free_at)
        found += [free_at - at for at in wave]
    return found


@pytest.mark.parametrize("rate", [10, 25, 50, 100, 200, 500, 800])
def test_changes_reach_the_last_of_a_thousand_within_twice_a_wave_and_a_rest(rate: float) -> None:
    wave = 1000 * WRITE_SECONDS
    assert max(latencies(1000, rate)) <= 2 * wave + REST_SHARE * wave + 1e-9


def test_constants_fit_each_other() -> None:
    assert NEWCOMER_SECONDS < LONGEST_REST_SECONDS
