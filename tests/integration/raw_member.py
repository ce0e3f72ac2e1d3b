"""A member in a process of its own, to be killed or stopped: `python -m tests.integration.raw_member TARGET LOBBY NAME`.

Prints its public key in hex when it is in, and then only answers heartbeats until its standard input ends.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.integration.adsumd import adsumd_environment
from tests.integration.company import Company
from tests.integration.raw_stream import WAIT_SECONDS

_ROOT = Path(__file__).parents[2]


class MemberProcess:
    """Hold a member that lives elsewhere. `member_process` makes it."""

    def __init__(self, process: asyncio.subprocess.Process, public_key: bytes) -> None:
        self._process = process
        self.key = public_key

    def kill(self) -> None:
        """End it at once: SIGKILL."""
        self._process.send_signal(signal.SIGKILL)

    def stop(self) -> None:
        """Make it hang, with its connection open: SIGSTOP."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End the hang: SIGCONT."""
        self._process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def member_process(target: str, name: str, lobby: str = "lobby") -> AsyncIterator[MemberProcess]:
    """Run a member as a process as long as the block runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, target, lobby, name),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        env={**adsumd_environment(), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    if process.stdout is None or process.stdin is None:
        raise AssertionError("the process has no pipes")
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            line = await process.stdout.readline()
        yield MemberProcess(process, bytes.fromhex(line.decode("ascii")))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process.stdin.close()


async def _be_a_member(target: str, lobby: str, name: str) -> None:
    async with Company(target, lobby=lobby) as company:
        client = await company.join(name)
        print(client.key.hex(), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_be_a_member(*sys.argv[1:4]))
