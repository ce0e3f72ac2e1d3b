"""What a program writes on a terminal is searched for what strangers have put in."""

import pytest

from tests.abuse.screens import forbidden_in
from tests.abuse.watching import read_log

OWN = b"\x1b[?1049h\x1b[?2026h\x1b[12;1H\x1b[38;5;4;1mAnn\x1b[0m\x1b[K\x1b[?25l\x1b[?2026l\r\n"


def test_what_the_console_writes_itself_is_fine() -> None:
    assert forbidden_in(OWN) == []
    assert forbidden_in(OWN + "Ann 👩‍💻 é 界 \ufffd".encode()) == []


@pytest.mark.parametrize(
    "text",
    [
        "\x1b]0;x\x07",
        "\x1bPq\x1b\\",
        "\x1b[c",
        "\x1b[?1000;1h",
        "\x07",
        "\x08",
        "\x9b31m",
        "\u202e",
        "\u2028",
        "\u200b",
        "\ue000",
    ],
)
def test_what_a_stranger_writes_is_found(text: str) -> None:
    assert forbidden_in(OWN + f"Ann{text}".encode() + OWN)


def test_bytes_that_are_no_text_are_found() -> None:
    assert forbidden_in(OWN + b"\xff")


def test_errors_and_tracebacks_in_a_log_are_found_and_other_lines_counted() -> None:
    lines = (
        '{"level": "info", "event": "listening"}',
        '{"level": "error", "event": "a stream failed", "exception": "Traceback\\n  x\\nKeyError: 1 at 0x7f12"}',
        '{"level": "warning", "event": "Task exception was never retrieved"}',
        "E0000 something of gRPC's core",
        "Traceback (most recent call last):",
    )
    window = read_log("\n".join(lines))
    assert (window.lines, window.foreign, len(window.exceptions)) == (5, 2, 3)
    assert window.exceptions[0] == "error: a stream failed KeyError: 1 at 0x…"
    assert window.events["info: listening"] == 1
