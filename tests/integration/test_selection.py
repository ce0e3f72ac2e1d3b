"""Whom I have selected is what the server says it is: confirmed, and told at once when that ends.

That each update comes right after the delta that shows why, and agrees with the list, is checked by the client at every message.
"""

import pytest

from adsum.v1.presence_pb2 import (
    SELECTION_REASON_BY_CLIENT,
    SELECTION_REASON_LEFT,
    SELECTION_REASON_LOST,
    SELECTION_REASON_NOT_PRESENT,
    SELECTION_REASON_SUSPECT,
    SELECTION_REASON_UNSPECIFIED,
    SELECTION_STATE_AVAILABLE,
    SELECTION_STATE_CLEARED,
    SELECTION_STATE_UNAVAILABLE,
    Select,
    SelectionUpdate,
)
from tests.integration.company import Company
from tests.integration.local_server import QUICK, local_server
from tests.integration.promises import promised
from tests.integration.raw_client import RawClient
from tests.integration.relay import relaying


def _is(update: SelectionUpdate, who: RawClient, state: int, reason: int) -> None:
    told = (update.public_key, update.state, update.reason)
    promised("P7", told == (who.key, state, reason), f"{who.name} is selected, and the server says {update}")


def _updates(client: RawClient, mark: int) -> list[tuple[int, int]]:
    return [
        (heard.message.selection_update.state, heard.message.selection_update.reason)
        for heard in client.since(mark)
        if heard.kind == "selection_update"
    ]


@pytest.mark.promise("P7", "0.4")
async def test_a_selected_member_is_confirmed_with_the_incarnation_that_is_in_the_list() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        update = await ann.select(bob.key)
        _is(update, bob, SELECTION_STATE_AVAILABLE, SELECTION_REASON_UNSPECIFIED)
        promised(
            "P7",
            update.incarnation == ann.roster.members[bob.key].incarnation,
            "another incarnation is selected than the list shows",
        )


@pytest.mark.promise("P7", "0.3")
async def test_select_then_the_other_leaves() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        await ann.select(bob.key)
        mark = ann.mark()
        await bob.leave()
        update = await ann.selection_update(since=mark)
        _is(update, bob, SELECTION_STATE_CLEARED, SELECTION_REASON_LEFT)
        promised("P7", update.request_id == 0, "a later change names a request")
        kinds = ann.kinds(mark)
        promised("P7", kinds == ["delta", "selection_update"], f"the order of messages is {kinds}")


@pytest.mark.promise("P7", "P6", "0.3", "0.6")
async def test_select_then_the_others_connection_is_cut_then_comes_back() -> None:
    async with (
        local_server() as server,
        relaying(server.address) as relay,
        Company(server.address) as company,
    ):
        ann = await company.join("Ann")
        bob = await company.join("Bob", target=relay.address)
        await ann.sees_online(bob)
        await ann.select(bob.key)
        mark = ann.mark()
        relay.reset()
        update = await ann.selection_update(since=mark)
        _is(update, bob, SELECTION_STATE_UNAVAILABLE, SELECTION_REASON_SUSPECT)
        await bob.resume()
        await ann.sees_online(bob, "P6")
        await ann.fence()
        expected = [
            (SELECTION_STATE_UNAVAILABLE, SELECTION_REASON_SUSPECT),
            (SELECTION_STATE_AVAILABLE, SELECTION_REASON_UNSPECIFIED),
        ]
        promised("P7", _updates(ann, mark) == expected, f"the updates are {_updates(ann, mark)}")


@pytest.mark.promise("P7", "P5", "0.3")
async def test_select_then_the_other_is_lost_for_good() -> None:
    async with local_server(QUICK) as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        await ann.select(bob.key)
        mark = ann.mark()
        await bob.cut()
        await ann.sees_gone(bob)
        await ann.fence()
        expected = [
            (SELECTION_STATE_UNAVAILABLE, SELECTION_REASON_SUSPECT),
            (SELECTION_STATE_CLEARED, SELECTION_REASON_LOST),
        ]
        promised("P7", _updates(ann, mark) == expected, f"the updates are {_updates(ann, mark)}")


@pytest.mark.promise("P7")
async def test_a_cleared_selection_is_never_made_again_by_the_server() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        await ann.select(bob.key)
        await bob.leave()
        await ann.selection_update(lambda update: update.state == SELECTION_STATE_CLEARED)
        mark = ann.mark()
        await bob.join()
        await ann.sees_online(bob)
        await bob.leave()
        await ann.sees_gone(bob)
        await ann.fence()
        promised("P7", not _updates(ann, mark), f"selected again by itself: {_updates(ann, mark)}")


@pytest.mark.promise("P7", "0.4")
async def test_who_is_not_present_is_not_confirmed() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        cleo = company.client("Cleo")
        update = await ann.select(cleo.key)
        _is(update, cleo, SELECTION_STATE_UNAVAILABLE, SELECTION_REASON_NOT_PRESENT)
        promised("P7", update.incarnation == 0, "somebody who isn't there has an incarnation")
        # Nothing is selected then, so nothing is told when that member comes.
        mark = ann.mark()
        await cleo.join()
        await ann.sees_online(cleo)
        await ann.fence()
        promised("P7", not _updates(ann, mark), "an absent member stayed selected")
        await bob.cut()
        await ann.sees_suspect(bob)
        _is(await ann.select(bob.key), bob, SELECTION_STATE_UNAVAILABLE, SELECTION_REASON_SUSPECT)


@pytest.mark.promise("P7")
async def test_only_the_last_selection_counts_and_it_can_be_cleared() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob, cleo = await company.join_all(["Ann", "Bob", "Cleo"])
        await ann.select(bob.key)
        _is(await ann.select(cleo.key), cleo, SELECTION_STATE_AVAILABLE, SELECTION_REASON_UNSPECIFIED)
        mark = ann.mark()
        await bob.leave()
        await ann.sees_gone(bob)
        await ann.fence()
        promised("P7", not _updates(ann, mark), "told of somebody who isn't selected any more")
        request_id = ann.next_id()
        await ann.say(select=Select(request_id=request_id))
        cleared = await ann.selection_update(lambda update: update.request_id == request_id)
        told = (cleared.public_key, cleared.state, cleared.reason)
        promised("P7", told == (b"", SELECTION_STATE_CLEARED, SELECTION_REASON_BY_CLIENT), f"told {told}")
        mark = ann.mark()
        await cleo.leave()
        await ann.sees_gone(cleo)
        await ann.fence()
        promised("P7", not _updates(ann, mark), "told of somebody although nobody is selected")


@pytest.mark.promise("P7", "P6")
async def test_a_selection_survives_the_selectors_own_blip() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        await ann.select(bob.key)
        await ann.cut()
        await ann.resume()
        mark = ann.mark()
        await bob.leave()
        update = await ann.selection_update(lambda one: one.state == SELECTION_STATE_CLEARED, since=mark)
        _is(update, bob, SELECTION_STATE_CLEARED, SELECTION_REASON_LEFT)


@pytest.mark.promise("P7", "P6", "0.3")
async def test_what_happened_to_the_selection_during_a_blip_is_told_after_it() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob, cleo = await company.join_all(["Ann", "Bob", "Cleo"])
        await ann.select(bob.key)
        await ann.cut()
        await cleo.sees_suspect(ann)
        await bob.leave()
        await cleo.sees_gone(bob)
        mark = ann.mark()
        await ann.resume()
        update = await ann.selection_update(since=mark)
        _is(update, bob, SELECTION_STATE_CLEARED, SELECTION_REASON_LEFT)
        kinds = ann.kinds(mark)
        promised("P7", kinds[:2] == ["delta", "selection_update"], f"the order of messages is {kinds}")


@pytest.mark.promise("P7")
async def test_a_member_who_left_and_came_back_at_once_is_another_incarnation_and_not_selected() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        before = (await ann.select(bob.key)).incarnation
        await bob.leave()
        await bob.join()
        await ann.until(
            "P7",
            "Bob's new incarnation",
            lambda: bob.key in ann.roster.members and ann.roster.members[bob.key].incarnation != before,
        )
        update = await ann.selection_update(lambda one: one.state == SELECTION_STATE_CLEARED)
        _is(update, bob, SELECTION_STATE_CLEARED, SELECTION_REASON_LEFT)
        promised("P7", update.incarnation == before, "the wrong incarnation was cleared")
