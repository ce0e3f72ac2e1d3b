"""Typing on one line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adsum.console.editor import MAX_CHARACTERS, Editor, edit, editing
from adsum.console.inputs import Key, Pasted, Stroke, Typed
from tests.console.people import NASTY_NAMES


def typed(*keys: Key) -> Editor:
    editor = Editor()
    for key in keys:
        edited = edit(editor, key)
        assert edited is not None
        editor = edited
    return editor


def test_text_is_typed_where_the_cursor_is() -> None:
    editor = typed(Typed("a"), Typed("c"), Stroke.LEFT, Typed("b"))
    assert editor == Editor("abc", 2)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (Stroke.BACKSPACE, Editor("one thre", 8)),
        (Stroke.ERASE_WORD, Editor("one ", 4)),
        (Stroke.ERASE_LINE, Editor("", 0)),
        (Stroke.HOME, Editor("one three", 0)),
        (Stroke.LINE_START, Editor("one three", 0)),
        (Stroke.DELETE, Editor("one three", 9)),
        (Stroke.RIGHT, Editor("one three", 9)),
    ],
)
def test_key_edits(key: Key, expected: Editor) -> None:
    assert edit(editing("one three"), key) == expected


@pytest.mark.parametrize("character", ["e\u0301", "👩\u200d👩\u200d👧", "👍🏽", "漢"])
def test_backspace_takes_what_a_person_sees_as_one_character(character: str) -> None:
    assert edit(editing(f"a{character}"), Stroke.BACKSPACE) == Editor("a", 1)


def test_paste_of_several_lines_stays_one_line() -> None:
    assert typed(Pasted("one\ntwo\r\x1b[31m")).text == "one two [31m"


def test_key_that_edits_nothing_is_left_to_others() -> None:
    assert edit(Editor(), Stroke.ENTER) is None


def test_text_is_bounded() -> None:
    assert len(typed(Pasted("x" * 10_000), Typed("y")).text) == MAX_CHARACTERS


@settings(max_examples=50)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(Stroke), st.text(max_size=9).map(Pasted), st.sampled_from(NASTY_NAMES).map(Pasted)
        )
    )
)
def test_cursor_is_always_within_the_text(keys: list[Key]) -> None:
    editor = Editor()
    for key in keys:
        editor = edit(editor, key) or editor
        assert 0 <= editor.cursor <= len(editor.text)
        assert not any(ord(character) < 32 for character in editor.text)
        editor.text.encode()
