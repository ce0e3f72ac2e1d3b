"""Live: a message is delivered, or its sender knows what became of it."""

from tests.conformance.cases import live
from tests.conformance.client import Client
from tests.conformance.stage import Stage, expect

TEXT = 'Grüße \U0001f44b, "quoted" \\ and 猫'
PAYLOAD_BYTES = 4096
MANY, BURST = 30, 20
"""More messages at once than a session may send, and how many it may."""


@live("P8")
async def messages_arrive_both_ways_between_languages(stage: Stage) -> None:
    server = await stage.serving()
    ann, bob, pia = await stage.clients_in(server.address, "Ann", "Bob", peers=("Pia",))
    for sender, recipient in ((ann, pia), (pia, ann), (ann, bob)):
        sent = sender.send(recipient.key, f"{TEXT} from {sender.name}")
        message = await recipient.sees("message", sender_key=sender.key)
        expect(message["text"] == f"{TEXT} from {sender.name}", f"the text came as {message['text']!a}")
        expect(message["sender_name"] == sender.name, f"the sender is called {message['sender_name']}")
        outcome = await sender.outcome(sent)
        expect(outcome == "delivered", f"the outcome is {outcome}")
    expect(len(ann.all("message")) == 1 and len(pia.all("message")) == 1, "a message was shown twice")


@live("P8")
async def messages_arrive_in_the_order_in_which_they_were_sent(stage: Stage) -> None:
    server = await stage.serving()
    ann, pia = await stage.clients_in(server.address, "Ann", peers=("Pia",))
    texts = [f"message {number}" for number in range(10)]
    for sender, recipient in ((ann, pia), (pia, ann)):
        sent = [sender.send(recipient.key, text) for text in texts]
        for one in sent:
            outcome = await sender.outcome(one)
            expect(outcome == "delivered", f"the outcome is {outcome}")
        await recipient.sees("message", text=texts[-1])
        shown = [message["text"] for message in recipient.all("message")]
        expect(shown == texts, f"{recipient.label} shows {shown}")


@live("P8")
async def each_of_many_messages_has_exactly_one_result_and_arrives_if_it_says_so(stage: Stage) -> None:
    server = await stage.serving()
    ann, pia = await stage.clients_in(server.address, "Ann", peers=("Pia",))
    sent = {ann.send(pia.key, f"message {number}"): f"message {number}" for number in range(MANY)}
    outcomes = {one: await ann.outcome(one) for one in sent}
    expect(set(outcomes.values()) <= {"delivered", "rate_limited"}, f"the outcomes are {outcomes}")
    delivered = [sent[one] for one, outcome in outcomes.items() if outcome == "delivered"]
    expect(len(delivered) >= BURST, f"only {len(delivered)} were delivered")
    await pia.until("all of them", lambda: len(pia.all("message")) >= len(delivered))
    shown = [message["text"] for message in pia.all("message")]
    expect(shown == delivered, f"delivered were {delivered}, shown are {shown}")


@live("P8")
async def who_is_not_there_is_offline(stage: Stage) -> None:
    server = await stage.serving()
    ann, pia = await stage.clients_in(server.address, "Ann", peers=("Pia",))
    nobody = stage.identity("nobody").public_key.hex()
    outcome = await ann.outcome(ann.send(nobody, "hello?"))
    expect(outcome == "recipient_offline", f"the outcome is {outcome}")
    pia.say("leave")
    await ann.sees("left", who=pia.key)
    outcome = await ann.outcome(ann.send(pia.key, "hello?"))
    expect(outcome == "recipient_offline", f"after she left the outcome is {outcome}")


@live("P8")
async def a_message_that_is_too_large_is_not_sent(stage: Stage) -> None:
    server = await stage.serving()
    ann, pia = await stage.clients_in(server.address, "Ann", peers=("Pia",))
    largest, larger = "x" * PAYLOAD_BYTES, "é" * (PAYLOAD_BYTES // 2 + 1)
    outcome = await ann.outcome(ann.send(pia.key, larger))
    expect(outcome == "too_large", f"the outcome of {len(larger.encode())} bytes is {outcome}")
    outcome = await ann.outcome(ann.send(pia.key, largest))
    expect(outcome == "delivered", f"the outcome of {len(largest)} bytes is {outcome}")
    await pia.sees("message", text=largest)
    expect(len(pia.all("message")) == 1, "something else arrived, too")


@live("P8", "P5")
async def who_goes_between_hand_over_and_acknowledgement_went_offline(stage: Stage) -> None:
    server = await stage.quick()
    company = await stage.company(server.address)
    bob = await company.join("Bob")
    bob.acks = False
    ann = await stage.client("Ann", server.address)
    sent = ann.send(bob.key.hex(), "did you get this?")
    await bob.delivery(b"did you get this?")
    expect(not ann.all("sent"), "there is an outcome before anybody has acknowledged or gone")
    await bob.cut()
    outcome = await ann.outcome(sent)
    expect(outcome == "recipient_went_offline", f"the outcome is {outcome}")
    # The list agrees with the outcome by the time it is told.
    shown = _shown_before(ann, sent)
    expect(bob.key.hex() in shown, "the outcome was told before Bob was told to be gone")


@live("P8")
async def who_is_suspect_is_not_written_to(stage: Stage) -> None:
    server = await stage.patient()
    company = await stage.company(server.address)
    bob = await company.join("Bob")
    ann = await stage.client("Ann", server.address)
    await bob.cut()
    await ann.sees("suspect", who=bob.key.hex())
    outcome = await ann.outcome(ann.send(bob.key.hex(), "are you there?"))
    expect(outcome == "recipient_suspect", f"the outcome is {outcome}")


@live("P8", "P6")
async def a_message_given_during_a_blip_arrives_once(stage: Stage) -> None:
    server = await stage.patient()
    relay = await stage.relay(server.address)
    ann = await stage.client("Ann", relay.address)
    pia = await stage.client("Pia", server.address, peer=True)
    await ann.sees("joined", who=pia.key)
    mark = ann.mark()
    relay.freeze()
    relay.reset()
    await ann.phase("reconnecting", mark)
    sent = ann.send(pia.key, "written in a tunnel")
    await pia.sees("suspect", who=ann.key)
    relay.thaw()
    await _arrives_once(ann, pia, sent, "written in a tunnel")


@live("P8", "P6")
async def a_message_on_its_way_when_the_connection_breaks_arrives_once(stage: Stage) -> None:
    server = await stage.patient()
    relay = await stage.relay(server.address)
    ann = await stage.client("Ann", relay.address)
    pia = await stage.client("Pia", server.address, peer=True)
    await ann.sees("joined", who=pia.key)
    # Nothing comes back to Ann: neither the result of the first, nor anything that would tell her of the break.
    relay.freeze()
    sent = ann.send(pia.key, "lost on the way")
    await ann.roster()
    mark = ann.mark()
    relay.reset()
    await ann.phase("reconnecting", mark)
    relay.thaw()
    await _arrives_once(ann, pia, sent, "lost on the way")


@live("P8", "P6")
async def a_message_whose_recipient_blips_is_shown_once(stage: Stage) -> None:
    server = await stage.patient()
    relay = await stage.relay(server.address)
    bob = await stage.client("Bob", relay.address)
    pia = await stage.client("Pia", server.address, peer=True)
    await bob.sees("joined", who=pia.key)
    # Bob hears everything, but his acknowledgement gets lost.
    relay.mute()
    sent = pia.send(bob.key, "say it again")
    await bob.sees("message", text="say it again")
    await bob.roster()
    mark = bob.mark()
    relay.reset()
    await bob.phase("reconnecting", mark)
    relay.thaw()
    await _arrives_once(pia, bob, sent, "say it again")


async def _arrives_once(sender: Client, recipient: Client, sent: str, text: str) -> None:
    outcome = await sender.outcome(sent)
    expect(outcome == "delivered", f"the outcome is {outcome}")
    # Whatever had come a second time would have come before the answer to a later message.
    fence = sender.send(recipient.key, "the last word")
    expect(await sender.outcome(fence) == "delivered", "the message after it was not delivered")
    await recipient.sees("message", text="the last word")
    texts = [message["text"] for message in recipient.all("message")]
    expect(texts == [text, "the last word"], f"{recipient.label} shows {texts}")
    expect(len(sender.all("sent", id=sent)) == 1, "there are several results")


def _shown_before(client: Client, sent: str) -> set[str]:
    """List the keys of those who were told to have left before a result was told."""
    end = next(
        n for n, record in enumerate(client.records) if record["event"] == "sent" and record["id"] == sent
    )
    return {record["member"]["key"] for record in client.records[:end] if record["event"] == "left"}
