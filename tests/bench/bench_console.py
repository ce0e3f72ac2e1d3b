"""How much the full screen costs and how fast it answers, in a lobby of 1,000 with 100 changes a second.

`make bench-console` runs it. The program runs as a person runs it, in a terminal, against a real gRPC server;
only the crowd behind that server is made up, for 1,000 real clients would cost more than what is measured.
"""

import argparse
import asyncio
import contextlib
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from adsum.client import Liveness, Member, Profile, Status
from adsum.client.member import DepartureReason
from adsum.client.messages import Delta, Departure, ServerHeartbeat, Snapshot
from adsum.contract.digest import EMPTY, add, member_digest, remove
from tests.bench.frames import Frame, FrameReader
from tests.client.model_lobby import JOINED_AT
from tests.client.scripted_server import ScriptedServer, ScriptedStream, a_welcome
from tests.integration.adsumd import adsumd_environment
from tests.integration.terminal import Terminal, in_terminal

MOST_CPU = 1 / 3
"""The most of one core that it may use."""
MOST_KEY_SECONDS = 0.050
"""The longest that any key may wait for its answer."""
KEY_PAUSE_SECONDS = (0.1, 0.4)
"""How long a person waits between two keys: as they browse, and as they type."""
CHUNK_MEMBERS = 500
_TICKS = os.sysconf("SC_CLK_TCK")


class Crowd:
    """Keep made-up members, and change them one by one."""

    def __init__(self, count: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._count = count
        self.revision = 0
        self.digest = EMPTY
        self.members: dict[bytes, Member] = {}
        for number in range(count):
            self._put(self._newcomer(number))

    def snapshot(self) -> list[Snapshot]:
        """Tell everybody, in chunks."""
        everybody = tuple(self.members.values())
        parts = [everybody[at : at + CHUNK_MEMBERS] for at in range(0, len(everybody), CHUNK_MEMBERS)]
        return [
            Snapshot(
                epoch=7,
                revision=self.revision,
                members=part,
                digest=self.digest,
                count=len(everybody),
                last=index == len(parts) - 1,
                chunk_index=index,
                chunk_count=len(parts),
            )
            for index, part in enumerate(parts)
        ]

    def change(self) -> Delta:
        """Let one member change, lose the connection, come back, leave or come, and tell it."""
        base = self.revision
        number = self._random.randrange(self._count)
        key = _key(number)
        member = self.members.get(key)
        joined: tuple[Member, ...] = ()
        updated: tuple[Member, ...] = ()
        left: tuple[Departure, ...] = ()
        if member is None:
            joined = (self._put(self._newcomer(number)),)
        elif (dice := self._random.random()) < 0.2:
            self.revision += 1
            self.digest = remove(self.digest, _digest(member))
            del self.members[key]
            left = (Departure(key, self.revision, DepartureReason.LEFT),)
        elif dice < 0.4:
            liveness = Liveness.SUSPECT if member.liveness is Liveness.ONLINE else Liveness.ONLINE
            updated = (self._put(replace(member, liveness=liveness)),)
        else:
            profile = replace(
                member.profile,
                status=self._random.choice(list(Status)),
                status_text=self._random.choice(["", "at lunch", "in a meeting", "🎧 writing"]),
            )
            updated = (self._put(replace(member, profile=profile)),)
        return Delta(7, base, self.revision, joined, updated, left, self.digest, len(self.members))

    def heartbeat(self) -> ServerHeartbeat:
        """Prove the list."""
        return ServerHeartbeat(
            epoch=7,
            revision=self.revision,
            digest=self.digest,
            count=len(self.members),
            server_time_unix_millis=0,
            nonce=self._random.randrange(1, 1 << 32),
            round_trip_micros=1_000,
            degraded=False,
        )

    def admit(self, public_key: bytes, name: str) -> None:
        """Let somebody real in."""
        self._put(Member(public_key, 1, 0, Liveness.ONLINE, Profile(name), JOINED_AT, 1))

    def _newcomer(self, number: int) -> Member:
        name = f"{self._random.choice(['Ada', 'Björn', 'Chloé', '漢字', 'Dmitri'])} {number:04}"
        return Member(_key(number), self.revision + 1, 0, Liveness.ONLINE, Profile(name), JOINED_AT, 1)

    def _put(self, member: Member) -> Member:
        self.revision += 1
        before = self.members.get(member.public_key)
        if before is not None:
            self.digest = remove(self.digest, _digest(before))
        member = replace(member, revision=self.revision)
        self.members[member.public_key] = member
        self.digest = add(self.digest, _digest(member))
        return member


def _key(number: int) -> bytes:
    return number.to_bytes(4, "big") * 8


def _digest(member: Member) -> int:
    return member_digest(member.public_key, member.incarnation, member.revision)


class Person:
    """Press keys, and see when the screen has answered."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._reader = FrameReader()
        self._seen = 0
        self.latencies: list[float] = []

    @property
    def frames(self) -> list[Frame]:
        """Every frame so far."""
        written = self._terminal.written
        if len(written) > self._seen:
            self._reader.feed(written[self._seen :], time.perf_counter())
            self._seen = len(written)
        return self._reader.frames

    async def press(self, keys: str, is_answered: Callable[[Frame], bool]) -> None:
        """Press a key, and wait for the first frame that shows what it does."""
        count = len(self.frames)
        pressed_at = time.perf_counter()
        self._terminal.type(keys)
        while True:
            for frame in self.frames[count:]:
                count += 1
                if is_answered(frame):
                    self.latencies.append(frame.at - pressed_at)
                    return
            if time.perf_counter() - pressed_at > 5:
                raise AssertionError(f"{keys!r} was never answered:\n{self.frames[-1].text}")
            await asyncio.sleep(0.0005)

    async def browse(self, source: random.Random, seconds: float) -> None:
        """Do for some time what people do: move about, filter, look at the help."""
        ends_at = time.perf_counter() + seconds
        while time.perf_counter() < ends_at:
            for key in source.choices(["j", "k", "\x1b[B", "\x1b[6~", "\x1b[5~"], k=6):
                await self._pause(source)
                before = self.frames[-1].line_with("▌")[:28]
                if (
                    "Lobby" in self.frames[-1].text
                    and key in ("k", "\x1b[5~")
                    and _is_at_top(self.frames[-1])
                ):
                    continue
                await self.press(key, lambda frame, old=before: frame.line_with("▌")[:28] != old)  # type: ignore[misc]
            await self._pause(source)
            await self.press("/", lambda frame: " filter /" in frame.text)
            typed = ""
            for character in source.choice(["ada", "bj", "04"]):
                await self._pause(source)
                typed += character
                await self.press(character, lambda frame, text=typed: f"filter / {text} " in frame.text)  # type: ignore[misc]
            await self._pause(source)
            await self.press("\x1b", lambda frame: " filter /" not in frame.text)
            await self._pause(source)
            await self.press("?", lambda frame: "In the lobby" in frame.text)
            await self._pause(source)
            await self.press("\x1b", lambda frame: "In the lobby" not in frame.text)

    async def _pause(self, source: random.Random) -> None:
        await asyncio.sleep(source.uniform(*KEY_PAUSE_SECONDS))


def _is_at_top(frame: Frame) -> bool:
    lines = frame.text.split("\n")
    return any("▌" in line for line in lines[:4])


@contextlib.asynccontextmanager
async def changing(crowd: Crowd, stream: ScriptedStream, per_second: float) -> AsyncIterator[list[int]]:
    """Tell so many changes a second for as long as the block runs; gives a list that they are counted in."""
    told = [0]
    over = asyncio.Event()

    async def tell() -> None:
        started_at = time.perf_counter()
        beat_at = started_at
        while not over.is_set():
            while told[0] < (time.perf_counter() - started_at) * per_second:
                await stream.say(crowd.change())
                told[0] += 1
            if time.perf_counter() >= beat_at:
                beat_at += 5.0
                await stream.say(crowd.heartbeat())
            await asyncio.sleep(0.005)

    async with asyncio.TaskGroup() as group:
        group.create_task(tell())
        yield told
        # Not cancelled: what is being written must be written.
        over.set()


@contextlib.asynccontextmanager
async def watching_machine(environment: dict[str, str]) -> AsyncIterator[list[float]]:
    """Measure what the machine alone takes, in seconds: from a key typed to `cat` in a terminal to its echo."""
    echoes: list[float] = []

    async def type_on(terminal: Terminal) -> None:
        while True:
            typed_at = time.perf_counter()
            terminal.type("x")
            await terminal.shows("x")
            echoes.append(time.perf_counter() - typed_at)
            await asyncio.sleep(0.1)

    async with in_terminal(["sh", "-c", "stty raw -echo; echo ready; exec cat"], environment) as terminal:
        await terminal.shows("ready")
        async with asyncio.TaskGroup() as group:
            typist = group.create_task(type_on(terminal))
            yield echoes
            typist.cancel()


def cpu_seconds(process_id: int) -> float:
    """Read how much of a core a process has used, all its threads together."""
    fields = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def measure(arguments: argparse.Namespace, directory: Path) -> None:
    """Run it all, and print what was measured."""
    crowd = Crowd(arguments.members, seed=7)
    environment = {**adsumd_environment(), "ADSUM_KEY": str(directory / "key")}
    async with ScriptedServer() as server:
        words = [
            sys.executable,
            "-m",
            "adsum.console",
            "join",
            "team",
            "--server",
            server.target,
            "--name",
            "Ann",
        ]
        async with in_terminal(words, environment) as terminal:
            terminal.resize(arguments.columns, arguments.rows)
            stream = await server.accept()
            hello = await stream.challenge()
            crowd.admit(hello.public_key, "Ann")
            await stream.say(a_welcome(lease_millis=60_000), *crowd.snapshot())
            await terminal.shows("connected")
            person = Person(terminal)
            process_id = terminal.process.pid
            async with (
                changing(crowd, stream, arguments.changes) as told,
                watching_machine(environment) as echoes,
            ):
                await asyncio.sleep(2.0)
                before, told_before, frames_before = cpu_seconds(process_id), told[0], len(person.frames)
                started_at = time.perf_counter()
                await person.browse(random.Random(7), arguments.seconds)
                elapsed = time.perf_counter() - started_at
                share = (cpu_seconds(process_id) - before) / elapsed
                changes = (told[0] - told_before) / elapsed
                frames = person.frames[frames_before:]
            await stream.say(crowd.heartbeat())
            await asyncio.sleep(4.0)
            before = cpu_seconds(process_id)
            await asyncio.sleep(3.0)
            idle = (cpu_seconds(process_id) - before) / 3.0
            terminal.type("q")
            await terminal.ended()
    report(arguments, share, idle, changes, frames, person.latencies, echoes)


def report(
    arguments: argparse.Namespace,
    share: float,
    idle: float,
    changes: float,
    frames: list[Frame],
    latencies: list[float],
    echoes: list[float],
) -> None:
    """Print what was measured, and whether it is what was promised."""
    # When a frame was seen: a machine that wakes this process late makes two seconds look like one.
    most_drawn = max(sum(first.at <= other.at < first.at + 1.0 for other in frames) for first in frames)
    drawn = len(frames) / (frames[-1].at - frames[0].at)
    is_cheap, is_quick = share < MOST_CPU, max(latencies) <= MOST_KEY_SECONDS
    print(f"members      {arguments.members:,} on {arguments.columns} x {arguments.rows}")
    print(
        f"changes      {changes:.0f}/s, drawn {drawn:.1f} times a second, seen at most {most_drawn} in any second"
    )
    print(
        f"CPU          {share:.1%} of a core, {'under' if is_cheap else 'OVER'} {MOST_CPU:.0%}; at rest {idle:.1%}"
    )
    verdict = f"{'within' if is_quick else 'OVER'} {1000 * MOST_KEY_SECONDS:.0f} ms"
    print(f"key latency  {_spread(latencies)} ({len(latencies)} keys), {verdict}")
    print(f"the machine  {_spread(echoes)} for the echo of `cat`, at the same time")


def _spread(seconds: list[float]) -> str:
    percentiles = statistics.quantiles((1000 * each for each in seconds), n=100, method="inclusive")
    p50, p95, p99 = (percentiles[percent - 1] for percent in (50, 95, 99))
    return f"p50 {p50:.1f} ms, p95 {p95:.1f}, p99 {p99:.1f}, max {1000 * max(seconds):.1f}"


def main() -> None:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--members", type=int, default=1_000)
    parser.add_argument("--changes", type=float, default=100.0, help="a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long keys are pressed")
    parser.add_argument("--columns", type=int, default=120)
    parser.add_argument("--rows", type=int, default=40)
    with tempfile.TemporaryDirectory(prefix="adsum-bench-") as directory:
        asyncio.run(measure(parser.parse_args(), Path(directory)))


if __name__ == "__main__":
    main()
