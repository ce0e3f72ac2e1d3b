"""The probes: real clients of the Python library, in a process of their own, whose lists are checked.

They tell when an event was on a real client's roster, and whether what the library holds is what the server holds. Some of the updates
are theirs. Told what to do by lines of JSON, as the crowd is.
"""

import asyncio
import gc
import json
import os
import random
import sys
import time
from bisect import bisect_left
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from adsum.client import (
    Back,
    Identity,
    Joined,
    Left,
    Lobby,
    Overflowed,
    Repaired,
    Settings,
    Suspect,
    Updated,
    connect,
)
from adsum.client.roster import digest_of
from tests.bench.events import Latencies
from tests.bench.machine import raise_descriptor_limit
from tests.integration.admin_client import admin_of

PATIENT = Settings(connect_seconds=60.0, first_connect_seconds=120.0, snapshot_seconds=60.0)
"""A storm may make a newcomer wait for longer than a person would."""
CHECK_SECONDS = 10.0
_LINE_BYTES = 1 << 26


class Probe:
    """One real client: what it was told, and when."""

    def __init__(self, lobby: Lobby) -> None:
        self.lobby = lobby
        self.revisions: list[int] = []
        self.moments: list[float] = []
        self.faults: list[str] = []
        self._present = set(lobby.roster)

    def start(self) -> None:
        """Forget what was told so far."""
        self.revisions.clear()
        self.moments.clear()

    async def follow(self) -> None:
        """Take note of what the library tells, for as long as it does."""
        async for event in self.lobby:
            now = time.monotonic()
            match event:
                case Joined(member):
                    if member.public_key in self._present:
                        self.faults.append("a probe was shown a member as joined twice")
                    self._present.add(member.public_key)
                case Left(member):
                    if member.public_key not in self._present:
                        self.faults.append("a probe was shown a member as left twice")
                    self._present.discard(member.public_key)
                case Updated() | Suspect() | Back():
                    pass
                case Repaired() | Overflowed():
                    self.faults.append(f"a probe's list had to be repaired: {type(event).__name__}")
                    continue
                case _:
                    continue
            # A merged delta is told in the order of revisions, all of it at one moment.
            if not self.revisions or event.revision > self.revisions[-1]:
                self.revisions.append(event.revision)
                self.moments.append(now)

    def seen_at(self, revision: int) -> float | None:
        """Tell when the roster had that revision; None if it never had."""
        index = bisect_left(self.revisions, revision)
        return self.moments[index] if index < len(self.moments) else None


class Probes:
    """All probes, and what can be asked of them."""

    def __init__(self, stack: AsyncExitStack, tasks: asyncio.TaskGroup) -> None:
        self._stack = stack
        self._tasks = tasks
        self._probes: list[Probe] = []
        self._random = random.Random(7)
        self._acted: list[tuple[str, str, float]] = []
        self._acting: asyncio.Task[None] | None = None
        self._tokens = 0

    async def connect(self, *, address: str, lobby: str, probes: int) -> dict[str, Any]:
        """Let so many join a lobby."""
        for number in range(probes):
            identity = Identity.from_seed(random.Random(f"probe {number}").randbytes(32))
            connection = connect(
                address, lobby=lobby, identity=identity, name=f"Probe {number:02}", settings=PATIENT
            )
            probe = Probe(await self._stack.enter_async_context(connection))
            self._probes.append(probe)
            self._tasks.create_task(probe.follow())
        gc.collect()
        gc.freeze()
        return {}

    async def start(self, *, rate: float, seconds: float) -> dict[str, Any]:
        """Begin to take note, and to make so many updates a second for so long."""
        self._acted = []
        for probe in self._probes:
            probe.start()
        if rate:
            self._acting = self._tasks.create_task(self._act(rate, time.monotonic() + seconds))
        return {}

    async def stop(self) -> dict[str, Any]:
        """Make no more updates; tell those made: key, token, when."""
        if self._acting is not None:
            self._acting.cancel()
            self._acting = None
        return {"acted": self._acted}

    async def latencies(self, *, sent_at: list[tuple[int, float]]) -> dict[str, Any]:
        """Tell how long after each event, given by revision, each roster had it."""
        found = Latencies()
        missing = 0
        newest = max((revision for revision, _ in sent_at), default=0)
        await self._until(lambda probe: probe.lobby.revision >= newest)
        for probe in self._probes:
            for revision, moment in sent_at:
                if (seen := probe.seen_at(revision)) is not None:
                    found.add(max(0.0, seen - moment))
                elif probe.lobby.revision < revision:
                    # Else it was merged away: this probe's last delta told of nobody who came and went within it.
                    missing += 1
        return {"latency": found.summary(), "missing": missing}

    async def _until(self, holds: Callable[[Probe], bool]) -> list[Probe]:
        """Wait until something holds of every probe, or the patience is over; return those of which it doesn't."""
        ends_at = time.monotonic() + CHECK_SECONDS
        while others := [probe for probe in self._probes if not holds(probe)]:
            if time.monotonic() > ends_at:
                break
            await asyncio.sleep(0.05)
        return others

    async def check(self, *, admin: str, lobby: str) -> dict[str, Any]:
        """Compare each probe's list with the server's own word. Nothing may change meanwhile but what is still on its way."""
        faults: list[str] = []
        async with admin_of(admin) as operator:
            ends_at = time.monotonic() + CHECK_SECONDS
            while True:
                truth = await operator.lobby(lobby)
                behind = [probe for probe in self._probes if probe.lobby.revision != truth.revision]
                if not behind or time.monotonic() > ends_at:
                    break
                await asyncio.sleep(0.05)
        if behind:
            faults.append(f"{len(behind)} probes did not reach the server's revision")
        for probe in self._probes:
            held = probe.lobby
            digests = {truth.digest, held.digest, digest_of(held.roster.values())}
            if len(digests) != 1 or len(held.roster) != truth.member_count or held.epoch != truth.epoch:
                faults.append(
                    f"a probe holds {len(held.roster)} members, not the server's {truth.member_count}"
                )
            if not held.state.is_live:
                faults.append(f"a probe is {held.state.phase.value}: {held.state.cause}")
            faults += probe.faults
            probe.faults = []
        return {"faults": sorted(set(faults)), "members": truth.member_count}

    async def _act(self, rate: float, ends_at: float) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(0.5, 1.5) / rate)
            if time.monotonic() > ends_at:
                return
            probe = self._probes[self._tokens % len(self._probes)]
            self._tokens += 1
            token = f"p{self._tokens}"
            self._acted.append((probe.lobby.identity.public_key.hex(), token, time.monotonic()))
            await probe.lobby.update(status_text=token)


async def serve() -> None:
    """Take commands until their end."""
    reader = asyncio.StreamReader(limit=_LINE_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        probes = Probes(stack, tasks)
        while line := await reader.readline():
            command = json.loads(line)
            answer = await getattr(probes, command.pop("do"))(**command)
            # Not through a buffer that the pipe's other end would wait for.
            os.write(1, (json.dumps(answer) + "\n").encode())
        await probes.stop()


if __name__ == "__main__":
    raise_descriptor_limit()
    asyncio.run(serve())
