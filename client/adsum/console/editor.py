"""One line of text being typed, and where in it.

Pure and immutable. Editing goes by what a person sees as one character: a base with its marks, or a joined
emoji. Nothing that isn't text gets in; what is shown of it is cleaned by the boundary in `text` all the same.
"""

import unicodedata
from dataclasses import dataclass, replace

from adsum.console.inputs import Key, Pasted, Stroke, Typed

MAX_CHARACTERS = 4000
"""The longest text: about what a server takes in one message."""
_JOINER = "\u200d"


@dataclass(frozen=True, slots=True)
class Editor:
    """Hold a text and the place of the cursor in it, in code points."""

    text: str = ""
    cursor: int = 0

    def inserting(self, text: str) -> "Editor":
        """Put a text in at the cursor; line breaks become spaces, and what is too much is left out."""
        wanted = "".join(_typeable(character) for character in text)
        wanted = wanted[: MAX_CHARACTERS - len(self.text)]
        whole = self.text[: self.cursor] + wanted + self.text[self.cursor :]
        return Editor(whole, self.cursor + len(wanted))


def editing(text: str) -> Editor:
    """Start with a text and the cursor at its end."""
    return Editor("", 0).inserting(text)


def edit(editor: Editor, key: Key) -> Editor | None:
    """Tell what a key makes of the text; None if it isn't a key that edits."""
    text, cursor = editor.text, editor.cursor
    match key:
        case Typed(typed) | Pasted(typed):
            return editor.inserting(typed)
        case Stroke.LEFT:
            return replace(editor, cursor=_before(text, cursor))
        case Stroke.RIGHT:
            return replace(editor, cursor=_after(text, cursor))
        case Stroke.HOME | Stroke.LINE_START:
            return replace(editor, cursor=0)
        case Stroke.END | Stroke.LINE_END:
            return replace(editor, cursor=len(text))
        case Stroke.BACKSPACE:
            start = _before(text, cursor)
            return Editor(text[:start] + text[cursor:], start)
        case Stroke.DELETE:
            return Editor(text[:cursor] + text[_after(text, cursor) :], cursor)
        case Stroke.ERASE_LINE:
            return Editor(text[cursor:], 0)
        case Stroke.ERASE_WORD:
            kept = text[:cursor].rstrip()
            start = kept.rfind(" ") + 1
            return Editor(text[:start] + text[cursor:], start)
        case _:
            return None


def _typeable(character: str) -> str:
    if character in "\r\n\t":
        return " "
    # Joiners and variation selectors belong to emoji and to some scripts.
    return "" if unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn"} else character


def _before(text: str, index: int) -> int:
    while index > 0:
        index -= 1
        if not _continues(text, index):
            break
    return index


def _after(text: str, index: int) -> int:
    while index < len(text):
        index += 1
        if index == len(text) or not _continues(text, index):
            break
    return index


def _continues(text: str, index: int) -> bool:
    """Tell whether the code point there belongs to the character before it."""
    character = text[index]
    if index == 0:
        return False
    return (
        unicodedata.category(character) in {"Mn", "Me", "Mc"}
        or character == _JOINER
        or text[index - 1] == _JOINER
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )
