"""When silence is believed, and when it is the server's own deafness."""

import pytest

from adsum.contract.limits import Limits
from adsum.server.liveness import CROWD, OwnHealth, Signs, is_crowd, silent_at

LIMITS = Limits()
LEASE = LIMITS.lease_seconds
ONE_ROUND = 6.0


def test_client_is_believed_for_a_lease_after_it_was_heard() -> None:
    assert silent_at(Signs(heard_at=100.0), LIMITS) == 112.0


def test_write_that_is_stuck_for_a_lease_is_silence_though_the_client_is_heard() -> None:
    assert silent_at(Signs(heard_at=100.0, writing_since=95.0), LIMITS) == 107.0
    assert silent_at(Signs(heard_at=100.0, writing_since=101.0), LIMITS) == 112.0


def test_client_that_echoes_nothing_does_not_read() -> None:
    # One lease isn't enough: a long list on a slow link may take as long.
    assert silent_at(Signs(heard_at=130.0, unechoed_since=100.0), LIMITS) == 124.0
    assert silent_at(Signs(heard_at=100.0, unechoed_since=100.0), LIMITS) == 112.0


def test_earliest_sign_of_death_counts() -> None:
    assert silent_at(Signs(heard_at=100.0, writing_since=99.0, unechoed_since=70.0), LIMITS) == 94.0


@pytest.mark.parametrize(
    ("overdue", "sessions", "crowd"),
    [
        (CROWD, CROWD, True),
        (CROWD - 1, CROWD - 1, False),
        (1, 1, False),
        (4, CROWD, False),
        (5, CROWD, True),
        (500, 1000, False),
        (501, 1000, True),
        (0, 0, False),
        (0, 1000, False),
    ],
)
def test_silence_of_most_is_the_observers_deafness(overdue: int, sessions: int, crowd: bool) -> None:
    assert is_crowd(overdue, sessions) is crowd


def test_ticks_in_time_leave_deadlines_alone() -> None:
    health = OwnHealth(LIMITS)
    for tick in range(50):
        assert health.tick(100.0 + tick * 0.1, 100.1 + tick * 0.1) == 0.0
        assert not health.is_lenient(100.0 + tick * 0.1)


def test_small_delay_is_no_stall() -> None:
    health = OwnHealth(LIMITS)
    health.tick(100.0, 100.1)
    assert health.tick(101.0, 101.1) == 0.0
    assert not health.is_lenient(101.0)


def test_stall_puts_deadlines_off_until_everybody_could_be_heard() -> None:
    health = OwnHealth(LIMITS)
    health.tick(100.0, 100.1)
    assert health.tick(130.1, 130.2) == pytest.approx(30.0)
    assert health.is_lenient(130.1)
    assert health.is_lenient(130.1 + ONE_ROUND - 0.01)
    assert not health.is_lenient(130.1 + ONE_ROUND + 0.01)


def test_another_stall_puts_deadlines_off_again() -> None:
    health = OwnHealth(LIMITS)
    health.tick(100.0, 100.1)
    health.tick(105.0, 105.1)
    health.tick(115.0, 115.1)
    assert health.is_lenient(115.0 + ONE_ROUND - 0.01)


def test_first_tick_is_never_late() -> None:
    assert OwnHealth(LIMITS).tick(1e9, 1e9 + 0.1) == 0.0


def test_crowd_is_forgiven_once_and_not_again_for_a_lease() -> None:
    health = OwnHealth(LIMITS)
    assert health.may_forgive(100.0)
    health.forgive_crowd(100.0)
    assert health.is_lenient(100.0)
    assert not health.is_lenient(100.0 + ONE_ROUND)
    # Whoever is silent still has been given the time, and is judged.
    assert not health.may_forgive(100.0 + ONE_ROUND)
    assert not health.may_forgive(100.0 + ONE_ROUND + LEASE - 0.01)
    assert health.may_forgive(100.0 + ONE_ROUND + LEASE)


def test_forgiving_again_and_again_puts_nothing_off_further() -> None:
    health = OwnHealth(LIMITS)
    health.forgive_crowd(100.0)
    health.forgive_crowd(105.0)
    assert not health.is_lenient(100.0 + ONE_ROUND)


def test_forgiveness_does_not_shorten_what_a_stall_has_put_off() -> None:
    health = OwnHealth(LIMITS)
    health.tick(100.0, 100.1)
    health.tick(110.0, 110.1)
    health.forgive_crowd(110.0)
    assert health.is_lenient(110.0 + ONE_ROUND - 0.01)
    assert health.may_forgive(110.0)
