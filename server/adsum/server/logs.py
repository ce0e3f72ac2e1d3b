"""How the log is written: an event and its facts, for a person on a terminal or as JSON lines for a machine.

    log = get_log(__name__)
    log.info("listening", address="localhost:7557")

Decides how a line looks, how many of a kind are written, and what never gets into one. Where and when to log
is decided by who calls; `configured` is for the program alone, a library that imports this never configures
anything.

Invariants: an entry is one line (on a terminal, a traceback follows, indented); nothing that came from a
client can forge an entry or reach a terminal as a control sequence; bytes and facts named like secrets are
not written; writing never blocks the caller, who may be the event loop while somebody has stopped the
terminal with Ctrl-S.
"""

import json
import logging
import math
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import TextIO

LINES_PER_SECOND = 20
"""How many lines of the same event are written in one second: enough to see, too few to fill a disk."""
QUEUED_LINES = 10_000
"""How many lines may wait to be written. Beyond that they are dropped and counted."""
CLOSING_SECONDS = 1.0
"""How long the end of the program waits for the last lines to be written, in case nobody reads them."""
FACT_CHARACTERS = 1_000
"""The longest text of a fact; what goes beyond is cut."""
SECRET_FACTS = frozenset({"token", "secret", "seed", "password", "payload", "signature", "private_key"})
"""Facts of these names are not written, whatever they hold."""
EXACT_INTEGER = 2**53
"""Greater integers are written to JSON as text: most readers of JSON round them."""

_TIME, _LEVEL, _LOGGER, _EVENT, _EXCEPTION = "time", "level", "logger", "event", "exception"
_DIM, _RED, _GREEN, _YELLOW, _PLAIN = "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"
_COLOURS = {"debug": _DIM, "info": _GREEN, "warning": _YELLOW, "error": _RED, "critical": _RED}


class LogFormat(StrEnum):
    """How a line looks; `AUTO` is `TEXT` on a terminal and `JSON` elsewhere."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """From which level on a line is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Log:
    """Write events of one module. `get_log` makes it.

    An event is a constant text, what differs from one time to the next is a fact: floods are held back by
    event.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, event: str, /, **facts: object) -> None:
        """Note what only helps to find a fault."""
        self._write(logging.DEBUG, event, facts)

    def info(self, event: str, /, **facts: object) -> None:
        """Note what happens in the ordinary course."""
        self._write(logging.INFO, event, facts)

    def warning(self, event: str, /, **facts: object) -> None:
        """Note what somebody should look at."""
        self._write(logging.WARNING, event, facts)

    def error(self, event: str, /, **facts: object) -> None:
        """Note what has failed."""
        self._write(logging.ERROR, event, facts)

    def exception(self, event: str, /, **facts: object) -> None:
        """Note what has failed, with the exception that is being handled."""
        self._write(logging.ERROR, event, facts, exc_info=True)

    def _write(self, level: int, event: str, facts: dict[str, object], *, exc_info: bool = False) -> None:
        self._logger.log(level, event, extra={"facts": facts}, exc_info=exc_info)


def get_log(name: str) -> Log:
    """Get the log of a module, by its `__name__`."""
    return Log(logging.getLogger(name))


@dataclass(slots=True)
class _Window:
    started_at: float
    written: int = 0
    suppressed: int = 0


@dataclass(slots=True)
class FloodGate:
    """Decide which lines of a flood are written: the first ones of each event in each second.

    Pure policy; `now` is in seconds of any clock. It remembers no more than the events of the last second.
    """

    lines_per_second: int = LINES_PER_SECOND
    _windows: dict[str, _Window] = field(default_factory=dict)

    def admits(self, event: str, now: float) -> bool:
        """Count a line and tell whether to write it. Ask for `suppressed` first."""
        window = self._windows.setdefault(event, _Window(now))
        if window.written >= self.lines_per_second:
            window.suppressed += 1
            return False
        window.written += 1
        return True

    def suppressed(self, now: float) -> list[tuple[str, int]]:
        """Forget the seconds that are over and tell which events had lines held back in them, and how many.

        `inf` ends every second.
        """
        over = [event for event, window in self._windows.items() if now - window.started_at >= 1]
        counts = [(event, self._windows.pop(event).suppressed) for event in over]
        return [(event, count) for event, count in counts if count]


class JsonFormatter(logging.Formatter):
    """Write an entry as one JSON object.

    It holds time (ISO 8601, UTC), level, logger and event, then the facts, and an exception as one text.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write one entry, in ASCII only."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry: dict[str, object] = {
            _TIME: moment.replace("+00:00", "Z"),
            _LEVEL: record.levelname.lower(),
            _LOGGER: record.name,
            _EVENT: record.getMessage(),
        }
        for name, value in _facts(record).items():
            # A fact can't replace what every entry has.
            entry[f"fact_{name}" if name in entry or name == _EXCEPTION else name] = value
        if record.exc_info:
            entry[_EXCEPTION] = self.formatException(record.exc_info)
        # The only control character that JSON leaves as it is.
        return json.dumps(entry).replace("\x7f", "\\u007f")


class TextFormatter(logging.Formatter):
    """Write an entry for a person: local time, level, event, then the facts as `name=value`."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Write one entry; the lines of a traceback follow it, indented."""
        local = datetime.fromtimestamp(record.created, UTC).astimezone().replace(tzinfo=None)
        moment = local.isoformat(" ", timespec="milliseconds")
        level = record.levelname.lower()
        facts = " ".join(f"{printable(name)}={_word(value)}" for name, value in _facts(record).items())
        line = " ".join(
            (
                self._in(_DIM, moment),
                self._in(_COLOURS.get(level, ""), f"{level:<7}"),
                printable(record.getMessage()),
                *([self._in(_DIM, facts)] if facts else []),
            )
        )
        if record.exc_info:
            traceback = self.formatException(record.exc_info).split("\n")
            line = "\n".join([line, *(f"    {printable(part)}" for part in traceback)])
        return line

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._colour and colour else text


@contextmanager
def configured(
    log_format: LogFormat,
    level: LogLevel,
    *,
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[None]:
    """Send the logs of this process to a stream (stderr) until the end of the block.

    The end waits a moment for the last lines to be written.

    `level` is for Adsum's own logs; other libraries are heard from `warning` on, or from `debug` on if that
    is what is asked for.
    """
    stream = sys.stderr if stream is None else stream
    as_text = log_format is LogFormat.TEXT or (log_format is LogFormat.AUTO and stream.isatty())
    colour = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    writer = _Writer(stream, TextFormatter(colour=colour) if as_text else JsonFormatter(), clock)
    root, own = logging.getLogger(), logging.getLogger("adsum")
    before = (root.level, root.handlers[:], own.level)
    own.setLevel(level.upper())
    root.setLevel(logging.DEBUG if level is LogLevel.DEBUG else max(own.level, logging.WARNING))
    root.handlers[:] = [writer]
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.setLevel(before[0])
        root.handlers[:] = before[1]
        own.setLevel(before[2])
        writer.close()


class _Writer(logging.Handler):
    """Write lines from a thread of its own, so that a stream that nobody reads stops nobody."""

    def __init__(self, stream: TextIO, formatter: logging.Formatter, clock: Callable[[], float]) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._stream = stream
        self._clock = clock
        self._gate = FloodGate()
        self._dropped = 0
        self._lines: queue.Queue[str | None] = queue.Queue(QUEUED_LINES)
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        now = self._clock()
        self._tell_suppressed(now)
        # Not the finished message: a library's lines are of one kind if their template is the same.
        if self._gate.admits(f"{record.name}: {record.msg}", now):
            self._put(self._line(record))

    def close(self) -> None:
        self._tell_suppressed(math.inf)
        deadline = time.monotonic() + CLOSING_SECONDS
        try:
            self._lines.put(None, timeout=CLOSING_SECONDS)
            self._thread.join(max(0.0, deadline - time.monotonic()))
        except queue.Full:
            pass
        super().close()

    def _tell_suppressed(self, now: float) -> None:
        for event, count in self._gate.suppressed(now):
            self._put(self._note("lines suppressed", {"of": event, "count": count}))

    def _put(self, line: str) -> None:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except Exception as error:  # noqa: BLE001 - whatever a library's template or a fact's `str` raises
            # The log is no reason to fail.
            facts = {"logger": record.name, "error": type(error).__name__}
            return self._note("an entry could not be written", facts)

    def _note(self, event: str, facts: Mapping[str, object]) -> str:
        record = logging.LogRecord(__name__, logging.WARNING, __file__, 0, event, (), None)
        record.facts = facts
        return self.format(record)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            if dropped:
                line = f"{line}\n{self._note('lines dropped', {'count': dropped})}"
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                # The reader is gone, or the stream is closed: there is nobody left to tell.
                continue


def printable(text: str) -> str:
    """Replace what could move a cursor, end a line or hide text by its escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def _facts(record: logging.LogRecord) -> dict[str, object]:
    return _plain_facts(getattr(record, "facts", {}))


def _plain_facts(facts: Mapping[str, object]) -> dict[str, object]:
    return {str(name): "<secret>" if name in SECRET_FACTS else _plain(value) for name, value in facts.items()}


def _plain(value: object) -> object:
    """Bring a fact into what JSON can say. Bytes are counted and not shown: they may be a token or a key."""
    match value:
        case Enum():
            return value.name
        case None | bool():
            return value
        case int():
            return value if abs(value) <= EXACT_INTEGER else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"
        case Mapping():
            return _plain_facts(value)
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
        case _:
            text = str(value)
            return text if len(text) <= FACT_CHARACTERS else text[: FACT_CHARACTERS - 1] + "\u2026"


def _word(value: object) -> str:
    if isinstance(value, str) and value and value.isprintable() and not set(value) & set(' ="\\'):
        return value
    # JSON has escapes for what ends a line or a word, and `printable` for what it leaves.
    return printable(json.dumps(value, ensure_ascii=False))
