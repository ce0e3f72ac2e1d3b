"""A process of people, held from outside: it is told what to do, listened to, killed, stopped and started again."""

import asyncio
import fcntl
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from adsum.client import Identity
from tests.faults.history import Diary
from tests.integration.adsumd import adsumd_environment

ROOT = Path(__file__).parents[2]
PIPE_BYTES = 1 << 20
"""Room for what people write while we are busy: who can't write stands still, and would look like a fault that nobody injected."""
LONGEST_LINE = 1 << 24
END_SECONDS = 10.0


def identity_of(seed: int, name: str) -> Identity:
    """Draw a person's key from the seed of the run."""
    return Identity.from_seed(hashlib.sha256(f"{seed}/{name}".encode()).digest())


class Crew:
    """Hold one process of people. `start` it; `end` it."""

    def __init__(
        self,
        name: str,
        diaries: Sequence[Diary],
        seed: int,
        news: Callable[[], None],
        prefix: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.diaries = {diary.name: diary for diary in diaries}
        self.every = 1.0
        self.rests = asyncio.Event()
        self.is_stopped = False
        self.stderr = b""
        self._seed = seed
        self._news = news
        self._prefix = prefix
        self._process: asyncio.subprocess.Process | None = None
        self._listeners: list[asyncio.Task[None]] = []

    @property
    def keys(self) -> tuple[str, ...]:
        """Who lives here."""
        return tuple(diary.key for diary in self.diaries.values())

    @property
    def pid(self) -> int | None:
        """The process of the moment."""
        return None if self._process is None else self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process is there and may speak."""
        return self._process is not None and self._process.returncode is None and not self.is_stopped

    async def start(self) -> None:
        """Start the process; nobody has joined yet."""
        process = self._process = await asyncio.create_subprocess_exec(
            *(*self._prefix, sys.executable, "-m", "tests.faults.people"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env={**adsumd_environment(), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            limit=LONGEST_LINE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        # asyncio has no public way to the pipe's descriptor.
        pipe = process._transport.get_pipe_transport(1).get_extra_info("pipe")  # type: ignore[attr-defined]
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        ready = asyncio.Event()
        self._listeners = [
            asyncio.create_task(self._listen(process.stdout, ready)),
            asyncio.create_task(self._listen_aside(process.stderr)),
        ]
        await ready.wait()

    def join(self, target: str, lobby: str) -> None:
        """Let everybody join."""
        for diary in self.diaries.values():
            self.tell(
                "join",
                name=diary.name,
                seed=identity_of(self._seed, diary.name).seed.hex(),
                target=target,
                lobby=lobby,
                every=self.every,
                commutes=diary.role == "commuter",
                brief=diary.is_brief,
            )

    def tell(self, do: str, **options: object) -> None:
        """Give a command."""
        assert self._process is not None
        assert self._process.stdin is not None
        if do == "rest":
            self.rests.clear()
        self._process.stdin.write((json.dumps({"do": do, **options}) + "\n").encode())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal: SIGSTOP, SIGCONT."""
        assert self._process is not None
        self._process.send_signal(number)
        self.is_stopped = number is signal.SIGSTOP

    async def kill(self) -> float:
        """End the process as a crash does; tell when."""
        assert self._process is not None
        at = asyncio.get_running_loop().time()
        self._process.kill()
        await self._process.wait()
        # What it has written before is read to its end.
        await asyncio.wait(self._listeners)
        for diary in self.diaries.values():
            diary.killed(at)
        return at

    async def end(self) -> int | None:
        """Let everybody leave, and wait for the process; tell its exit code, None if it had to be killed."""
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            assert process.stdin is not None
            if self.is_stopped:
                self.signal(signal.SIGCONT)
            process.stdin.close()
            try:
                async with asyncio.timeout(END_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
                await asyncio.wait(self._listeners)
                return None
        await asyncio.wait(self._listeners)
        return process.returncode

    async def _listen(self, stdout: asyncio.StreamReader, ready: asyncio.Event) -> None:
        while line := await stdout.readline():
            try:
                record = json.loads(line)
            except ValueError:
                # Cut off by a kill.
                continue
            if record["event"] == "ready":
                ready.set()
            elif record["event"] == "rests":
                self.rests.set()
            else:
                self.diaries[record["who"]].take(record)
            self._news()
        ready.set()

    async def _listen_aside(self, stderr: asyncio.StreamReader) -> None:
        while chunk := await stderr.read(1 << 16):
            self.stderr = (self.stderr + chunk)[-4000:]
