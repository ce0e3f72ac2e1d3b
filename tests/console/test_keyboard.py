"""From what a terminal sends to keys."""

import pytest
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress

from adsum.console.inputs import Key, Pasted, Stroke, Typed
from adsum.console.keyboard import key_of


def keys(sent: str) -> list[Key]:
    presses: list[KeyPress] = []
    parser = Vt100Parser(presses.append)
    parser.feed(sent)
    parser.flush()
    return [key for press in presses if (key := key_of(press)) is not None]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("j", [Typed("j")]),
        ("漢", [Typed("漢")]),
        ("\x1b[A\x1b[B", [Stroke.UP, Stroke.DOWN]),
        ("\x1bOA", [Stroke.UP]),
        ("\x1b[5~\x1b[6~", [Stroke.PAGE_UP, Stroke.PAGE_DOWN]),
        ("\r", [Stroke.ENTER]),
        ("\n", [Stroke.ENTER]),
        ("\t\x1b[Z", [Stroke.TAB, Stroke.BACK_TAB]),
        ("\x1b", [Stroke.ESCAPE]),
        ("\x7f\x08", [Stroke.BACKSPACE, Stroke.BACKSPACE]),
        ("\x03\x0c\x1a\x12", [Stroke.INTERRUPT, Stroke.REPAINT, Stroke.SUSPEND, Stroke.RESEND]),
        ("\x1b[200~q\nq\x1b[201~", [Pasted("q\nq")]),
        ("\x1b[15~", []),
    ],
)
def test_terminal_sends_keys(sent: str, expected: list[Key]) -> None:
    assert keys(sent) == expected


def test_every_stroke_can_be_sent() -> None:
    sequences = {
        "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[5~", "\x1b[6~", "\x1b[H", "\x1b[F", "\r", "\x1b", "\t", "\x1b[Z",
        "\x7f", "\x1b[3~", "\x03", "\x0c", "\x1a", "\x12", "\x01", "\x05", "\x15", "\x17",
    }  # fmt: skip
    sent = {key for sequence in sequences for key in keys(sequence)}
    assert sent == set(Stroke) - {Stroke.HANG_UP}
