"""What is said of the person selected: never more than is true."""

from dataclasses import replace
from datetime import datetime
from itertools import product

import pytest

from adsum.client import ConnectionState, Liveness, Phase, SelectionChanged, SelectionReason, SelectionState
from adsum.console.choice import Choice, Standing, Truth, after_event, judge
from adsum.console.rows import Row
from tests.console.people import member
from tests.console.performance import LIVE, STARTED_AT, selection_changed

ADA = member("Ada", key=1)
HERE = Row(ADA, "")
LOST = Row(replace(ADA, liveness=Liveness.SUSPECT), "")
GONE = Row(ADA, "", gone_at=STARTED_AT)
HELD = Choice(ADA, Standing.HELD, STARTED_AT, SelectionState.AVAILABLE, revision=812)


def test_confirmed_names_the_revision() -> None:
    verdict = judge(HELD, HERE, LIVE)
    assert (verdict.truth, verdict.words) == (Truth.CONFIRMED, "confirmed online (revision 812)")


def test_lost_connection_is_waited_for() -> None:
    held = replace(HELD, state=SelectionState.UNAVAILABLE, reason=SelectionReason.SUSPECT)
    assert judge(held, LOST, LIVE).words == "connection lost, waiting for them to come back"


def test_departure_is_told_with_its_time() -> None:
    cleared = replace(
        HELD, standing=Standing.CLEARED, state=SelectionState.CLEARED, reason=SelectionReason.LEFT
    )
    verdict = judge(cleared, None, LIVE)
    assert (verdict.truth, verdict.words) == (Truth.GONE, "left 14:02:00: selection cleared")


def test_who_is_back_is_not_selected_again_by_itself() -> None:
    cleared = replace(
        HELD, standing=Standing.CLEARED, state=SelectionState.CLEARED, reason=SelectionReason.LOST
    )
    verdict = judge(cleared, HERE, LIVE)
    assert verdict.truth is Truth.RETURNED
    assert "Enter selects them again" in verdict.advice


@pytest.mark.parametrize("phase", [Phase.RECONNECTING, Phase.STALE, Phase.CONNECTING, Phase.CLOSED])
@pytest.mark.parametrize("standing", [Standing.HELD, Standing.ASKING])
def test_nothing_is_confirmed_while_this_client_is_not_connected(phase: Phase, standing: Standing) -> None:
    assert judge(replace(HELD, standing=standing), HERE, ConnectionState(phase)).truth is Truth.DOUBTFUL


@pytest.mark.parametrize("standing", list(Standing))
@pytest.mark.parametrize("row", [None, GONE], ids=["absent", "gone"])
def test_nobody_absent_is_ever_called_online(standing: Standing, row: Row | None) -> None:
    for state, reason, phase in product([None, *SelectionState], SelectionReason, Phase):
        choice = replace(HELD, standing=standing, state=state, reason=reason, failure="no answer")
        verdict = judge(choice, row, ConnectionState(phase))
        assert verdict.truth is not Truth.CONFIRMED
        assert "online" not in verdict.words


def test_confirmed_needs_server_list_and_connection() -> None:
    for standing, state, row, phase in product(Standing, SelectionState, [HERE, LOST, GONE, None], Phase):
        choice = replace(HELD, standing=standing, state=state, failure="no answer")
        is_true = (standing, state, phase in (Phase.LIVE, Phase.DEGRADED)) == (
            Standing.HELD,
            SelectionState.AVAILABLE,
            True,
        )
        expected = is_true and row is HERE
        assert (judge(choice, row, ConnectionState(phase)).truth is Truth.CONFIRMED) is expected


def test_word_about_somebody_else_changes_nothing() -> None:
    assert after_event(HELD, selection_changed(member("Bob", key=2)), STARTED_AT) is HELD
    assert after_event(None, selection_changed(ADA), STARTED_AT) is None


def test_own_clearing_is_no_news() -> None:
    cleared = SelectionChanged(
        ADA.public_key, ADA, SelectionState.CLEARED, SelectionReason.BY_CLIENT, SelectionState.AVAILABLE
    )
    assert after_event(HELD, cleared, STARTED_AT) is HELD


def test_choice_remembers_who_it_was_when_they_are_gone() -> None:
    gone = selection_changed(None, key=ADA.public_key, reason=SelectionReason.LEFT)
    choice = after_event(HELD, gone, datetime(2026, 5, 9, 15, 0, 1, tzinfo=STARTED_AT.tzinfo))
    assert choice is not None
    assert (choice.member.name, choice.standing) == ("Ada", Standing.CLEARED)
    assert judge(choice, None, LIVE).words == "left 15:00:01: selection cleared"
