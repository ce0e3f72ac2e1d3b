"""The only writer to the terminal."""

import json
from datetime import UTC, datetime

import pytest

from adsum.console.output import Output
from adsum.console.text import Span, Tone, line
from tests.console.people import member

AT = datetime(2026, 5, 9, 14, 2, 31, tzinfo=UTC)
WHO = line("+", Span("Ada", Tone.NAME), " came", tone=Tone.GOOD)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make Rich believe in a terminal of 40 columns with colours."""
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "40", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_line_in_a_pipe_is_one_line_without_colours(capsys: pytest.CaptureFixture[str]) -> None:
    Output().show(line("*", "x" * 500), AT)
    assert capsys.readouterr().out == f"14:02:31 * {'x' * 500}\n"


@pytest.mark.usefixtures("terminal")
def test_line_on_a_terminal_has_colours(capsys: pytest.CaptureFixture[str]) -> None:
    Output().show(WHO, AT)
    assert "\x1b[32m+\x1b[0m \x1b[1mAda\x1b[0m came" in capsys.readouterr().out


@pytest.mark.usefixtures("terminal")
def test_long_text_can_not_pretend_to_be_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    Output().show(line(">", "Ada: hi" + " " * 30 + "14:02:32 - Bob left" + "x" * 60), AT)
    first, *others = capsys.readouterr().out.rstrip("\n").split("\n")
    assert "14:02:31" in first
    assert others
    assert all(other.startswith(" " * 9) for other in others)


@pytest.mark.usefixtures("terminal")
def test_no_color_leaves_every_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    Output().show(WHO, AT)
    shown = capsys.readouterr().out
    assert "\x1b[3" not in shown
    assert "Ada" in shown


@pytest.mark.usefixtures("terminal")
def test_plain_means_no_escape_sequence_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(plain=True)
    output.show(WHO, AT)
    output.members([member()], me=None, now=AT)
    output.note("note", Tone.BAD)
    with output.waiting("waiting"):
        pass
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err
    assert "14:02:31 + Ada came\n" in captured.out


def test_record_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    Output().record({"event": "x", "text": "é\n"})
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1
    assert json.loads(shown) == {"event": "x", "text": "é\n"}


def test_notes_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Output().note("well\x1b[31m")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "well\ufffd[31m\n"
