import io
import json
import logging
import math
import re
import threading
import time
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.server import logs
from adsum.server.logs import FloodGate, Log, LogFormat, LogLevel, configured, get_log, printable

log = get_log("adsum.server.example")


class Terminal(io.StringIO):
    """A terminal that keeps what it was sent."""

    def isatty(self) -> bool:
        return True


class StoppedTerminal(Terminal):
    """A terminal that takes nothing until it is released, as after Ctrl-S."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def write(self, text: str) -> int:
        self.released.wait(30)
        return super().write(text)


class BrokenPipe(io.StringIO):
    """A pipe that nobody reads any more. It counts the attempts."""

    attempts = 0

    def write(self, text: str) -> int:
        self.attempts += 1
        raise BrokenPipeError


class Unspeakable:
    """A fact that can't be written."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Colour(IntEnum):
    RED = 1


def text_of(write: Callable[[], None], level: LogLevel = LogLevel.INFO, **environ: str) -> str:
    """What a terminal without colours shows of it, without the time."""
    terminal = Terminal()
    with configured(LogFormat.TEXT, level, stream=terminal, environ={"NO_COLOR": "1"} | environ):
        write()
    return re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ", "", terminal.getvalue(), flags=re.MULTILINE)


def entries_of(write: Callable[[], None], level: LogLevel = LogLevel.INFO) -> list[dict[str, Any]]:
    stream = io.StringIO()
    with configured(LogFormat.JSON, level, stream=stream):
        write()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail() -> None:
    try:
        raise ValueError("first\nsecond \x1b[2J")
    except ValueError:
        log.exception("it broke", part="hub")


def test_text_is_time_level_event_and_facts() -> None:
    terminal = Terminal()
    with configured(LogFormat.TEXT, LogLevel.INFO, stream=terminal, environ={"NO_COLOR": "1"}):
        log.info("listening", address="localhost:7557", members=3, tls=False, admin=None)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} info    listening "
        r"address=localhost:7557 members=3 tls=false admin=null\n",
        terminal.getvalue(),
    )


def test_json_is_one_object_a_line() -> None:
    (entry,) = entries_of(lambda: log.warning("stalled", seconds=1.5, lobbies=["a", "b"]))
    moment = entry.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)
    assert list(entry.items()) == [
        ("level", "warning"),
        ("logger", "adsum.server.example"),
        ("event", "stalled"),
        ("seconds", 1.5),
        ("lobbies", ["a", "b"]),
    ]


def test_json_time_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "e", (), None)
    record.created = 1_000_000_000.25
    assert json.loads(logs.JsonFormatter().format(record))["time"] == "2001-09-09T01:46:40.250Z"
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert json.loads(logs.JsonFormatter().format(record))["time"] == "2001-09-09T01:46:40.250Z"
        assert logs.TextFormatter(colour=False).format(record).startswith("2001-09-09 10:46:40.250 info ")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_format_follows_the_stream_unless_it_is_chosen() -> None:
    for stream, chosen, is_json in (
        (Terminal(), LogFormat.AUTO, False),
        (io.StringIO(), LogFormat.AUTO, True),
        (Terminal(), LogFormat.JSON, True),
        (io.StringIO(), LogFormat.TEXT, False),
    ):
        with configured(chosen, LogLevel.INFO, stream=stream, environ={}):
            log.info("ready")
        assert stream.getvalue().startswith("{") is is_json


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [
        (Terminal, {}, True),
        (Terminal, {"NO_COLOR": ""}, True),
        (Terminal, {"NO_COLOR": "1"}, False),
        (Terminal, {"TERM": "dumb"}, False),
        (io.StringIO, {}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    stream: Callable[[], io.StringIO], environ: dict[str, str], coloured: bool
) -> None:
    target = stream()
    with configured(LogFormat.TEXT, LogLevel.INFO, stream=target, environ=environ):
        log.error("failed", why="x")
    assert ("\x1b[" in target.getvalue()) is coloured
    assert not coloured or target.getvalue().endswith("\x1b[0m\n")


def test_level_is_the_least_that_is_written() -> None:
    def write() -> None:
        for level in LogLevel:
            getattr(log, level)(f"an {level}")

    assert [entry["level"] for entry in entries_of(write, LogLevel.WARNING)] == ["warning", "error"]
    assert [entry["level"] for entry in entries_of(write, LogLevel.INFO)] == ["info", "warning", "error"]
    assert len(entries_of(write, LogLevel.DEBUG)) == 4


def test_other_libraries_are_heard_from_warning_on() -> None:
    def write() -> None:
        logging.getLogger("asyncio").info("Using selector")
        logging.getLogger("asyncio").warning("%s took too long", "a task")

    assert [entry["event"] for entry in entries_of(write)] == ["a task took too long"]
    assert len(entries_of(write, LogLevel.DEBUG)) == 2
    assert entries_of(write, LogLevel.ERROR) == []


def test_remote_text_can_neither_forge_an_entry_nor_reach_the_terminal() -> None:
    name = "Eve\n2026-01-01 00:00:00.000 info    all is well\x1b[2J\x9b1m\u202e\u2028\x7f"
    line = text_of(lambda: log.info("joined", name=name))
    assert line == (
        'info    joined name="Eve\\n2026-01-01 00:00:00.000 info    all is well'
        '\\u001b[2J\\x9b1m\\u202e\\u2028\\x7f"\n'
    )
    (entry,) = entries_of(lambda: log.info("joined", name=name))
    assert entry["name"] == name


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_an_entry_is_one_printable_line_whatever_it_holds(text: str) -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "%s", (text,), None)
    record.facts = {"name": text, "list": [text], text: {text: text}}
    shown = logs.TextFormatter(colour=False).format(record)
    assert shown.isprintable()
    written = logs.JsonFormatter().format(record)
    assert written.isprintable()
    assert written.isascii()
    assert json.loads(written)["event"] == text


@given(st.text())
def test_facts_can_be_told_apart(text: str) -> None:
    shown = text_of_fact(text)
    assert (shown[0] == '"') is (shown[-1] == '"')
    assert shown[0] == '"' or not set(shown) & set(' ="\\')


def text_of_fact(value: object) -> str:
    record = logging.LogRecord("x", logging.INFO, "", 0, "e", (), None)
    record.facts = {"name": value}
    return logs.TextFormatter(colour=False).format(record).partition("name=")[2]


@pytest.mark.parametrize(
    ("value", "shown", "written"),
    [
        ("", '""', ""),
        ("a b", '"a b"', "a b"),
        ("a=b", '"a=b"', "a=b"),
        ('a"b', '"a\\"b"', 'a"b'),
        ("Zoë", "Zoë", "Zoë"),
        (2**64 - 1, "18446744073709551615", "18446744073709551615"),
        (2**53, "9007199254740992", 2**53),
        (-(2**53) - 1, "-9007199254740993", "-9007199254740993"),
        (math.inf, "inf", "inf"),
        (Colour.RED, "RED", "RED"),
        (Path("/tmp/a"), "/tmp/a", "/tmp/a"),
        (("a", 1), '["a", 1]', ["a", 1]),
        ({"a": {1: None}}, '{"a": {"1": null}}', {"a": {"1": None}}),
    ],
)
def test_fact_is_written_readably(value: object, shown: str, written: object) -> None:
    assert text_of_fact(value) == shown
    (entry,) = entries_of(lambda: log.info("e", fact=value))
    assert entry["fact"] == written


def test_long_fact_is_cut() -> None:
    shown = text_of_fact("x" * 5000)
    assert len(shown) == logs.FACT_CHARACTERS
    assert shown.endswith("x\u2026")


@pytest.mark.parametrize("name", sorted(logs.SECRET_FACTS))
def test_secret_is_never_written(name: str) -> None:
    def write() -> None:
        log.info("e", **{name: "hunter2", "nested": {name: "hunter2"}})
        log.info("e", key=b"hunter2", more=[bytearray(b"hunter2")], view=memoryview(b"hunter2"))

    assert "hunter2" not in text_of(write)
    first, second = entries_of(write)
    assert first[name] == first["nested"][name] == "<secret>"
    assert (second["key"], second["more"], second["view"]) == ("<7 bytes>", ["<7 bytes>"], "<7 bytes>")


def test_fact_can_not_replace_what_every_entry_has() -> None:
    (entry,) = entries_of(lambda: log.info("e", time=1, level=2, logger=3, event=4, exception=5))
    assert (entry["level"], entry["event"]) == ("info", "e")
    assert [entry[f"fact_{name}"] for name in ("time", "level", "logger", "event", "exception")] == [
        1,
        2,
        3,
        4,
        5,
    ]


def test_exception_is_one_text_in_json() -> None:
    (entry,) = entries_of(fail)
    assert (entry["level"], entry["event"], entry["part"]) == ("error", "it broke", "hub")
    assert entry["exception"].startswith("Traceback")
    assert entry["exception"].endswith("ValueError: first\nsecond \x1b[2J")


def test_exception_is_indented_below_its_entry_in_text() -> None:
    first, *traceback = text_of(fail).splitlines()
    assert first == "error   it broke part=hub"
    assert traceback[0] == "    Traceback (most recent call last):"
    assert traceback[-2:] == ["    ValueError: first", "    second \\x1b[2J"]


@pytest.mark.filterwarnings("default")
def test_entry_that_can_not_be_written_is_told() -> None:
    def write() -> None:
        log.info("e", fact=Unspeakable())
        logging.getLogger("elsewhere").warning("%d", "no number")
        log.info("still here")

    entries = entries_of(write)
    assert [entry["event"] for entry in entries] == [
        *("an entry could not be written", "an entry could not be written", "still here"),
    ]
    assert [entry.get("error") for entry in entries] == ["RuntimeError", "TypeError", None]
    assert entries[1]["fact_logger"] == "elsewhere"


def test_flood_of_one_event_is_held_back_and_counted() -> None:
    def write() -> None:
        for number in range(100):
            log.info("refused", number=number)
        log.info("something else")

    entries = entries_of(write)
    assert [entry["event"] for entry in entries] == [
        *["refused"] * logs.LINES_PER_SECOND,
        "something else",
        "lines suppressed",
    ]
    assert (entries[-1]["of"], entries[-1]["count"]) == ("adsum.server.example: refused", 80)


def test_flood_is_told_of_when_its_second_is_over() -> None:
    stream = io.StringIO()
    moments = iter([0.0] * 30 + [0.9, 1.0])
    with configured(LogFormat.JSON, LogLevel.INFO, stream=stream, clock=moments.__next__):
        for _ in range(30):
            log.info("refused")
        log.info("too early to tell")
        log.info("time to tell")
    events = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert events[logs.LINES_PER_SECOND :] == ["too early to tell", "lines suppressed", "time to tell"]


def test_flood_of_one_template_is_one_event() -> None:
    def write() -> None:
        for number in range(100):
            logging.getLogger("elsewhere").warning("odd: %d", number)

    assert len(entries_of(write)) == logs.LINES_PER_SECOND + 1


def test_gate_admits_so_many_each_second() -> None:
    gate = FloodGate(lines_per_second=2)
    assert [gate.admits("a", 10.0), gate.admits("a", 10.5), gate.admits("a", 10.6)] == [True, True, False]
    assert gate.admits("b", 10.6)
    assert gate.suppressed(10.99) == []
    assert not gate.admits("a", 10.99)
    # b's second isn't over yet, and nothing of it was held back.
    assert gate.suppressed(11.0) == [("a", 2)]
    assert gate.suppressed(11.0) == []
    assert [gate.admits("a", 11.0), gate.admits("a", 11.0), gate.admits("a", 11.0)] == [True, True, False]
    assert gate.suppressed(math.inf) == [("a", 1)]


def test_gate_forgets_what_is_over() -> None:
    gate = FloodGate()
    for moment in range(1000):
        gate.suppressed(float(moment))
        gate.admits(f"event {moment}", float(moment))
    assert len(gate._windows) == 1


def test_terminal_that_is_stopped_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "QUEUED_LINES", 10)
    monkeypatch.setattr(logs, "CLOSING_SECONDS", 0.05)
    terminal = StoppedTerminal()
    with configured(LogFormat.TEXT, LogLevel.INFO, stream=terminal, environ={}):
        for number in range(100):
            get_log(f"adsum.server.example{number}").info("ready")
    assert terminal.getvalue() == ""
    terminal.released.set()


def test_lines_that_found_no_room_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "QUEUED_LINES", 10)
    terminal = StoppedTerminal()
    with configured(LogFormat.JSON, LogLevel.INFO, stream=terminal):
        for number in range(100):
            get_log(f"adsum.server.example{number}").info("ready")
        terminal.released.set()
    entries = [json.loads(line) for line in terminal.getvalue().splitlines()]
    # The writer may have told of some before it was stopped in the middle of the first line.
    notes = [entry["count"] for entry in entries if entry["event"] == "lines dropped"]
    assert sum(notes) in (89, 90)
    assert len(entries) == 100 - sum(notes) + len(notes)


def test_last_lines_are_written_before_the_end() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyError), configured(LogFormat.JSON, LogLevel.INFO, stream=stream):
        log.error("the end")
        raise KeyError
    assert json.loads(stream.getvalue())["event"] == "the end"


def test_pipe_without_a_reader_is_no_error() -> None:
    pipe = BrokenPipe()
    with configured(LogFormat.JSON, LogLevel.INFO, stream=pipe):
        log.info("one")
        log.info("two")
    assert pipe.attempts == 2


def test_configuration_ends_with_the_block() -> None:
    root, own = logging.getLogger(), logging.getLogger("adsum")
    before = (root.level, root.handlers[:], own.level, threading.active_count())
    with configured(LogFormat.JSON, LogLevel.DEBUG, stream=io.StringIO()):
        assert root.handlers != before[1]
    assert (root.level, root.handlers[:], own.level, threading.active_count()) == before


def test_importing_configures_nothing() -> None:
    assert isinstance(get_log("adsum.server.unused"), Log)
    assert logging.getLogger("adsum.server.unused").handlers == []
    assert logging.getLogger("adsum").handlers == []


def test_printable_leaves_what_people_write() -> None:
    assert printable("Zoë 😀 日本語 a\\b") == "Zoë 😀 日本語 a\\b"
    assert printable("a\tb\u200bc") == "a\\tb\\u200bc"
