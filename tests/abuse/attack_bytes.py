"""Any bytes as requests, and valid requests mutated, wherever a stream may stand."""

import asyncio
from random import Random

from adsum.v1.presence_pb2 import PresenceRequest
from tests.abuse import mutations
from tests.abuse.attack import Attack, Ground
from tests.abuse.bending import bend
from tests.abuse.judging import hear_answer
from tests.abuse.oracle import Scene, Standing, faults_of
from tests.abuse.people import KINDS, Person, be_challenged, enter
from tests.abuse.wire import Stream

WORKERS = 8
INPUTS_BEFORE = 2_400
INPUTS_LIVE = 3_600
PER_STREAM = 24
"""Inputs to one live stream: below the number of refusals that end it. To an observer's half as many, since each fence is refused too."""


async def _run(ground: Ground) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(WORKERS):
            random = Random(ground.random.getrandbits(64))
            tasks.create_task(_before_welcome(ground, random, ground.amount(INPUTS_BEFORE // WORKERS)))
            tasks.create_task(_on_live_streams(ground, random, ground.amount(INPUTS_LIVE // WORKERS)))


def make_input(random: Random, person: Person, recipients: list[bytes]) -> bytes:
    """Draw an input: a valid request of any kind, bent so that it can still be read, or mutated, or both."""
    content = person.request(random.choice(KINDS), random.choice(recipients))
    return _change(random, content)


def _change(random: Random, content: bytes) -> bytes:
    way = random.random()
    if way < 0.6:
        bent = bend(random, PresenceRequest.FromString(content), random.choice((1, 1, 2, 5)))
        content = bent.SerializeToString()[: mutations.LARGEST_BYTES]
    return mutations.mutate(random, content) if way > 0.5 else content


async def _before_welcome(ground: Ground, random: Random, amount: int) -> None:
    wire = await ground.dial()
    for number in range(amount):
        if number % 50 == 0:
            wire.close()
            wire = await ground.dial()
        person = Person(random)
        stream = wire.open()
        scene = Scene(Standing.FRESH)
        content = make_input(random, person, [person.key, random.randbytes(32)])
        if number % 2:
            hello = person.hello()
            challenge = await be_challenged(stream, hello)
            right = person.proof(hello, challenge)
            scene = Scene(Standing.CHALLENGED, signature=right.signature)
            if number % 4 == 1:
                content = _change(random, PresenceRequest(proof=right).SerializeToString())
        else:
            content = random.choice((content, _change(random, _hello_of(person, random))))
        await _judge(ground, stream, scene, content)
        await _end(stream, person)
    wire.close()


def _hello_of(person: Person, random: Random) -> bytes:
    return PresenceRequest(hello=person.hello(observer=random.random() < 0.3)).SerializeToString()


async def _judge(ground: Ground, stream: Stream, scene: Scene, content: bytes) -> None:
    answer, allowed = await hear_answer(stream, scene, content)
    ground.tally.judge(answer, allowed, f"{scene.standing.value}, {stream.id}", content)
    for fault in faults_of(stream, proved="welcome" in allowed):
        ground.tally.blame(fault, content)


async def _end(stream: Stream, person: Person) -> None:
    """Leave a stream that is still open: by the front door if it was let in."""
    if stream.ending is None:
        if any(response.HasField("welcome") for response in stream.responses):
            stream.say(person.request("leave"))
            await stream.ended()
        else:
            stream.reset()


async def _on_live_streams(ground: Ground, random: Random, amount: int) -> None:
    present = ground.neighbours.keys
    done = 0
    while done < amount:
        person = Person(random)
        wire = await ground.dial()
        observes = random.random() < 0.2
        stream, _ = await enter(wire, person, observer=observes)
        scene = Scene(Standing.OBSERVING if observes else Standing.LIVE, present=present | {person.key})
        recipients = [person.key, random.randbytes(32), *sorted(present)]
        for _ in range(min(PER_STREAM // 2 if observes else PER_STREAM, amount - done)):
            content = make_input(random, person, recipients)
            answer, allowed = await hear_answer(stream, scene, content)
            ground.tally.judge(answer, allowed, scene.standing.value, content)
            done += 1
            if stream.ending is not None:
                break
        for fault in faults_of(stream, proved=True):
            ground.tally.blame(fault)
        await _end(stream, person)
        wire.close()


ATTACK = Attack(
    "bytes",
    "P9",
    "any bytes and mutated requests, before hello, before proof, live and observing",
    _run,
    minimum=INPUTS_BEFORE + INPUTS_LIVE,
)
