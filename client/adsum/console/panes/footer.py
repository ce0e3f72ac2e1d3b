"""The lines above and at the foot of the screen: notices, what is being typed, and the keys that work now. Pure."""

from typing import assert_never

from adsum.console.canvas import Piece, Strip, fit, pieces, styled_over, width_of
from adsum.console.keys import STATUS_ORDER
from adsum.console.keys_now import keys_now
from adsum.console.panes.messages import input_strip
from adsum.console.state import FilterPrompt, HelpPage, State, StatusPrompt
from adsum.console.text import Line
from adsum.console.wording import STATUS_WORDS


def footer_strip(state: State, width: int) -> Strip:
    """Draw as many keys as fit."""
    strip: list[Piece] = []
    room = width
    for name, what in keys_now(state):
        part = (Piece("  " if strip else " "), Piece(name, "bold cyan"), Piece(f" {what}", "dim"))
        if width_of(part) <= room:
            strip += part
            room -= width_of(part)
    return fit(strip, width)


def notice_strip(notice: Line, width: int) -> Strip:
    """Draw what must not be missed over the whole width."""
    return styled_over(fit((Piece(" "), *pieces(notice)), width), "bold red reverse")


def hint_strip(hint: Line, width: int) -> Strip:
    """Draw a word to the person."""
    return styled_over(fit((Piece(" "), *pieces(hint)), width), "reverse")


def prompt_strip(state: State, width: int) -> Strip:
    """Draw what is being typed above the footer."""
    match state.prompt:
        case FilterPrompt(editor):
            head: Strip = (Piece(" filter ", "bold cyan"), Piece("/ "))
            tail: Strip = (Piece(f"  {len(state.shown):,} fit", "dim"),)
        case StatusPrompt(status, editor):
            head = (Piece(" ", ""), *_statuses(status), Piece(" text: "))
            tail = ()
        case HelpPage() | None:
            return ()
        case _:
            assert_never(state.prompt)
    room = width - width_of(head) - width_of(tail)
    if room < 4:
        tail, room = (), width - width_of(head)
    return (*head, *fit(input_strip(editor, max(1, room), is_in_use=True), max(1, room)), *tail)


def _statuses(chosen: object) -> Strip:
    strip: list[Piece] = []
    for status in STATUS_ORDER:
        word = STATUS_WORDS[status]
        strip.append(Piece(f"[{word}]", "bold reverse") if status is chosen else Piece(f" {word} ", "dim"))
    return tuple(strip)
