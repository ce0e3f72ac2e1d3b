"""The person that somebody has selected, and what they have been told about that.

A selection names a member in one incarnation. It is available, unavailable while the member is suspect, and cleared when the member
has gone or has come back as another incarnation; it is never made again by itself. A cleared one is remembered, since the word of it may
be lost with the stream and must then be told again. `follow` is asked after each change that the stream has been sent, so that what
is told always follows the delta that shows it.
"""

from dataclasses import dataclass, replace

from adsum.server.lobby import Lobby
from adsum.server.member import DepartureReason, Liveness
from adsum.server.messages import (
    SELECTION_REASON_OF_DEPARTURE,
    SelectionReason,
    SelectionState,
    SelectionUpdate,
)


@dataclass(frozen=True, slots=True)
class Selection:
    """A member that was selected last; `told` is the last state that the client was told, None if it must be told again."""

    public_key: bytes
    incarnation: int
    told: SelectionState | None


def select(lobby: Lobby, public_key: bytes, request_id: int) -> tuple[Selection | None, SelectionUpdate]:
    """Select a member, or clear the selection with an empty key. Returns the new selection and the answer."""
    member = lobby.member(public_key)
    if not public_key:
        state, reason = SelectionState.CLEARED, SelectionReason.BY_CLIENT
    elif member is None:
        state, reason = SelectionState.UNAVAILABLE, SelectionReason.NOT_PRESENT
    else:
        state, reason = _state_of(member.liveness)
    incarnation = member.incarnation if member else 0
    update = SelectionUpdate(request_id, public_key, incarnation, state, reason, lobby.revision)
    return (Selection(public_key, incarnation, state) if member else None), update


def follow(selection: Selection, lobby: Lobby) -> tuple[Selection, SelectionUpdate | None]:
    """Look at a selection again. Returns it as it will have been told, and what to tell if that has changed."""
    member = lobby.member(selection.public_key)
    if member is not None and member.incarnation == selection.incarnation:
        state, reason = _state_of(member.liveness)
    else:
        tombstone = lobby.tombstone(selection.public_key)
        # Somebody who is back already has no tombstone any more; that they went is all that can be said.
        departure = tombstone.reason if tombstone is not None else DepartureReason.LEFT
        state, reason = SelectionState.CLEARED, SELECTION_REASON_OF_DEPARTURE[departure]
    if state is selection.told:
        return selection, None
    return replace(selection, told=state), SelectionUpdate(
        0, selection.public_key, selection.incarnation, state, reason, lobby.revision
    )


def _state_of(liveness: Liveness) -> tuple[SelectionState, SelectionReason]:
    if liveness is Liveness.ONLINE:
        return SelectionState.AVAILABLE, SelectionReason.NONE
    return SelectionState.UNAVAILABLE, SelectionReason.SUSPECT
