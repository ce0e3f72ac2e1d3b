"""Selecting and writing: a text goes only to somebody who is confirmed, and is otherwise kept."""

import pytest

from adsum.client import (
    Back,
    ConnectionState,
    DepartureReason,
    Joined,
    Phase,
    SelectionReason,
    SelectionState,
    Suspect,
)
from adsum.client.events import StateChanged
from adsum.console.errands import Ring, Select, Send
from adsum.console.inputs import Outcome, SelectEnded, Stroke, Typed
from adsum.console.layout import Pane
from tests.console.people import member
from tests.console.performance import LIVE, Performance, selection_changed

ADA, BOB = member("Ada", key=1), member("Bob", key=2)


@pytest.fixture
def writing() -> Performance:
    """Write to Ada, who is confirmed."""
    lobby = Performance(ADA, BOB, columns=100, rows=30)
    lobby.select(ADA)
    lobby.errands.clear()
    return lobby


def sends(lobby: Performance) -> list[Send]:
    return [errand for errand in lobby.errands if isinstance(errand, Send)]


def test_text_goes_to_this_very_presence(writing: Performance) -> None:
    writing.type("lunch?")
    writing.press(Stroke.ENTER)
    assert sends(writing) == [Send(1, ADA, "lunch?")]
    assert writing.state.talk.draft.text == ""
    assert "sending…" in writing.line_with("lunch?")


@pytest.mark.parametrize(
    ("outcome", "words", "shown"),
    [
        (Outcome.DELIVERED, "in 12 ms", "✓ delivered in 12 ms"),
        (Outcome.UNDELIVERED, "recipient went offline", "✗ recipient went offline"),
        (Outcome.UNCONFIRMED, "it may not have been read", "? not confirmed: it may not have been read"),
    ],
)
def test_message_is_told_with_its_outcome(
    writing: Performance, outcome: Outcome, words: str, shown: str
) -> None:
    writing.type("lunch?")
    writing.press(Stroke.ENTER)
    writing.answer_sends(outcome, words)
    assert shown in writing.line_with("you: lunch?")


def test_nothing_is_sent_before_the_server_has_confirmed() -> None:
    lobby = Performance(ADA, BOB)
    lobby.press(Stroke.ENTER)
    lobby.type("lunch?")
    lobby.press(Stroke.ENTER)
    assert sends(lobby) == []
    assert "not sent to Ada" in lobby.screen()
    assert lobby.state.talk.draft.text == "lunch?"


def test_text_is_kept_while_the_connection_of_the_other_is_lost(writing: Performance) -> None:
    writing.type("lunch?")
    suspect = member("Ada", key=1)
    writing.happen(
        Suspect(suspect),
        selection_changed(suspect, state=SelectionState.UNAVAILABLE, reason=SelectionReason.SUSPECT),
    )
    writing.press(Stroke.ENTER)
    assert sends(writing) == []
    assert "waiting for them to come back" in writing.screen()
    assert writing.state.notice is None
    writing.happen(Back(ADA), selection_changed(ADA))
    writing.press(Stroke.ENTER)
    assert [send.text for send in sends(writing)] == ["lunch?"]


def test_departure_of_the_selected_cannot_be_missed_and_the_text_is_kept(writing: Performance) -> None:
    writing.type("lunch?")
    writing.depart(ADA)
    assert writing.errands == [Ring()]
    notice = writing.screen().split("\n")[1]
    assert notice.startswith(" ! Ada (")
    assert "left 14:02:00: selection cleared; your text is kept" in notice
    assert "lunch?" in writing.line_with("> lunch?")
    writing.press(Stroke.ENTER)
    assert sends(writing) == []
    assert writing.state.talk.draft.text == "lunch?"


def test_who_is_back_is_selected_again_by_the_person_and_gets_the_text(writing: Performance) -> None:
    writing.type("lunch?")
    writing.depart(ADA, DepartureReason.LOST)
    writing.happen(Joined(ADA))
    assert "Enter selects them again" in writing.screen()
    assert "confirmed" not in writing.panel()
    writing.errands.clear()
    writing.press(Stroke.ENTER)
    assert writing.errands == [Select(ADA.public_key)]
    writing.happen(selection_changed(ADA))
    assert writing.state.notice is None
    writing.press(Stroke.ENTER)
    assert sends(writing) == [Send(1, ADA, "lunch?")]


def test_undelivered_message_is_sent_again_when_they_are_back(writing: Performance) -> None:
    writing.type("lunch?")
    writing.press(Stroke.ENTER)
    writing.depart(ADA)
    writing.answer_sends(Outcome.UNDELIVERED, "recipient went offline")
    writing.press(Stroke.RESEND)
    assert len(sends(writing)) == 1
    assert "not sent" in writing.screen()
    writing.happen(Joined(ADA))
    writing.press(Stroke.ENTER)
    writing.happen(selection_changed(ADA))
    writing.press(Stroke.RESEND)
    assert sends(writing)[1:] == [Send(2, ADA, "lunch?")]
    assert "sending…" in writing.line_with("lunch?")


def test_each_person_has_a_draft_of_their_own(writing: Performance) -> None:
    writing.type("to Ada")
    writing.press(Stroke.ESCAPE)
    writing.select(BOB)
    writing.type("to Bob")
    assert writing.state.talk.draft.text == "to Bob"
    writing.press(Stroke.ESCAPE)
    writing.select(ADA)
    assert writing.state.talk.draft.text == "to Ada"


def test_own_lost_connection_confirms_nobody(writing: Performance) -> None:
    writing.type("lunch?")
    lost = ConnectionState(Phase.RECONNECTING, "reset", retry_at=103.0, retry_in_seconds=3.0)
    writing.happen(StateChanged(lost, LIVE))
    assert "confirmed online" not in writing.panel()
    assert "your own connection is lost" in writing.panel()
    writing.press(Stroke.ENTER)
    assert sends(writing) == []


def test_selection_that_fails_says_so(writing: Performance) -> None:
    writing.press(Stroke.ESCAPE)
    writing.go_to(BOB)
    writing.press(Stroke.ENTER)
    writing.happen(SelectEnded(BOB.public_key, None, "no answer within 5 s"))
    assert "no answer within 5 s" in writing.screen()
    assert not writing.state.may_send


def test_answer_about_the_one_before_changes_nothing(writing: Performance) -> None:
    writing.press(Stroke.ESCAPE)
    writing.go_to(BOB)
    writing.press(Stroke.ENTER)
    writing.happen(selection_changed(ADA), SelectEnded(ADA.public_key, None, "no answer"))
    assert writing.state.choice is not None
    assert writing.state.choice.member is BOB
    assert "asking the server" in writing.screen()


def test_unselecting_tells_the_server_and_shows_nobody(writing: Performance) -> None:
    writing.press(Stroke.ESCAPE)
    writing.errands.clear()
    writing.press(Typed("x"))
    assert writing.errands == [Select(None)]
    assert writing.state.choice is None
    assert writing.state.focus is Pane.LOBBY


def test_message_of_somebody_else_is_marked_unread_until_one_looks(writing: Performance) -> None:
    writing.hear(BOB, "hello")
    writing.hear(BOB, "there?")
    assert ">2 Bob" in writing.screen()
    writing.hear(ADA, "yes")
    assert ">1 Ada" not in writing.screen()
    writing.press(Stroke.ESCAPE)
    writing.select(BOB)
    assert ">2 Bob" not in writing.screen()
    assert "Bob: there?" in writing.screen()
