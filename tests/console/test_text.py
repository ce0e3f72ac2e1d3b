"""The boundary between other people's words and this terminal."""

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from adsum.client import DepartureReason, Joined, Left, MessageReceived, Updated
from adsum.console.table import member_columns, member_table
from adsum.console.text import Line, Span, Tone, line, plain, styled, words
from adsum.console.wording import event_line
from tests.console.people import JOINED_AT, NASTY_NAMES, member

FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
ANY_TEXT = st.text(st.characters(exclude_categories=()))


def shown_on_terminal(*renderables: object) -> str:
    """Print as on a terminal without colours, so that every escape sequence left is somebody else's."""
    file = io.StringIO()
    console = Console(
        file=file, force_terminal=True, color_system=None, markup=False, highlight=False, width=200
    )
    for renderable in renderables:
        console.print(renderable)
    return file.getvalue()


def forbidden_in(text: str) -> set[str]:
    return {
        f"U+{ord(character):04X}"
        for character in text
        if character not in "\n\u200d" and unicodedata.category(character) in FORBIDDEN
    }


@pytest.mark.parametrize("name", NASTY_NAMES, ids=ascii)
def test_nasty_name_is_harmless_in_every_line(name: str) -> None:
    nasty = member(name, status_text=name, attributes={name: name})
    events = (
        Joined(nasty),
        Left(nasty, DepartureReason.LEFT, 8),
        Updated(member(name + "!", status_text=name + "!"), nasty),
        MessageReceived(1, nasty, nasty.public_key, name.encode("utf-8", "surrogatepass"), JOINED_AT),
    )
    for event in events:
        shown = event_line(event)
        assert not forbidden_in(shown_on_terminal(styled(shown)))
        assert not forbidden_in(plain(shown))
        assert "\n" not in plain(shown)


@pytest.mark.parametrize("name", NASTY_NAMES, ids=ascii)
def test_nasty_name_is_harmless_in_the_table(name: str) -> None:
    members = (member(name, status_text=name), member("Grace", key=2))
    assert not forbidden_in(shown_on_terminal(member_table(members, me=None, now=JOINED_AT)))
    rows = member_columns(members, me=None, now=JOINED_AT)
    assert len(rows) == 3
    assert not forbidden_in("\n".join(rows))


def test_markup_and_emoji_codes_are_shown_as_they_are() -> None:
    shown = line("", "[red]x[/red] :smile:")
    assert "[red]x[/red] :smile:" in shown_on_terminal(styled(shown))


@given(ANY_TEXT, ANY_TEXT)
def test_nothing_gets_through_unclean(sign_free: str, other: str) -> None:
    shown = Line("*", (Span(sign_free, Tone.NAME), Span(other)))
    assert not forbidden_in(plain(shown))
    assert "\n" not in plain(shown)
    assert styled(shown).plain == plain(shown)


@given(st.binary(max_size=200))
def test_any_payload_can_be_read(payload: bytes) -> None:
    assert isinstance(words(payload), str)


def test_line_without_sign_starts_with_its_words() -> None:
    assert plain(line("", "hello")) == "hello"
