"""The client library over real gRPC: what an application is told is what the server says, whatever the network does."""

import asyncio
from dataclasses import replace

import pytest

from adsum.client import (
    Back,
    Joined,
    Left,
    MessageReceived,
    Overflowed,
    Phase,
    RecipientChanged,
    RecipientOffline,
    RecipientSuspect,
    RepairCause,
    Repaired,
    SelectionChanged,
    SelectionReason,
    SelectionState,
    SessionReplaced,
    Settings,
    Snapshotted,
    StateChanged,
    Status,
    Suspect,
    Unavailable,
    Updated,
    connect,
)
from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.v1.presence_pb2 import Ack, Resume
from tests.integration.admin_client import admin_of
from tests.integration.company import Company
from tests.integration.followers import Follower, Followers
from tests.integration.local_server import QUICK, local_server
from tests.integration.promises import promised
from tests.integration.relay import relaying


def _phases(follower: Follower, mark: int) -> list[Phase]:
    return [event.state.phase for event in follower.of(StateChanged, mark)]


@pytest.mark.promise("P1", "P3", "0.1")
async def test_an_application_is_told_the_list_and_then_each_change() -> None:
    async with (
        local_server() as server,
        Followers(server.address) as followers,
        admin_of(server.address) as admin,
    ):
        ann = await followers.join("Ann")
        bob = await followers.join("Bob")
        await ann.sees(bob)
        await bob.lobby.update(status=Status.AWAY, status_text="lunch")
        await ann.until("P3", "Bob being away", lambda: ann.members[bob.key].profile.status is Status.AWAY)
        await ann.agrees(admin)
        await bob.agrees(admin)
        await bob.lobby.leave()
        await ann.sees()
        membership = [
            type(event)
            for event in ann.events
            if isinstance(event, (Snapshotted, Joined, Updated, Suspect, Back, Left))
        ]
        promised("P1", membership == [Snapshotted, Joined, Updated, Left], f"Ann was told {membership}")
        promised(
            "P1", ann.lobby.me is not None and ann.lobby.me.name == "Ann", "the list doesn't hold oneself"
        )
        await ann.agrees(admin)


@pytest.mark.promise("P3", "P5", "0.2")
async def test_the_library_follows_many_who_come_and_go_at_once() -> None:
    async with (
        local_server() as server,
        Followers(server.address) as followers,
        Company(server.address) as company,
        admin_of(server.address) as admin,
    ):
        ann, bob = await followers.join_all(["Ann", "Bob"])
        for number in range(3):
            crowd = await company.join_all([f"round {number} member {index:02}" for index in range(25)])
            async with asyncio.TaskGroup() as tasks:
                for one in crowd:
                    tasks.create_task(one.leave())
        for follower, other in ((ann, bob), (bob, ann)):
            await follower.sees(other)
            await follower.agrees(admin)
            joins, leaves = len(follower.of(Joined)), len(follower.of(Left))
            # Those who come and go between two messages aren't told at all.
            promised("P3", leaves <= joins <= 76, f"{follower.name} was told {joins} joins, {leaves} leaves")


@pytest.mark.promise("P8", "0.5")
async def test_send_returns_a_receipt_or_raises_what_became_of_it() -> None:
    async with local_server() as server, Followers(server.address) as followers:
        ann, bob = await followers.join_all(["Ann", "Bob"])
        record = ann.lobby.roster[bob.key]
        receipt = await ann.lobby.send(record, "hello")
        promised("P8", receipt.recipient == bob.key, "the receipt is for somebody else")
        await bob.until("P8", "the message", lambda: bob.of(MessageReceived))
        message = bob.of(MessageReceived)[0]
        promised("P8", (message.text, message.sender_key) == ("hello", ann.key), f"it is {message}")
        await bob.lobby.leave()
        with pytest.raises(RecipientOffline, match=r"^recipient went offline$"):
            await ann.lobby.send(record, "are you there?")
        promised("P8", bob.key not in ann.lobby.roster, "the list doesn't agree with the outcome")
        again = await followers.join("Bob", identity=bob.identity)
        await ann.sees(again)
        with pytest.raises(RecipientChanged):
            await ann.lobby.send(record, "to the Bob of before")
        await ann.lobby.send(bob.key, "to whoever has the key")


@pytest.mark.promise("P7", "0.3", "0.4")
async def test_the_selection_is_what_the_server_says() -> None:
    async with (
        local_server() as server,
        relaying(server.address) as relay,
        Followers(server.address) as followers,
        Company(server.address) as company,
    ):
        ann = await followers.join("Ann")
        bob = await company.join("Bob", target=relay.address)
        await ann.until("P3", "Bob", lambda: bob.key in ann.members)
        selection = await ann.lobby.select(bob.key)
        promised("P7", selection.is_available, f"the answer is {selection}")
        relay.reset()
        await ann.until("P7", "Bob being suspect", lambda: len(ann.of(SelectionChanged)) == 2)
        with pytest.raises(RecipientSuspect):
            await ann.lobby.send(bob.key, "too late")
        await bob.resume()
        await ann.until("P7", "Bob being back", lambda: len(ann.of(SelectionChanged)) == 3)
        await bob.leave()
        await ann.until("P7", "the selection to be cleared", lambda: len(ann.of(SelectionChanged)) == 4)
        told = [(event.state, event.reason) for event in ann.of(SelectionChanged)]
        expected = [
            (SelectionState.AVAILABLE, SelectionReason.NONE),
            (SelectionState.UNAVAILABLE, SelectionReason.SUSPECT),
            (SelectionState.AVAILABLE, SelectionReason.NONE),
            (SelectionState.CLEARED, SelectionReason.LEFT),
        ]
        promised("P7", told == expected, f"the application was told {told}")
        promised("P7", ann.lobby.selection is None, f"still selected: {ann.lobby.selection}")
        with pytest.raises(RecipientOffline):
            await ann.lobby.select(bob.key)


@pytest.mark.promise("P6", "P3", "0.6")
async def test_it_comes_back_by_itself_and_tells_what_it_missed() -> None:
    async with (
        local_server() as server,
        relaying(server.address) as relay,
        Followers(server.address) as followers,
        Company(server.address) as company,
        admin_of(server.address) as admin,
    ):
        ann = await followers.join("Ann")
        bob = await followers.join("Bob", target=relay.address)
        cleo = await company.join("Cleo")
        await ann.until("P3", "everybody", lambda: len(ann.members) == 3)
        await bob.until("P3", "everybody", lambda: len(bob.members) == 3)
        mark, others_mark = bob.mark(), ann.mark()
        relay.freeze()
        relay.reset()
        await ann.until("P5", "Bob being suspect", lambda: ann.of(Suspect, others_mark))
        await bob.until("P6", "Bob noticing", lambda: Phase.RECONNECTING in _phases(bob, mark))
        await cleo.leave()
        await company.join("Dan")
        relay.thaw()
        await bob.until("P6", "Bob being live", lambda: bob.lobby.state.is_live)
        await ann.until("P6", "Bob being back", lambda: ann.of(Back, others_mark))
        told = [type(event) for event in ann.events[others_mark:] if isinstance(event, (Joined, Left))]
        promised("P6", sorted(one.__name__ for one in told) == ["Joined", "Left"], f"Ann was told {told}")
        promised("P6", not bob.of(Snapshotted, mark), "the application was told a first list again")
        promised("P6", not bob.of(Repaired, mark), "the list came again as a whole")
        await bob.agrees(admin)
        await ann.agrees(admin)


@pytest.mark.promise("P6", "P8", "0.6")
async def test_a_send_during_the_senders_blip_is_delivered_once_when_it_is_over() -> None:
    async with (
        local_server() as server,
        relaying(server.address) as relay,
        Followers(server.address) as followers,
    ):
        bob = await followers.join("Bob")
        ann = await followers.join("Ann", target=relay.address)
        await ann.sees(bob)
        relay.freeze()
        relay.reset()
        await ann.until("P6", "Ann noticing", lambda: not ann.lobby.state.is_live)
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(ann.lobby.send(bob.key, "across the blip"))
            relay.thaw()
        promised("P8", sending.result().recipient == bob.key, "the receipt is for somebody else")
        texts = [event.text for event in bob.of(MessageReceived)]
        promised("P8", texts == ["across the blip"], f"Bob was told {texts}")


@pytest.mark.promise("P6", "P8", "0.6")
async def test_a_result_that_was_lost_in_the_senders_blip_comes_after_it() -> None:
    async with (
        local_server() as server,
        relaying(server.address) as relay,
        Followers(server.address) as followers,
        Company(server.address) as company,
    ):
        bob = await company.join("Bob")
        bob.acks = False
        ann = await followers.join("Ann", target=relay.address)
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(ann.lobby.send(bob.key, "across the blip"))
            delivery = await bob.delivery(b"across the blip")
            relay.freeze()
            relay.reset()
            await ann.until("P6", "Ann noticing", lambda: not ann.lobby.state.is_live)
            # While she is away it is acknowledged; the server can't tell her now.
            await bob.say(ack=Ack(delivery_id=delivery.delivery_id))
            await bob.fence()
            relay.thaw()
        promised("P8", sending.result().recipient == bob.key, "the receipt is for somebody else")
        await bob.fence()
        promised("P8", len(bob.deliveries()) == 1, "it was delivered twice")


@pytest.mark.promise("P6", "P8", "0.6")
async def test_a_message_whose_acknowledgement_was_lost_comes_again_and_is_told_once() -> None:
    async with (
        local_server() as server,
        relaying(server.address) as relay,
        Followers(server.address) as followers,
    ):
        ann = await followers.join("Ann")
        bob = await followers.join("Bob", target=relay.address)
        await ann.sees(bob)
        relay.mute()
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(ann.lobby.send(bob.key, "once"))
            await bob.until("P8", "the message", lambda: bob.of(MessageReceived))
            relay.reset()
            relay.thaw()
        promised("P8", sending.result().recipient == bob.key, "the receipt is for somebody else")
        await ann.lobby.send(bob.key, "the last")
        texts = [event.text for event in bob.of(MessageReceived)]
        promised("P8", texts == ["once", "the last"], f"Bob was told {texts}")


@pytest.mark.promise("P6", "P8", "0.6")
async def test_messages_across_the_recipients_blips_are_told_once() -> None:
    async with (
        local_server() as server,
        relaying(server.address) as relay,
        Followers(server.address) as followers,
    ):
        ann = await followers.join("Ann")
        bob = await followers.join("Bob", target=relay.address)
        await ann.sees(bob)
        delivered = []
        for number in range(5):
            # Cut while the message or its acknowledgement may be anywhere on the way.
            async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(_is_delivered(ann, bob, f"message {number}"))
                relay.reset()
            if sending.result():
                delivered.append(f"message {number}")
            await ann.sees(bob)
        await ann.lobby.send(bob.key, "the last")
        texts = [event.text for event in bob.of(MessageReceived)]
        promised("P8", texts == [*delivered, "the last"], f"{delivered} were delivered, Bob was told {texts}")


async def _is_delivered(sender: Follower, recipient: Follower, text: str) -> bool:
    try:
        await sender.lobby.send(recipient.key, text)
    except RecipientSuspect:
        # The cut was quicker than the message: that is as good an answer.
        return False
    return True


@pytest.mark.promise("P5", "P6")
async def test_after_the_grace_it_joins_anew_by_itself() -> None:
    async with (
        local_server(QUICK) as server,
        relaying(server.address) as relay,
        Followers(server.address) as followers,
        admin_of(server.address) as admin,
    ):
        ann = await followers.join("Ann")
        bob = await followers.join("Bob", target=relay.address)
        await ann.sees(bob)
        before = ann.members[bob.key].incarnation
        relay.freeze()
        await ann.until("P5", "Bob being gone", lambda: bob.key not in ann.members)
        # Silence is noticed at this end, too, and the list isn't called true.
        await bob.until("P5", "Bob noticing the silence", lambda: not bob.lobby.state.is_live)
        relay.thaw()
        relay.reset()
        await ann.until("P6", "Bob being here again", lambda: bob.key in ann.members)
        promised("P6", ann.members[bob.key].incarnation != before, "the same incarnation")
        await bob.until("P6", "Bob being live", lambda: bob.lobby.state.is_live)
        await bob.agrees(admin)
        await ann.agrees(admin)


@pytest.mark.promise("P3", "0.2")
async def test_a_list_that_went_wrong_is_found_out_and_repaired_and_the_difference_told() -> None:
    async with (
        local_server() as server,
        Followers(server.address) as followers,
        admin_of(server.address) as admin,
    ):
        ann, bob = await followers.join_all(["Ann", "Bob"])
        mark = ann.mark()
        # Nothing that a server says makes a list wrong unnoticed, so it is made wrong here, in memory.
        record = ann.lobby.roster[bob.key]
        wrong = replace(record, profile=replace(record.profile, name="Bub"), revision=record.revision + 100)
        ann.lobby._session.replica._members.put(wrong)
        cleo = await followers.join("Cleo")
        await ann.until("P3", "the repair", lambda: ann.of(Repaired, mark))
        promised("P3", ann.of(Repaired, mark)[0].cause is RepairCause.DIGEST, "repaired for another cause")
        await ann.sees(bob, cleo)
        told = [(event.before.name, event.member.name) for event in ann.of(Updated, mark)]
        promised("P3", told == [("Bub", "Bob")], f"the application was told the updates {told}")
        await ann.agrees(admin)


@pytest.mark.promise("P3")
async def test_a_list_that_is_asked_for_tells_that_nothing_was_wrong() -> None:
    async with (
        local_server() as server,
        Followers(server.address) as followers,
        admin_of(server.address) as admin,
    ):
        ann, _ = await followers.join_all(["Ann", "Bob"])
        mark = ann.mark()
        await ann.lobby.resync()
        await ann.until("P3", "the answer", lambda: ann.of(Repaired, mark))
        repaired = ann.of(Repaired, mark)[0]
        counts = (repaired.cause, repaired.joined, repaired.updated, repaired.left)
        promised("P3", counts == (RepairCause.REQUESTED, 0, 0, 0), f"it was told {repaired}")
        await ann.agrees(admin)


@pytest.mark.promise("P6", "contract")
async def test_a_session_that_another_process_took_over_is_not_fought_for() -> None:
    async with (
        local_server() as server,
        Company(server.address) as company,
        Followers(server.address) as followers,
    ):
        ann = await followers.join("Ann")
        session = ann.lobby._session
        thief = company.client("Ann", identity=ann.identity)
        await thief.join(Resume(session_id=session._session_id, token=session._token))
        await ann.until_over()
        promised("contract", isinstance(ann.error, SessionReplaced), f"Ann's client ended with {ann.error!r}")
        await thief.fence()
        promised("P6", thief.ending is None, "the successor was thrown out again")


@pytest.mark.promise("P9", "P3")
async def test_an_application_that_doesnt_read_loses_events_and_not_the_list() -> None:
    settings = Settings(event_queue=5)
    async with (
        local_server() as server,
        Company(server.address) as company,
        Followers(server.address) as followers,
    ):
        ann = await followers.join("Ann")
        idle = connect(
            server.address,
            lobby="lobby",
            identity=company.client("").identity,
            name="Idle",
            settings=settings,
        )
        async with idle as lobby:
            await company.join_all([f"member {number}" for number in range(10)])
            await ann.until("P3", "everybody", lambda: len(ann.members) == 12)
            dropped = 0
            async with asyncio.timeout(10):
                async for event in lobby:
                    if isinstance(event, Overflowed):
                        dropped = event.dropped
                        break
            promised("P9", dropped > 0, "the application was told that nothing was dropped")
            # The roster is right whether somebody reads the events or not.
            await ann.lobby.send(lobby.identity.public_key, "fence")
            promised("P3", len(lobby.roster) == 12, f"the roster has {len(lobby.roster)} members")


@pytest.mark.promise("contract")
async def test_what_ends_connecting_for_good_says_why() -> None:
    async with local_server(Limits(members_per_lobby=1)) as server, Followers(server.address) as followers:
        await followers.join("Ann")
        settings = Settings(first_connect_seconds=0.5)
        identity = Company(server.address).client("Bob").identity
        with pytest.raises(Unavailable) as refused:
            async with connect(
                server.address, lobby="lobby", identity=identity, name="Bob", settings=settings
            ):
                pass
        promised("contract", refused.value.reason is Reason.LOBBY_FULL, f"refused with {refused.value!r}")
    with pytest.raises(Unavailable):
        async with connect(server.address, lobby="lobby", identity=identity, name="Bob", settings=settings):
            pass


@pytest.mark.promise("P1")
async def test_an_observer_looks_and_is_in_no_list() -> None:
    async with (
        local_server() as server,
        Followers(server.address) as followers,
        admin_of(server.address) as admin,
    ):
        ann = await followers.join("Ann")
        owl = await followers.join("Owl", observer=True)
        promised("P1", owl.lobby.me is None, "an observer has a record")
        bob = await followers.join("Bob")
        await owl.until("P3", "Bob", lambda: bob.key in owl.members)
        await ann.sees(bob)
        await owl.agrees(admin)
