import pytest

from tests.model.presence import Life, PresenceModel, Times
from tests.model.promises import Checks
from tests.model.session import SelectionModel, SessionModel

TIMES = Times(heartbeat=2.0, lease=4.8, grace=15.0)
SESSION = bytes(16)


def model_of(life: Life, stalls: list[tuple[float, float]]) -> tuple[PresenceModel, Checks]:
    """Make a model in which one session is online by this stream."""
    checks = Checks()
    model = PresenceModel(TIMES, checks)
    model.stalls = stalls
    model.joined(SessionModel(SESSION, bytes(32), SelectionModel(checks)), life.arrived_at, life)
    return model, checks


def suspected(life: Life, now: float, stalls: list[tuple[float, float]]) -> list[tuple[str, str]]:
    """Let the session be suspect, and tell which promises that breaks."""
    model, checks = model_of(life, stalls)
    model.changed(SESSION, 1, False, now)
    return checks.broken


STALL = [(3.8, 5.3)]
WELL = [("P5", "suspect, though everything is well")]


@pytest.mark.parametrize("stalls", [[], STALL])
def test_who_breaks_the_rules_is_suspect_when_they_are_heard(stalls: list[tuple[float, float]]) -> None:
    assert suspected(Life(5.4, 5.4, is_unruly=True), 5.4, stalls) == []
    assert suspected(Life(5.4, 5.4), 5.4, stalls) == WELL


@pytest.mark.parametrize("stalls", [[], STALL])
def test_who_breaks_the_rules_and_does_not_read_is_suspect_at_any_moment(
    stalls: list[tuple[float, float]],
) -> None:
    assert suspected(Life(3.0, 3.0, stuck_since=3.5, is_unruly=True), 5.4, stalls) == []
    assert suspected(Life(3.0, 3.0, stuck_since=3.5), 5.4, stalls) == WELL


def test_who_breaks_the_rules_and_is_silent_has_a_lease_like_anybody() -> None:
    for is_unruly in (False, True):
        life = Life(1.0, 1.0, is_unruly=is_unruly)
        assert suspected(life, 5.4, []) == WELL
        assert suspected(life, 5.8, []) == []
        # It is over, but the server has not listened for a round of heartbeats.
        assert suspected(life, 5.8, STALL) == WELL


def test_who_is_heard_of_when_the_lease_is_over_may_be_suspect_until_that_is_read() -> None:
    life = Life(1.0, 1.0)
    life.arrived(TIMES, 5.9)
    life.arrived(TIMES, 5.9)
    assert suspected(life, 5.9, []) == []
    # But not if it was the server that has not listened.
    assert suspected(life, 5.9, [(4.5, 5.9)]) == WELL
    life.heard(5.9)
    assert suspected(life, 5.9, []) == WELL


def test_who_is_heard_of_before_the_lease_is_over_is_not_suspect_though_that_is_not_read() -> None:
    life = Life(1.0, 1.0)
    life.arrived(TIMES, 5.7)
    assert suspected(life, 5.9, []) == WELL


def gone_without_a_grace(life: Life, now: float, draining_since: float | None) -> list[tuple[str, str]]:
    """Let the session be gone on a server without a grace, and tell which promises that breaks."""
    model, checks = model_of(life, [])
    model.times = Times(heartbeat=2.0, lease=4.8, grace=0.0)
    model.draining_since = draining_since
    model.gone(SESSION, now)
    return checks.broken


def test_who_is_silent_is_gone_without_a_grace_but_not_while_the_server_drains() -> None:
    assert gone_without_a_grace(Life(1.0, 1.0), 5.8, None) == []
    assert gone_without_a_grace(Life(1.0, 1.0), 5.8, 3.0) == [("P10", "gone without having been suspect")]


def test_who_was_lost_before_the_server_drains_may_be_gone_without_a_grace() -> None:
    assert gone_without_a_grace(Life(1.0, 1.0, ended_at=2.9), 3.0, 3.0) == []
    assert gone_without_a_grace(Life(1.0, 1.0, ended_at=3.1), 3.2, 3.0) == [
        ("P10", "gone without having been suspect")
    ]
