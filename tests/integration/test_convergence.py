"""However many come and go at once, every list becomes the server's, and both sides prove it."""

import asyncio
from collections.abc import Callable

import pytest

from adsum.contract.limits import Limits
from adsum.v1.member_pb2 import STATUS_AWAY
from adsum.v1.presence_pb2 import RESYNC_REASON_REQUESTED, PresenceResponse, Resync
from tests.integration.admin_client import admin_of
from tests.integration.company import Company
from tests.integration.local_server import PROPORTIONAL, local_server
from tests.integration.promises import promised
from tests.integration.raw_client import RawClient

CROWD = 50
ROUNDS = 3


@pytest.mark.promise("P3", "P5", "0.2", "0.6", "0.7")
async def test_fifty_joining_and_leaving_at_once_leave_no_ghost_and_no_missing_member() -> None:
    async with (
        local_server(Limits(grace_seconds=0.3)) as server,
        Company(server.address) as company,
        admin_of(server.address) as admin,
    ):
        witnesses = await company.join_all(["witness a", "witness b"])
        present: list[RawClient] = []
        for number in range(ROUNDS):
            comers = [company.client(f"round {number} member {index:02}") for index in range(CROWD)]
            # Half of those who go say so, the others just vanish.
            async with asyncio.TaskGroup() as tasks:
                for index, client in enumerate(present):
                    tasks.create_task(client.leave() if index % 2 else client.cut())
                for client in comers:
                    tasks.create_task(client.join())
            goners, present = present, comers
            here = {one.key for one in (*witnesses, *present)}
            for client in (*witnesses, *present):
                await client.sees_exactly(here)
            promised("P5", not {one.key for one in goners} & witnesses[0].roster.members.keys(), "ghosts")
            await admin.agrees_with([*witnesses, *present])


@pytest.mark.promise("P3", "0.7")
async def test_joining_and_leaving_in_the_same_instant_ends_with_the_last_word() -> None:
    async with (
        local_server() as server,
        Company(server.address) as company,
        admin_of(server.address) as admin,
    ):
        witness = await company.join("witness")
        clients = [company.client(f"member {index:02}") for index in range(20)]

        async def come_and_go(client: RawClient, leaves: int) -> None:
            for _ in range(leaves):
                await client.join()
                await client.leave()
            if leaves % 2:
                await client.join()

        async with asyncio.TaskGroup() as tasks:
            for index, client in enumerate(clients):
                tasks.create_task(come_and_go(client, 1 + index % 3))
        stay = {client.key for index, client in enumerate(clients) if (1 + index % 3) % 2}
        await witness.sees_exactly(stay | {witness.key}, "P3")
        await admin.agrees_with([witness, *(client for client in clients if client.key in stay)])


@pytest.mark.promise("P2", "P3")
async def test_every_change_of_a_lobby_has_one_revision_that_all_agree_on() -> None:
    async with local_server() as server, Company(server.address) as company:
        clients = await company.join_all([f"member {index:02}" for index in range(10)])
        start = clients[0].roster.revision
        for client in clients:
            await client.update(status=STATUS_AWAY)
        for client in clients:
            await client.reaches(start + 10)
            grown = client.roster.revision - start
            promised("P2", grown == 10, f"ten updates made {grown} revisions")
        told: dict[int, bytes] = {}
        for client in clients:
            deltas = [heard.message.delta for heard in client.heard if heard.kind == "delta"]
            for member in (one for delta in deltas for one in (*delta.joined, *delta.updated)):
                key = told.setdefault(member.revision, member.public_key)
                promised("P2", key == member.public_key, f"revision {member.revision} is of two members")


@pytest.mark.promise("P3")
async def test_heartbeats_carry_the_digest_of_what_the_client_holds() -> None:
    async with local_server(PROPORTIONAL) as server, Company(server.address) as company:
        ann = await company.join("Ann")
        for number in range(3):
            mark = ann.mark()
            await company.join(f"newcomer {number}")
            # That epoch, revision, digest and count are those of the list is checked at each heartbeat.
            beat = await ann.hears("P3", "heartbeat", mark, _counts(number + 2))
            promised("contract", beat.message.heartbeat.nonce, "a heartbeat has the nonce 0")
        await ann.hears("P4", "heartbeat", fits=lambda one: one.heartbeat.round_trip_micros > 0)


def _counts(members: int) -> Callable[[PresenceResponse], bool]:
    return lambda message: message.heartbeat.count == members


@pytest.mark.promise("P3", "P1")
async def test_a_resync_is_answered_by_the_whole_list_also_when_asked_again_at_once() -> None:
    async with (
        local_server() as server,
        Company(server.address) as company,
        admin_of(server.address) as admin,
    ):
        ann = await company.join("Ann")
        await company.join("Bob")
        mark = ann.mark()
        for _ in range(2):
            await ann.say(resync=Resync(reason=RESYNC_REASON_REQUESTED))
            await ann.until("P3", "a snapshot", lambda: not ann.roster.is_resyncing)
        promised("P3", ann.count("snapshot", mark) == 2, "each was not answered by itself")
        await admin.agrees_with([ann])


@pytest.mark.promise("P1", "P3")
async def test_a_lobby_too_large_for_one_message_arrives_in_chunks() -> None:
    async with local_server() as server, Company(server.address) as company:
        crowd = [company.client(f"member {index:03}") for index in range(62)]
        for client in crowd:
            client.profile.attributes["about"] = "x" * 1000
        async with asyncio.TaskGroup() as joins:
            for client in crowd:
                joins.create_task(client.join())
        ann = await company.join("Ann")
        chunks = [heard.message.snapshot for heard in ann.heard if heard.kind == "snapshot"]
        promised("P1", len(chunks) > 1, "62 members with 1000 bytes each came in one message")
        promised("P1", len(ann.roster.members) == 63, f"the snapshot has {len(ann.roster.members)} members")


@pytest.mark.promise("P1", "P3")
async def test_lobbies_on_one_server_are_strangers() -> None:
    async with (
        local_server() as server,
        Company(server.address) as company,
        admin_of(server.address) as admin,
    ):
        ann = await company.join("Ann", lobby="garden")
        bob = await company.join("Bob", lobby="kitchen")
        # The same person in both is two memberships.
        both = await company.join("Cleo", lobby="garden")
        await company.join("Cleo", identity=both.identity, lobby="kitchen")
        await ann.sees_online(both)
        await bob.sees_online(both)
        await both.leave()
        await ann.sees_gone(both)
        request_id = await ann.send(bob.key)
        await ann.result(request_id)
        await bob.fence()
        promised("P1", ann.roster.names == ["Ann"], f"the garden shows {ann.roster.names}")
        promised("P1", bob.roster.names == ["Bob", "Cleo"], f"the kitchen shows {bob.roster.names}")
        promised("P8", not bob.deliveries(), "a message left its lobby")
        await admin.agrees_with([ann], "garden")
        await admin.agrees_with([bob], "kitchen")
