"""Delays are spread over the whole of a ceiling that grows with each failure, and there is an end to trying."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.client import AdsumError, Reason, Refused, Settings, Unavailable
from adsum.client.backoff import Attempt, Backoff, Persistence
from adsum.client.ending import Ending
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


LOST = Ending("lost")
NEVER = float("-inf")


def decide(
    persistence: Persistence, attempt: Attempt, *, resumable_until: float = NEVER, now: float = 0.0
) -> float:
    """Tell the longest delay before the next attempt."""
    verdict = persistence.after(attempt, resumable_until, now, random=1.0)
    assert isinstance(verdict, float)
    return round(verdict, 6)


def give_up(persistence: Persistence, attempt: Attempt, now: float = 0.0) -> AdsumError:
    """Tell with which error there is no next attempt."""
    verdict = persistence.after(attempt, NEVER, now, random=1.0)
    assert isinstance(verdict, AdsumError)
    return verdict


@pytest.fixture
def persistence() -> Persistence:
    return Persistence(Settings(), "localhost:7557", 0.0)


def test_lost_connection_is_replaced_at_once(persistence: Persistence) -> None:
    assert decide(persistence, Attempt(LOST, live_seconds=60)) == 0
    assert [decide(persistence, Attempt(LOST)) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]
    assert decide(persistence, Attempt(LOST, live_seconds=60)) == 0


def test_connections_that_never_last_are_not_replaced_at_once(persistence: Persistence) -> None:
    delays = [decide(persistence, Attempt(LOST, live_seconds=0.1)) for _ in range(5)]
    assert delays == [0, 0.2, 0.4, 0.8, 1.6]


def test_session_that_may_be_resumed_is_tried_for_often(persistence: Persistence) -> None:
    decide(persistence, Attempt(LOST, live_seconds=60), resumable_until=17)
    early = [decide(persistence, Attempt(LOST), resumable_until=17, now=16) for _ in range(6)]
    assert early == [0.2, 0.4, 0.8, 1, 1, 1]
    late = [decide(persistence, Attempt(LOST), resumable_until=17, now=17) for _ in range(5)]
    assert late == [1, 2, 4, 8, 10]


def test_first_connection_is_tried_for_often_and_not_for_ever(persistence: Persistence) -> None:
    assert [decide(persistence, Attempt(LOST)) for _ in range(5)] == [0.2, 0.4, 0.8, 1, 1]
    error = give_up(persistence, Attempt(LOST), now=9.5)
    assert str(error) == "no Adsum server answers at localhost:7557 (lost)"


def test_time_that_was_up_is_told_by_what_came_before(persistence: Persistence) -> None:
    decide(persistence, Attempt(Ending("connection refused")))
    error = give_up(persistence, Attempt(Ending("no answer in time", is_given_up=True)), now=10)
    assert str(error).endswith("(connection refused)")


def test_refusal_for_good_ends_it(persistence: Persistence) -> None:
    refused = Refused(Reason.BAD_NAME)
    assert give_up(persistence, Attempt(Ending("no", refused, Reason.BAD_NAME))) is refused


def test_refusal_that_lasts_is_named(persistence: Persistence) -> None:
    error = give_up(persistence, Attempt(Ending("the lobby is full", reason=Reason.LOBBY_FULL)), now=10)
    assert isinstance(error, Unavailable)
    assert error.reason is Reason.LOBBY_FULL
    assert str(error) == "the server at localhost:7557 lets nobody in now: the lobby is full"


def test_attempts_in_vain_are_counted() -> None:
    persistence = Persistence(Settings(max_attempts=3), "localhost:7557", 0.0)
    decide(persistence, Attempt(LOST, live_seconds=60))
    decide(persistence, Attempt(LOST))
    decide(persistence, Attempt(LOST))
    decide(persistence, Attempt(LOST, live_seconds=0))
    decide(persistence, Attempt(LOST))
    decide(persistence, Attempt(LOST))
    assert isinstance(give_up(persistence, Attempt(LOST)), Unavailable)


def test_server_that_breaks_the_rules_is_not_hurried_back_to(persistence: Persistence) -> None:
    violated = Ending("the server sent nonsense", is_violation=True)
    delays = [decide(persistence, Attempt(violated, live_seconds=60)) for _ in range(3)]
    assert delays == [0.2, 0.4, 0.8]


def test_planned_move_is_no_failure(persistence: Persistence) -> None:
    decide(persistence, Attempt(LOST, live_seconds=0.1))
    assert decide(persistence, Attempt(Ending("stopping", is_planned=True), live_seconds=0.1)) == 0


def test_least_delay_is_the_longest_that_was_asked_for(persistence: Persistence) -> None:
    decide(persistence, Attempt(LOST, live_seconds=60))
    asked = Attempt(Ending("draining", retry_seconds=3), live_seconds=60, drain_seconds=2)
    assert decide(persistence, asked) == 3
    assert decide(persistence, Attempt(LOST, live_seconds=60, drain_seconds=2)) == 2
