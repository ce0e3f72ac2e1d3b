"""Nasty strings wherever a text may stand: each is refused by its reason, or arrives byte for byte and is shown as nothing but text."""

import asyncio
from random import Random
from typing import Any

from adsum.contract.text import normalise
from adsum.v1.presence_pb2 import Hello, PresenceRequest, Send
from tests.abuse.attack import Attack, Ground
from tests.abuse.judging import hear_end
from tests.abuse.mutations import LENGTH, tag, varint
from tests.abuse.nasty_texts import NOT_TEXTS, TEXTS
from tests.abuse.oracle import MALFORMED, Scene, Standing, allowed, faults_of, word_of, word_of_ending
from tests.abuse.people import LOBBY, Person, enter
from tests.abuse.screens import consoles, forbidden_in
from tests.abuse.wire import Stream

FIELDS = ("name", "status_text", "attribute key", "attribute value", "lobby", "audience")
WORKERS = 3
PAYLOADS_EACH = 15
"""To one neighbour by one sender: below what may be sent at once."""
ARRIVAL_SECONDS = 5.0
_NAME, _STATUS_TEXT = 3, 5
"""Where they stand in the record of a neighbour (`neighbours.record_of`)."""
_ATTRIBUTES = 6


async def _run(ground: Ground) -> None:
    texts = list(TEXTS)
    ground.random.shuffle(texts)
    del texts[ground.amount(len(texts)) :]
    directory = ground.directory / "consoles"
    directory.mkdir(exist_ok=True)
    async with consoles(directory, ground.address, LOBBY) as terminals:
        for terminal in terminals.values():
            await terminal.shows("neighbour")
        async with asyncio.TaskGroup() as tasks:
            for worker in range(WORKERS):
                random = Random(ground.random.getrandbits(64))
                tasks.create_task(_work(ground, random, texts[worker::WORKERS]))
        await _bytes_that_are_no_text(ground)
        await _payloads(ground, texts)
        for name, terminal in terminals.items():
            ground.tally.figures[f"KiB written by {name}"] = len(terminal.written) // 1024
            ground.tally.expect(terminal.process.returncode is None, f"P9: {name} has ended")
            for found in forbidden_in(terminal.written):
                ground.tally.blame(f"P9: {name} wrote {found}")


async def _work(ground: Ground, random: Random, texts: list[str]) -> None:
    for text in texts:
        for field in FIELDS:
            await _say(ground, random, field, text)


async def _say(ground: Ground, random: Random, field: str, text: str) -> None:
    person = Person(random)
    hello = person.hello()
    _put(hello, field, text)
    content = PresenceRequest(hello=hello).SerializeToString()
    wire = await ground.dial()
    stream = wire.open()
    stream.say(content)
    await stream.heard(1)
    answer = word_of(stream.responses[0]) if stream.contents else _end_of(stream)
    ground.tally.judge(answer, allowed(Scene(Standing.FRESH), content), f"{field} {text[:40]!r}", content)
    if answer == "challenge" and field not in ("lobby", "audience"):
        challenge = stream.responses[0].challenge
        stream.say(PresenceRequest(proof=person.proof(hello, challenge)).SerializeToString())
        await stream.heard(2)
        await _arrives(ground, person, field, text)
        stream.say(person.request("leave"))
        await stream.ended()
    for fault in faults_of(stream, proved=True):
        ground.tally.blame(f"{fault}: {field} {text[:40]!r}")
    wire.close()


def _put(hello: Hello, field: str, text: str) -> None:
    match field:
        case "name":
            hello.profile.name = text
        case "status_text":
            hello.profile.status_text = text
        case "attribute key":
            hello.profile.attributes[text] = "value"
        case "attribute value":
            hello.profile.attributes["key"] = text
        case "lobby":
            hello.lobby = text
        case _:
            hello.audience = text


async def _arrives(ground: Ground, person: Person, field: str, text: str) -> None:
    """Check that every neighbour sees exactly what was said."""
    records: list[Any] = []
    try:
        async with asyncio.timeout(ARRIVAL_SECONDS):
            while not records or None in records:
                records = (await ground.neighbours.stranger(person.key))["records"]
    except TimeoutError:
        ground.tally.blame(f"P3: somebody with the {field} {text[:40]!r} isn't seen by all")
        return
    for record in records:
        attributes = dict(record[_ATTRIBUTES])
        is_right = {
            "name": record[_NAME] == normalise(text),
            "status_text": record[_STATUS_TEXT] == normalise(text),
            "attribute key": attributes.get(text) == "value",
            "attribute value": attributes.get("key") == text,
        }[field]
        ground.tally.expect(is_right, f"contract: the {field} {text[:40]!r} has arrived as {record}")


async def _bytes_that_are_no_text(ground: Ground) -> None:
    """Put bytes that are no UTF-8 where a text belongs."""
    for content in NOT_TEXTS:
        # Hello.lobby, and Profile.name within Hello.profile.
        for hello in (
            _field(1, content),
            _field(5, _field(1, content)),
        ):
            stream = (await ground.dial()).open()
            stream.say(_field(1, hello))
            ground.tally.judge(await hear_end(stream), {MALFORMED}, "bytes that are no text", content)


def _field(number: int, content: bytes) -> bytes:
    return tag(number, LENGTH) + varint(len(content)) + content


async def _payloads(ground: Ground, texts: list[str]) -> None:
    """Send every text, and what is no text, as a message: it arrives byte for byte, or is too large."""
    payloads = [text.encode() for text in texts] + list(NOT_TEXTS)
    neighbours = sorted(ground.neighbours.keys)
    for start in range(0, len(payloads), PAYLOADS_EACH):
        batch = payloads[start : start + PAYLOADS_EACH]
        person = Person(ground.random)
        stream, _ = await enter(await ground.dial(), person)
        recipient = neighbours[start // PAYLOADS_EACH % len(neighbours)]
        for number, payload in enumerate(batch):
            message = Send(request_id=number + 1, recipient=recipient, payload=payload)
            stream.say(PresenceRequest(send=message).SerializeToString())
        await _all_results(stream, len(batch))
        results = _results(stream)
        for number, payload in enumerate(batch):
            expected = "send_result:DELIVERED" if len(payload) <= 4096 else "send_result:TOO_LARGE"
            ground.tally.judge(results.get(number + 1, "no result"), {expected}, "a payload", payload)
        received = (await ground.neighbours.stranger(person.key))["payloads"]
        sent = [payload.hex() for payload in batch if len(payload) <= 4096]
        ground.tally.expect(
            sorted(one for each in received for one in each) == sorted(sent), "P8: payloads arrived as others"
        )
        stream.say(person.request("leave"))
        await stream.ended()


async def _all_results(stream: Stream, count: int) -> None:
    await stream.until(lambda: len(_results(stream)) >= count)


def _results(stream: Stream) -> dict[int, str]:
    return {
        response.send_result.request_id: word_of(response)
        for response in stream.responses
        if response.HasField("send_result")
    }


def _end_of(stream: Stream) -> str:
    return word_of_ending(stream.ending) if stream.ending is not None else "silence"


ATTACK = Attack(
    "texts",
    "P3 P8 P9",
    "nasty strings as names, texts, attributes, lobbies and payloads, seen by neighbours and on four consoles",
    _run,
    minimum=len(FIELDS) * len(TEXTS) + len(NOT_TEXTS),
    peak_mib=100.0,
)
