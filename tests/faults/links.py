"""Faults of the network between a client and the server, made by the proxy on the way."""

import asyncio

from tests.faults.history import Injection
from tests.faults.processes import AT_ONCE_SECONDS, BACK_SECONDS, GONE_SECONDS, LEASE_SECONDS
from tests.faults.proxy import Condition
from tests.faults.town import Town, Victims

SHUT_SECONDS = (0.3, 1.5)
"""For how long nobody gets in after a cut: well within the grace, also with the pauses between two attempts."""
ATTEMPT_SECONDS = 5.0
"""How long an attempt to connect may take."""
SILENT_SECONDS = 19.0
"""Longer than lease and grace together."""
SLOW = Condition(bytes_per_second=4096)
"""Slower than any modem, and still more than what this lobby has to tell."""
SLOW_SECONDS = 15.0
"""Longer than a lease: heartbeats have to come through as well."""
LATE = Condition(delay_seconds=0.12, jitter_seconds=0.1)
LATE_SECONDS = 8.0
SLICED = Condition(is_sliced=True)
SWALLOWED = Condition(is_swallowed=True)
HELD = Condition(is_held=True)


async def reset(town: Town, victims: Victims) -> None:
    """Reset every connection on both sides. The clients come back at once."""
    injection = town.injected(Injection("reset", "P6", victims.keys, town.now(), may_suspect=True))
    victims.proxy.reset()
    injection.ended = injection.began
    await town.noticed(injection)
    await town.recovered(injection, BACK_SECONDS)


async def cut(town: Town, victims: Victims) -> None:
    """Close every connection, and let nobody in for a while: suspect at once, and back within the grace."""
    injection = town.injected(
        Injection("cut", "P6", victims.keys, town.now(), may_suspect=True, suspect_within=AT_ONCE_SECONDS)
    )
    victims.proxy.is_open = False
    victims.proxy.finish()
    await asyncio.sleep(town.chance.uniform(*SHUT_SECONDS))
    victims.proxy.is_open = True
    await town.recovered(injection, BACK_SECONDS)


async def half_open(town: Town, victims: Victims) -> None:
    """Kill a connection so that one side, or neither, learns of it. New connections are well.

    In turn: only the client is told (the server's half stays, silent); nobody is told, as by a router that has forgotten; the server hears
    nothing any more and is heard; the client hears nothing any more and is heard.
    """
    way = next(town.ways)
    injection = town.injected(
        Injection("half-open", "P6", victims.keys, town.now(), may_suspect=way != "stranded")
    )
    match way:
        case "stranded":
            victims.proxy.strand()
        case "forgotten":
            victims.proxy.become(SWALLOWED, SWALLOWED, only_open=True)
        case "unheard":
            victims.proxy.become(up=SWALLOWED, only_open=True)
        case "deaf":
            victims.proxy.become(down=SWALLOWED, only_open=True)
    before = victims.proxy.accepted
    # Over for those who have another connection; that they need one, they find out within a lease.
    has_another = await town.until_true(
        lambda: victims.proxy.accepted >= before + len(victims.keys), LEASE_SECONDS + ATTEMPT_SECONDS
    )
    took = town.now() - injection.began
    what = f"half-open: who is {way} has no other connection after {took:.1f} s"
    town.findings.that("P5", has_another, town.now(), what, "deadline")
    injection.notes.append(f"{way}: another connection after {took:.1f} s")
    await town.recovered(injection, BACK_SECONDS)


async def silence(town: Town, victims: Victims) -> None:
    """Let nothing through for longer than lease and grace, on old connections and new ones; then everything, what was held first."""
    injection = town.injected(
        Injection(
            *("silent-cut", "P5", victims.keys, town.now()),
            may_suspect=True,
            may_go=True,
            suspect_within=LEASE_SECONDS,
            gone_within=GONE_SECONDS,
        )
    )
    victims.proxy.become(HELD, HELD)
    await asyncio.sleep(SILENT_SECONDS)
    victims.proxy.heal()
    await town.recovered(injection, BACK_SECONDS)


async def slow(town: Town, victims: Victims) -> None:
    """Let little through: nobody is suspect because of it."""
    await _bad(town, victims, "slow-link", SLOW, SLOW_SECONDS)


async def late(town: Town, victims: Victims) -> None:
    """Delay everything, by another time for each piece."""
    await _bad(town, victims, "delay", LATE, LATE_SECONDS)


async def sliced(town: Town, victims: Victims) -> None:
    """Deliver 1 to 7 bytes at a time."""
    await _bad(town, victims, "slices", SLICED, LATE_SECONDS)


async def _bad(town: Town, victims: Victims, fault: str, condition: Condition, seconds: float) -> None:
    injection = town.injected(Injection(fault, "P5", victims.keys, town.now()))
    victims.proxy.become(condition, condition)
    before = victims.proxy.passed_bytes
    await asyncio.sleep(seconds)
    passed = victims.proxy.passed_bytes - before
    town.findings.that("P9", passed > 0, town.now(), f"{fault}: nothing went through the proxy")
    victims.proxy.heal()
    await town.recovered(injection, BACK_SECONDS)
