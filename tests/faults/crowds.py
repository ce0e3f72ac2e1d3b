"""Two hundred clients that lose their connections in the same moment and come back in the same moment."""

import asyncio

from tests.faults.history import Injection
from tests.faults.processes import AT_ONCE_SECONDS, BACK_SECONDS
from tests.faults.town import Town

GRACE_SECONDS = 12.0
"""The grace of the crowd's server. Four processes on a few cores are to be two hundred computers: that they need seconds of the machine
to come back is their own doing, and nobody shall be gone because of it."""
OPTIONS = ("--grace-seconds", str(GRACE_SECONDS))
SHUT_SECONDS = GRACE_SECONDS + 3
"""Longer than the grace: nobody can resume."""


async def all_return(town: Town) -> None:
    """Reset every connection of the crowd: all resume at once, and nobody is seen to leave."""
    keys = _keys(town)
    injection = town.injected(Injection("return-200", "P6", keys, town.now(), may_suspect=True))
    for victims in town.victims:
        victims.proxy.reset()
    # Counted from the reset: nothing kept them from coming back in the same moment.
    injection.ended = injection.began
    await town.noticed(injection)
    await town.recovered(injection, BACK_SECONDS)
    _note_size(town, injection)


async def all_rejoin(town: Town) -> None:
    """Cut every connection of the crowd and let nobody in until all are gone; then all prove their keys anew."""
    injection = town.injected(
        Injection(
            *("rejoin-200", "P5", _keys(town), town.now()),
            may_suspect=True,
            may_go=True,
            suspect_within=AT_ONCE_SECONDS,
            gone_within=AT_ONCE_SECONDS + GRACE_SECONDS,
        )
    )
    for victims in town.victims:
        victims.proxy.is_open = False
        victims.proxy.finish()
    await asyncio.sleep(SHUT_SECONDS)
    for victims in town.victims:
        victims.proxy.is_open = True
    await town.recovered(injection, BACK_SECONDS)
    _note_size(town, injection)


def _keys(town: Town) -> tuple[str, ...]:
    return tuple(key for victims in town.victims for key in victims.keys)


def _note_size(town: Town, injection: Injection) -> None:
    count = len(injection.victims)
    town.findings.that("P9", count >= 200, town.now(), f"a crowd of {count}")
    injection.notes.append(f"{count} clients were all back after {injection.settled - injection.ended:.2f} s")
