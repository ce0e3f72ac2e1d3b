"""What happens to the full screen beside the library's events: keys, time, sizes, and how errands ended.

Values only. An input carries what was true when it was made; when it is taken in is told by a `Moment`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from adsum.client import ConnectionState, Member, Selection, SnapshotProgress


@dataclass(frozen=True, slots=True)
class Size:
    """Hold the size of a terminal in characters."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Hold one instant on two clocks."""

    seconds: float
    """By a clock that doesn't go back: the event loop's, which `ConnectionState.retry_at` is told by."""
    local: datetime
    """As a person reads it, with its time zone."""


class Stroke(Enum):
    """A key that isn't text."""

    UP = "up"
    DOWN = "down"
    LEFT = "left"
    RIGHT = "right"
    PAGE_UP = "pageup"
    PAGE_DOWN = "pagedown"
    HOME = "home"
    END = "end"
    ENTER = "c-m"
    ESCAPE = "escape"
    TAB = "c-i"
    BACK_TAB = "s-tab"
    BACKSPACE = "c-h"
    DELETE = "delete"
    INTERRUPT = "c-c"
    REPAINT = "c-l"
    SUSPEND = "c-z"
    RESEND = "c-r"
    LINE_START = "c-a"
    LINE_END = "c-e"
    ERASE_LINE = "c-u"
    ERASE_WORD = "c-w"
    HANG_UP = "hang-up"
    """The terminal is gone: nothing will be typed any more."""


@dataclass(frozen=True, slots=True)
class Typed:
    """One character that was typed."""

    text: str


@dataclass(frozen=True, slots=True)
class Pasted:
    """A text that came at once: nothing in it is a key."""

    text: str


Key = Stroke | Typed | Pasted


@dataclass(frozen=True, slots=True)
class Resized:
    """The terminal has another size."""

    size: Size


@dataclass(frozen=True, slots=True)
class Facts:
    """What the library says about the connection and the list at this moment."""

    connection: ConnectionState
    revision: int = 0
    is_proved: bool = False
    round_trip_seconds: float | None = None
    progress: SnapshotProgress | None = None


@dataclass(frozen=True, slots=True)
class Relisted:
    """The whole list, read again because changes were dropped."""

    members: tuple[Member, ...]
    selection: Selection | None


@dataclass(frozen=True, slots=True)
class SelectEnded:
    """The server has answered a `Select`, or nobody has: `failure` says why in words, or is empty."""

    public_key: bytes
    selection: Selection | None
    failure: str = ""


class Outcome(Enum):
    """What became of a message."""

    RECEIVED = "received"
    SENDING = "sending"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class SendEnded:
    """A message has an outcome, told in `words`."""

    recipient: bytes
    message_id: int
    outcome: Outcome
    words: str


@dataclass(frozen=True, slots=True)
class UpdateFailed:
    """What the person wanted to say about themselves was not taken."""

    words: str


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Nothing has happened but time."""


Input = Key | Resized | Facts | Relisted | SelectEnded | SendEnded | UpdateFailed | TimePassed
