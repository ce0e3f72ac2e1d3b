"""Whatever happens to one member reaches fifty others: by push, as one change, in one message, with its latency recorded."""

import time
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from adsum.v1.member_pb2 import LIVENESS_SUSPECT, STATUS_BUSY, Delta
from tests.integration.company import Company
from tests.integration.latency import LatencyRecorder
from tests.integration.local_server import local_server
from tests.integration.promises import promised
from tests.integration.raw_client import RawClient
from tests.integration.raw_member import member_process
from tests.integration.relay import relaying

WATCHERS = [f"watcher {number:02}" for number in range(50)]
ROUNDS = 10


class Audience:
    """Fifty members who do nothing but look."""

    def __init__(self, watchers: list[RawClient], latency: LatencyRecorder) -> None:
        self.watchers = watchers
        self._latency = latency
        self._marks: list[int] = []
        self._said: list[int] = []

    def expect(self) -> None:
        """Note what they have heard and said so far."""
        self._marks = [watcher.mark() for watcher in self.watchers]
        self._said = [len(watcher.witness.said) for watcher in self.watchers]

    async def hear(self, what: str, shows: Callable[[Delta], bool], since: float) -> None:
        """Wait until each has been told in one delta of one change, by push and without a snapshot."""
        for watcher, mark, said in zip(self.watchers, self._marks, self._said, strict=True):
            arrival = await watcher.hears("P4", "delta", mark, lambda one: shows(one.delta))
            self._latency.record(what, arrival.at - since)
            kinds = watcher.kinds(mark)
            promised("0.7", kinds == ["delta"], f"for one change {watcher.name} was sent {kinds}")
            delta = arrival.message.delta
            changed = len(delta.joined) + len(delta.updated) + len(delta.left)
            promised("0.7", changed == 1, f"{changed} members were sent for the change of one")
            promised("0.1", len(watcher.witness.said) == said, f"{watcher.name} had to ask")


def _has_joined(key: bytes) -> Callable[[Delta], bool]:
    return lambda delta: any(member.public_key == key for member in delta.joined)


def _says(key: bytes, text: str) -> Callable[[Delta], bool]:
    return lambda delta: any(
        member.public_key == key and member.profile.status_text == text for member in delta.updated
    )


def _has_left(key: bytes) -> Callable[[Delta], bool]:
    return lambda delta: any(departure.public_key == key for departure in delta.left)


def _is_suspect(key: bytes) -> Callable[[Delta], bool]:
    return lambda delta: any(
        member.public_key == key and member.liveness == LIVENESS_SUSPECT for member in delta.updated
    )


@pytest.mark.promise("P4", "0.1", "0.7")
async def test_a_join_an_update_and_a_leave_reach_fifty_others(latency: LatencyRecorder) -> None:
    async with local_server() as server, Company(server.address) as company:
        audience = Audience(await company.join_all(WATCHERS), latency)
        newcomers = [company.client(f"newcomer {number}") for number in range(ROUNDS)]
        for newcomer in newcomers:
            audience.expect()
            await newcomer.join()
            await audience.hear("join", _has_joined(newcomer.key), newcomer.proved_at)
        for newcomer in newcomers:
            audience.expect()
            started_at = time.perf_counter()
            await newcomer.update(status=STATUS_BUSY, status_text="in a meeting")
            await audience.hear("update", _says(newcomer.key, "in a meeting"), started_at)
        for newcomer in newcomers:
            audience.expect()
            started_at = time.perf_counter()
            await newcomer.leave()
            await audience.hear("leave", _has_left(newcomer.key), started_at)


@pytest.mark.promise("P4", "P5", "0.7")
async def test_a_killed_client_is_suspect_to_fifty_others(latency: LatencyRecorder) -> None:
    async with local_server() as server, Company(server.address) as company, AsyncExitStack() as stack:
        audience = Audience(await company.join_all(WATCHERS), latency)
        for number in range(3):
            victim = await stack.enter_async_context(member_process(server.address, f"victim {number}"))
            for watcher in audience.watchers:
                await watcher.sees_key(victim.key)
            audience.expect()
            started_at = time.perf_counter()
            victim.kill()
            await audience.hear("kill -9", _is_suspect(victim.key), started_at)


@pytest.mark.promise("P4", "P5", "0.7")
@pytest.mark.parametrize("how", ["reset", "finish"])
async def test_a_cut_connection_is_suspect_to_fifty_others(how: str, latency: LatencyRecorder) -> None:
    async with (
        local_server() as server,
        relaying(server.address) as relay,
        Company(server.address) as company,
    ):
        audience = Audience(await company.join_all(WATCHERS), latency)
        for number in range(3):
            victim = await company.join(f"victim {number}", target=relay.address)
            for watcher in audience.watchers:
                await watcher.sees_online(victim, "P4")
            audience.expect()
            started_at = time.perf_counter()
            getattr(relay, how)()
            await audience.hear(f"cut ({how})", _is_suspect(victim.key), started_at)
