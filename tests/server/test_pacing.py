"""When the next wave starts: at once at rest, after a rest under load."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.server.pacing import (
    LONGEST_REST_SECONDS,
    LOOK_SECONDS,
    NEWCOMER_REST_SECONDS,
    QUIET_LOOKS,
    STORM_REST_SECONDS,
    STORM_STEPS,
    Pacing,
    rest_after,
    tail_of,
    wave_deadline,
)


def paced(started_at: float, ended_at: float, steps: int = 0) -> Pacing:
    """Follow two waves, one right after the other; the second was as told."""
    pacing = Pacing()
    pacing.ended(started_at - 1e-9, started_at - 1e-9, steps)
    pacing.ended(started_at, ended_at, steps)
    return pacing


def wait(pacing: Pacing, now: float, newcomers: list[float] = [], turn_seconds: float = 0.0) -> float:  # noqa: B006
    """Ask until a wave may start, and tell when. Newcomers take steps at these moments; a turn of the loop takes so long."""
    while True:
        steps = sum(at <= now for at in newcomers)
        start = pacing.next_start(now, steps)
        if start <= now:
            return now
        now = max(start, now + turn_seconds)


def test_first_change_starts_a_wave_at_once() -> None:
    assert Pacing().next_start(7.0, 0) == 7.0
    # Even if it is a newcomer's.
    assert Pacing().next_start(7.0, 3) == 7.0


def test_change_after_a_long_quiet_starts_a_wave_at_once() -> None:
    pacing = paced(10.0, 10.2)
    assert pacing.next_start(11.0, 0) == 11.0
    assert pacing.next_start(11.0, 3) == 11.0


def test_wave_is_followed_by_a_rest_that_is_a_share_of_it() -> None:
    assert paced(10.0, 10.02).next_start(10.02, 0) == pytest.approx(10.034)
    assert wait(paced(10.0, 10.02), 10.02) == pytest.approx(10.034 + LOOK_SECONDS)
    assert wait(paced(10.0, 10.02), 10.03) == pytest.approx(10.034 + LOOK_SECONDS)


@pytest.mark.parametrize(
    ("wave", "rest"), [(0.01, 0.007), (0.03, 0.021), (0.04, 0.02), (0.08, 0.02), (0.2, 0.05), (1.0, 0.06)]
)
def test_rest_is_shorter_where_two_waves_leave_no_time_for_it(wave: float, rest: float) -> None:
    assert rest_after(wave, 0.0) == pytest.approx(rest)


def test_rest_is_short_after_a_wave_that_came_alone() -> None:
    pacing = paced(9.0, 9.01)
    pacing.ended(10.0, 10.02, 0)
    assert pacing.next_start(10.02, 0) == pytest.approx(10.025)
    # The next one follows it closely.
    pacing.ended(10.026, 10.046, 0)
    assert pacing.next_start(10.046, 0) == pytest.approx(10.06)


def test_rest_goes_on_while_newcomers_follow_each_other() -> None:
    coming = [10.06 + number * LOOK_SECONDS for number in range(8)]
    last_look = coming[-1] + QUIET_LOOKS * LOOK_SECONDS
    assert wait(paced(10.0, 10.04), 10.04, coming) == pytest.approx(last_look, abs=LOOK_SECONDS)


def test_busy_loop_meets_every_newcomer_who_waits_before_the_next_wave() -> None:
    # Each turn takes longer than the whole rest, and every other one lets in a newcomer.
    coming = [10.06, 10.075]
    assert wait(paced(10.0, 10.04), 10.04, coming, turn_seconds=0.012) > coming[-1]


@pytest.mark.parametrize(("took", "longest"), [(0.02, 0.03), (0.09, 0.09)])
def test_rest_ends_however_newcomers_come(took: float, longest: float) -> None:
    coming = [10.0 + number * LOOK_SECONDS for number in range(1000)][: STORM_STEPS - 1]
    coming = [at + took for at in coming]
    latest = 10.0 + took + longest
    assert wait(paced(10.0, 10.0 + took), 10.0 + took, coming) == pytest.approx(latest, abs=LOOK_SECONDS)


@pytest.mark.parametrize(("took", "longest"), [(0.02, 0.1), (0.09, 0.18)])
def test_storm_of_newcomers_has_a_longer_rest_that_ends_all_the_same(took: float, longest: float) -> None:
    coming = [10.0 + took + number * LOOK_SECONDS / 5 for number in range(5000)]
    latest = 10.0 + took + longest
    assert wait(paced(10.0, 10.0 + took), 10.0 + took, coming) == pytest.approx(latest, abs=LOOK_SECONDS)


def test_wave_that_was_held_up_keeps_newcomers_waiting_no_longer_than_a_long_one() -> None:
    coming = [40.0 + number * LOOK_SECONDS / 5 for number in range(50_000)]
    assert wait(paced(10.0, 40.0), 40.0, coming) <= 40.5 + LOOK_SECONDS


@given(st.floats(0, 1), st.floats(0, 0.2))
def test_nobody_has_to_ask_again_before_a_look(duration: float, later: float) -> None:
    # A clock and timers of whole milliseconds would otherwise ask again and again within one.
    pacing = paced(10.0, 10.0 + duration)
    now = 10.0 + duration + later
    start = pacing.next_start(now, 1)
    assert start == now or start >= now + LOOK_SECONDS


def test_rest_before_which_a_wanted_wave_was_held_back_is_no_quiet() -> None:
    pacing = paced(10.0, 10.02)
    # Wanted at once, and held back for newcomers.
    assert pacing.next_start(10.02, 1) > 10.02
    pacing.ended(10.06, 10.08, 1)
    assert pacing.next_start(10.08, 1) == pytest.approx(10.08 + 0.7 * 0.02)


def test_rest_never_costs_the_promised_100_ms() -> None:
    assert 40.0 < wait(paced(10.0, 40.0), 40.0) <= 40.06 + QUIET_LOOKS * LOOK_SECONDS


def test_newest_wave_counts() -> None:
    pacing = paced(0.0, 0.05)
    pacing.ended(0.1, 0.1, 0)
    assert wait(pacing, 0.1) <= 0.1 + QUIET_LOOKS * LOOK_SECONDS


def test_wave_waits_for_no_slow_tenth_but_for_nearly_all() -> None:
    assert tail_of(0) == tail_of(19) == 0
    assert tail_of(1000) == 50


def test_wave_to_the_deaf_ends_soon() -> None:
    assert wave_deadline(7.0, 7.001) == pytest.approx(7.012)
    assert wave_deadline(7.0, 7.03) == pytest.approx(7.07)


@given(st.floats(0, 1e6), st.floats(0, 100), st.floats(-10, 10), st.lists(st.integers(0, 200), max_size=30))
def test_wave_starts_never_in_the_past_and_never_late(
    started_at: float, duration: float, later: float, steps: list[int]
) -> None:
    pacing = Pacing()
    ended_at = started_at + duration
    pacing.ended(started_at, ended_at, 0)
    now, total = ended_at + later, 0
    latest = max(now, ended_at + max(0.1, 2 * min(ended_at - started_at, 0.25))) + LOOK_SECONDS
    for more in steps:
        total += more
        start = pacing.next_start(now, total)
        assert now <= start <= latest
        if start == now:
            break
        now = start


WRITE_SECONDS = 35e-6
"""What a write costs on the machine on which the promises were measured."""
STEPS, STEP_SECONDS, HANDSHAKE_SECONDS = 3, 0.002, 0.0008
"""A newcomer's turns, how long their client takes between two, and the server's time for all of them."""


def storm(people: int) -> float:
    """Let so many come at once into an empty lobby; tell after how long all have been told of all.

    The loop does one thing at a time. In a rest it takes the steps of newcomers; each step is followed by the next a moment later.
    """
    pacing, now, present, told, taken = Pacing(), 0.0, 0, 0, 0
    steps = [(0.0, STEPS) for _ in range(people)]
    look_at = 0.0
    while told < people:
        steps.sort(reverse=True)
        if present > told and now >= look_at:
            look_at = pacing.next_start(now, taken)
            if look_at <= now:
                started_at = now
                now, told = started_at + present * WRITE_SECONDS, present
                pacing.ended(started_at, now, taken)
                continue
        if steps and steps[-1][0] <= now:
            _, left = steps.pop()
            now += HANDSHAKE_SECONDS / STEPS
            taken += 1
            if left > 1:
                steps.append((now + STEP_SECONDS, left - 1))
            else:
                present += 1
        else:
            now = min(([steps[-1][0]] if steps else []) + ([look_at] if present > told else []))
    return now


def test_storm_is_over_soon_and_needs_few_waves() -> None:
    assert storm(1000) < 2.0
    assert storm(300) < 0.6


def latencies(people: int, rate: float, seconds: float = 5.0) -> list[float]:
    """Make changes evenly; tell after how long each has reached the last of so many."""
    pacing, free_at, found = Pacing(), 0.0, []
    times = [index / rate for index in range(int(rate * seconds))]
    while times:
        start = wait(pacing, max(times[0], free_at))
        wave = [at for at in times if at <= start]
        times = times[len(wave) :]
        free_at = start + people * WRITE_SECONDS
        pacing.ended(start, free_at, 0)
        found += [free_at - at for at in wave]
    return found


@pytest.mark.parametrize("rate", [10, 25, 50, 100, 200, 500, 800])
def test_changes_reach_the_last_of_a_thousand_within_twice_a_wave_and_a_rest(rate: float) -> None:
    wave = 1000 * WRITE_SECONDS
    assert max(latencies(1000, rate)) <= 2 * wave + rest_after(wave, 0.0) + QUIET_LOOKS * LOOK_SECONDS


def test_constants_fit_each_other() -> None:
    assert QUIET_LOOKS * LOOK_SECONDS < NEWCOMER_REST_SECONDS < LONGEST_REST_SECONDS < STORM_REST_SECONDS
