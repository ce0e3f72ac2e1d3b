"""A server stops or dies under fifty people who use the library: all come back by themselves, and nobody is lost or doubled."""

import time
from pathlib import Path

import pytest

from adsum.client import Joined, Left, MessageReceived, Phase, StateChanged
from tests.integration.admin_client import admin_of
from tests.integration.adsumd import running_adsumd
from tests.integration.followers import Follower, Followers
from tests.integration.latency import LatencyRecorder
from tests.integration.promises import promised

PEOPLE = [f"member {number:02}" for number in range(50)]
BACK_SECONDS = 25.0
"""Until everybody must be back, on a busy machine."""


@pytest.mark.promise("P10", "P6", "P3")
async def test_a_planned_restart_under_fifty_clients_is_seen_by_nobody(
    tmp_path: Path, latency: LatencyRecorder
) -> None:
    arguments = ("--drain-seconds", "0.5", "--handover-file", str(tmp_path / "handover"))
    async with running_adsumd(tmp_path, *arguments) as first, Followers(first.address) as followers:
        people = await followers.join_all(PEOPLE)
        before = {key: member.incarnation for key, member in people[0].lobby.roster.items()}
        epoch = people[0].lobby.epoch
        marks = [one.mark() for one in people]
        stopped_at = time.perf_counter()
        first.terminate()
        promised("P10", await first.ended() == 0, "the exit code of a stop is not 0")
        async with running_adsumd(tmp_path, *arguments, listen=first.address) as second:
            for one in people:
                await one.is_live("P10", seconds=BACK_SECONDS)
            for one in people:
                await one.sees(*(other for other in people if other is not one), promise="P10")
            latency.record("restart: all 50 see all 50 again", time.perf_counter() - stopped_at)
            async with admin_of(second.admin_address) as admin:
                for one, mark in zip(people, marks, strict=True):
                    await one.agrees(admin)
                    flaps = [*one.of(Joined, mark), *one.of(Left, mark)]
                    promised("P10", not flaps, f"{one.name} was told {flaps[:2]}")
                    after = {key: member.incarnation for key, member in one.lobby.roster.items()}
                    promised("P10", after == before, f"{one.name} sees other incarnations")
                    promised("P10", one.lobby.epoch == epoch, "the lobby's history started afresh")
            await people[0].lobby.send(people[1].lobby.identity.public_key, "still there?")
            promised("P8", people[1].of(MessageReceived)[0].text == "still there?", "another message came")
            await followers.leave_all()


@pytest.mark.promise("P5", "P6", "P3", "0.6")
async def test_after_a_crash_fifty_clients_are_back_by_themselves(
    tmp_path: Path, latency: LatencyRecorder
) -> None:
    async with running_adsumd(tmp_path) as first, Followers(first.address) as followers:
        people = await followers.join_all(PEOPLE)
        marks = [one.mark() for one in people]
        epoch = people[0].lobby.epoch
        killed_at = time.perf_counter()
        await first.kill()
        for one, mark in zip(people, marks, strict=True):
            await _is_told_of_the_loss(one, mark)
        async with running_adsumd(tmp_path, listen=first.address) as second:
            for one in people:
                await one.is_live("P6", epoch, BACK_SECONDS)
            for one in people:
                await one.sees(*(other for other in people if other is not one), promise="P5")
            latency.record("crash: all 50 see all 50 again", time.perf_counter() - killed_at)
            async with admin_of(second.admin_address) as admin:
                for one in people:
                    await one.agrees(admin)
            await followers.leave_all()


async def _is_told_of_the_loss(one: Follower, mark: int) -> None:
    await one.until(
        "P7",
        "to be told of the loss",
        lambda: any(event.state.phase is Phase.RECONNECTING for event in one.of(StateChanged, mark)),
    )
