"""What a screen is made of: strips of pieces, each as wide as it must be.

Pure. A piece is a clean text with a style, a strip is one line of pieces; `pieces` makes them from a `Line`,
through the boundary in `text`. A `Frame` is a whole screen, and the only thing here that Rich prints.

A terminal may disagree with us about how wide a character is. So that no name can break the screen, a frame
says where each line starts, keeps the terminal from wrapping, and after each text with characters that are
doubtful says in which column it goes on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import ControlType, Segment
from rich.style import Style
from wcwidth import wcswidth, wcwidth

from adsum.console.text import Line, Span, line, plain

ELLIPSIS = "…"
_BEGIN = "\x1b[?2026h\x1b[?7l"
"""Let the terminal show the frame at once when it is complete, and wrap nothing. Who doesn't know the first ignores it."""
_END = "\x1b[?7h\x1b[?2026l"
_JOINING = ("\u200d", "\ufe0f", "\u20e3")
"""What makes one character of several: a cut beside it would change the width of what is left."""


class Piece(NamedTuple):
    """Hold a clean text in one style, which Rich knows."""

    text: str
    style: str = ""


Strip = tuple[Piece, ...]


def pieces(shown: Line) -> Strip:
    """Clean a line: the only way from other people's words to the screen."""
    sign = (Piece(f"{shown.sign} ", shown.tone.value),) if shown.sign else ()
    return (*sign, *(cleaned(span) for span in shown.spans))


@lru_cache(maxsize=4096)
def cleaned(span: Span) -> Piece:
    """Clean one piece of a line."""
    return Piece(plain(line("", span)), span.tone.value)


@lru_cache(maxsize=8192)
def columns_of(text: str) -> int:
    """Tell how many columns a clean text takes, by the rules by which the contract counts those of a name."""
    if text.isascii():
        return len(text)
    columns = wcswidth(text)
    return columns if columns >= 0 else sum(max(0, wcwidth(character)) for character in text)


def width_of(strip: Iterable[Piece]) -> int:
    """Tell how many columns a strip takes."""
    return sum(columns_of(piece.text) for piece in strip)


def fit(strip: Sequence[Piece], width: int, *, right: bool = False, style: str = "") -> Strip:
    """Make a strip exactly so wide: what is too long ends in an ellipsis, what is too short is filled up."""
    missing = width - width_of(strip)
    if missing < 0:
        return _cut(strip, width)
    if missing == 0:
        return tuple(strip)
    space = Piece(" " * missing, style)
    return (space, *strip) if right else (*strip, space)


def styled_over(strip: Iterable[Piece], style: str) -> Strip:
    """Add a style to every piece."""
    return tuple(Piece(piece.text, f"{piece.style} {style}".strip()) for piece in strip)


def blank(width: int) -> Strip:
    """Make an empty strip."""
    return (Piece(" " * width),) if width > 0 else ()


def filled(strips: Sequence[Strip], width: int, height: int) -> list[Strip]:
    """Make exactly so many strips, each exactly so wide."""
    fitting = [fit(strip, width) for strip in strips[: max(0, height)]]
    return fitting + [blank(width)] * (height - len(fitting))


def clusters(text: str) -> list[str]:
    """Cut a text into what a person sees as single characters, as far as widths go."""
    parts: list[str] = []
    for character in text:
        if parts and (columns_of(character) == 0 or character in _JOINING or parts[-1].endswith("\u200d")):
            parts[-1] += character
        else:
            parts.append(character)
    return parts


@lru_cache(maxsize=2048)
def wrapped(text: str, width: int) -> tuple[str, ...]:
    """Break a clean text into lines of at most so many columns, at spaces where there are any."""
    if width <= 0:
        return ()
    lines: list[str] = []
    current, used = "", 0
    for word in text.split(" "):
        needed = columns_of(word)
        if current and used + 1 + needed <= width:
            current, used = f"{current} {word}", used + 1 + needed
            continue
        if current:
            lines.append(current)
        *full, current = _chopped(word, width)
        lines += full
        used = columns_of(current)
    lines.append(current)
    return tuple(lines)


def _chopped(word: str, width: int) -> list[str]:
    if columns_of(word) <= width:
        return [word]
    parts = [""]
    for cluster in clusters(word):
        if columns_of(cluster) > width:
            cluster = ELLIPSIS
        if columns_of(parts[-1] + cluster) > width:
            parts.append("")
        parts[-1] += cluster
    return parts


def _cut(strip: Sequence[Piece], width: int) -> Strip:
    if width <= 0:
        return ()
    kept: list[Piece] = []
    room = width - 1
    for piece in strip:
        size = columns_of(piece.text)
        if size <= room:
            kept.append(piece)
            room -= size
            continue
        text = ""
        for cluster in clusters(piece.text):
            if columns_of(text + cluster) > room:
                break
            text += cluster
        # A wide character that doesn't fit leaves a column over.
        kept.append(Piece(text + ELLIPSIS + " " * (room - columns_of(text)), piece.style))
        break
    return tuple(kept)


@dataclass(frozen=True, slots=True)
class Frame:
    """Hold a whole screen. Each strip is exactly as wide as it."""

    strips: tuple[Strip, ...]
    width: int

    @property
    def text(self) -> str:
        """The frame as a person without colours reads it."""
        return "\n".join("".join(piece.text for piece in strip).rstrip() for strip in self.strips)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Give all its lines."""
        return Change(self, None).__rich_console__(console, options)


@dataclass(frozen=True, slots=True)
class Change:
    """Hold what turns one screen into another: only the lines that differ, or all if `before` is None or of another size."""

    after: Frame
    before: Frame | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Give the segments, with what keeps every line in its place."""
        after, before = self.after, self.before
        is_whole = before is None or (before.width, len(before.strips)) != (after.width, len(after.strips))
        old: Sequence[Strip | None] = (
            [None] * len(after.strips) if is_whole or before is None else before.strips
        )
        codes = _BEGIN
        for row, (strip, old_strip) in enumerate(zip(after.strips, old, strict=True)):
            if strip == old_strip:
                continue
            if codes != _BEGIN:
                yield Segment.line()
            yield _control(f"{codes}\x1b[{row + 1};1H")
            yield from _segments(strip)
            codes = ""
        yield _control(_END)


def _control(codes: str) -> Segment:
    # Rich looks only whether there is a control, and then leaves the text alone.
    return Segment(codes, None, ((ControlType.HOME,),))


@lru_cache(maxsize=4096)
def _segments(strip: Strip) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    column = 0
    for text, style in _joined(strip):
        width = columns_of(text)
        rich_style = Style.parse(style) if style else None
        if not _is_doubtful(text):
            segments.append(Segment(text, rich_style))
            column += width
            continue
        # Erase first: a terminal that thinks it narrower would leave something old at its end.
        segments.append(_control(f"\x1b[{width}X" if width else ""))
        segments.append(Segment(text, rich_style))
        column += width
        segments.append(_control(f"\x1b[{column + 1}G"))
    return tuple(segments)


def _joined(strip: Strip) -> list[Piece]:
    """Join neighbours that look alike: a space looks alike in every style that leaves its background alone."""
    joined: list[Piece] = []
    for piece in strip:
        before = joined[-1] if joined else Piece("")
        looks_alike = piece.style == before.style or (
            piece.text.isspace() and not _has_background(before, piece)
        )
        if joined and looks_alike and not _is_doubtful(before.text + piece.text):
            joined[-1] = Piece(before.text + piece.text, before.style)
            continue
        if piece.text:
            joined.append(piece)
    return joined


def _has_background(*some: Piece) -> bool:
    return any("reverse" in piece.style or "on " in piece.style for piece in some)


@lru_cache(maxsize=8192)
def _is_doubtful(text: str) -> bool:
    # Latin letters and the drawing of boxes are one column wide everywhere where columns matter.
    return not text.isascii() and any(
        character >= "\u0300" and not "\u2500" <= character <= "\u259f" for character in text
    )
