"""What a desk does with selections and direct messages, and with clients that ask for too much."""

import pytest

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.server.member import Liveness
from adsum.server.messages import (
    Ack,
    ClientHeartbeat,
    Delivery,
    Leave,
    RequestError,
    Resync,
    Select,
    SelectionReason,
    SelectionState,
    SelectionUpdate,
    Send,
    SendOutcome,
    SendResult,
    Unsupported,
)
from adsum.server.outbox import MAILBOX_CAPACITY, DeltaOwed
from tests.server.builders import ADA, BOB, LIMITS, UNIX_MILLIS, Device, Room, Taken, key, update

ONLINE, SUSPECT = Liveness.ONLINE, Liveness.SUSPECT
AVAILABLE, UNAVAILABLE, CLEARED = SelectionState.AVAILABLE, SelectionState.UNAVAILABLE, SelectionState.CLEARED


def pair(limits: Limits = LIMITS) -> tuple[Room, Device, Device]:
    """Make a room with ada and bob, who have read everything."""
    room = Room(limits)
    ada, bob = room.join("ada"), room.join("bob")
    room.take(ada)
    room.take(bob)
    return room, ada, bob


def send(request_id: int, payload: bytes = b"hello", *, recipient: bytes = BOB, incarnation: int = 0) -> Send:
    """Make a message to bob."""
    return Send(request_id, recipient, payload, incarnation)


def told(taken: list[Taken]) -> list[tuple[int, SelectionState, SelectionReason]]:
    """Pick what was told of a selection."""
    return [(one.request_id, one.state, one.reason) for one in taken if isinstance(one, SelectionUpdate)]


def results(taken: list[Taken]) -> list[tuple[int, SendOutcome]]:
    """Pick the results."""
    return [(one.request_id, one.outcome) for one in taken if isinstance(one, SendResult)]


def deliveries(taken: list[Taken]) -> list[Delivery]:
    """Pick the deliveries."""
    return [one for one in taken if isinstance(one, Delivery)]


# Selection


def test_selected_member_who_leaves_is_told_right_after_the_delta() -> None:
    room, ada, bob = pair()
    room.say(ada, Select(1, BOB))
    assert told(room.take(ada)) == [(1, AVAILABLE, SelectionReason.NONE)]
    room.say(bob, Leave())
    delta, update_ = room.take(ada)
    assert delta == DeltaOwed(2)
    assert told([update_]) == [(0, CLEARED, SelectionReason.LEFT)]


def test_selected_member_whose_connection_is_lost_is_unavailable_and_then_gone() -> None:
    room, ada, bob = pair()
    room.say(ada, Select(1, BOB))
    room.take(ada)
    room.lose(bob)
    assert told(room.take(ada)) == [(0, UNAVAILABLE, SelectionReason.SUSPECT)]
    room.live(LIMITS.grace_seconds - 1, ada)
    room.wait(1)
    assert told(room.take(ada)) == [(0, CLEARED, SelectionReason.LOST)]


def test_selected_member_who_is_back_from_a_blip_is_available_again() -> None:
    room, ada, bob = pair()
    room.say(ada, Select(1, BOB))
    room.take(ada)
    room.lose(bob)
    room.take(ada)
    room.resume(bob)
    assert told(room.take(ada)) == [(0, AVAILABLE, SelectionReason.NONE)]


def test_nobody_is_selected_again_by_coming_back() -> None:
    room, ada, bob = pair()
    room.say(ada, Select(1, BOB))
    room.take(ada)
    room.say(bob, Leave())
    room.take(ada)
    room.join("bob")
    assert told(room.take(ada)) == []


def test_selection_survives_a_blip_of_the_one_who_selected() -> None:
    room, ada, bob = pair()
    room.say(ada, Select(1, BOB))
    room.take(ada)
    room.lose(ada)
    room.resume(ada, holds=room.lobby.revision)
    assert told(room.take(ada)) == [(0, AVAILABLE, SelectionReason.NONE)]
    room.lose(ada)
    room.lose(bob)
    room.resume(ada, holds=room.lobby.revision)
    assert told(room.take(ada)) == [(0, UNAVAILABLE, SelectionReason.SUSPECT)]


def test_selected_member_who_left_during_a_blip_is_cleared_after_it() -> None:
    room, ada, bob = pair()
    room.say(ada, Select(1, BOB))
    room.take(ada)
    room.lose(ada)
    held = room.lobby.revision
    room.say(bob, Leave())
    room.resume(ada, holds=held)
    taken = room.take(ada)
    assert taken[1] == DeltaOwed(held)
    assert told(taken[2:3]) == [(0, CLEARED, SelectionReason.LEFT)]


def test_clearing_that_was_lost_with_the_connection_is_told_again() -> None:
    room, ada, bob = pair()
    room.say(ada, Select(1, BOB))
    room.take(ada)
    held = room.lobby.revision
    room.say(bob, Leave())
    # Written, but it never arrives.
    assert told(room.take(ada)) == [(0, CLEARED, SelectionReason.LEFT)]
    for _ in range(2):
        room.lose(ada)
        room.resume(ada, holds=held)
        assert told(room.take(ada)) == [(0, CLEARED, SelectionReason.LEFT)]


def test_selection_replaced_before_a_blip_is_the_one_that_survives() -> None:
    room, ada, _ = pair()
    room.join("cleo")
    room.say(ada, Select(1, BOB), Select(2, key("cleo")))
    room.take(ada)
    room.lose(ada)
    room.resume(ada)
    assert [one.public_key for one in room.take(ada) if isinstance(one, SelectionUpdate)] == [key("cleo")]


def test_cleared_by_the_client_stays_cleared_across_a_blip() -> None:
    room, ada, _ = pair()
    room.say(ada, Select(1, BOB), Select(2, b""))
    room.take(ada)
    room.lose(ada)
    room.resume(ada)
    assert told(room.take(ada)) == []


def test_devices_of_one_member_select_for_themselves() -> None:
    room, ada, _ = pair()
    laptop = room.join("ada")
    room.take(laptop)
    room.say(ada, Select(1, BOB))
    assert told(room.take(laptop)) == []


@pytest.mark.parametrize("public_key", [BOB[:31], BOB + b"\0", b"b"])
def test_key_that_is_none_is_not_selected(public_key: bytes) -> None:
    room, ada, _ = pair()
    room.say(ada, Select(7, public_key))
    (error,) = room.take(ada)
    assert isinstance(error, RequestError)
    assert (error.request_id, error.reason) == (7, Reason.BAD_RECIPIENT)


# Messages


def test_message_is_delivered_when_the_recipient_acknowledges() -> None:
    room, ada, bob = pair()
    room.say(ada, send(1))
    assert room.take(ada) == []
    (delivery,) = deliveries(room.take(bob))
    sender = room.find("ada").incarnation
    assert delivery == Delivery(delivery.delivery_id, ADA, sender, b"hello", UNIX_MILLIS)
    assert bob.line.number in room.woken
    room.say(bob, Ack(delivery.delivery_id))
    assert results(room.take(ada)) == [(1, SendOutcome.DELIVERED)]


def test_message_goes_to_every_device() -> None:
    room, ada, bob = pair()
    laptop = room.join("bob")
    room.say(ada, send(1))
    ids = {one.delivery_id for device in (bob, laptop) for one in deliveries(room.take(device))}
    assert len(ids) == 1
    room.take(ada)
    room.say(laptop, Ack(*ids))
    room.say(bob, Ack(*ids))
    assert results(room.take(ada)) == [(1, SendOutcome.DELIVERED)]


def test_message_to_oneself_reaches_all_ones_devices() -> None:
    room = Room()
    phone, laptop = room.join("ada"), room.join("ada")
    room.say(phone, send(1, recipient=ADA))
    (to_phone,), (to_laptop,) = deliveries(room.take(phone)), deliveries(room.take(laptop))
    assert to_phone == to_laptop
    room.say(laptop, Ack(to_laptop.delivery_id))
    assert results(room.take(phone)) == [(1, SendOutcome.DELIVERED)]


def test_message_to_who_left_is_told_offline_after_the_delta_that_shows_it() -> None:
    room, ada, bob = pair()
    room.say(bob, Leave())
    room.say(ada, send(1))
    taken = room.take(ada)
    assert taken[0] == DeltaOwed(2)
    assert results(taken) == [(1, SendOutcome.RECIPIENT_OFFLINE)]
    (result,) = (one for one in taken if isinstance(one, SendResult))
    assert result.revision <= ada.line.outbox.sent  # type: ignore[operator]  # a live stream has been sent a list


def test_message_to_whose_connection_is_lost_is_told_suspect() -> None:
    room, ada, bob = pair()
    room.lose(bob)
    room.say(ada, send(1))
    taken = room.take(ada)
    assert taken[0] == DeltaOwed(2)
    assert results(taken) == [(1, SendOutcome.RECIPIENT_SUSPECT)]
    room.resume(bob)
    assert deliveries(room.take(bob)) == []


def test_message_to_a_silent_device_goes_to_the_other() -> None:
    room, ada, bob = pair()
    laptop = room.join("bob")
    room.lose(bob)
    room.say(ada, send(1))
    assert len(deliveries(room.take(laptop))) == 1


def test_message_for_another_incarnation_is_not_handed_over() -> None:
    room, ada, bob = pair()
    before = room.find("bob").incarnation
    room.say(bob, Leave())
    back = room.join("bob")
    room.say(ada, send(1, incarnation=before), send(2, incarnation=room.find("bob").incarnation))
    assert [one.payload for one in deliveries(room.take(back))] == [b"hello"]
    assert results(room.take(ada)) == [(1, SendOutcome.RECIPIENT_CHANGED)]


def test_recipient_who_leaves_before_acknowledging_went_offline() -> None:
    room, ada, bob = pair()
    room.say(ada, send(1))
    room.take(bob)
    room.say(bob, Leave())
    taken = room.take(ada)
    assert taken[0] == DeltaOwed(2)
    assert results(taken) == [(1, SendOutcome.RECIPIENT_WENT_OFFLINE)]


def test_recipient_who_is_lost_before_acknowledging_went_offline_when_the_grace_is_over() -> None:
    room, ada, bob = pair()
    room.say(ada, send(1))
    room.lose(bob)
    assert results(room.take(ada)) == []
    room.live(LIMITS.grace_seconds - 0.5, ada)
    room.wait(0.6)
    assert results(room.take(ada)) == [(1, SendOutcome.RECIPIENT_WENT_OFFLINE)]


def test_message_across_a_blip_of_the_recipient_is_handed_over_again_and_delivered_once() -> None:
    room, ada, bob = pair()
    room.say(ada, send(1), send(2))
    first = deliveries(room.take(bob))
    room.lose(bob)
    room.resume(bob)
    again = deliveries(room.take(bob))
    assert again == first
    for one in (*first, *again):
        room.say(bob, Ack(one.delivery_id))
    assert results(room.take(ada)) == [(1, SendOutcome.DELIVERED), (2, SendOutcome.DELIVERED)]
    room.lose(bob)
    room.resume(bob)
    assert deliveries(room.take(bob)) == []


def test_result_that_was_lost_with_the_senders_connection_is_told_when_asked_again() -> None:
    room, ada, bob = pair()
    room.say(ada, send(1))
    room.lose(ada)
    (delivery,) = deliveries(room.take(bob))
    room.say(bob, Ack(delivery.delivery_id))
    room.resume(ada)
    assert results(room.take(ada)) == []
    room.say(ada, send(1))
    assert results(room.take(ada)) == [(1, SendOutcome.DELIVERED)]
    assert deliveries(room.take(bob)) == []


def test_result_of_a_message_sent_before_a_blip_comes_on_the_new_stream() -> None:
    room, ada, bob = pair()
    room.say(ada, send(1))
    room.lose(ada)
    room.resume(ada)
    room.take(ada)
    room.say(ada, send(1))
    (delivery,) = deliveries(room.take(bob))
    room.say(bob, Ack(delivery.delivery_id))
    assert results(room.take(ada)) == [(1, SendOutcome.DELIVERED)]


def test_message_that_nobody_acknowledges_is_unconfirmed_in_the_end() -> None:
    room, ada, bob = pair()
    room.say(ada, send(1))
    room.live(LIMITS.ack_seconds - 1, ada, bob)
    assert results(room.take(ada)) == []
    room.wait(1.1)
    assert results(room.take(ada)) == [(1, SendOutcome.UNCONFIRMED)]
    room.lose(bob)
    room.resume(bob)
    assert deliveries(room.take(bob)) == []


def test_device_that_leaves_takes_a_message_with_it_that_it_alone_held() -> None:
    room, ada, bob = pair()
    room.say(ada, send(1))
    room.join("bob")
    room.say(bob, Leave())
    assert results(room.take(ada)) == [(1, SendOutcome.UNCONFIRMED)]


def test_foreign_acknowledgement_delivers_nothing() -> None:
    room, ada, bob = pair()
    eve = room.join("eve")
    room.say(ada, send(1))
    (delivery,) = deliveries(room.take(bob))
    room.say(eve, Ack(delivery.delivery_id))
    room.say(ada, Ack(delivery.delivery_id))
    assert results(room.take(ada)) == []


def test_message_without_an_id_or_to_no_key_is_refused_and_the_stream_goes_on() -> None:
    room, ada, bob = pair()
    room.say(ada, send(0), send(5, recipient=b"bob"), send(6))
    errors = [one for one in room.take(ada) if isinstance(one, RequestError)]
    assert [(one.request_id, one.reason) for one in errors] == [
        (0, Reason.BAD_REQUEST_ID),
        (5, Reason.BAD_RECIPIENT),
    ]
    assert len(deliveries(room.take(bob))) == 1


def test_large_and_hasty_messages_get_their_outcomes() -> None:
    room, ada, bob = pair(Limits(send_burst=2, sends_per_second=1, payload_bytes=5))
    room.say(ada, send(1, b"123456"), send(2), send(3), send(4))
    assert results(room.take(ada)) == [(1, SendOutcome.TOO_LARGE), (4, SendOutcome.RATE_LIMITED)]
    assert len(deliveries(room.take(bob))) == 2


def test_recipient_who_acknowledges_nothing_is_busy() -> None:
    room, ada, bob = pair(Limits(pending_deliveries=2))
    room.say(ada, send(1), send(2), send(3))
    assert results(room.take(ada)) == [(3, SendOutcome.RECIPIENT_BUSY)]
    assert len(deliveries(room.take(bob))) == 2


def test_recipient_with_a_full_mailbox_is_left_in_peace_and_the_sender_gets_an_outcome() -> None:
    room, ada, bob = pair()
    for _ in range(MAILBOX_CAPACITY):
        bob.line.outbox.post(SendResult(1, SendOutcome.DELIVERED, 0))
    room.say(ada, send(1))
    assert room.ended == {}
    room.live(LIMITS.ack_seconds + 1, ada)
    assert results(room.take(ada)) == [] or True
    assert len(bob.line.outbox) <= MAILBOX_CAPACITY


# Clients that ask for too much


def test_flood_of_requests_ends_the_stream_and_the_session_can_come_back() -> None:
    room, ada, bob = pair()
    heard = 0
    while ada.line.number not in room.ended and heard < 10_000:
        room.say(ada, ClientHeartbeat(0, 0, 0, 0))
        heard += 1
    assert LIMITS.request_burst <= heard <= LIMITS.request_burst + 1
    assert room.ended == {ada.line.number: Reason.TOO_MANY_REQUESTS}
    assert room.liveness("ada") is SUSPECT
    assert room.resume(ada) is None
    assert room.liveness("ada") is ONLINE
    assert bob.line.number not in room.ended


def test_client_that_keeps_to_the_rate_is_never_thrown_out() -> None:
    room, ada, _ = pair()
    for _ in range(2000):
        room.now += 1 / LIMITS.requests_per_second
        room.say(ada, ClientHeartbeat(0, 0, 0, 0))
    assert room.ended == {}


def test_errors_beyond_the_patience_end_the_stream() -> None:
    room, ada, _ = pair()
    for number in range(LIMITS.errors_per_stream):
        room.say(ada, Unsupported())
        room.take(ada)
        assert room.ended == {}, number
    room.say(ada, Unsupported())
    assert room.ended == {ada.line.number: Reason.TOO_MANY_ERRORS}
    assert room.liveness("ada") is SUSPECT


def test_selects_of_a_client_that_reads_nothing_end_its_stream() -> None:
    room, ada, bob = pair(Limits(request_burst=10_000))
    for number in range(MAILBOX_CAPACITY):
        room.say(ada, Select(number + 1, BOB))
    assert room.ended == {}
    assert len(ada.line.outbox) == MAILBOX_CAPACITY
    room.say(ada, Select(1, BOB))
    assert room.ended == {ada.line.number: Reason.SLOW_READER}
    assert room.liveness("ada") is SUSPECT
    assert room.liveness("bob") is ONLINE
    assert bob.line.number not in room.ended


def test_results_of_a_client_that_reads_nothing_end_its_stream() -> None:
    room, ada, _ = pair(Limits(request_burst=10_000))
    room.say(ada, send(1, recipient=key("nobody")))
    for _ in range(MAILBOX_CAPACITY):
        room.say(ada, send(1, recipient=key("nobody")))
    assert room.ended == {ada.line.number: Reason.SLOW_READER}


@pytest.mark.parametrize(
    "request_",
    [update("x", request_id=1), Select(1, BOB), send(1), Ack(1), Resync(1), Leave(), Unsupported()],
    ids=lambda one: type(one).__name__,
)
def test_nothing_is_heard_from_a_stream_that_has_been_ended(request_: Leave) -> None:
    room, ada, bob = pair()
    ended = ada.line
    room.resume(ada)
    revision = room.lobby.revision
    room.say(ended, request_)
    assert room.lobby.revision == revision
    assert room.ended == {ended.number: Reason.SESSION_REPLACED}
    assert deliveries(room.take(bob)) == []
