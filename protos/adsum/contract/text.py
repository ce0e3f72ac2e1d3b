"""What a name or a text may contain.

Allowed is what a person can see and a terminal can't be tricked with: letters, marks, numbers, punctuation, symbols and the plain
space, in NFC, with at most three combining marks on a base, and zero-width joiners only inside emoji. Marks that stack above or below
the base (Mn, Me) and marks that stand beside it (Mc) are counted apart, three of each: the commonest Burmese names, such as
U+1000 U+103B U+1031 U+102C U+103A, need four in all. Which code points are assigned is decided by the Unicode version of the Python
that runs the check.

`fault_in_...` tell what is wrong in words, or None; `normalise` makes what is to be checked and kept; `clean` makes any remote
text safe to show.

All of them take a time that is linear in the text's length, whoever wrote it: putting a run of n combining marks into NFC takes n^2, so
what is too long to be a name or a text isn't put into it, and long runs are cut before.
"""

import unicodedata
from collections.abc import Iterator

from wcwidth import wcswidth

from adsum.contract.limits import ATTRIBUTES_BYTES, NAME_CODE_POINTS, NAME_COLUMNS, STATUS_TEXT_CODE_POINTS

COMBINING_MARKS = 3
"""The most stacked marks on one base: more paint over the neighbouring lines. And the most beside it: their width isn't counted."""
REPLACEMENT = "\ufffd"
"""What `clean` shows in place of a code point that isn't allowed."""
_LONGEST_TYPED = 4 * max(NAME_CODE_POINTS, STATUS_TEXT_CODE_POINTS)
"""No longer text comes to be a valid one: NFC makes at most four code points into one."""
_LONGEST_RUN = 30
"""So many combining marks in a row occur in no language: the bound of Unicode's "stream-safe" text (UAX #15)."""
_ZERO_WIDTH_JOINER = "\u200d"
_VARIATION_SELECTOR_EMOJI = "\ufe0f"
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_STACKED_CATEGORIES = frozenset({"Mn", "Me"})
_SPACING_CATEGORY = "Mc"
# Letters, marks and symbols that show nothing: a name made of them looks empty, or like somebody else's.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U0001d159")
# What emoji are joined of stands in these blocks, but for three arrows.
_PICTOGRAPHS = (("\u2600", "\u27bf"), ("\u2b00", "\u2bff"), ("\U0001f300", "\U0001faff"))
_JOINED_ARROWS = frozenset("\u2194\u2195\u27a1")


def normalise(text: str) -> str:
    """Bring a text into the form that is checked, kept and shown: NFC, without spaces at the ends.

    One that is too long in any form stays as it is, for the check to refuse.
    """
    text = text.strip(" ")
    return text if len(text) > _LONGEST_TYPED else unicodedata.normalize("NFC", text)


def fault_in_name(name: str) -> str | None:
    """Tell what is wrong with a normalised display name, or None."""
    if not name:
        return "the name is empty"
    if len(name) > NAME_CODE_POINTS:
        return f"the name has {len(name)} characters, at most {NAME_CODE_POINTS} are allowed"
    if fault := _fault_in_characters(name, "the name"):
        return fault
    columns = wcswidth(name)
    if columns > NAME_COLUMNS:
        return f"the name is {columns} columns wide, at most {NAME_COLUMNS} are allowed"
    # Marks alone, on nothing, have no width of their own.
    return "the name shows nothing" if columns <= 0 else None


def fault_in_status_text(text: str) -> str | None:
    """Tell what is wrong with a normalised status text, or None."""
    if len(text) > STATUS_TEXT_CODE_POINTS:
        return f"the status text has {len(text)} characters, at most {STATUS_TEXT_CODE_POINTS} are allowed"
    return _fault_in_characters(text, "the status text")


def fault_in_attributes(attributes: dict[str, str]) -> str | None:
    """Tell what is wrong with a profile's attributes, or None."""
    size = sum(len((key + value).encode("utf-8", "surrogatepass")) for key, value in attributes.items())
    if size > ATTRIBUTES_BYTES:
        return f"the attributes have {size} bytes, at most {ATTRIBUTES_BYTES} are allowed"
    for key, value in attributes.items():
        if not key:
            return "an attribute has an empty key"
        if fault := _fault_in_characters(key, "an attribute's key") or _fault_in_characters(
            value, "an attribute"
        ):
            return fault
    return None


def clean(text: str) -> str:
    """Make any remote text safe to show on a terminal, in one line.

    Line breaks and tabs become spaces; each other code point that isn't allowed, and each combining mark beyond the third, becomes
    U+FFFD. What `fault_in_name` accepts stays as it is.
    """
    text = unicodedata.normalize("NFC", _without_long_runs(text))
    shown: list[str] = []
    for index, (character, marks) in enumerate(zip(text, _marks_so_far(text), strict=True)):
        if character in "\r\n\t\u2028\u2029":
            shown.append(" ")
        else:
            shown.append(character if marks <= COMBINING_MARKS and _is_allowed(text, index) else REPLACEMENT)
    return "".join(shown)


def _without_long_runs(text: str) -> str:
    """Replace the marks that NFC would have to sort into a run of too many. None of them would be shown."""
    kept: list[str] = []
    run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        kept.append(character if run <= _LONGEST_RUN else REPLACEMENT)
    return "".join(kept)


def _fault_in_characters(text: str, what: str) -> str | None:
    if not unicodedata.is_normalized("NFC", text):
        return f"{what} is not in Unicode normal form C"
    for index, (character, marks) in enumerate(zip(text, _marks_so_far(text), strict=True)):
        if not _is_allowed(text, index):
            return f"{what} contains U+{ord(character):04X}, which is not allowed"
        if marks > COMBINING_MARKS:
            return f"{what} has more than {COMBINING_MARKS} combining marks on one character"
    return None


def _marks_so_far(text: str) -> Iterator[int]:
    """Count, at each code point, the marks of the more frequent kind since the last base."""
    stacked = spacing = 0
    for character in text:
        category = unicodedata.category(character)
        if category in _STACKED_CATEGORIES:
            stacked += 1
        elif category == _SPACING_CATEGORY:
            spacing += 1
        else:
            stacked = spacing = 0
        yield max(stacked, spacing)


def _is_allowed(text: str, index: int) -> bool:
    character = text[index]
    if character == _ZERO_WIDTH_JOINER:
        return _joins_emoji(text, index)
    category = unicodedata.category(character)
    if category == "Zs":
        return character == " "
    return category not in _REFUSED_CATEGORIES and character not in _INVISIBLE


def _joins_emoji(text: str, index: int) -> bool:
    before = text[max(0, index - 2) : index].removesuffix(_VARIATION_SELECTOR_EMOJI)[-1:]
    after = text[index + 1 : index + 2]
    return _is_emoji(before) and _is_emoji(after)


def _is_emoji(character: str) -> bool:
    # Pictographs are "other symbols", but skin tones are "modifier symbols".
    return character in _JOINED_ARROWS or (
        any(first <= character <= last for first, last in _PICTOGRAPHS)
        and unicodedata.category(character) in {"So", "Sk"}
    )
