"""The only writer to the terminal: lines and tables on stdout, notes on stderr.

Everything goes through the boundary in `text`. Writes block: a reader that doesn't read stops this client,
which is then honestly shown as lost to others, and catches up when the reader reads again. A reader that has
gone raises BrokenPipeError.
"""

import errno
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from adsum.client import Member
from adsum.console.records import Record, encode
from adsum.console.table import member_columns, member_table
from adsum.console.text import Line, Span, Tone, line, plain, styled


class _PipeConsole(Console):
    """A console whose reader may go away: Rich would end the program from inside a task."""

    def on_broken_pipe(self) -> None:
        """Say so as any other writer would."""
        raise BrokenPipeError(errno.EPIPE, "whoever read the output has gone")


class Output:
    """Write for a person on a terminal, or for whatever reads a pipe."""

    def __init__(self, *, plain: bool = False) -> None:
        """Write plainly if asked to, and wherever stdout is not a terminal or is a dumb one."""
        for stream in (sys.stdout, sys.stderr):
            # A terminal that can't show a character shows a question mark: better than no line.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        self._out = _console(plain=plain, stderr=False)
        self._err = _console(plain=plain, stderr=True)
        self.is_rich = self._out.is_terminal and not self._out.is_dumb_terminal and not plain
        """Whether tables and colours can be shown on stdout."""

    def show(self, shown: Line, at: datetime | None = None) -> None:
        """Write a line, after the time if it has one.

        On a terminal a line too long for it goes on under itself, so no text can pretend to be a line of its
        own.
        """
        if not self.is_rich:
            self._out.print(Text(f"{at:%H:%M:%S} {plain(shown)}" if at else plain(shown)), soft_wrap=True)
            return
        grid = Table.grid(padding=(0, 1, 0, 0))
        if at is not None:
            grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(*([Text(f"{at:%H:%M:%S}", Tone.QUIET.value)] if at else []), styled(shown))
        self._out.print(grid)

    def say(self, text: str) -> None:
        """Write some words of our own. They are left unbroken, so that a command among them can be copied from the terminal."""
        for part in text.split("\n"):
            self._out.print(styled(line("", part)), soft_wrap=True)

    def members(self, members: Iterable[Member], *, me: bytes | None, now: datetime) -> None:
        """Write a list of members: a table on a terminal, aligned columns elsewhere."""
        if self.is_rich:
            self._out.print(member_table(members, me=me, now=now))
        else:
            for row in member_columns(members, me=me, now=now):
                self._out.print(Text(row), soft_wrap=True)

    def record(self, record: Record) -> None:
        """Write a JSON object in a line, and flush it, so that a reader has it at once."""
        sys.stdout.write(encode(record) + "\n")
        sys.stdout.flush()

    def note(self, text: str, tone: Tone = Tone.QUIET) -> None:
        """Write a line on stderr."""
        note = line("", Span(text, tone))
        self._err.print(styled(note), soft_wrap=True)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Say on stderr what is being waited for, with a spinner on a terminal; the line is gone afterwards."""
        if not self._err.is_terminal or not self.is_rich:
            yield
            return
        with self._err.status(styled(line("", what)), spinner="dots"):
            yield


def _console(*, plain: bool, stderr: bool) -> Console:
    return _PipeConsole(
        stderr=stderr, markup=False, highlight=False, emoji=False, color_system=None if plain else "auto"
    )
