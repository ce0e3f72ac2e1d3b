"""Hostile: deliveries that come again, requests that are refused, answers to questions that nobody asked."""

from adsum.client.messages import (
    Delivery,
    RequestError,
    SelectionReason,
    SelectionState,
    SelectionUpdate,
    SendOutcome,
    SendResult,
)
from adsum.contract.reasons import Reason
from tests.client.model_lobby import JOINED_AT, key_of
from tests.conformance.cases import hostile
from tests.conformance.scene import BOB, come_back, enter
from tests.conformance.stage import Stage, expect

BEYOND_SIGNED = 2**63 + 5


@hostile("P8")
async def a_message_that_comes_twice_is_shown_once_and_acknowledged_twice(stage: Stage) -> None:
    scene = await enter(stage)
    delivery = Delivery(BEYOND_SIGNED, key_of("Bob"), 1, b"only once", JOINED_AT)
    await scene.stream.say(delivery, delivery)
    for _ in range(2):
        ack = (await scene.stream.expect("ack")).ack
        expect(ack.delivery_id == BEYOND_SIGNED, f"it acknowledges {ack.delivery_id}, not {BEYOND_SIGNED}")
    message = await scene.client.sees("message", text="only once")
    expect(message["delivery_id"] == BEYOND_SIGNED, f"the delivery id is told as {message['delivery_id']}")
    # And again after a resume, in which the acknowledgement may have been lost.
    scene.stream.end()
    await come_back(scene)
    await scene.stream.say(delivery)
    await scene.stream.expect("ack")
    await scene.fence()
    await scene.client.roster()
    expect(len(scene.client.all("message")) == 1, "it was shown more than once")


@hostile("P8")
async def a_message_of_nobody_in_the_list_and_of_no_text_is_shown(stage: Stage) -> None:
    scene = await enter(stage)
    stranger = key_of("Stranger")
    await scene.stream.say(
        Delivery(1, stranger, 1, b"from afar", JOINED_AT),
        Delivery(2, key_of("Bob"), 1, b"", JOINED_AT),
        Delivery(3, key_of("Bob"), 1, b"\xff\xfe\x80 no UTF-8", JOINED_AT),
        Delivery(4, key_of("Bob"), 1, b"\x1b[2J\x07\x00\x9b", JOINED_AT),
    )
    first = await scene.client.sees("message", delivery_id=1)
    expect(first["sender_name"] is None, f"the stranger is called {first['sender_name']}")
    expect(first["sender_key"] == stranger.hex(), f"the stranger's key is told as {first['sender_key']}")
    second = await scene.client.sees("message", delivery_id=2)
    expect(second["text"] == "" and second["sender_name"] == "Bob", f"an empty message is told as {second}")
    for number in (3, 4):
        await scene.client.sees("message", delivery_id=number)
    for _ in range(4):
        await scene.stream.expect("ack")
    await scene.follows()


@hostile()
async def a_refused_update_is_told_and_the_stream_goes_on(stage: Stage) -> None:
    scene = await enter(stage)
    scene.client.update("Ann", "away", "what the server won't have")
    update = (await scene.stream.expect("update_profile")).update_profile
    expect(update.profile.status_text == "what the server won't have", f"the update is {update}")
    await scene.stream.say(
        RequestError(update.request_id, Reason.BAD_STATUS_TEXT, "the text\x1b[31m is not clean")
    )
    refused = await scene.client.sees("refused")
    expect(refused["reason"] == "bad_status_text", f"the reason is told as {refused['reason']}")
    expect(refused["request_id"] == update.request_id, f"the request is told as {refused['request_id']}")
    scene.client.never("state", phase="reconnecting")
    await scene.follows()


@hostile("P8", "P7")
async def answers_that_nobody_asked_for_are_ignored(stage: Stage) -> None:
    scene = await enter(stage)
    await scene.stream.say(
        SendResult(4_711, SendOutcome.DELIVERED, scene.lobby.revision),
        RequestError(4_712, Reason.BAD_RECIPIENT, "for a request that was never made"),
        SelectionUpdate(
            0, key_of("Bob"), 1, SelectionState.CLEARED, SelectionReason.LEFT, scene.lobby.revision
        ),
    )
    await scene.fence()
    scene.client.never("sent")
    scene.client.never("state", phase="reconnecting")
    sent = scene.client.send(BOB, "hello")
    asked = (await scene.stream.expect("send")).send
    await scene.stream.say(SendResult(asked.request_id, SendOutcome.DELIVERED, scene.lobby.revision))
    outcome = await scene.client.outcome(sent)
    expect(outcome == "delivered", f"the outcome is {outcome}")
    await scene.follows()
