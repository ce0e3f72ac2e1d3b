"""A planned stop loses nobody, a crash loses nobody for long, and whoever is in a hurry gets a quick stop."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from adsum.contract.reasons import Reason
from adsum.v1.presence_pb2 import SELECTION_STATE_AVAILABLE, Draining
from tests.integration.admin_client import admin_of
from tests.integration.adsumd import running_adsumd
from tests.integration.company import Company
from tests.integration.promises import promised
from tests.integration.raw_client import RawClient, RefusedError

QUICK_STOP = ("--drain-seconds", "0.5")


async def _draining(client: RawClient) -> Draining:
    return (await client.hears("P10", "draining")).message.draining


def _changes(client: RawClient, mark: int) -> tuple[int, int]:
    deltas = [heard.message.delta for heard in client.since(mark) if heard.kind == "delta"]
    return sum(len(delta.joined) for delta in deltas), sum(len(delta.left) for delta in deltas)


async def _join_anew(clients: Iterable[RawClient]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(client.resume())


@pytest.mark.promise("P10")
@pytest.mark.parametrize("event_loop", ["asyncio", "uvloop"])
async def test_everybody_is_told_to_move_each_at_another_moment(tmp_path: Path, event_loop: str) -> None:
    if event_loop == "uvloop":
        pytest.importorskip("uvloop", reason="uvloop is not installed: pip install 'adsum[uvloop]'")
    async with (
        running_adsumd(tmp_path, *QUICK_STOP, "--event-loop", event_loop) as daemon,
        Company(daemon.address) as company,
    ):
        people = await company.join_all([f"member {number:02}" for number in range(20)])
        mark = people[0].mark()
        daemon.terminate()
        told = [await _draining(one) for one in people]
        delays = [draining.reconnect_delay_millis for draining in told]
        deadlines = {draining.deadline_millis for draining in told}
        promised("P10", deadlines == {500}, f"the deadlines are {deadlines} for --drain-seconds 0.5")
        promised("P10", max(delays) <= 500, f"somebody is told to come back after the deadline: {delays}")
        promised("P10", len(set(delays)) > 10, f"everybody is told to come back at once: {delays}")
        # Nobody else is let in, with a reason and a hint to try again.
        with pytest.raises(RefusedError) as refused:
            await company.join("late")
        reason = refused.value.ending.reason
        promised("P10", reason in (Reason.DRAINING, None), f"refused with {refused.value.ending}")
        for one in people:
            ending = await one.end()
            promised("P10", ending.code.name == "UNAVAILABLE", f"a stream ended with {ending}")
        promised("P10", await daemon.ended() == 0, "the exit code of a stop is not 0")
        promised("P10", _changes(people[0], mark) == (0, 0), "somebody was seen to go")


@pytest.mark.promise("P10")
async def test_when_all_have_moved_the_server_doesnt_wait_for_the_deadline(tmp_path: Path) -> None:
    async with (
        running_adsumd(tmp_path, "--drain-seconds", "60", "--heartbeat-seconds", "0.2") as daemon,
        Company(daemon.address) as company,
    ):
        ann, bob = await company.join_all(["Ann", "Bob"])
        daemon.terminate()
        for one in (ann, bob):
            await _draining(one)
        mark = ann.mark()
        await bob.cut()
        # Bob has only done as he was told: that he is away now is nobody's news.
        await ann.hears_heartbeats(2)
        promised("P10", not ann.kinds(mark), f"Ann was told {ann.kinds(mark)}")
        await ann.cut()
        promised("P10", await daemon.ended() == 0, "the exit code of a stop is not 0")


@pytest.mark.promise("P10")
async def test_a_second_signal_stops_at_once_and_still_hands_over(tmp_path: Path) -> None:
    handover = tmp_path / "handover"
    arguments = ("--drain-seconds", "60", "--handover-file", str(handover))
    async with running_adsumd(tmp_path, *arguments) as daemon, Company(daemon.address) as company:
        ann = await company.join("Ann")
        daemon.terminate()
        await _draining(ann)
        promised("P10", ann.ending is None, "the stream was closed before the deadline")
        daemon.terminate()
        promised("P10", await daemon.ended() == 0, "the exit code of a quick stop is not 0")
        promised("P10", (await ann.end()).code.name == "UNAVAILABLE", f"the stream ended with {ann.ending}")
        promised("P10", handover.exists(), "nothing was left for a successor")


@pytest.mark.promise("P10", "P6", "P7")
async def test_a_restart_keeps_every_session_and_shows_nobody_a_leave_or_a_join(tmp_path: Path) -> None:
    arguments = (*QUICK_STOP, "--handover-file", str(tmp_path / "handover"))
    async with running_adsumd(tmp_path, *arguments) as first, Company(first.address) as company:
        people = await company.join_all([f"member {number:02}" for number in range(10)])
        ann, bob = people[:2]
        await ann.select(bob.key)
        before = {key: member.incarnation for key, member in ann.roster.members.items()}
        epoch, revision, mark = ann.roster.epoch, ann.roster.revision, ann.mark()
        first.terminate()
        # Half of them go when they are asked to, the others stay until they are closed.
        for one in people[::2]:
            await _draining(one)
            await one.cut()
        for one in people[1::2]:
            await one.end()
            await one.cut()
        await first.ended()
        async with running_adsumd(tmp_path, *arguments, listen=first.address) as second:
            await _join_anew(people)
            for one in people:
                promised("P10", one.welcome.resumed, f"{one.name}'s session was lost")
                await one.sees_all(set(before), "P10")
            promised("P10", ann.roster.epoch == epoch, "the lobby's history started afresh")
            promised("P2", ann.roster.revision >= revision, "the revision went back")
            after = {key: member.incarnation for key, member in ann.roster.members.items()}
            promised("P10", after == before, "somebody came back as another incarnation")
            promised("P10", _changes(ann, mark) == (0, 0), f"(joins, leaves) seen: {_changes(ann, mark)}")
            async with admin_of(second.admin_address) as admin:
                await admin.agrees_with(people)
            # What the session held goes on, too.
            mark = ann.mark()
            await bob.leave()
            await ann.selection_update(lambda update: update.state > SELECTION_STATE_AVAILABLE, since=mark)
            await ann.delivery_of(people[2], b"after the restart")


@pytest.mark.promise("P10", "P6")
async def test_who_doesnt_come_back_after_a_restart_is_gone_in_the_end(tmp_path: Path) -> None:
    times = ("--heartbeat-seconds", "0.3", "--lease-seconds", "0.8", "--grace-seconds", "0.3")
    arguments = (*QUICK_STOP, *times, "--handover-file", str(tmp_path / "handover"))
    async with running_adsumd(tmp_path, *arguments) as first, Company(first.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        first.terminate()
        for one in (ann, bob):
            await _draining(one)
            await one.cut()
        await first.ended()
        async with running_adsumd(tmp_path, *arguments, listen=first.address):
            await ann.resume()
            promised("P10", ann.welcome.resumed, "the session was lost")
            await ann.sees_gone(bob)


@pytest.mark.promise("P5", "P6", "0.6")
async def test_after_a_crash_everybody_gets_in_again_and_the_lists_are_right(tmp_path: Path) -> None:
    async with running_adsumd(tmp_path) as first, Company(first.address) as company:
        people = await company.join_all([f"member {number:02}" for number in range(10)])
        ann, bob = people[:2]
        epoch = ann.roster.epoch
        await first.kill()
        for one in people:
            ending = await one.end()
            promised("P5", ending.code.name == "UNAVAILABLE", f"a stream ended with {ending}")
        async with running_adsumd(tmp_path, listen=first.address) as second:
            # Bob is among those who don't come back.
            back = [one for one in people if one is not bob]
            await _join_anew(back)
            for one in back:
                promised("P6", not one.welcome.resumed, "a session was resumed that the server can't know")
                promised(
                    "P6", one.resume_refusal == Reason.SESSION_UNKNOWN, f"refused as {one.resume_refusal}"
                )
                await one.sees_exactly({other.key for other in back})
            promised("P2", ann.roster.epoch != epoch, "another history has the same epoch")
            async with admin_of(second.admin_address) as admin:
                await admin.agrees_with(back)


@pytest.mark.promise("P10")
async def test_a_handover_serves_once(tmp_path: Path) -> None:
    """After a crash, what an earlier stop left is out of date and must not come back."""
    arguments = (*QUICK_STOP, "--handover-file", str(tmp_path / "handover"))
    async with running_adsumd(tmp_path, *arguments) as first, Company(first.address) as company:
        ann = await company.join("Ann")
        first.terminate()
        await _draining(ann)
        await ann.cut()
        await first.ended()
        async with running_adsumd(tmp_path, *arguments, listen=first.address) as second:
            await second.kill()
        async with running_adsumd(tmp_path, *arguments, listen=first.address) as third:
            await ann.resume()
            promised("P5", not ann.welcome.resumed, "an old handover was taken a second time")
            async with admin_of(third.admin_address) as admin:
                await admin.agrees_with([ann])


@pytest.mark.promise("P3")
async def test_a_port_that_another_server_has_is_an_error_at_the_start(tmp_path: Path) -> None:
    """Two servers on one port would each see half of a lobby."""
    async with running_adsumd(tmp_path) as first:
        with pytest.raises(AssertionError, match=r"adsumd ended with 1"):
            async with running_adsumd(tmp_path, listen=first.address):
                pass
