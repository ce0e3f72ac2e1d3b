"""Programs that end when we end, however we end.

A child is asked to end by closing its stdin, which the system also does when we are killed; so a child must
end when its stdin does. It runs in a session of its own: a Ctrl-C meant for us doesn't reach it, and we end
it in our order.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

PATIENCE_SECONDS = 5.0
"""How long a child may take to end when asked, and again when told by SIGTERM. Then it is killed."""


@asynccontextmanager
async def child(
    arguments: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program for as long as the context lasts, in our environment or another. What it prints goes to the log.

    Raises:
        OSError: it can't be started.
    """
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
            env=environment,
        )
    try:
        yield process
    finally:
        await _end(process)


def last_lines(log: Path, count: int) -> list[str]:
    """Read the end of a log."""
    try:
        return log.read_text("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    for number in (None, signal.SIGTERM, signal.SIGKILL):
        if number is not None:
            # The child is the leader of its group, so its own children are meant as well.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await process.wait()
                return
