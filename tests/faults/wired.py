"""Faults of a real link, in a network namespace: down for a moment, and for longer than lease and grace."""

import asyncio

from tests.faults.history import Injection
from tests.faults.links import SILENT_SECONDS
from tests.faults.processes import BACK_SECONDS, GONE_SECONDS, LEASE_SECONDS
from tests.faults.town import Town, Victims
from tests.faults.wires import Wire

BLIP_SECONDS = 3.0


async def link_down(town: Town, victims: Victims, wire: Wire) -> None:
    """Take the link down for longer than lease and grace."""
    injection = town.injected(
        Injection(
            *("link-down", "P5", victims.keys, town.now()),
            may_suspect=True,
            may_go=True,
            suspect_within=LEASE_SECONDS,
            gone_within=GONE_SECONDS,
        )
    )
    wire.down()
    await asyncio.sleep(SILENT_SECONDS)
    wire.up()
    await town.recovered(injection, BACK_SECONDS)


async def link_blip(town: Town, victims: Victims, wire: Wire) -> None:
    """Take the link down for a moment: nobody is seen to leave."""
    injection = town.injected(Injection("link-blip", "P6", victims.keys, town.now(), may_suspect=True))
    wire.down()
    await asyncio.sleep(BLIP_SECONDS)
    wire.up()
    await town.recovered(injection, BACK_SECONDS)
