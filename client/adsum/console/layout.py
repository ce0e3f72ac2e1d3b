"""Where each pane stands on a screen of any size.

Pure. Three ways to lay out the space between the status line and the footer: side by side where there is
room, stacked where there is less, and on the smallest screens only the pane in use with what must never be
hidden, the selection. Panes tile that space: no row or column belongs to two of them, or to none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import MappingProxyType

from adsum.console.inputs import Size

WIDE_COLUMNS = 118
"""From which width on the lobby and the conversation stand side by side."""
WIDE_ROWS = 16
"""From which height on they do."""
STACKED_ROWS = 13
"""From which height on more than the pane in use is shown."""
BOXED_ROWS = 24
"""From which height on stacked panes have boxes instead of mere titles."""
BOXED_COLUMNS = 56


class Pane(Enum):
    """A part of the screen."""

    LOBBY = "lobby"
    SELECTION = "selection"
    MESSAGES = "messages"
    EVENTS = "events"


class Border(Enum):
    """What surrounds a pane."""

    BOX = "box"
    RULE = "rule"
    """A title above it."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Rect:
    """Hold a place on the screen in characters; both sizes may be 0."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Hold where the panes stand."""

    body: Rect
    border: Border
    outer: Mapping[Pane, Rect]

    def shows(self, pane: Pane) -> bool:
        """Tell whether a pane is on the screen."""
        return pane in self.outer

    def inner(self, pane: Pane) -> Rect:
        """Tell the place of a pane without its border; an empty one if it isn't on the screen."""
        rect = self.outer.get(pane, Rect(0, 0, 0, 0))
        match self.border:
            case Border.BOX:
                return Rect(rect.left + 1, rect.top + 1, max(0, rect.width - 2), max(0, rect.height - 2))
            case Border.RULE:
                return Rect(rect.left, rect.top + 1, rect.width, max(0, rect.height - 1))
            case Border.NONE:
                return rect


@lru_cache(maxsize=64)
def lay_out(size: Size, *, focus: Pane, has_choice: bool, extra_rows: int) -> Layout:
    """Place the panes. `extra_rows` is how many rows notices and prompts take above and below them."""
    body = Rect(0, 1 + extra_rows, size.columns, max(0, size.rows - 2 - extra_rows))
    if body.width >= WIDE_COLUMNS and body.height >= WIDE_ROWS:
        return _wide(body)
    if body.height >= STACKED_ROWS:
        return _stacked(body, focus, has_choice)
    return _single(body, focus, has_choice)


def _wide(body: Rect) -> Layout:
    left = max(58, body.width * 62 // 100)
    right = body.width - left
    events = min(12, max(5, body.height // 4))
    selection = 4
    return Layout(
        body,
        Border.BOX,
        MappingProxyType(
            {
                Pane.LOBBY: Rect(0, body.top, left, body.height - events),
                Pane.EVENTS: Rect(0, body.top + body.height - events, left, events),
                Pane.SELECTION: Rect(left, body.top, right, selection),
                Pane.MESSAGES: Rect(left, body.top + selection, right, body.height - selection),
            }
        ),
    )


def _stacked(body: Rect, focus: Pane, has_choice: bool) -> Layout:
    border = Border.BOX if body.height >= BOXED_ROWS and body.width >= BOXED_COLUMNS else Border.RULE
    frame = 2 if border is Border.BOX else 1
    heights = {Pane.EVENTS: frame + (5 if body.height >= 28 else 3 if body.height >= 20 else 2)}
    if has_choice:
        heights[Pane.SELECTION] = frame + 2
        heights[Pane.MESSAGES] = frame + max(2, body.height * 3 // 10 - frame)
    rest = body.height - sum(heights.values())
    if focus is Pane.EVENTS:
        # Who scrolls back wants to see more than the last lines.
        more = max(0, rest - frame - 3)
        heights[Pane.EVENTS] += more
        rest -= more
    heights[Pane.LOBBY] = rest
    return Layout(body, border, _stack(body, heights))


def _single(body: Rect, focus: Pane, has_choice: bool) -> Layout:
    heights: dict[Pane, int] = {}
    if has_choice:
        heights[Pane.SELECTION] = min(2, body.height)
    pane = Pane.LOBBY if focus is Pane.SELECTION else focus
    heights[pane] = body.height - sum(heights.values())
    return Layout(body, Border.NONE, _stack(body, heights))


def _stack(body: Rect, heights: Mapping[Pane, int]) -> Mapping[Pane, Rect]:
    placed: dict[Pane, Rect] = {}
    top = body.top
    for pane in Pane:
        if pane in heights:
            placed[pane] = Rect(body.left, top, body.width, heights[pane])
            top += heights[pane]
    return MappingProxyType(placed)
