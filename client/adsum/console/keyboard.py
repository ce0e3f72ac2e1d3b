"""The keys of a terminal, read by prompt_toolkit's input layer: Rich reads none.

The terminal is in raw mode as long as the keyboard is `listening`, so that Ctrl-C and Ctrl-Z come as keys; it
is given back as it was, however that ends.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from prompt_toolkit.input import create_input
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from adsum.console.inputs import Key, Pasted, Stroke, Typed

ESCAPE_SECONDS = 0.015
"""How long after Escape the rest of a longer sequence is waited for. A person can't type so fast, a terminal sends it at once."""
_STROKES = {stroke.value: stroke for stroke in Stroke}
# What other keys or terminals send for the same.
_STROKES |= {"c-j": Stroke.ENTER, "c-b": Stroke.LEFT, "c-f": Stroke.RIGHT, "c-d": Stroke.DELETE}


class Keyboard:
    """Hand keys to `on_keys` as they are typed, in the event loop in which it listens."""

    def __init__(self, on_keys: Callable[[Sequence[Key]], None]) -> None:
        self._on_keys = on_keys
        self._input = create_input()
        self._flush: asyncio.TimerHandle | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen as long as the context lasts."""
        with self._input.raw_mode(), self._input.attach(self._read):
            try:
                yield
            finally:
                self._stop_waiting()

    def take_again(self) -> None:
        """Put the terminal into raw mode once more. When the listening ends it is as it was before it all the same."""
        self._input.raw_mode().__enter__()

    def _read(self) -> None:
        self._stop_waiting()
        self._hand_on(self._input.read_keys())
        if self._input.closed:
            self._on_keys((Stroke.HANG_UP,))
            return
        self._flush = asyncio.get_running_loop().call_later(ESCAPE_SECONDS, self._read_escape)

    def _read_escape(self) -> None:
        self._hand_on(self._input.flush_keys())

    def _stop_waiting(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None

    def _hand_on(self, presses: Sequence[KeyPress]) -> None:
        keys = [key for press in presses if (key := key_of(press)) is not None]
        if keys:
            self._on_keys(keys)


def key_of(press: KeyPress) -> Key | None:
    """Translate one key; None for one that nobody listens to."""
    if press.key == Keys.BracketedPaste:
        return Pasted(press.data)
    if isinstance(press.key, Keys):
        return _STROKES.get(press.key.value)
    return Typed(press.key)
