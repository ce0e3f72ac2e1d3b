"""The terminal as long as the screen is full: Rich's `Live` is the only writer, prompt_toolkit the only reader.

`open` and `close` may be called in any order and again; whoever is inside the `with` can be sure that the
terminal is given back as it was, also when the program is suspended in between.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.segment import ControlType, Segment, Segments

from adsum.console.canvas import Change, Frame
from adsum.console.inputs import Key, Size
from adsum.console.keyboard import Keyboard
from adsum.console.stderr_aside import stderr_aside

_OPEN = "\x1b[?2004h"
"""Ask for a paste to come as one: else each of its lines would be sent, and each letter taken for a key."""
_CLOSE = "\x1b[?2004l\x1b[?2026l\x1b[?7h"
"""Take that back, and also what a frame sets and resets, should one have been cut short."""
RICH_WIDTH = 10_000
"""How wide Rich believes the terminal to be."""
_NOTHING = Frame((), 0)


class _Picture(Live):
    """A live display whose renderable draws no more than what has changed.

    `Live` would fill every line of the screen with what it renders, twenty times a second, over any network.
    """

    @property
    def renderable(self) -> RenderableType:
        """What is drawn: the change, and nothing around it."""
        return self.get_renderable()


class Terminal:
    """Own the terminal. Used in one event loop, as a context manager."""

    def __init__(self, on_keys: Callable[[Sequence[Key]], None]) -> None:
        self._keyboard = Keyboard(on_keys)
        # That it is a terminal was found out before; Rich isn't asked again, and finds out only its colours.
        self._console = Console(
            markup=False,
            highlight=False,
            emoji=False,
            legacy_windows=False,
            force_terminal=True,
            force_interactive=True,
        )
        self._open: ExitStack | None = None
        self._live: _Picture | None = None
        self._drawn = _NOTHING

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def size(self) -> Size:
        """The size of the terminal now."""
        try:
            columns, rows = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            columns, rows = 0, 0
        # A terminal that doesn't know its size is taken for the usual one.
        return Size(columns or 80, rows or 24)

    def open(self) -> None:
        """Take the terminal, if it isn't taken."""
        if self._open is not None:
            return
        with ExitStack() as stack:
            stack.enter_context(stderr_aside())
            stack.enter_context(self._keyboard.listening())
            stack.callback(self._control, _CLOSE)
            self._live = stack.enter_context(
                _Picture(
                    console=self._console,
                    screen=True,
                    auto_refresh=False,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
            )
            self._control(_OPEN)
            self._drawn = _NOTHING
            self._open = stack.pop_all()

    def close(self) -> None:
        """Give the terminal back as it was, if it is taken."""
        if self._open is not None:
            stack, self._open, self._live = self._open, None, None
            stack.close()

    def draw(self, frame: Frame) -> bool:
        """Show a frame; False if it is the one that is shown, or nothing can be."""
        if self._live is None or frame == self._drawn:
            return False
        # Frames are as wide as they must be; Rich, which may count a character's columns otherwise, shall crop nothing.
        self._console.size = (RICH_WIDTH, len(frame.strips))
        self._live.update(Change(frame, self._drawn), refresh=True)
        self._drawn = frame
        return True

    def clear(self) -> None:
        """Forget what is shown, so that the next frame is drawn on an empty screen."""
        self._control("\x1b[2J")
        self._drawn = _NOTHING

    def ring(self) -> None:
        """Ring the bell."""
        self._console.bell()

    def suspend(self) -> None:
        """Give the terminal back and stop, with all that the shell started together with this; go on when told to."""
        is_open = self._open is not None
        self.close()
        os.kill(0, signal.SIGTSTP)
        if is_open:
            self.open()

    def take_again(self) -> None:
        """Put the terminal into the state that this needs, if it is taken and somebody else has changed it."""
        if self._open is not None:
            self._keyboard.take_again()
            self.clear()

    def _control(self, codes: str) -> None:
        if self._live is not None:
            # Around a live display Rich would draw it again.
            self._console.file.write(codes)
            self._console.file.flush()
            return
        self._console.print(Segments([Segment(codes, None, ((ControlType.HOME,),))]), end="")
