"""Each event in words."""

import pytest

from adsum.client import (
    Back,
    ConnectionState,
    DepartureReason,
    Event,
    Joined,
    Left,
    MessageReceived,
    Overflowed,
    Phase,
    Reason,
    Receipt,
    RepairCause,
    Repaired,
    RequestRefused,
    SelectionChanged,
    SelectionReason,
    SelectionState,
    Snapshotted,
    StateChanged,
    Status,
    Suspect,
    Updated,
)
from adsum.console.text import plain
from adsum.console.wording import (
    duration_words,
    event_line,
    is_worth_a_line,
    receipt_line,
    selection_line,
    state_line,
)
from tests.console.people import JOINED_AT, member, public_key

ADA = member()
WHO = f"Ada ({ADA.fingerprint})"
LIVE = ConnectionState(Phase.LIVE)


def selection(state: SelectionState, reason: SelectionReason, *, gone: bool = False) -> SelectionChanged:
    return SelectionChanged(ADA.public_key, None if gone else ADA, state, reason, None, 9)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Snapshotted((ADA,), 7), "# 1 person is here"),
        (Snapshotted((), 7), "# 0 people are here"),
        (Joined(ADA), f"+ {WHO} came"),
        (
            Joined(member(status=Status.BUSY, status_text="in a meeting")),
            f"+ {WHO} came, busy: in a meeting",
        ),
        (Left(ADA, DepartureReason.LEFT, 8), f"- {WHO} left"),
        (Left(ADA, DepartureReason.LOST, 8), f"- {WHO} is gone: the connection was lost for good"),
        (Left(ADA, DepartureReason.REMOVED, 8), f"- {WHO} was removed by an operator"),
        (Suspect(ADA), f"? {WHO} lost the connection and may come back"),
        (Back(ADA), f"! {WHO} is back"),
        (
            Updated(member(status=Status.AWAY, status_text="lunch"), ADA),
            f"* {WHO} is now away: lunch",
        ),
        (
            Updated(member("Grace", session_count=2), ADA),
            f"* {WHO} is now called Grace, is here on 2 devices",
        ),
        (Updated(member(attributes={"a": "b"}), ADA), f"* {WHO} changed their attributes"),
        (Updated(ADA, ADA), f"* {WHO} changed"),
        (MessageReceived(1, ADA, ADA.public_key, b"hi", JOINED_AT), f"> {WHO}: hi"),
        (
            MessageReceived(1, None, public_key(1), "é".encode()[:1], JOINED_AT),
            f"> somebody ({ADA.fingerprint}): \ufffd",
        ),
        (StateChanged(LIVE, ConnectionState(Phase.CONNECTING)), "# connected: the list is live"),
        (
            Repaired(RepairCause.DIGEST, 1, 2, 3, 9),
            "# the list was read again (digest): 1 came, 2 changed, 3 went",
        ),
        (Overflowed(1), "# 1 change came too fast to be told; the list itself is right"),
        (
            RequestRefused(4, Reason.BAD_NAME, "no such name"),
            "# the server refused a request: no such name",
        ),
    ],
)
def test_event_is_told_in_one_line(event: Event, words: str) -> None:
    assert plain(event_line(event)) == words


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (ConnectionState(Phase.CONNECTING), "# connecting"),
        (
            ConnectionState(Phase.RECONNECTING, "no answer", 100.0, 3.2),
            "# connection lost, reconnecting in 3.2 s: no answer",
        ),
        (ConnectionState(Phase.RECONNECTING), "# connection lost, reconnecting"),
        (ConnectionState(Phase.STALE, "silence"), "# the list may be old: silence"),
        (ConnectionState(Phase.DEGRADED, "trouble"), "# trouble: the list may be behind"),
        (ConnectionState(Phase.DEGRADED), "# the server has trouble: the list may be behind"),
        (ConnectionState(Phase.CLOSED), "# disconnected"),
    ],
)
def test_own_connection_is_told_in_words(state: ConnectionState, words: str) -> None:
    assert plain(state_line(state)) == words


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            selection(SelectionState.AVAILABLE, SelectionReason.NONE),
            f"@ {WHO} is selected and confirmed online",
        ),
        (
            selection(SelectionState.UNAVAILABLE, SelectionReason.SUSPECT),
            f"@ {WHO} is not available: their connection is lost, and they may come back",
        ),
        (
            selection(SelectionState.UNAVAILABLE, SelectionReason.NOT_CONNECTED),
            f"@ {WHO} is not available: your own connection is lost",
        ),
        (
            selection(SelectionState.CLEARED, SelectionReason.LEFT, gone=True),
            f"@ {WHO} is no longer selected: they left",
        ),
        (selection(SelectionState.CLEARED, SelectionReason.BY_CLIENT), f"@ {WHO} is no longer selected"),
    ],
)
def test_selection_is_told_by_the_name_known_before(event: SelectionChanged, words: str) -> None:
    assert plain(selection_line(event, ADA)) == words


def test_every_reason_of_an_ended_selection_but_ones_own_is_told() -> None:
    untold = {SelectionReason.NONE, SelectionReason.BY_CLIENT}
    for reason in set(SelectionReason) - untold:
        assert ": " in plain(selection_line(selection(SelectionState.CLEARED, reason), ADA))


@pytest.mark.parametrize(
    ("state", "before", "is_told"),
    [
        (ConnectionState(Phase.RECONNECTING), LIVE, True),
        (ConnectionState(Phase.RECONNECTING), ConnectionState(Phase.RECONNECTING), False),
        (ConnectionState(Phase.RECONNECTING, "", 9.0, 0.4), ConnectionState(Phase.RECONNECTING), False),
        (ConnectionState(Phase.RECONNECTING, "", 9.0, 4.0), ConnectionState(Phase.RECONNECTING), True),
        (LIVE, ConnectionState(Phase.RECONNECTING), True),
    ],
)
def test_only_long_waits_are_told_while_reconnecting(
    state: ConnectionState, before: ConnectionState, *, is_told: bool
) -> None:
    assert is_worth_a_line(StateChanged(state, before)) is is_told


def test_every_kind_of_event_has_its_own_sign() -> None:
    events = (Joined(ADA), Left(ADA, DepartureReason.LEFT, 8), Suspect(ADA), Back(ADA), Updated(ADA, ADA))
    assert len({event_line(event).sign for event in events}) == len(events)


def test_delivery_is_told_with_the_fingerprint_and_the_time_it_took() -> None:
    receipt = Receipt(1, ADA.public_key, 9, 0.0123)
    assert plain(receipt_line(ADA, receipt)) == f"< delivered to {WHO} in 12 ms"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "1 ms"), (0.0123, "12 ms"), (0.9994, "999 ms"), (0.9999, "1.0 s"), (3.44, "3.4 s")],
)
def test_durations_read_well(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words
