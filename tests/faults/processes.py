"""Faults of client processes: a kill, a hang that is shorter than the lease, and one that is much longer."""

import asyncio
import signal

from tests.faults.history import Injection
from tests.faults.town import Town, Victims

AT_ONCE_SECONDS = 0.1
"""P5: a connection whose loss is known is suspect at once; P4 says what that means on a screen."""
LEASE_SECONDS = 12.0
GRACE_SECONDS = 5.0
GONE_SECONDS = 17.0
"""P5: with the defaults a silent client is suspect within 12 s and gone within 17 s."""
SHORT_SECONDS = 5.0
LONG_SECONDS = 90.0
BACK_SECONDS = 25.0
"""How long to wait for somebody to be back: the longest pause between two attempts is 10 s."""


async def kill(town: Town, victims: Victims) -> None:
    """Kill a process: suspect at once, gone when the grace ends. Start it again: its people join anew."""
    injection = town.injected(
        Injection(
            *("kill-9", "P5", victims.keys, town.now()),
            may_suspect=True,
            may_go=True,
            suspect_within=AT_ONCE_SECONDS,
            gone_within=AT_ONCE_SECONDS + GRACE_SECONDS,
        )
    )
    injection.began = await victims.crew.kill()
    await town.until(lambda: all(town.sees(key, "absent") for key in victims.keys), GRACE_SECONDS + 2)
    await victims.crew.start()
    victims.crew.join(victims.target, town.lobby)
    victims.crew.tell("act")
    await town.recovered(injection, BACK_SECONDS)


async def short_hang(town: Town, victims: Victims) -> None:
    """Stop a process for less than a lease: nobody notices, and what was sent to it meanwhile is delivered when it goes on."""
    injection = town.injected(Injection("stop-5s", "P6", victims.keys, town.now()))
    victims.crew.signal(signal.SIGSTOP)
    await asyncio.sleep(SHORT_SECONDS)
    victims.crew.signal(signal.SIGCONT)
    await town.recovered(injection, BACK_SECONDS)


async def long_hang(town: Town, victims: Victims) -> None:
    """Stop a process for far longer than lease and grace: suspect and gone in time. Then it goes on, and comes back by itself."""
    injection = town.injected(
        Injection(
            *("stop-90s", "P5", victims.keys, town.now()),
            may_suspect=True,
            may_go=True,
            suspect_within=LEASE_SECONDS,
            gone_within=GONE_SECONDS,
        )
    )
    victims.crew.signal(signal.SIGSTOP)
    await asyncio.sleep(LONG_SECONDS)
    victims.crew.signal(signal.SIGCONT)
    await town.recovered(injection, BACK_SECONDS)
