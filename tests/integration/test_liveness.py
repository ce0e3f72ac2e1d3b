"""Whoever is lost or silent is suspect and then gone, and whoever keeps the heartbeats never is."""

import time

import pytest

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.v1.member_pb2 import DEPARTURE_REASON_LEFT, DEPARTURE_REASON_LOST, DepartureReason
from tests.integration.company import Company
from tests.integration.local_server import PROPORTIONAL, QUICK, local_server
from tests.integration.promises import promised
from tests.integration.raw_client import RawClient
from tests.integration.raw_member import member_process
from tests.integration.relay import relaying

SLACK_SECONDS = 1.0
"""What a busy machine may add to a deadline."""


def _departure(watcher: RawClient, key: bytes) -> "DepartureReason.ValueType | None":
    return next(
        (
            departure.reason
            for heard in watcher.heard
            if heard.kind == "delta"
            for departure in heard.message.delta.left
            if departure.public_key == key
        ),
        None,
    )


def _was_touched(watcher: RawClient, mark: int, key: bytes) -> bool:
    deltas = [heard.message.delta for heard in watcher.since(mark) if heard.kind == "delta"]
    told = {member.public_key for delta in deltas for member in (*delta.joined, *delta.updated)}
    return key in told | {departure.public_key for delta in deltas for departure in delta.left}


@pytest.mark.promise("P5", "0.7")
async def test_a_client_that_answers_nothing_is_suspect_after_the_lease_and_gone_after_the_grace() -> None:
    limits = PROPORTIONAL
    async with local_server(limits) as server, Company(server.address) as company:
        ann = await company.join("Ann")
        silent = company.client("Silent")
        silent.beats = False
        await silent.join()
        silent_since = silent.proved_at
        await ann.sees_suspect(silent)
        suspect_after = time.perf_counter() - silent_since
        await ann.sees_gone(silent)
        gone_after = time.perf_counter() - silent_since
        ending = await silent.end()
        promised("contract", ending.reason is Reason.LEASE_EXPIRED, f"its stream ended with {ending}")
        lease, whole = limits.lease_seconds, limits.lease_seconds + limits.grace_seconds
        promised(
            "P5",
            lease <= suspect_after <= lease + SLACK_SECONDS,
            f"suspect after {suspect_after:.2f} s of {lease}",
        )
        promised(
            "P5", whole <= gone_after <= whole + SLACK_SECONDS, f"gone after {gone_after:.2f} s of {whole}"
        )
        reason = _departure(ann, silent.key)
        promised("P5", reason == DEPARTURE_REASON_LOST, f"the reason of the departure is {reason}")


@pytest.mark.promise("P5", "0.7")
async def test_a_stopped_process_is_suspect_and_then_gone() -> None:
    async with local_server(QUICK) as server, Company(server.address) as company:
        ann = await company.join("Ann")
        async with member_process(server.address, "Hung") as hung:
            await ann.sees_key(hung.key)
            hung.stop()
            await ann.until("P5", "the hung process to be suspect", lambda: ann.roster.is_suspect(hung.key))
            await ann.until("P5", "it to be gone", lambda: hung.key not in ann.roster.members)


@pytest.mark.promise("P5", "0.7")
async def test_a_cut_cable_is_suspect_and_then_gone() -> None:
    async with (
        local_server(PROPORTIONAL) as server,
        relaying(server.address) as relay,
        Company(server.address) as company,
    ):
        ann = await company.join("Ann")
        bob = await company.join("Bob", target=relay.address)
        await ann.sees_online(bob)
        relay.freeze()
        await ann.sees_suspect(bob)
        await ann.sees_gone(bob)
        # An answer to what waited in the network would fail, and gRPC would tell that failure instead of the server's reason.
        bob.beats = False
        relay.thaw()
        promised(
            "P5", (await bob.end()).reason is Reason.LEASE_EXPIRED, f"its stream ended with {bob.ending}"
        )


@pytest.mark.promise("P5", "0.6")
async def test_a_quiet_member_that_keeps_its_heartbeats_is_never_touched() -> None:
    async with local_server(PROPORTIONAL) as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        mark = ann.mark()
        # Two leases and a half, in which nothing else happens.
        await ann.hears_heartbeats(6)
        promised("P5", not _was_touched(ann, mark, bob.key), "a member that keeps its heartbeats was touched")
        promised("P5", bob.ending is None, f"its stream ended with {bob.ending}")


@pytest.mark.promise("P5")
async def test_a_member_on_a_slow_line_is_not_lost() -> None:
    async with (
        local_server(PROPORTIONAL) as server,
        relaying(server.address) as relay,
        Company(server.address) as company,
    ):
        ann = await company.join("Ann")
        bob = await company.join("Bob", target=relay.address)
        await ann.sees_online(bob)
        relay.throttle(4096)
        mark = ann.mark()
        # A lease and a half.
        await bob.hears_heartbeats(4)
        promised("P5", not _was_touched(ann, mark, bob.key), "a slow line made the member suspect")


@pytest.mark.promise("P5")
async def test_the_end_of_requests_is_a_lost_connection_and_only_leave_is_a_leave() -> None:
    async with local_server(QUICK) as server, Company(server.address) as company:
        ann, bob, cleo = await company.join_all(["Ann", "Bob", "Cleo"])
        await bob.stream.call.done_writing()
        await ann.sees_suspect(bob)
        await ann.sees_gone(bob)
        promised(
            "P5", _departure(ann, bob.key) == DEPARTURE_REASON_LOST, "a half-close was taken for a leave"
        )
        await cleo.leave()
        await ann.sees_gone(cleo)
        promised("P5", _departure(ann, cleo.key) == DEPARTURE_REASON_LEFT, "a leave was not taken for one")


@pytest.mark.promise("P5")
async def test_leave_ends_the_stream_with_ok() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        ending = await ann.leave()
        promised("contract", (ending.code.name, ending.reason) == ("OK", None), f"it ended with {ending}")


@pytest.mark.promise("P5", "P6")
async def test_without_a_grace_every_loss_is_a_leave_at_once() -> None:
    async with local_server(Limits(grace_seconds=0)) as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        mark = ann.mark()
        await bob.cut()
        await ann.sees_gone(bob)
        told = [heard.message.delta for heard in ann.since(mark) if heard.kind == "delta"]
        promised("P5", len(told) == 1 and not told[0].updated, f"it was suspect first: {told}")


@pytest.mark.promise("P5")
async def test_silence_of_everybody_is_put_down_to_the_server() -> None:
    async with local_server(PROPORTIONAL) as server, Company(server.address) as company:
        people = await company.join_all([f"member {number}" for number in range(10)])
        mark = people[0].mark()
        for one in people:
            one.beats = False
        await people[0].until(
            "P5",
            "the server to say that it has trouble",
            lambda: any(
                heard.message.heartbeat.degraded
                for heard in people[0].heard[mark:]
                if heard.kind == "heartbeat"
            ),
        )
        for one in people:
            one.beats = True
            await one.beat()
        await people[0].until(
            "P5",
            "heartbeats for a lease",
            lambda: (
                [
                    heard.message.heartbeat.degraded
                    for heard in people[0].heard[mark:]
                    if heard.kind == "heartbeat"
                ][-3:]
                == [False] * 3
            ),
        )
        deltas = [heard for heard in people[0].since(mark) if heard.kind == "delta"]
        promised("P5", not deltas, f"{len(deltas)} changes were seen although only the server was deaf")
