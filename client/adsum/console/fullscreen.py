"""`adsum join` on a terminal: the shell of the full screen. It owns tasks and the terminal, and decides nothing.

Three things run: the stage follows the lobby, the terminal hands on keys, and the drawer draws when something
has changed and the cadence allows it. Whatever ends one of them, the terminal is given back first, and then
the lobby is left.
"""

import asyncio
import gc
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager

from adsum.client import Connection, Identity
from adsum.console.cadence import Cadence
from adsum.console.errands import Errand, Interrupt, Leave, Repaint, Ring, Select, Send, Suspend, Update
from adsum.console.exits import Exit
from adsum.console.inputs import Key, Resized
from adsum.console.reducer import next_change
from adsum.console.stage import Stage, now
from adsum.console.state import State
from adsum.console.terminal import Terminal
from adsum.console.view import render

LOOK_SECONDS = 1.0
"""How often it is looked whether the library says something new about itself, such as the round trip."""
CONNECTING_LOOK_SECONDS = 0.1
"""The same while the first list is awaited: its parts come fast."""


def fits_terminal() -> bool:
    """Tell whether stdin and stdout can hold a full screen, beside what `Output.is_rich` says of stdout."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return sys.stdin.isatty() and encoding == "utf8" and hasattr(signal, "SIGTSTP")


async def be_there(connection: Connection, identity: Identity, lobby: str, server: str) -> int:
    """Be in a lobby on the full screen until the person leaves.

    Raises:
        AdsumError: the lobby can't be entered, or the session has ended for good; in a group.
    """
    return await FullScreen(connection, identity, lobby, server).run()


class FullScreen:
    """Be one person's screen. `run` once."""

    def __init__(self, connection: Connection, identity: Identity, lobby: str, server: str) -> None:
        self._connection = connection
        self._terminal = Terminal(self._press)
        state = State(lobby, server, identity.public_key, self._terminal.size)
        self._stage = Stage(state, self._wake, self._do)
        self._changed = asyncio.Event()
        self._key_pressed = asyncio.Event()
        self._entering: asyncio.Timeout | None = None

    async def run(self) -> int:
        """Connect, and be there."""
        with self._terminal, self._hearing_signals():
            async with asyncio.TaskGroup() as group:
                drawer = group.create_task(self._keep_drawn())
                await self._be_there()
                drawer.cancel()
        return Exit.FINE

    async def _be_there(self) -> None:
        async with AsyncExitStack() as stack:
            try:
                # Nothing times out here: it is how a person who doesn't want to wait is let out.
                async with asyncio.timeout(None) as self._entering:
                    lobby = await stack.enter_async_context(self._connection)
            except TimeoutError:
                return
            self._entering = None
            try:
                await self._stage.play(lobby)
            finally:
                # First the terminal: leaving may take a moment, and a second signal would end it at once.
                self._terminal.close()

    async def _keep_drawn(self) -> None:
        loop = asyncio.get_running_loop()
        cadence = Cadence(loop.time())
        is_frozen = False
        while True:
            self._changed.clear()
            self._stage.look(self._connection)
            self._stage.catch_up()
            while delay := cadence.delay(loop.time(), for_key=self._key_pressed.is_set()):
                await self._key_or(delay)
            self._key_pressed.clear()
            self._stage.catch_up()
            state = self._stage.state
            if self._terminal.draw(render(state, state.size, now())):
                cadence.drawn(loop.time())
            if state.has_list and not is_frozen:
                # Python's collector would look again and again at all that was imported and at the whole list,
                # for up to a tenth of a second, while a key waits.
                gc.collect()
                gc.freeze()
                is_frozen = True
            await self._change_or(self._until_next_change(loop.time()))

    def _until_next_change(self, at: float) -> float:
        state = self._stage.state
        look = LOOK_SECONDS if state.has_list else CONNECTING_LOOK_SECONDS
        change = next_change(state, at)
        return look if change is None else min(look, max(0.0, change - at))

    async def _key_or(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._key_pressed.wait()
        except TimeoutError:
            return

    async def _change_or(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    def _press(self, keys: Sequence[Key]) -> None:
        self._key_pressed.set()
        self._stage.take_in(*keys)

    def _resize(self) -> None:
        self._key_pressed.set()
        self._stage.take_in(Resized(self._terminal.size))

    def _wake(self) -> None:
        self._changed.set()

    def _do(self, errand: Errand) -> None:
        match errand:
            case Interrupt():
                signal.raise_signal(signal.SIGINT)
            case Suspend():
                self._suspend()
            case Repaint():
                self._terminal.clear()
            case Ring():
                self._terminal.ring()
            case Leave():
                if self._entering is not None:
                    self._entering.reschedule(asyncio.get_running_loop().time())
            case Select() | Send() | Update():
                raise AssertionError(errand)

    def _suspend(self) -> None:
        loop = asyncio.get_running_loop()
        # Heard here, the signal wouldn't stop the program.
        loop.remove_signal_handler(signal.SIGTSTP)
        try:
            self._terminal.suspend()
        finally:
            loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        self._resize()

    def _continue(self) -> None:
        # Whoever stopped the program may have changed the terminal meanwhile.
        self._terminal.take_again()
        self._resize()

    @contextmanager
    def _hearing_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGWINCH: self._resize,
            signal.SIGTSTP: self._suspend,
            signal.SIGCONT: self._continue,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)
