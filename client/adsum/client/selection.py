"""What the application has selected, as far as the server has confirmed it. Pure.

The server decides. The library adds three things, all in the direction of doubt: while its own connection is
lost nobody is AVAILABLE, a selection whose session ended is CLEARED, and nobody is AVAILABLE whom the list
doesn't show online. The list is told first, and what that means for the selection by the next message: in
between `current` is ahead of the events, as the roster is, and the server's word is still the only event.
After a resume the server says again who is selected, before its first heartbeat. Until then the doubt stays,
and silence means that nobody is: a Select whose answer was lost may have ended the selection known here.
Nothing is ever selected again by itself.
"""

from dataclasses import replace

from adsum.client.events import Selection, SelectionChanged
from adsum.client.messages import SelectionReason, SelectionState, SelectionUpdate
from adsum.client.roster import Roster


class SelectionKeeper:
    """Keep the selection of one session."""

    def __init__(self, roster: Roster) -> None:
        """Select nothing."""
        self._roster = roster
        self._told: Selection | None = None
        """The selection as the events tell it."""

    @property
    def current(self) -> Selection | None:
        """The selection at this moment: what was told last, or less if the list shows less."""
        told = self._told
        if told is None or not told.is_available:
            return told
        member = self._roster.get(told.public_key)
        if member is None or member.incarnation != told.incarnation:
            return replace(told, state=SelectionState.UNAVAILABLE, reason=SelectionReason.NOT_PRESENT)
        if not member.is_available:
            return replace(told, state=SelectionState.UNAVAILABLE, reason=SelectionReason.SUSPECT)
        return told

    def receive(self, update: SelectionUpdate) -> list[SelectionChanged]:
        """Take in what the server says. Nothing follows if it says nothing new."""
        selection = _selection_after(update)
        if selection is not None:
            return self._become(selection, update.revision)
        if self._told is None:
            return []
        about_current = update.public_key in (self._told.public_key, b"")
        if update.state is SelectionState.CLEARED and not about_current:
            # The farewell of an earlier selection, after the next one was confirmed.
            return []
        reason = update.reason if about_current else SelectionReason.BY_CLIENT
        return self._clear(reason, update.revision)

    def lost(self, revision: int) -> list[SelectionChanged]:
        """Doubt the selection, because the connection is lost."""
        if self._told is None:
            return []
        doubted = replace(self._told, state=SelectionState.UNAVAILABLE, reason=SelectionReason.NOT_CONNECTED)
        return self._become(doubted, revision)

    def resumed(self, revision: int) -> list[SelectionChanged]:
        """Note that the server has said all that it says after a resume: the selection that it has not confirmed is cleared."""
        if self._told is None or self._told.reason is not SelectionReason.NOT_CONNECTED:
            return []
        return self._clear(SelectionReason.BY_CLIENT, revision)

    def session_lost(self, revision: int) -> list[SelectionChanged]:
        """Clear the selection, because the session that held it has ended."""
        return [] if self._told is None else self._clear(SelectionReason.SESSION_LOST, revision)

    def _become(self, selection: Selection, revision: int) -> list[SelectionChanged]:
        before, self._told = self._told, selection
        if before == selection:
            return []
        was = None if before is None else before.state
        member = self._roster.get(selection.public_key)
        return [
            SelectionChanged(selection.public_key, member, selection.state, selection.reason, was, revision)
        ]

    def _clear(self, reason: SelectionReason, revision: int) -> list[SelectionChanged]:
        assert self._told is not None
        before, self._told = self._told, None
        member = self._roster.get(before.public_key)
        cleared = SelectionState.CLEARED
        return [SelectionChanged(before.public_key, member, cleared, reason, before.state, revision)]


def _selection_after(update: SelectionUpdate) -> Selection | None:
    is_held = update.state is SelectionState.AVAILABLE or (
        update.state is SelectionState.UNAVAILABLE and update.reason is not SelectionReason.NOT_PRESENT
    )
    if not is_held or not update.public_key:
        return None
    return Selection(update.public_key, update.incarnation, update.state, update.reason)
