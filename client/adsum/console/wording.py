"""What each event is called in words: one event, one line.

Pure: an event in, a line out. The sign at the start says the kind of event without colour: `+` came, `-`
went, `?` lost the connection, `!` is back, `*` changed, `>` wrote to you, `@` your selection, `#` your own
connection. Names and texts are put in as they came; the boundary in `text` cleans them.
"""

from typing import assert_never

from adsum.client import (
    Back,
    ConnectionState,
    DepartureReason,
    Event,
    Joined,
    Left,
    Liveness,
    Member,
    MessageReceived,
    Overflowed,
    Phase,
    Profile,
    Receipt,
    Repaired,
    RequestRefused,
    Selection,
    SelectionChanged,
    SelectionReason,
    SelectionState,
    Snapshotted,
    StateChanged,
    Status,
    Suspect,
    Updated,
    fingerprint,
)
from adsum.console.text import Line, Span, Tone, line, words

LONG_WAIT_SECONDS = 1.0
"""From which wait on a person is told when the next attempt to reconnect comes: shorter ones are over before they are read."""
STATUS_WORDS = {Status.AVAILABLE: "available", Status.AWAY: "away", Status.BUSY: "busy"}
"""What a status is called, here, in tables and when typed."""
LIVENESS_WORDS = {Liveness.ONLINE: "online", Liveness.SUSPECT: "reconnecting…"}
"""What a liveness is called."""
SELECTION_REASON_WORDS = {
    SelectionReason.SUSPECT: "their connection is lost, and they may come back",
    SelectionReason.NOT_PRESENT: "they are not here",
    SelectionReason.LEFT: "they left",
    SelectionReason.LOST: "their connection was lost for good",
    SelectionReason.REMOVED: "an operator removed them",
    SelectionReason.NOT_CONNECTED: "your own connection is lost",
    SelectionReason.SESSION_LOST: "your own connection was lost for too long",
}
"""Why a selection is not, or no longer, available. Where nothing stands, the person did it themselves."""
DEPARTURE_WORDS = {
    DepartureReason.LEFT: "left",
    DepartureReason.LOST: "is gone: the connection was lost for good",
    DepartureReason.REMOVED: "was removed by an operator",
}
"""How a member went."""


def event_line(event: Event) -> Line:
    """Tell an event in one line."""
    match event:
        case Snapshotted(members=members):
            return line("#", count_words(len(members), "person is", "people are"), " here")
        case Joined(member=member):
            return line("+", *member_spans(member), " came", _status_note(member.profile), tone=Tone.GOOD)
        case Left(member=member, reason=reason):
            return line("-", *member_spans(member), " ", DEPARTURE_WORDS.get(reason, "left"), tone=Tone.BAD)
        case Suspect(member=member):
            return line(
                "?", *member_spans(member), " lost the connection and may come back", tone=Tone.WARNING
            )
        case Back(member=member):
            return line("!", *member_spans(member), " is back", tone=Tone.GOOD)
        case Updated(member=member, before=before):
            return line("*", *member_spans(before), " ", change_words(before, member))
        case MessageReceived(sender=sender, sender_key=sender_key, payload=payload):
            return line(">", *person_spans(sender, sender_key), ": ", words(payload), tone=Tone.NAME)
        case SelectionChanged():
            return selection_line(event, event.member)
        case StateChanged(state=state):
            return state_line(state)
        case Repaired(cause=cause, joined=joined, updated=updated, left=left):
            return line(
                "#",
                f"the list was read again ({cause.value}): {joined} came, {updated} changed, {left} went",
                tone=Tone.WARNING,
            )
        case Overflowed(dropped=dropped):
            return line(
                "#",
                f"{count_words(dropped, 'change', 'changes')} came too fast to be told; the list itself is right",
                tone=Tone.WARNING,
            )
        case RequestRefused(message=message):
            return line("#", "the server refused a request: ", message, tone=Tone.BAD)
        case _:
            assert_never(event)


def is_worth_a_line(event: Event) -> bool:
    """Tell whether a person wants to read an event: of many attempts to reconnect, only those with a long wait before them."""
    match event:
        case StateChanged(state=ConnectionState(phase=Phase.RECONNECTING) as state, before=before):
            return (
                before.phase is not Phase.RECONNECTING or (state.retry_in_seconds or 0.0) >= LONG_WAIT_SECONDS
            )
        case _:
            return True


def member_spans(member: Member) -> tuple[Span, ...]:
    """Name a member: the name they claim, and beside it the fingerprint of the key they have proved."""
    return Span(member.name, Tone.NAME), Span(f" ({member.fingerprint})", Tone.QUIET)


def person_spans(member: Member | None, public_key: bytes) -> tuple[Span, ...]:
    """Name a member, or somebody of whom only the key is known."""
    return (
        member_spans(member)
        if member is not None
        else (Span(f"somebody ({fingerprint(public_key)})", Tone.QUIET),)
    )


def change_words(before: Member, after: Member) -> str:
    """Tell what is different between two records of one member."""
    changes = []
    if after.name != before.name:
        changes.append(f"is now called {after.name}")
    old, new = before.profile, after.profile
    if (old.status, old.status_text) != (new.status, new.status_text):
        changes.append(f"is now {status_words(new)}")
    if old.attributes != new.attributes:
        changes.append("changed their attributes")
    if after.session_count != before.session_count:
        changes.append(f"is here on {count_words(after.session_count, 'device', 'devices')}")
    return ", ".join(changes) or "changed"


def status_words(profile: Profile) -> str:
    """Tell a status with its text."""
    status = STATUS_WORDS[profile.status]
    return f"{status}: {profile.status_text}" if profile.status_text else status


def selection_line(selection: Selection | SelectionChanged, member: Member | None) -> Line:
    """Tell whether the selected member can still be written to, in words that leave no doubt.

    `member` is what is known of them: an event has no record of somebody who has gone.
    """
    who = person_spans(member, selection.public_key)
    why = SELECTION_REASON_WORDS.get(selection.reason, "")
    match selection.state:
        case SelectionState.AVAILABLE:
            return line("@", *who, " is selected and confirmed online", tone=Tone.GOOD)
        case SelectionState.UNAVAILABLE:
            return line("@", *who, " is not available: ", why, tone=Tone.WARNING)
        case SelectionState.CLEARED:
            return line("@", *who, " is no longer selected", f": {why}" if why else "", tone=Tone.BAD)
        case _:
            assert_never(selection.state)


def state_line(state: ConnectionState) -> Line:
    """Tell how one's own connection is."""
    why = f": {state.cause}" if state.cause else ""
    match state.phase:
        case Phase.CONNECTING:
            return line("#", "connecting", why, tone=Tone.WARNING)
        case Phase.LIVE:
            return line("#", "connected: the list is live", tone=Tone.GOOD)
        case Phase.RECONNECTING:
            wait = state.retry_in_seconds
            when = f" in {wait:.1f} s" if wait else ""
            return line("#", f"connection lost, reconnecting{when}", why, tone=Tone.WARNING)
        case Phase.STALE:
            return line("#", "the list may be old", why, tone=Tone.WARNING)
        case Phase.DEGRADED:
            return line(
                "#", f"{state.cause or 'the server has trouble'}: the list may be behind", tone=Tone.WARNING
            )
        case Phase.CLOSED:
            return line("#", "disconnected", why)
        case _:
            assert_never(state.phase)


def receipt_line(recipient: Member, receipt: Receipt) -> Line:
    """Tell that a message has arrived."""
    return line(
        "<",
        "delivered to ",
        *member_spans(recipient),
        f" in {duration_words(receipt.round_trip_seconds)}",
        tone=Tone.GOOD,
    )


def duration_words(seconds: float) -> str:
    """Tell a duration as a person would: `12 ms`, `3.4 s`."""
    return f"{max(1, round(seconds * 1000))} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


def count_words(count: int, one: str, many: str) -> str:
    """Put a number before the noun that fits it."""
    return f"{count:,} {one if count == 1 else many}"


def _status_note(profile: Profile) -> str:
    is_plain = profile.status is Status.AVAILABLE and not profile.status_text
    return "" if is_plain else f", {status_words(profile)}"
