"""Whatever one client does, the others notice nothing, and the server's memory stays bounded."""

import asyncio
import contextlib
import time
from pathlib import Path

import grpc
import pytest

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.v1.member_pb2 import Profile
from adsum.v1.presence_pb2 import ClientHeartbeat, Resync, UpdateProfile
from tests.integration.admin_client import admin_of
from tests.integration.adsumd import running_adsumd
from tests.integration.company import Company
from tests.integration.latency import LatencyRecorder
from tests.integration.local_server import PROPORTIONAL, local_server
from tests.integration.promises import promised
from tests.integration.raw_client import RawClient
from tests.integration.relay import relaying

MEBIBYTE = 1024 * 1024
DEAF = 48
"""Members who never read. What a server that queued for them would hold is this many times what is sent."""
SMALL_WINDOW = (("grpc.http2.lookahead_bytes", 64 * 1024), ("grpc.http2.bdp_probe", 0))
"""So much HTTP/2 lets through unread. Python's default is 4 MiB, more than a quick test can fill."""
WAVES = 25
TALKERS = 16
GROWTH_BYTES = 8 * MEBIBYTE
"""What the server may grow by meanwhile: DEAF streams with HTTP/2 windows and gRPC's buffers, and an allocator's slack."""


@pytest.mark.promise("P9", "P4", "0.7")
async def test_clients_that_never_read_cost_their_neighbours_and_the_server_nothing(
    tmp_path: Path, latency: LatencyRecorder
) -> None:
    fast = ("--updates-per-second", "1000", "--update-burst", "1000")
    calm = ("--heartbeat-seconds", "30", "--lease-seconds", "100")
    async with (
        running_adsumd(tmp_path, *fast, *calm) as daemon,
        relaying(daemon.address) as relay,
        Company(daemon.address) as company,
    ):
        talkers = await company.join_all([f"talker {number:02}" for number in range(TALKERS)])
        deaf = [
            await company.client(f"deaf {number:02}", target=relay.address, options=SMALL_WINDOW).join()
            for number in range(DEAF)
        ]
        ann = await company.join("Ann")
        await ann.until("P3", "everybody", lambda: len(ann.roster.members) == 1 + TALKERS + DEAF)
        # Half of them don't read what gRPC has received, and none receives anything from now on.
        for client in deaf[::2]:
            client.pause()
        relay.freeze()
        before, sent = daemon.resident_bytes, 0
        for wave in range(WAVES):
            mark = ann.mark()
            said_at = time.perf_counter()
            for client in talkers:
                await _shout(client, f"wave {wave}")
            await ann.sees_text(f"wave {wave}", *talkers)
            latency.record(f"update beside {DEAF} deaf clients", ann.heard[-1].at - said_at)
            sent += sum(heard.message.ByteSize() for heard in ann.since(mark))
        grown = daemon.resident_bytes - before
        queued = sent * DEAF
        promised("P9", queued > 2 * GROWTH_BYTES, f"the test is too small: {queued} bytes would be queued")
        promised(
            "P9",
            grown < GROWTH_BYTES,
            f"the server grew by {grown / MEBIBYTE:.1f} MiB; queueing everything is {queued / MEBIBYTE:.1f} MiB",
        )


@pytest.mark.promise("P9", "P3")
async def test_a_client_that_reads_again_is_told_the_outcome_and_not_the_history() -> None:
    async with (
        local_server(Limits(updates_per_second=1000, update_burst=1000)) as server,
        relaying(server.address) as relay,
        Company(server.address) as company,
    ):
        ann, bob = await company.join_all(["Ann", "Bob"])
        reader = await company.client("Reader", target=relay.address, options=SMALL_WINDOW).join()
        await ann.sees_online(reader)
        mark, own_mark = reader.mark(), ann.mark()
        relay.freeze()
        for wave in range(100):
            for client in (ann, bob):
                await _shout(client, f"wave {wave}")
            await ann.sees_text(f"wave {wave}", ann, bob)
        relay.thaw()
        await reader.reaches(ann.roster.revision)
        told, each = reader.count("delta", mark), ann.count("delta", own_mark)
        promised("P9", told < each * 0.9, f"{told} deltas came late where others were sent {each}")


async def _shout(client: RawClient, text: str) -> None:
    profile = Profile(name=client.name, status_text=text, attributes={"filler": "x" * 1000})
    await client.say(update_profile=UpdateProfile(profile=profile))


@pytest.mark.promise("P9", "P5")
async def test_a_client_that_talks_but_never_reads_is_taken_out_of_presence() -> None:
    async with local_server(PROPORTIONAL) as server, Company(server.address) as company:
        ann = await company.join("Ann")
        eve = await company.join("Eve")
        await ann.sees_online(eve)
        eve.pause()

        async def talk() -> None:
            while eve.key in ann.roster.members:
                beat = ClientHeartbeat(epoch=eve.roster.epoch, revision=eve.roster.revision)
                # Her stream may end while she writes; then she is about to be seen to go.
                with contextlib.suppress(grpc.aio.AioRpcError):
                    await eve.say(heartbeat=beat)
                await ann.hears_heartbeats(1)

        await asyncio.wait_for(talk(), 10)
        eve.beats = False
        eve.go_on()
        ending = await eve.end()
        promised("P9", ending.reason is Reason.SLOW_READER, f"it ended with {ending}")


@pytest.mark.promise("P9", "P3")
async def test_updates_beyond_the_rate_are_merged_and_the_last_value_arrives() -> None:
    limits = Limits(updates_per_second=5, update_burst=10)
    async with local_server(limits) as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        start, mark = ann.roster.revision, ann.mark()
        for number in range(100):
            await bob.update(status_text=f"number {number}")
        await ann.sees_text("number 99", bob)
        revisions = ann.roster.revision - start
        promised("P9", 10 <= revisions <= 20, f"100 updates at once made {revisions} revisions")
        await bob.fence()
        errors = bob.count("request_error")
        promised("P9", errors == 1, "somebody was punished for being quick")
        texts = [
            member.profile.status_text
            for heard in ann.since(mark)
            if heard.kind == "delta"
            for member in heard.message.delta.updated
        ]
        numbers = [int(text.removeprefix("number ")) for text in texts]
        promised("P2", numbers == sorted(set(numbers)), f"the order of updates is {numbers}")


@pytest.mark.promise("P9", "P3")
async def test_a_flood_of_resyncs_costs_one_list_a_second() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        mark, asked_at = ann.mark(), time.perf_counter()
        for _ in range(50):
            await ann.say(resync=Resync())
        await ann.until(
            "P3",
            "an answer to the last",
            lambda: any(heard.kind == "snapshot" and heard.at - asked_at > 0.5 for heard in ann.since(mark)),
        )
        answers = ann.count("snapshot", mark)
        promised("P9", answers <= 5, f"50 resyncs in a second got {answers} lists")


@pytest.mark.promise("P9", "P4")
async def test_a_throttled_line_delays_nobody_else(latency: LatencyRecorder) -> None:
    async with (
        local_server() as server,
        relaying(server.address) as relay,
        Company(server.address) as company,
    ):
        ann, bob = await company.join_all(["Ann", "Bob"])
        slow = await company.join("Slow", target=relay.address)
        await ann.sees_online(slow)
        relay.throttle(2000)
        for number in range(10):
            said_at = time.perf_counter()
            await bob.update(status_text=f"number {number}")
            await ann.sees_text(f"number {number}", bob)
            latency.record("update beside a throttled client", ann.heard[-1].at - said_at)
        relay.throttle(0)
        await slow.reaches(ann.roster.revision)


@pytest.mark.promise("P9", "P5")
async def test_a_stream_that_is_ended_in_the_middle_of_a_write_leaves_nothing_behind(tmp_path: Path) -> None:
    """A write that is under way when the stream is to end can't be finished, and gRPC takes no status beside it."""
    times = ("--heartbeat-seconds", "0.3", "--lease-seconds", "0.8", "--grace-seconds", "0.3")
    fast = ("--updates-per-second", "1000", "--update-burst", "1000")
    async with running_adsumd(tmp_path, *times, *fast) as daemon, Company(daemon.address) as company:
        ann = await company.join("Ann")
        deaf = await company.client("Deaf", options=SMALL_WINDOW).join()
        await ann.sees_online(deaf)
        deaf.pause()
        # One by one, so that they aren't merged before HTTP/2 is full.
        for number in range(300):
            await _shout(ann, f"number {number}")
            await ann.sees_text(f"number {number}", ann)
        await ann.sees_gone(deaf)
        # It reads on in the end: it must be told why it was sent away, and nothing of it may be left at the server.
        deaf.beats = False
        deaf.go_on()
        ending = await deaf.end()
        told = [one.count("delta") for one in (deaf, ann)]
        promised("P9", told[0] < told[1] / 2, f"the test is wrong: no write was under way ({told} deltas)")
        promised("contract", ending.reason is Reason.LEASE_EXPIRED, f"it ended with {ending}")
        async with admin_of(daemon.admin_address) as admin:
            lobby = await admin.lobby()
            promised(
                "P9", lobby.stream_count == 1, f"the server holds {lobby.stream_count} streams for one client"
            )
