"""Who is selected, and what can truly be said about them.

Pure. The person chooses, the server confirms. A choice stands in one of four ways:

    ASKING    the server has been asked, and hasn't answered
    HELD      the server watches over it: AVAILABLE, or UNAVAILABLE for a reason
    CLEARED   it was confirmed once, and is over; nobody is selected again by itself
    FAILED    it was never confirmed

`judge` turns that into a verdict in words, and believes nothing alone: somebody is confirmed online only if
the server says so *and* the list shows them online *and* this client's own connection is live.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import assert_never

from adsum.client import (
    ConnectionState,
    Liveness,
    Member,
    Phase,
    SelectionChanged,
    SelectionReason,
    SelectionState,
)
from adsum.console.rows import Row
from adsum.console.text import Tone


class Standing(Enum):
    """How a choice stands; see the module."""

    ASKING = "asking"
    HELD = "held"
    CLEARED = "cleared"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Choice:
    """Hold whom the person has chosen; `member` is the newest that was known of them."""

    member: Member
    standing: Standing
    at: datetime
    """When it came to stand so."""
    state: SelectionState | None = None
    reason: SelectionReason = SelectionReason.NONE
    revision: int = 0
    failure: str = ""

    @property
    def public_key(self) -> bytes:
        """Whose choice it is."""
        return self.member.public_key

    @property
    def is_wanted(self) -> bool:
        """True as long as the server has been asked for it and hasn't ended it."""
        return self.standing in (Standing.ASKING, Standing.HELD)


class Truth(Enum):
    """What can be said of a choice."""

    ASKING = "asking"
    CONFIRMED = "confirmed"
    """They can be written to now. The only one of which that is so."""
    WAITING = "waiting"
    """Their connection is lost, and the server waits for them."""
    DOUBTFUL = "doubtful"
    """This client can't know now."""
    GONE = "gone"
    RETURNED = "returned"
    """The selection is over, but they are in the list: they can be selected again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Say in words what is true of a choice, and what to do about it."""

    truth: Truth
    words: str
    advice: str = ""

    @property
    def tone(self) -> Tone:
        """The tone that repeats the words."""
        return _TONES[self.truth]

    @property
    def sign(self) -> str:
        """The sign that repeats the words."""
        return _SIGNS[self.truth]


_TONES = {
    Truth.ASKING: Tone.WARNING,
    Truth.CONFIRMED: Tone.GOOD,
    Truth.WAITING: Tone.WARNING,
    Truth.DOUBTFUL: Tone.WARNING,
    Truth.GONE: Tone.BAD,
    Truth.RETURNED: Tone.WARNING,
}
_SIGNS = {
    Truth.ASKING: "…",
    Truth.CONFIRMED: "●",
    Truth.WAITING: "?",
    Truth.DOUBTFUL: "?",
    Truth.GONE: "○",
    Truth.RETURNED: "!",
}
_ENDINGS = {
    SelectionReason.LEFT: "left",
    SelectionReason.LOST: "lost the connection for good",
    SelectionReason.REMOVED: "was removed by an operator",
    SelectionReason.NOT_PRESENT: "was not here any more",
    SelectionReason.SESSION_LOST: "your own connection was lost for too long",
}
"""How a selection came to its end."""


def after_event(choice: Choice | None, event: SelectionChanged, at: datetime) -> Choice | None:
    """Tell what the server's word makes of a choice. Its word about somebody else is an old one."""
    if choice is None or choice.public_key != event.public_key:
        return choice
    cleared = event.state is SelectionState.CLEARED
    if cleared and event.reason is SelectionReason.BY_CLIENT:
        return choice
    standing = Standing.CLEARED if cleared else Standing.HELD
    return Choice(event.member or choice.member, standing, at, event.state, event.reason, event.revision)


def judge(choice: Choice, row: Row | None, connection: ConnectionState) -> Verdict:
    """Say what is true of a choice; `row` is what the list shows of the person."""
    is_here = row is not None and row.is_present
    match choice.standing:
        case Standing.ASKING if not connection.is_live:
            return Verdict(Truth.DOUBTFUL, f"not confirmed: {_own_trouble(connection)}")
        case Standing.ASKING:
            return Verdict(Truth.ASKING, "asking the server…")
        case Standing.FAILED:
            truth = Truth.RETURNED if is_here else Truth.GONE
            return Verdict(truth, choice.failure, _AGAIN if is_here else _KEPT)
        case Standing.CLEARED:
            return _judge_cleared(choice, row)
        case Standing.HELD:
            return _judge_held(choice, row, connection)
        case _:
            assert_never(choice.standing)


_AGAIN = "they are in the list: Enter selects them again"
_KEPT = "what you have written is kept"


def _judge_held(choice: Choice, row: Row | None, connection: ConnectionState) -> Verdict:
    # The server clears the selection of somebody who has gone right after it says that they have: this is
    # between the two.
    if row is None or not row.is_present:
        return Verdict(Truth.GONE, "is not in the list any more", _KEPT)
    if not connection.is_live or choice.reason is SelectionReason.NOT_CONNECTED:
        return Verdict(Truth.DOUBTFUL, f"not confirmed: {_own_trouble(connection)}", _KEPT)
    is_online = row.member.liveness is Liveness.ONLINE
    if choice.state is SelectionState.AVAILABLE and is_online:
        return Verdict(Truth.CONFIRMED, f"confirmed online (revision {choice.revision})")
    return Verdict(Truth.WAITING, "connection lost, waiting for them to come back", _KEPT)


def _judge_cleared(choice: Choice, row: Row | None) -> Verdict:
    how = _ENDINGS.get(choice.reason, "ended")
    words = f"{how} {choice.at:%H:%M:%S}: selection cleared"
    if row is not None and row.is_present:
        return Verdict(Truth.RETURNED, words, _AGAIN)
    return Verdict(Truth.GONE, words, _KEPT)


def _own_trouble(connection: ConnectionState) -> str:
    if connection.phase is Phase.STALE:
        return "the list may be old"
    return "your own connection is lost"
