"""What the full screen knows: one frozen value, and what always holds of it.

Pure. `settle` restores, after any change, what must hold: the cursor is on somebody who is present and shown,
or on nobody; it keeps its row on the screen while others come and go around it; what is read is not unread.
What events do to the state is told in `news`, what keys do in `keys`; `reducer` is the front door.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import chain
from math import ceil

from adsum.client import ConnectionState, Member, Phase, Status
from adsum.console.choice import Choice, Truth, Verdict, judge
from adsum.console.editor import Editor
from adsum.console.feed import Feed
from adsum.console.inputs import Facts, Size
from adsum.console.layout import Layout, Pane, lay_out
from adsum.console.rows import Place, Row, Rows, place_of
from adsum.console.talk import Talk, Talks, with_talk
from adsum.console.text import Line

HINT_SECONDS = 4.0
"""How long a hint stays."""
SPINNER_SECONDS = 0.1
"""How long each picture of a spinner stands."""


@dataclass(frozen=True, slots=True)
class FilterPrompt:
    """A filter is being typed."""

    editor: Editor


@dataclass(frozen=True, slots=True)
class StatusPrompt:
    """One's own status is being chosen, and its text typed."""

    status: Status
    editor: Editor


@dataclass(frozen=True, slots=True)
class HelpPage:
    """The help is open, scrolled by some lines."""

    top: int = 0


Prompt = FilterPrompt | StatusPrompt | HelpPage


class Leaving(Enum):
    """Whether the person wants to leave."""

    NO = "no"
    AFTER_SENDING = "after sending"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class Hint:
    """Hold a word to the person that goes away by itself."""

    shown: Line
    until: float


@dataclass(frozen=True, slots=True)
class State:
    """Hold everything that the screen shows."""

    lobby: str
    server: str
    me: bytes
    size: Size
    facts: Facts = field(default_factory=lambda: Facts(ConnectionState(Phase.CONNECTING)))
    has_list: bool = False
    """True once the first list has come."""
    rows: Rows = field(default_factory=Rows)
    wanted: str = ""
    """The filter; empty for none."""
    shown: Sequence[Place] = ()
    """The places of the rows that the filter lets through."""
    cursor: bytes | None = None
    cursor_row: int = 0
    """How far below the top of the list, as it is seen, the cursor stands."""
    is_steered: bool = False
    """True once the person has moved the cursor. Until then it prefers others: nobody writes to themselves."""
    displaced: bytes | None = None
    """Who went from under the cursor, which then moved by itself: who meant them must not get somebody else."""
    focus: Pane = Pane.LOBBY
    prompt: Prompt | None = None
    choice: Choice | None = None
    talks: Talks = field(default_factory=dict)
    talk_scroll: int = 0
    """How many lines of the conversation are below the screen."""
    feed: Feed = ()
    feed_scroll: int = 0
    notice: Line | None = None
    """What must not be missed. It stays until the person dismisses it."""
    hint: Hint | None = None
    leaving: Leaving = Leaving.NO
    next_message: int = 1

    @property
    def layout(self) -> Layout:
        """Where the panes stand."""
        return self.layout_for(self.size)

    def layout_for(self, size: Size) -> Layout:
        """Tell where the panes would stand on a screen of that size."""
        extra_rows = (self.notice is not None) + (self.hint is not None) + self.has_prompt_row
        return lay_out(size, focus=self.focus, has_choice=self.choice is not None, extra_rows=extra_rows)

    @property
    def has_prompt_row(self) -> bool:
        """True if something is being typed above the footer."""
        return isinstance(self.prompt, FilterPrompt | StatusPrompt)

    @property
    def connection(self) -> ConnectionState:
        """How this client is connected."""
        return self.facts.connection

    @property
    def myself(self) -> Member | None:
        """One's own record in the list."""
        return self.rows.present(self.me)

    @property
    def verdict(self) -> Verdict | None:
        """What is true of the choice; None if there is none."""
        if self.choice is None:
            return None
        return judge(self.choice, self.rows.get(self.choice.public_key), self.connection)

    @property
    def may_send(self) -> bool:
        """True if a text may go out: only to somebody who is confirmed at this moment."""
        verdict = self.verdict
        return verdict is not None and verdict.truth is Truth.CONFIRMED

    @property
    def talk(self) -> Talk:
        """The conversation with the person chosen; an empty one if nobody is."""
        return Talk() if self.choice is None else self.talks.get(self.choice.public_key, Talk())

    @property
    def is_sending(self) -> bool:
        """True while the outcome of any message isn't known."""
        return any(talk.is_sending for talk in self.talks.values())

    def with_talk(self, public_key: bytes, talk: Talk) -> "State":
        """Put a conversation in."""
        return replace(self, talks=with_talk(self.talks, public_key, talk))

    def hinting(self, shown: Line, now: float) -> "State":
        """Say a word to the person."""
        return replace(self, hint=Hint(shown, now + HINT_SECONDS))


def seconds_to_retry(state: State, now: float) -> int:
    """Tell how many seconds, begun ones included, it is until the next attempt to connect; 0 if none is planned."""
    retry_at = state.connection.retry_at
    return 0 if retry_at is None else max(0, ceil(retry_at - now))


def is_waiting(state: State) -> bool:
    """Tell whether something is under way that the person waits for: what a spinner stands for."""
    connection = state.connection
    is_trying = connection.phase in (Phase.RECONNECTING, Phase.STALE) and connection.retry_at is None
    return (
        not state.has_list or state.facts.progress is not None or is_trying or state.leaving is not Leaving.NO
    )


def list_height(layout: Layout) -> int:
    """Tell how many rows of the lobby fit; where there is room, the headings take one."""
    height = layout.inner(Pane.LOBBY).height
    return height - 1 if has_headings(layout) else height


def has_headings(layout: Layout) -> bool:
    """Tell whether the table has headings."""
    return layout.inner(Pane.LOBBY).height >= 5


def index_of(shown: Sequence[Place], place: Place) -> int | None:
    """Find a place among those that are shown."""
    index = bisect_left(shown, place)
    return index if index < len(shown) and shown[index] == place else None


def cursor_index(state: State) -> int | None:
    """Tell which of the shown rows the cursor is on."""
    row = state.rows.get(state.cursor)
    return None if row is None else index_of(state.shown, place_of(row.member))


def top_index(shown_count: int, index: int, cursor_row: int, height: int) -> int:
    """Tell which row is the first on the screen, so that the cursor keeps its row there if that is possible."""
    return max(0, min(index - cursor_row, shown_count - height))


def is_free(rows: Mapping[bytes, Row], place: Place) -> bool:
    """Tell whether the cursor may stand there: on somebody who is present."""
    return rows[place[1]].is_present


def settle(state: State, before: State) -> State:
    """Restore what must hold, after a change of the state before."""
    if state is before:
        return state
    if state.rows is not before.rows or state.wanted != before.wanted:
        state = replace(state, shown=state.rows.matching(state.wanted))
    state = _settle_cursor(state, before)
    if state.feed_scroll and len(state.feed) > len(before.feed):
        # Who reads what was earlier isn't moved by what comes.
        state = replace(state, feed_scroll=state.feed_scroll + len(state.feed) - len(before.feed))
    if state.choice is not None and state.layout.shows(Pane.MESSAGES):
        talk = state.talks.get(state.choice.public_key)
        if talk is not None and talk.unread:
            state = state.with_talk(state.choice.public_key, replace(talk, unread=0))
    return state


def _settle_cursor(state: State, before: State) -> State:
    index = cursor_index(state)
    is_parked = state.cursor == state.me and not state.is_steered
    if index is None or is_parked or not is_free(state.rows.by_key, state.shown[index]):
        index = _nearest(state, before)
        if index is None:
            return state if state.cursor is None else replace(state, cursor=None, cursor_row=0)
    cursor = state.shown[index][1]
    height = list_height(state.layout)
    cursor_row = state.cursor_row
    if height > 0:
        cursor_row = min(index - top_index(len(state.shown), index, cursor_row, height), height - 1)
    if (cursor, cursor_row) == (state.cursor, state.cursor_row):
        return state
    left = state.rows.get(state.cursor)
    displaced = state.cursor if left is not None and not left.is_present else state.displaced
    return replace(state, cursor=cursor, cursor_row=max(0, cursor_row), displaced=displaced)


def _nearest(state: State, before: State) -> int | None:
    """Find who is nearest to where the cursor was: the next who is present, or else the one before."""
    row = state.rows.get(state.cursor) or before.rows.get(state.cursor)
    start = 0 if row is None else bisect_left(state.shown, place_of(row.member))
    by_key = state.rows.by_key
    own: int | None = None
    for index in chain(range(start, len(state.shown)), range(start - 1, -1, -1)):
        if not is_free(by_key, state.shown[index]):
            continue
        if state.is_steered or state.shown[index][1] != state.me:
            return index
        own = index
    return own
