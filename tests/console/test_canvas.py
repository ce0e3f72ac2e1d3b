"""Strips and frames: always exactly as wide as they must be."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from adsum.console.canvas import Change, Frame, Piece, cleaned, clusters, fit, pieces, width_of, wrapped
from adsum.console.text import Span, line
from tests.console.people import NASTY_NAMES

TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(NASTY_NAMES),
    st.sampled_from(["漢字かな", "👩\u200d👩\u200d👧x", "e\u0301" * 5, "👍🏽🇩🇪❤️🏽"]),
)


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("abc", 5, "abc  "),
        ("abcdef", 4, "abc…"),
        ("abc", 3, "abc"),
        ("漢字", 3, "漢…"),
        ("漢字", 2, "… "),
        ("abc", 0, ""),
    ],
)
def test_text_is_cut_or_filled_to_the_width(text: str, width: int, expected: str) -> None:
    assert "".join(piece.text for piece in fit((Piece(text),), width)) == expected


def test_numbers_stand_at_the_right() -> None:
    assert "".join(piece.text for piece in fit((Piece("7"),), 3, right=True)) == "  7"


@given(st.lists(TEXTS, max_size=4), st.integers(0, 40))
def test_fitted_strip_has_exactly_the_width(texts: list[str], width: int) -> None:
    strip = fit([cleaned(Span(text)) for text in texts], width)
    assert width_of(strip) == width


@given(TEXTS, st.integers(1, 30))
def test_wrapped_lines_fit_and_keep_every_word(text: str, width: int) -> None:
    clean = cleaned(Span(text)).text
    lines = wrapped(clean, width)
    assert all(width_of((Piece(part),)) <= width for part in lines)
    if width >= 2:
        assert "".join(lines).replace(" ", "") == clean.replace(" ", "")


def test_joined_emoji_is_not_cut_apart() -> None:
    assert clusters("a👩\u200d👩\u200d👧e\u0301") == ["a", "👩\u200d👩\u200d👧", "e\u0301"]


@pytest.mark.parametrize("name", NASTY_NAMES)
def test_no_control_reaches_a_frame_but_its_own(name: str) -> None:
    frame = Frame((fit(pieces(line("+", Span(name), " came")), 40),), 40)
    shown = frame.text
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)
    assert "\u202e" not in shown


def test_line_starts_in_its_place_whatever_a_terminal_thinks_of_a_name() -> None:
    frame = Frame((fit((Piece("👩\u200d👩\u200d👧"), Piece("x")), 9), fit((Piece("y"),), 9)), 9)
    written = printed(frame)
    assert "\x1b[1;1H" in written
    # The family is two columns wide here; wherever the terminal stands after it, it goes on in the third.
    assert "👩\u200d👩\u200d👧\x1b[3Gx" in written
    assert "\x1b[2;1Hy" in written


def test_frame_lets_nothing_wrap_and_restores_that() -> None:
    written = printed(Frame((fit((Piece("x"),), 9),), 9))
    assert written.index("\x1b[?7l") < written.index("x") < written.index("\x1b[?7h")


def test_only_lines_that_differ_are_drawn_again() -> None:
    before = Frame(tuple(fit((Piece(text),), 9) for text in ("one", "two", "three")), 9)
    after = Frame(tuple(fit((Piece(text),), 9) for text in ("one", "TWO", "three")), 9)
    written = printed(Change(after, before))
    assert "\x1b[2;1HTWO" in written
    assert "one" not in written
    assert "three" not in written


def test_everything_is_drawn_again_at_another_size() -> None:
    before = Frame((fit((Piece("one"),), 9),), 9)
    after = Frame((fit((Piece("one"),), 12),), 12)
    assert "one" in printed(Change(after, before))


def test_spaces_beside_something_inverse_stay_apart() -> None:
    written = printed(Frame(((Piece("a", "reverse"), Piece("  "), Piece("b", "reverse")),), 4))
    assert "\x1b[7ma\x1b[0m  \x1b[7mb\x1b[0m" in written


def printed(drawn: Frame | Change) -> str:
    frame = drawn if isinstance(drawn, Frame) else drawn.after
    console = Console(file=io.StringIO(), force_terminal=True, width=frame.width, height=len(frame.strips))
    console.print(drawn, end="")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
