"""What is true of one session, through all its streams: its selection, its requests, its tokens.

The selection's rules (P7):

    A Select is answered in turn, by what the list shows: AVAILABLE, UNAVAILABLE (suspect, or not there), CLEARED.
    When the list shows that this isn't so any more, the very next message says so, and not before.
    Who has gone, or is back in another incarnation, is cleared; nobody is selected by itself.
    It survives a resume and ends with the session.
"""

from collections import deque
from dataclasses import dataclass, field

from adsum.v1 import presence_pb2 as pb
from tests.model.lobby import Roster
from tests.model.messages import Letter
from tests.model.promises import Checks


@dataclass(slots=True)
class SelectionModel:
    """Who is selected as far as the client was told: key, incarnation, and whether available."""

    checks: Checks
    told: tuple[bytes, int, bool] | None = None
    asked: deque[tuple[int, bytes]] = field(default_factory=deque)
    doubtful: set[bytes] = field(default_factory=set)
    """Who may have been selected by a Select whose answer was lost with its stream; empty for nobody."""

    def begin_stream(self) -> None:
        """Go on after a resume: what was asked and not answered may have been done."""
        self.doubtful |= {key for _, key in self.asked}
        self.asked.clear()

    def agrees(self, members: Roster) -> bool:
        """Tell whether what was told fits a list."""
        if self.told is None or self.doubtful:
            return True
        key, incarnation, is_available = self.told
        record = members.get(key)
        return record is not None and record.incarnation == incarnation and record.is_online is is_available

    def answer(self, update: pb.SelectionUpdate, members: Roster) -> None:
        """Take in what a server says, to a stream that holds this list."""
        checks = self.checks
        record = members.get(update.public_key)
        is_same = record is not None and record.incarnation == update.incarnation
        is_online = record is not None and record.is_online
        selected: tuple[bytes, int, bool] | None = None
        match update.state, update.reason:
            case pb.SELECTION_STATE_AVAILABLE, _:
                checks.that("P7", is_same and is_online, "AVAILABLE, but the list shows nobody online")
                selected = (update.public_key, update.incarnation, True)
            case pb.SELECTION_STATE_UNAVAILABLE, pb.SELECTION_REASON_NOT_PRESENT:
                checks.that(
                    "P7", record is None and update.request_id, "NOT_PRESENT, but the list shows them"
                )
            case pb.SELECTION_STATE_UNAVAILABLE, _:
                checks.that("P7", is_same and not is_online, "UNAVAILABLE, but the list shows them online")
                selected = (update.public_key, update.incarnation, False)
            case pb.SELECTION_STATE_CLEARED, pb.SELECTION_REASON_BY_CLIENT:
                checks.that(
                    "P7",
                    update.request_id and not update.public_key,
                    "cleared by the client, who never asked",
                )
            case pb.SELECTION_STATE_CLEARED, _:
                checks.that("P7", not is_same and not update.request_id, "CLEARED, but they are still there")
            case _:
                checks.that("P7", False, "a selection without a state")
        if update.request_id:
            asked = self.asked.popleft() if self.asked else None
            checks.that("P7", asked == (update.request_id, update.public_key), "an answer out of turn")
            self.doubtful.clear()
        elif selected is not None:
            was = self.told[:2] if self.told is not None else None
            may = selected[:2] == was or update.public_key in self.doubtful
            checks.that("P7", may, "somebody was selected by themselves")
        self.told = selected


@dataclass(slots=True, eq=False)
class SessionModel:
    """One session. `tokens` continue it: the newest, and the one before as long as nothing was heard since."""

    id: bytes
    key: bytes
    selection: SelectionModel
    tokens: list[bytes] = field(default_factory=list)
    letters: dict[int, Letter] = field(default_factory=dict)
    pending: dict[int, bytes] = field(default_factory=dict)
    """The deliveries that were handed over and not acknowledged: id and payload."""
    has_left: bool = False
