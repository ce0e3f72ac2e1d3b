"""Faults of the server: a planned restart, a crash, and a hang that is shorter than what clients bear."""

import asyncio
import signal

from tests.faults.history import Injection
from tests.faults.processes import BACK_SECONDS, SHORT_SECONDS
from tests.faults.town import Town

STALLED = "the server was stalled"
"""What it logs then: from this moment it believes no silence for a while."""


async def restart(town: Town) -> None:
    """Stop the server as an operator does and start another at the same address: nobody is seen to leave."""
    injection = town.injected(
        Injection(
            "server-restart", "P10", town.all_keys, town.now(), may_suspect=True, spares_neighbours=False
        )
    )
    code = await town.served.stop()
    town.findings.that("P10", code == 0, town.now(), f"the server that was asked to stop ended with {code}")
    await town.served.start()
    await town.recovered(injection, BACK_SECONDS)


async def crash(town: Town) -> None:
    """Kill the server and start another: the history begins afresh, everybody comes back, and no message is lost unnoticed."""
    injection = town.injected(
        Injection(
            *("server-kill-9", "P3", town.all_keys, town.now()),
            may_suspect=True,
            may_go=True,
            spares_neighbours=False,
        )
    )
    await town.served.kill()
    await town.served.start()
    await town.recovered(injection, BACK_SECONDS, is_new_history=True)


async def hang(town: Town) -> None:
    """Stop the server's process for a while: nobody is suspect because the server was deaf."""
    injection = town.injected(
        Injection("server-stop-5s", "P5", town.all_keys, town.now(), spares_neighbours=False)
    )
    town.served.signal(signal.SIGSTOP)
    await asyncio.sleep(SHORT_SECONDS)
    town.served.signal(signal.SIGCONT)
    await town.recovered(injection, BACK_SECONDS)
    noticed = await town.until_true(lambda: any(STALLED in line for line in town.served.log()), 2.0)
    town.findings.that(
        "P5", noticed, town.now(), "server-stop-5s: the server hasn't noticed that it was stalled"
    )
