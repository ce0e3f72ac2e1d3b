"""The lobby's table: one row for each person, with what has just happened to them.

Pure. A narrow table loses columns from the right and keeps the sign, the name and the fingerprint, which
together tell who somebody is and whether they are there.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from adsum.client import DepartureReason
from adsum.console.canvas import Piece, Strip, cleaned, fit, pieces, styled_over, width_of
from adsum.console.inputs import Moment
from adsum.console.layout import Layout, Pane
from adsum.console.rows import Mark, Row
from adsum.console.state import State, cursor_index, has_headings, list_height, top_index
from adsum.console.table import LIVENESS_SIGNS, since_words
from adsum.console.text import Span, Tone, line
from adsum.console.wording import LIVENESS_WORDS, count_words, status_words

CURSOR = "▌"
SELECTED = "@"
UNKNOWN = "·"
"""Stands for a liveness that may have changed since this client heard of it."""
TWIN = "≠"
"""Stands before the fingerprint of somebody whose name is not theirs alone."""
LEAD = 6
"""The columns before the name: cursor, selection, mark, and three for unread messages."""
FINGERPRINT = 10
"""The sign of a namesake, and the fingerprint."""
GONE_WORDS = {DepartureReason.LEFT: "left", DepartureReason.LOST: "gone", DepartureReason.REMOVED: "removed"}
_MARK_TONES = {
    Mark.CAME: Tone.GOOD,
    Mark.GONE: Tone.BAD,
    Mark.LOST: Tone.WARNING,
    Mark.BACK: Tone.GOOD,
    Mark.CHANGED: Tone.NAME,
}


@dataclass(frozen=True, slots=True)
class Columns:
    """Hold the width of each column that isn't always there; 0 for one that isn't."""

    name: int
    fingerprint: int
    liveness: int
    status: int
    since: int
    devices: int


@dataclass(frozen=True, slots=True)
class _Look:
    """What a row looks like beside what it says."""

    columns: Columns
    is_known: bool
    is_cursor: bool
    is_in_use: bool
    is_selected: bool
    is_twin: bool
    is_me: bool
    unread: int
    since: str


@lru_cache(maxsize=64)
def columns_for(width: int) -> Columns:
    """Share out the width of the table."""
    liveness = 16 if width >= 54 else 2
    since = 9 if width >= 62 else 0
    has_status = width >= 70
    fingerprint = 12 if width >= 80 else FINGERPRINT
    devices = 4 if has_status else 0
    rest = width - LEAD - fingerprint - 1 - liveness - since - devices
    if not has_status:
        return Columns(max(1, rest), fingerprint, liveness, 0, since, devices)
    name = min(33, max(14, rest * 45 // 100))
    return Columns(name, fingerprint, liveness, rest - name, since, devices)


def lobby_strips(state: State, layout: Layout, moment: Moment) -> list[Strip]:
    """Draw the part of the list around the cursor."""
    inner = layout.inner(Pane.LOBBY)
    columns = columns_for(inner.width)
    strips = [_headings(columns)] if has_headings(layout) else []
    if not state.shown:
        return [*strips, _emptiness(state)]
    midnight = moment.local.replace(hour=0, minute=0, second=0, microsecond=0)
    selected = state.choice.public_key if state.choice is not None and state.choice.is_wanted else None
    for place in state.shown[slice(*window(state, layout))]:
        row = state.rows.by_key[place[1]]
        talk = state.talks.get(place[1])
        look = _Look(
            columns,
            is_known=state.connection.is_live,
            is_cursor=place[1] == state.cursor,
            is_in_use=state.focus is Pane.LOBBY,
            is_selected=place[1] == selected,
            is_twin=row.is_present and state.rows.has_namesake(row.member),
            is_me=place[1] == state.me,
            unread=talk.unread if talk is not None else 0,
            since=_since(row.gone_at or row.member.joined_at, midnight),
        )
        strips.append(_row_strip(row, look))
    return strips


def window(state: State, layout: Layout) -> tuple[int, int]:
    """Tell which rows are on the screen: the first, and the one after the last."""
    height = max(0, list_height(layout))
    index = cursor_index(state)
    top = 0 if index is None else top_index(len(state.shown), index, state.cursor_row, height)
    if index is not None and height:
        # The size to draw may be another than the one that the state knows.
        top = min(max(top, index - height + 1), index)
    return top, min(top + height, len(state.shown))


def lobby_title(state: State, layout: Layout) -> Strip:
    """Name the lobby, and tell how many people are there and how many of them are seen."""
    people = count_words(state.rows.present_count, "person", "people")
    title = [Piece(f"Lobby {state.lobby} · {people}")]
    if state.wanted:
        title += [Piece(f" · {len(state.shown):,} fit "), cleaned(Span(state.wanted))]
    first, end = window(state, layout)
    if end - first < len(state.shown):
        title.append(Piece(f" · {first + 1:,}-{end:,}"))
    return tuple(title)


def _headings(columns: Columns) -> Strip:
    strip: list[Piece] = [Piece(" " * LEAD), *fit((Piece("NAME"),), columns.name)]
    heading = " FINGERPRINT" if columns.fingerprint > FINGERPRINT else " KEY"
    strip += [Piece(heading.ljust(columns.fingerprint + 1))]
    for text, width in (
        ("LIVENESS", columns.liveness),
        ("STATUS", columns.status),
        ("SINCE", columns.since),
        ("DEV", columns.devices),
    ):
        if width >= len(text):
            strip += fit((Piece(text),), width)
    return styled_over(strip, "dim")


def _emptiness(state: State) -> Strip:
    if state.wanted:
        return (Piece("nobody fits the filter; Esc clears it", "yellow"),)
    return (Piece("nobody is here", "dim"),)


@lru_cache(maxsize=4096)
def _row_strip(row: Row, look: _Look) -> Strip:
    columns, member = look.columns, row.member
    strip: list[Piece] = [
        Piece(CURSOR if look.is_cursor else " "),
        Piece(SELECTED if look.is_selected else " ", "bold"),
        Piece(row.mark.value, f"bold {_MARK_TONES[row.mark].value}") if row.mark else Piece(" "),
        *_unread(look.unread),
        *_name(row, look),
        Piece(TWIN if look.is_twin else " ", "bold yellow"),
        Piece(member.fingerprint, "bold yellow" if look.is_twin else "dim"),
        Piece(" " * (columns.fingerprint - FINGERPRINT + 1)),
        *fit(_liveness(row, look), columns.liveness),
    ]
    if columns.status:
        status = cleaned(Span(status_words(member.profile)))
        strip += [*fit((status,), columns.status - 1), Piece(" ")]
    if columns.since:
        strip += fit((Piece(look.since),), columns.since)
    if columns.devices:
        strip += [*fit((Piece(str(member.session_count)),), columns.devices - 1, right=True), Piece(" ")]
    if not row.is_present:
        return styled_over(strip, "dim")
    if look.is_cursor:
        return styled_over(strip, "reverse" if look.is_in_use else "bold")
    return tuple(strip)


def _unread(count: int) -> Strip:
    if not count:
        return (Piece("   "),)
    return (Piece(f">{count if count < 10 else '9+'}".ljust(3), "bold magenta"),)


def _name(row: Row, look: _Look) -> Strip:
    name = cleaned(Span(row.member.name, Tone.NAME))
    own = (Piece(" (you)", "cyan"),) if look.is_me else ()
    room = max(1, look.columns.name - width_of(own))
    if width_of((name,)) < room:
        return fit((name, *own), look.columns.name)
    return fit((*fit((name,), room), *own), look.columns.name)


def _liveness(row: Row, look: _Look) -> Strip:
    liveness = row.member.liveness
    if not row.is_present:
        sign, words, tone = "○", GONE_WORDS.get(row.reason or DepartureReason.LEFT, "gone"), Tone.BAD
    elif not look.is_known:
        sign, words, tone = UNKNOWN, f"was {LIVENESS_WORDS[liveness]}", Tone.QUIET
    else:
        (sign, tone), words = LIVENESS_SIGNS[liveness], LIVENESS_WORDS[liveness]
    if look.columns.liveness < 4:
        return (Piece(sign, tone.value),)
    return pieces(line(sign, Span(words, tone), tone=tone))


@lru_cache(maxsize=8192)
def _since(then: datetime, midnight: datetime) -> str:
    words = since_words(then, midnight)
    # The column is for the time of today; what is older has the day.
    return words if len(words) <= 8 else words[5:10]
