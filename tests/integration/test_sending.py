"""A message is delivered, or its sender knows why not, and the list that the sender holds agrees with that.

That no result is ahead of the list, contradicts it, or differs from an earlier one, is checked by the client at every message.
"""

import pytest

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.v1.presence_pb2 import (
    SEND_OUTCOME_DELIVERED,
    SEND_OUTCOME_RATE_LIMITED,
    SEND_OUTCOME_RECIPIENT_BUSY,
    SEND_OUTCOME_RECIPIENT_CHANGED,
    SEND_OUTCOME_RECIPIENT_OFFLINE,
    SEND_OUTCOME_RECIPIENT_SUSPECT,
    SEND_OUTCOME_RECIPIENT_WENT_OFFLINE,
    SEND_OUTCOME_TOO_LARGE,
    SEND_OUTCOME_UNCONFIRMED,
    Ack,
    Send,
    SendOutcome,
)
from tests.integration.company import Company
from tests.integration.local_server import QUICK, local_server
from tests.integration.promises import promised
from tests.integration.raw_client import RawClient
from tests.integration.relay import relaying


async def _ends_as(sender: RawClient, request_id: int, outcome: int) -> None:
    result = await sender.result(request_id)
    got, expected = SendOutcome.Name(result.outcome), SendOutcome.Name(outcome)  # type: ignore[arg-type]  # an enum
    promised("P8", got == expected, f"the outcome is {got}, not {expected}")


def _has_no_result(sender: RawClient, request_id: int) -> None:
    promised("P8", request_id not in sender.witness.results, "a result came before the outcome was known")


@pytest.mark.promise("P8")
async def test_delivered_means_that_the_recipient_has_acknowledged() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        bob.acks = False
        request_id = await ann.send(bob.key, b"are you there?")
        delivery = await bob.delivery(b"are you there?")
        promised("P8", delivery.sender == ann.key, "the sender is not the one who proved the key")
        promised(
            "P8",
            delivery.sender_incarnation == bob.roster.members[ann.key].incarnation,
            "another incarnation",
        )
        await ann.fence()
        _has_no_result(ann, request_id)
        await bob.say(ack=Ack(delivery_id=delivery.delivery_id))
        await _ends_as(ann, request_id, SEND_OUTCOME_DELIVERED)
        # Confirmed again, nothing happens.
        await bob.say(ack=Ack(delivery_id=delivery.delivery_id))
        await bob.fence()


@pytest.mark.promise("P8", "0.5")
async def test_send_to_someone_who_leaves_between_selection_and_send() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob, cleo = await company.join_all(["Ann", "Bob", "Cleo"])
        await ann.select(bob.key)
        # Ann has read nothing since she selected Bob: to her he is still there when she presses send.
        ann.pause()
        await bob.leave()
        await cleo.sees_gone(bob)
        promised("P8", ann.roster.is_online(bob.key), "the test is wrong: Ann knows already")
        mark = ann.mark()
        request_id = await ann.send(bob.key, b"lunch?")
        ann.go_on()
        await _ends_as(ann, request_id, SEND_OUTCOME_RECIPIENT_OFFLINE)
        kinds = ann.kinds(mark)
        promised("P8", kinds == ["delta", "selection_update", "send_result"], f"the order is {kinds}")
        promised("P8", bob.key not in ann.roster.members, "the list still shows the recipient")


@pytest.mark.promise("P8", "0.5")
async def test_a_recipient_whose_connection_is_lost_is_suspect_and_not_written_to() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        await bob.cut()
        await ann.sees_suspect(bob)
        request_id = await ann.send(bob.key, b"too late")
        await _ends_as(ann, request_id, SEND_OUTCOME_RECIPIENT_SUSPECT)
        mark = bob.mark()
        await bob.resume()
        await bob.fence()
        promised(
            "P8", not bob.deliveries(mark), "a message came although the sender was told that it wouldn't"
        )


@pytest.mark.promise("P8", "P7", "0.5")
async def test_an_answer_waits_for_no_wave_and_brings_the_delta_that_it_rests_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under load changes are held back for a moment and merged. What a client asks meanwhile is answered from the list as it is."""
    async with local_server() as server, Company(server.address) as company:
        ann, bob, cleo, dan = await company.join_all(["Ann", "Bob", "Cleo", "Dan"])
        # After Dan's leave nobody is told anything by itself for a long time.
        monkeypatch.setattr("adsum.server.pacing.REST_SHARE", 1e9)
        monkeypatch.setattr("adsum.server.pacing.LONGEST_REST_SECONDS", 60.0)
        await dan.leave()
        await ann.sees_gone(dan)
        await bob.leave()
        promised("P8", ann.roster.is_online(bob.key), "the test is wrong: Ann knows already")
        mark = ann.mark()
        await _ends_as(ann, await ann.send(bob.key), SEND_OUTCOME_RECIPIENT_OFFLINE)
        await cleo.leave()
        promised("P7", ann.roster.is_online(cleo.key), "the test is wrong: Ann knows already")
        await ann.select(cleo.key)
        kinds = ann.kinds(mark)
        promised(
            "P8", kinds == ["delta", "send_result", "delta", "selection_update"], f"the order is {kinds}"
        )


@pytest.mark.promise("P8")
async def test_who_never_was_here_is_offline() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        await _ends_as(ann, await ann.send(company.client("nobody").key), SEND_OUTCOME_RECIPIENT_OFFLINE)


@pytest.mark.promise("P8", "P7")
async def test_another_incarnation_than_the_one_in_mind_is_not_written_to() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        before = ann.roster.members[bob.key].incarnation
        request_id = await ann.send(bob.key, b"right", before)
        await _ends_as(ann, request_id, SEND_OUTCOME_DELIVERED)
        await bob.leave()
        await bob.join()
        mark = bob.mark()
        request_id = await ann.send(bob.key, b"wrong", before)
        await _ends_as(ann, request_id, SEND_OUTCOME_RECIPIENT_CHANGED)
        await bob.fence()
        promised("P8", not bob.deliveries(mark), "the message was delivered to the wrong incarnation")


@pytest.mark.promise("P8", "0.5")
async def test_a_recipient_who_goes_with_an_unacknowledged_message_went_offline() -> None:
    async with local_server(QUICK) as server, Company(server.address) as company:
        ann, bob, cleo = await company.join_all(["Ann", "Bob", "Cleo"])
        bob.acks = cleo.acks = False
        to_bob = await ann.send(bob.key, b"to one who leaves")
        to_cleo = await ann.send(cleo.key, b"to one who is lost")
        await bob.delivery(b"to one who leaves")
        await cleo.delivery(b"to one who is lost")
        await bob.leave()
        await _ends_as(ann, to_bob, SEND_OUTCOME_RECIPIENT_WENT_OFFLINE)
        _has_no_result(ann, to_cleo)
        await cleo.cut()
        await ann.sees_suspect(cleo)
        await ann.fence()
        # She may still come back and acknowledge.
        _has_no_result(ann, to_cleo)
        await _ends_as(ann, to_cleo, SEND_OUTCOME_RECIPIENT_WENT_OFFLINE)


@pytest.mark.promise("P8", "P6", "0.6")
async def test_a_send_across_the_recipients_blip_is_delivered_once() -> None:
    async with (
        local_server() as server,
        relaying(server.address) as relay,
        Company(server.address) as company,
    ):
        ann = await company.join("Ann")
        bob = await company.join("Bob", target=relay.address)
        await ann.sees_online(bob)
        bob.acks = False
        request_id = await ann.send(bob.key, b"once")
        first = await bob.delivery(b"once")
        # The acknowledgement is lost with the connection.
        relay.reset()
        await ann.sees_suspect(bob)
        _has_no_result(ann, request_id)
        bob.acks = True
        mark = bob.mark()
        await bob.resume()
        again = await bob.delivery(b"once", since=mark)
        promised("P8", again.delivery_id == first.delivery_id, "it came again as another message")
        await _ends_as(ann, request_id, SEND_OUTCOME_DELIVERED)
        await bob.fence()
        promised("P8", len(bob.deliveries(mark)) == 1, "it came more than once after the blip")
        # Acknowledged, it doesn't come again after another blip.
        mark = bob.mark()
        await bob.cut()
        await bob.resume()
        await bob.fence()
        promised("P8", not bob.deliveries(mark), "it came again after it was acknowledged")


@pytest.mark.promise("P8", "P6", "0.6")
async def test_a_send_across_the_senders_blip_is_delivered_once() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        ann.pause()
        request_id = await ann.send(bob.key, b"once")
        await bob.delivery(b"once")
        await ann.cut()
        await bob.sees_suspect(ann)
        ann.go_on()
        # What a client does that has no result: the same again.
        await ann.resume()
        again = Send(request_id=request_id, recipient=bob.key, payload=b"once")
        await ann.say(send=again)
        await _ends_as(ann, request_id, SEND_OUTCOME_DELIVERED)
        await ann.say(send=again)
        await ann.fence()
        results = [heard for heard in ann.heard if heard.kind == "send_result"]
        promised("P8", len(results) >= 2, "the same request id got no answer")
        await bob.fence()
        promised("P8", len(bob.deliveries()) == 1, f"delivered {len(bob.deliveries())} times")


@pytest.mark.promise("P8")
async def test_a_message_that_nobody_acknowledges_is_unconfirmed() -> None:
    async with local_server(Limits(ack_seconds=0.3)) as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        bob.acks = False
        request_id = await ann.send(bob.key, b"anybody?")
        await _ends_as(ann, request_id, SEND_OUTCOME_UNCONFIRMED)
        # Too late: the outcome stays as it was told, which the client checks.
        await bob.say(ack=Ack(delivery_id=bob.deliveries()[0].delivery_id))
        await bob.fence()
        await ann.say(send=Send(request_id=request_id, recipient=bob.key, payload=b"anybody?"))
        await ann.fence()
        promised("P8", len(bob.deliveries()) == 1, "sent again although the outcome was told")


@pytest.mark.promise("P8")
async def test_somebody_elses_acknowledgement_counts_for_nothing() -> None:
    async with local_server(Limits(ack_seconds=0.5)) as server, Company(server.address) as company:
        ann, bob, eve = await company.join_all(["Ann", "Bob", "Eve"])
        bob.acks = False
        request_id = await ann.send(bob.key, b"for Bob")
        delivery = await bob.delivery(b"for Bob")
        for client in (eve, ann):
            await client.say(ack=Ack(delivery_id=delivery.delivery_id))
            await client.fence()
        await _ends_as(ann, request_id, SEND_OUTCOME_UNCONFIRMED)


@pytest.mark.promise("P8", "P9")
async def test_a_recipient_with_too_much_waiting_is_busy_until_it_acknowledges() -> None:
    async with local_server(Limits(pending_deliveries=4)) as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        bob.acks = False
        waiting = [await ann.send(bob.key, f"message {number}".encode()) for number in range(4)]
        await _ends_as(ann, await ann.send(bob.key, b"one too many"), SEND_OUTCOME_RECIPIENT_BUSY)
        await bob.fence()
        for delivery in bob.deliveries():
            await bob.say(ack=Ack(delivery_id=delivery.delivery_id))
        for request_id in waiting:
            await _ends_as(ann, request_id, SEND_OUTCOME_DELIVERED)
        bob.acks = True
        await _ends_as(ann, await ann.send(bob.key, b"now there is room"), SEND_OUTCOME_DELIVERED)


@pytest.mark.promise("P9", "P8")
async def test_sends_beyond_the_rate_are_told_so_and_not_delivered() -> None:
    limits = Limits(sends_per_second=4.0, send_burst=5, heartbeat_seconds=0.25, lease_seconds=5.0)
    async with local_server(limits) as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        requests = [await ann.send(bob.key, f"message {number}".encode()) for number in range(8)]
        results = [await ann.result(request_id) for request_id in requests]
        outcomes = [result.outcome for result in results]
        # A slow machine may earn another token meanwhile.
        promised("P9", outcomes[:5] == [SEND_OUTCOME_DELIVERED] * 5, f"the burst was not taken: {outcomes}")
        promised("P9", outcomes[-1] == SEND_OUTCOME_RATE_LIMITED, f"nothing was limited: {outcomes}")
        await bob.fence()
        delivered = outcomes.count(SEND_OUTCOME_DELIVERED)
        promised("P8", len(bob.deliveries()) == delivered, "a message was delivered that was said not to be")
        # Two heartbeats on there are tokens again.
        await ann.hears_heartbeats(2)
        await _ends_as(ann, await ann.send(bob.key, b"later"), SEND_OUTCOME_DELIVERED)


@pytest.mark.promise("P9", "P8")
async def test_a_payload_may_have_four_kibibytes_and_no_byte_more() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        largest = await ann.send(bob.key, b"x" * 4096)
        too_large = await ann.send(bob.key, b"x" * 4097)
        empty = await ann.send(bob.key, b"")
        await _ends_as(ann, largest, SEND_OUTCOME_DELIVERED)
        await _ends_as(ann, too_large, SEND_OUTCOME_TOO_LARGE)
        await _ends_as(ann, empty, SEND_OUTCOME_DELIVERED)
        await bob.fence()
        sizes = [len(delivery.payload) for delivery in bob.deliveries()]
        promised("P8", sizes == [4096, 0], f"payloads of {sizes} bytes were delivered")


@pytest.mark.promise("P8", "contract")
async def test_a_send_that_names_nobody_or_has_no_id_is_refused_and_the_stream_goes_on() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        request_id = await ann.send(b"not a key")
        error = await ann.request_error(request_id)
        promised("contract", error.reason == Reason.BAD_RECIPIENT, f"refused with {error.reason}")
        await ann.say(send=Send(recipient=bob.key, payload=b"no id"))
        error = await ann.request_error(0)
        promised("contract", error.reason == Reason.BAD_REQUEST_ID, f"refused with {error.reason}")
        promised("contract", error.message, "a refusal has no text for a developer")
        await _ends_as(ann, await ann.send(bob.key), SEND_OUTCOME_DELIVERED)


@pytest.mark.promise("P8")
async def test_one_can_write_to_oneself() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        request_id = await ann.send(ann.key, b"note to self")
        await ann.delivery(b"note to self")
        await _ends_as(ann, request_id, SEND_OUTCOME_DELIVERED)


@pytest.mark.promise("P8")
async def test_messages_of_one_sender_arrive_in_the_order_sent() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        payloads = [f"message {number}".encode() for number in range(15)]
        requests = [await ann.send(bob.key, payload) for payload in payloads]
        for request_id in requests:
            await _ends_as(ann, request_id, SEND_OUTCOME_DELIVERED)
        promised("P8", [one.payload for one in bob.deliveries()] == payloads, "the order has changed")
