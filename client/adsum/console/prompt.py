"""A line at the foot of the terminal to type on, while what happens scrolls by above it.

prompt_toolkit keeps the typed text whole while others print, and gives the terminal back as it was, however
the context ends.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager

from prompt_toolkit import PromptSession
from prompt_toolkit.patch_stdout import StdoutProxy

BATCH_SECONDS = 0.03
"""How long printed lines are collected after some have been shown: a crowd of them must not redraw the prompt a thousand times."""


async def prompt_lines(message: Callable[[], str]) -> AsyncGenerator[str, None]:
    """Give each line that is typed; Ctrl-D on an empty line ends it. Ctrl-C acts as the signal does.

    `message` is asked for the words before the cursor whenever the line is drawn; they must be clean.
    """
    session: PromptSession[str] = PromptSession(
        message=message, enable_suspend=True, reserve_space_for_menu=0
    )
    with _printing_above():
        while True:
            try:
                yield await session.prompt_async(handle_sigint=False, set_exception_handler=False)
            except EOFError:
                return
            except KeyboardInterrupt:
                # The terminal is in raw mode, so Ctrl-C is only a key. Whoever runs the program listens to
                # the signal.
                signal.raise_signal(signal.SIGINT)
                await asyncio.get_running_loop().create_future()


@contextmanager
def _printing_above() -> Iterator[None]:
    stdout = sys.stdout
    with StdoutProxy(sleep_between_writes=BATCH_SECONDS, raw=True) as proxy:
        sys.stdout = proxy
        try:
            yield
        finally:
            sys.stdout = stdout
