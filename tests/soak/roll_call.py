"""What is compared when everybody is there, and when nobody is: the lists of the lean members with the server's own word."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from adsum.v1.admin_pb2 import ListLobbiesRequest
from tests.integration.admin_client import Admin, admin_of

LOOK_SECONDS = 0.25


async def lists_agree(
    admin: Admin, lists: dict[str, list[dict[str, Any]]], report: Callable[[str, str], None]
) -> int:
    """Compare the distinct lists that are held of each lobby with the server's; returns how many there were."""
    for lobby, held in lists.items():
        truth = await admin.lobby(lobby)
        told = {
            "epoch": truth.epoch,
            "revision": truth.revision,
            "digest": truth.digest,
            "keys": sorted(key.hex() for key in await admin.members(lobby)),
        }
        for one in held:
            if one != told:
                parts = [name for name in told if one[name] != told[name]]
                report("P3", f"a list of {lobby} differs from the server's in {parts}")
        if truth.suspect_count:
            report("P5", f"{truth.suspect_count} of {lobby} are suspect though all are here")
        if truth.stream_count != truth.member_count:
            report("P9", f"{truth.stream_count} streams of {truth.member_count} members in {lobby}")
    return sum(len(held) for held in lists.values())


async def incarnations(address: str, lobbies: Iterable[str]) -> dict[bytes, int]:
    """Tell who is there, and since when: a new incarnation is somebody who was gone."""
    found: dict[bytes, int] = {}
    async with admin_of(address) as admin:
        for lobby in lobbies:
            found |= {key: member.incarnation for key, member in (await admin.members(lobby)).items()}
    return found


async def lobbies_left(address: str, seconds: float) -> list[str]:
    """Wait until no lobby is open any more; returns those that still are when the time is up."""
    ends_at = time.monotonic() + seconds
    async with admin_of(address) as admin:
        while True:
            answer = await admin.stub.ListLobbies(ListLobbiesRequest(page_size=1000))
            if not answer.lobbies or time.monotonic() > ends_at:
                return [lobby.name for lobby in answer.lobbies]
            # Nobody tells that a server is empty.
            await asyncio.sleep(LOOK_SECONDS)
