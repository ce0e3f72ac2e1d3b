"""The boundary between other people's words and this terminal.

A `Line` holds words as they came, with what they mean beside them; nothing in it has been cleaned and nothing
in it may be printed. `styled` and `plain` are the only ways out, and both clean every span. Rich markup is
never interpreted: what looks like `[red]` in a name is shown as `[red]`.
"""

from dataclasses import dataclass
from enum import Enum

from rich.text import Text

from adsum.contract.text import clean


class Tone(Enum):
    """What a piece of a line is, so that colour can repeat what the words say. Each value is a Rich style."""

    PLAIN = ""
    NAME = "bold"
    QUIET = "dim"
    GOOD = "green"
    WARNING = "yellow"
    BAD = "red"


@dataclass(frozen=True, slots=True)
class Span:
    """Hold a piece of text, not cleaned, and its tone."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one line for a person: a sign that says its kind without colour, and its spans."""

    sign: str
    spans: tuple[Span, ...]
    tone: Tone = Tone.PLAIN


def line(sign: str, *pieces: str | Span, tone: Tone = Tone.PLAIN) -> Line:
    """Put a line together; a bare string is a plain span, and the tone is that of the sign."""
    spans = tuple(piece if isinstance(piece, Span) else Span(piece) for piece in pieces)
    return Line(sign, spans, tone)


def styled(shown: Line) -> Text:
    """Clean a line for a terminal with colours."""
    text = Text(end="")
    if shown.sign:
        text.append(shown.sign, shown.tone.value)
        text.append(" ")
    for span in shown.spans:
        text.append(clean(span.text), span.tone.value)
    return text


def plain(shown: Line) -> str:
    """Clean a line for anything that takes only text."""
    return styled(shown).plain


def words(payload: bytes) -> str:
    """Read a message's bytes as text. Bytes that are not UTF-8 become U+FFFD; the rest is left for the boundary to clean."""
    return payload.decode("utf-8", "replace")
