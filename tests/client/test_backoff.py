"""Delays are spread over the whole of a ceiling that grows with each failure."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from adsum.client.backoff import Backoff
from tests.client.patient import patient

uniform = st.floats(0, 1, exclude_max=True)


def ceilings(backoff: Backoff, caps: Sequence[float]) -> list[float]:
    """Read the ceilings of the next delays: what the largest random number gives."""
    return [round(backoff.next_delay(1.0, cap), 6) for cap in caps]


def test_first_attempt_after_a_loss_is_immediate() -> None:
    assert Backoff(0.2).next_delay(0.999, 10) == 0


def test_ceiling_doubles_up_to_the_cap() -> None:
    assert ceilings(Backoff(0.2), [10] * 9) == [0, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]


def test_failure_before_any_success_waits_too() -> None:
    backoff = Backoff(0.2)
    backoff.fail()
    assert ceilings(backoff, [10, 10]) == [0.2, 0.4]
    backoff.fail()
    assert ceilings(backoff, [10]) == [0.8]


def test_ceiling_stops_at_a_low_cap_and_grows_on_from_there() -> None:
    assert ceilings(Backoff(0.2), [1] * 6 + [10] * 5) == [0, 0.2, 0.4, 0.8, 1, 1, 1, 2, 4, 8, 10]


def test_success_makes_the_next_attempt_immediate() -> None:
    backoff = Backoff(0.2)
    ceilings(backoff, [10] * 5)
    backoff.reset()
    assert ceilings(backoff, [10, 10]) == [0, 0.2]


def test_what_the_server_asks_for_is_the_least() -> None:
    backoff = Backoff(0.2)
    assert backoff.next_delay(0.5, 10, at_least_seconds=3) == 3
    assert backoff.next_delay(0.5, 10, at_least_seconds=3) == 3.1


@patient
@given(st.lists(st.tuples(uniform, st.sampled_from([0.05, 1, 10]), st.floats(0, 60)), max_size=50))
def test_delay_is_between_the_least_and_the_cap(steps: list[tuple[float, float, float]]) -> None:
    backoff = Backoff(0.2)
    for random, cap, least in steps:
        assert least <= backoff.next_delay(random, cap, least) <= least + cap


@patient
@given(uniform)
def test_jitter_is_full(random: float) -> None:
    backoff = Backoff(1.0)
    backoff.fail()
    assert backoff.next_delay(random, 10) == random
