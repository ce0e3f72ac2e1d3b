"""How a command is stopped from outside, and leaves properly all the same.

Ctrl-C, SIGTERM and a closed terminal cancel it once. Another signal, if it comes a while later, finds Python's own handling again
and ends the program at once. The handlers stay until the loop is closed, so that no late signal ends it in the middle of leaving.
"""

import asyncio
import contextlib
import math
import signal
from collections.abc import Callable, Coroutine

SIGNALS = tuple(
    number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None
)
"""What stops a command."""

IMPATIENCE_SECONDS = 1.0
"""From when on another signal means "now". One that comes sooner is the same wish: a terminal and the programs between it and us
(make, timeout) may each pass on what one key press was meant to say."""


def run(command: Callable[[], Coroutine[None, None, int]]) -> int:
    """Run a command to its end and return its exit code, or 128 and the number of the signal that stopped it.

    Raises what the command raises.
    """
    return asyncio.run(_until_interrupted(command))


async def _until_interrupted(command: Callable[[], Coroutine[None, None, int]]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    received: list[int] = []
    ends_at_once_from = math.inf

    def stop(number: int) -> None:
        nonlocal ends_at_once_from
        if not received:
            received.append(number)
            ends_at_once_from = loop.time() + IMPATIENCE_SECONDS
            task.cancel()
        elif loop.time() >= ends_at_once_from:
            release()
            signal.raise_signal(number)

    def release() -> None:
        for number in SIGNALS:
            loop.remove_signal_handler(number)

    for number in SIGNALS:
        # A program started with `nohup` is meant to outlive its terminal.
        if signal.getsignal(number) is not signal.SIG_IGN:
            # Windows has no such handlers; asyncio.run itself turns Ctrl-C into a cancellation there.
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, stop, number)
    try:
        return await command()
    except asyncio.CancelledError:
        if not received:
            raise
        return 128 + received[0]
