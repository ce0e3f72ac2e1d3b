"""The probes judge what their clients hold when all of it has come."""

import asyncio
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import cast

from adsum.client import Lobby
from tests.bench.probes import Probe, Probes


def a_probe(probes: Probes, revision: int) -> Probe:
    probe = Probe(cast("Lobby", SimpleNamespace(roster={}, revision=revision)))
    probes._probes.append(probe)
    return probe


def tell(probe: Probe, revision: int) -> None:
    cast("SimpleNamespace", probe.lobby).revision = revision
    probe.revisions.append(revision)
    probe.moments.append(10.5)


async def test_last_event_may_still_be_on_its_way() -> None:
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        probes = Probes(stack, tasks)
        probe = a_probe(probes, 6)
        asyncio.get_running_loop().call_soon(tell, probe, 7)
        found = await probes.latencies(sent_at=[(7, 10.0)])
    assert found["missing"] == 0
    assert found["latency"]["count"] == 1


async def test_who_came_and_went_within_one_delta_is_not_missing() -> None:
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        probes = Probes(stack, tasks)
        a_probe(probes, 8)
        assert (await probes.latencies(sent_at=[(7, 10.0), (8, 10.0)]))["missing"] == 0
