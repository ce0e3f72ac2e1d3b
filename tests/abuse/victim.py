"""The client library in the hands of a hostile server: `python -m tests.abuse.victim TARGET SEED ROUNDS`.

Each round connects, does everything that an application does, and lets go. What the library raises must be its own errors; nothing may
hang, and no exception may get lost. Prints one line of JSON for all rounds.
"""

import asyncio
import json
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from random import Random

from adsum.client import AdsumError, Identity, Lobby, Settings, connect
from tests.bench.machine import resident_bytes

ROUND_SECONDS = 12.0
"""After which a round counts as hung: all its timeouts together are far less."""
STAY_SECONDS = 0.6
_SETTINGS = Settings(
    connect_seconds=0.5,
    first_connect_seconds=1.0,
    snapshot_seconds=0.5,
    first_backoff_seconds=0.005,
    max_backoff_seconds=0.05,
    resumable_backoff_seconds=0.05,
    stable_seconds=0.1,
    answer_seconds=0.2,
    leave_seconds=0.2,
    event_queue=500,
    inbox=50,
    max_members=2_000,
)


class Victim:
    """Use the library, round after round."""

    def __init__(self, target: str, random: Random) -> None:
        self._target = target
        self._random = random
        self.raised: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    async def round(self) -> None:
        """Connect, live a while, and let go."""
        try:
            async with asyncio.timeout(ROUND_SECONDS):
                await self._round()
        except TimeoutError:
            self.faults["P9: a round hangs"] += 1

    async def _round(self) -> None:
        try:
            connection = connect(
                self._target,
                lobby="lobby",
                identity=Identity.generate(),
                name="victim",
                observer=self._random.random() < 0.2,
                settings=_SETTINGS,
            )
            async with connection as lobby, asyncio.TaskGroup() as tasks:
                tasks.create_task(self._guarded(self._listen(lobby)))
                for _ in range(3):
                    tasks.create_task(self._guarded(self._use(lobby)))
        except Exception as error:  # noqa: BLE001
            self._note(error)

    async def _guarded(self, activity: Coroutine[None, None, None]) -> None:
        try:
            async with asyncio.timeout(STAY_SECONDS):
                await activity
        except TimeoutError:
            # Its own: the round is over.
            pass
        except Exception as error:  # noqa: BLE001
            self._note(error)

    async def _listen(self, lobby: Lobby) -> None:
        async for event in lobby:
            self.events[type(event).__name__] += 1

    async def _use(self, lobby: Lobby) -> None:
        """Ask for everything, by turns."""
        random = self._random
        while True:
            try:
                await self._ask(lobby, random)
            except AdsumError as error:
                self._note(error)
            await asyncio.sleep(random.choice((0.001, 0.02)))

    async def _ask(self, lobby: Lobby, random: Random) -> None:
        members = list(lobby.roster.values())
        member = random.choice(members) if members else random.randbytes(32)
        match random.randrange(6):
            case 0 | 1:
                await lobby.select(random.choice((member, None)))
            case 2 | 3:
                # A send waits for as long as it takes; an application puts its own limit around it.
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await lobby.send(member, random.randbytes(20))
            case 4:
                await lobby.update(status_text=str(random.random()))
            case _:
                await lobby.resync()

    def _note(self, error: BaseException) -> None:
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                self._note(one)
            return
        self.raised[type(error).__name__] += 1
        if not isinstance(error, AdsumError):
            last = traceback.extract_tb(error.__traceback__)[-1]
            self.faults[
                f"contract: {type(error).__name__}: {error} ({last.filename}:{last.lineno})"[-300:]
            ] += 1


async def main(target: str, seed: str, rounds: int) -> None:
    """Run all rounds, and say what came of them."""
    victim = Victim(target, Random(seed))
    lost: Counter[str] = Counter()
    # In development mode asyncio tells of everything that is slow, and much is, on a machine under attack.
    asyncio.get_running_loop().slow_callback_duration = 1e9
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: lost.update([str(context.get("message"))])
    )
    # The first rounds bring in what every process needs once.
    for _ in range(min(5, rounds)):
        await victim.round()
    before, started_at, longest = resident_bytes(os.getpid()), time.perf_counter(), 0.0
    peak = before
    for _ in range(rounds):
        at = time.perf_counter()
        await victim.round()
        longest = max(longest, time.perf_counter() - at)
        peak = max(peak, resident_bytes(os.getpid()))
    print(
        json.dumps(
            {
                "rounds": rounds,
                "seconds": time.perf_counter() - started_at,
                "longest_seconds": longest,
                "raised": dict(victim.raised),
                "events": dict(victim.events),
                "faults": dict(victim.faults),
                "lost": dict(lost),
                "before_mib": before / (1 << 20),
                "peak_mib": peak / (1 << 20),
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
