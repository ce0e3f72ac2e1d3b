"""The full screen played without a terminal: things happen, keys are pressed, and the screen is read as text."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from adsum.client import (
    ConnectionState,
    DepartureReason,
    Event,
    Left,
    Member,
    MessageReceived,
    Phase,
    SelectionChanged,
    SelectionReason,
    SelectionState,
    Snapshotted,
)
from adsum.console.errands import Errand
from adsum.console.inputs import Facts, Input, Key, Moment, Outcome, SendEnded, Size, Stroke, Typed
from adsum.console.panes.selection import selection_strips
from adsum.console.reducer import reduce
from adsum.console.state import State
from adsum.console.view import render
from tests.console.people import public_key

ME = 99
"""The number of the identity whose screen it is."""
STARTED_AT = datetime(2026, 5, 9, 14, 2, 0, tzinfo=UTC)
LIVE = ConnectionState(Phase.LIVE)


class Performance:
    """Hold a state, the moment, and the errands that were sent out."""

    def __init__(self, *members: Member, columns: int = 80, rows: int = 24) -> None:
        self.state = State("team", "localhost:7557", public_key(ME), Size(columns, rows))
        self.moment = Moment(100.0, STARTED_AT)
        self.errands: list[Errand] = []
        if members:
            self.happen(Facts(LIVE, 7, is_proved=True))
            self.list(*members)

    def list(self, *members: Member) -> None:
        """Let the first list come."""
        self.happen(Snapshotted(tuple(members), 7))

    def happen(self, *happened: Event | Input) -> None:
        """Let something happen, one after the other."""
        for each in happened:
            self.state, errands = reduce(self.state, each, self.moment)
            self.errands += errands

    def press(self, *keys: Key) -> None:
        """Press keys."""
        self.happen(*keys)

    def type(self, text: str) -> None:
        """Press the keys of a text."""
        self.happen(*(Typed(character) for character in text))

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.moment = Moment(self.moment.seconds + seconds, self.moment.local + timedelta(seconds=seconds))

    def select(self, member: Member) -> None:
        """Select somebody from the lobby, and let the server confirm it."""
        self.go_to(member)
        self.press(Stroke.ENTER)
        self.happen(selection_changed(member))

    def go_to(self, member: Member) -> None:
        """Move the cursor to somebody by its keys."""
        self.press(Stroke.HOME)
        for _ in self.state.shown:
            if self.state.cursor == member.public_key:
                return
            self.press(Stroke.DOWN)
        raise AssertionError(f"the cursor never came to {member.name}")

    def depart(self, member: Member, reason: DepartureReason = DepartureReason.LEFT) -> None:
        """Let somebody go, and the selection with them if they are selected, as the server tells it."""
        self.happen(Left(member, reason, 9))
        if self.state.choice is not None and self.state.choice.public_key == member.public_key:
            self.happen(selection_changed(None, key=member.public_key, reason=SelectionReason[reason.name]))

    def hear(self, member: Member, text: str) -> None:
        """Let somebody write."""
        self.happen(MessageReceived(1, member, member.public_key, text.encode(), STARTED_AT))

    def answer_sends(self, outcome: Outcome, words: str = "") -> None:
        """Let every message that is under way have that outcome."""
        for key, talk in list(self.state.talks.items()):
            for message in talk.messages:
                if message.outcome is Outcome.SENDING:
                    self.happen(SendEnded(key, message.message_id, outcome, words))

    @property
    def cursor_name(self) -> str | None:
        """Who the cursor is on."""
        row = self.state.rows.get(self.state.cursor)
        return None if row is None else row.member.name

    def screen(self, columns: int | None = None, rows: int | None = None) -> str:
        """Read the screen as text, of its own size or another."""
        size = Size(columns or self.state.size.columns, rows or self.state.size.rows)
        return render(self.state, size, self.moment).text

    def panel(self) -> str:
        """Read what is said of the selection."""
        strips = selection_strips(self.state, 70, 2, self.moment)
        return "\n".join("".join(piece.text for piece in strip) for strip in strips)

    def line_with(self, text: str) -> str:
        """Read the one line of the screen that has a text."""
        (found,) = (line for line in self.screen().split("\n") if text in line)
        return found


def selection_changed(
    member: Member | None,
    *,
    key: bytes = b"",
    state: SelectionState | None = None,
    reason: SelectionReason = SelectionReason.NONE,
) -> SelectionChanged:
    """Make the event: confirmed for somebody who is there, cleared for somebody who isn't."""
    if state is None:
        state = SelectionState.CLEARED if member is None else SelectionState.AVAILABLE
    return SelectionChanged(member.public_key if member else key, member, state, reason, None, 9)


def names(members: Iterable[Member]) -> list[str]:
    """Read the names."""
    return [member.name for member in members]
