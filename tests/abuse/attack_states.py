"""Every kind of request in every state, and after every other kind: all pairs."""

import asyncio
from random import Random

from adsum.v1.presence_pb2 import Hello, PresenceRequest
from tests.abuse.attack import Attack, Ground
from tests.abuse.judging import hear_answer
from tests.abuse.oracle import Scene, Standing, faults_of
from tests.abuse.people import KINDS, Person, be_challenged, enter
from tests.abuse.wire import Stream

RIGHT_PROOF = "right proof"
ALL = (*KINDS, RIGHT_PROOF)
WORKERS = 4
ROUNDS = 2


async def _run(ground: Ground) -> None:
    pairs = [
        (standing, first, second)
        for _ in range(ground.amount(ROUNDS))
        for standing in Standing
        for first in ALL
        for second in ALL
    ]
    ground.random.shuffle(pairs)
    async with asyncio.TaskGroup() as tasks:
        for worker in range(WORKERS):
            random = Random(ground.random.getrandbits(64))
            tasks.create_task(_work(ground, random, pairs[worker::WORKERS]))


async def _work(ground: Ground, random: Random, pairs: list[tuple[Standing, str, str]]) -> None:
    wire = await ground.dial()
    for number, (standing, first, second) in enumerate(pairs):
        if number % 40 == 39:
            wire.close()
            wire = await ground.dial()
        person = Person(random)
        stream, scene, hello = await _put_in_place(ground, wire.open(), standing, person)
        proved = standing in (Standing.LIVE, Standing.OBSERVING)
        for kind in (first, second):
            content, hello = _request(person, stream, kind, hello)
            answer, allowed = await hear_answer(stream, scene, content)
            ground.tally.judge(answer, allowed, f"{standing.value}: {first}, {second}: {kind}", content)
            if stream.ending is not None:
                break
            proved = proved or kind == RIGHT_PROOF
            _move_on(scene, stream, person, answer, hello)
        for fault in faults_of(stream, proved=proved):
            ground.tally.blame(f"{fault} after {standing.value}: {first}, {second}")
        await _go(stream, person)


async def _put_in_place(
    ground: Ground, stream: Stream, standing: Standing, person: Person
) -> tuple[Stream, Scene, Hello]:
    hello = person.hello()
    match standing:
        case Standing.FRESH:
            return stream, Scene(standing), hello
        case Standing.CHALLENGED:
            challenge = await be_challenged(stream, hello)
            return stream, Scene(standing, signature=person.proof(hello, challenge).signature), hello
        case Standing.LIVE | Standing.OBSERVING:
            stream.reset()
            observes = standing is Standing.OBSERVING
            stream, _ = await enter(stream.wire, person, observer=observes)
            return stream, Scene(standing, present=ground.neighbours.keys | {person.key}), hello


def _request(person: Person, stream: Stream, kind: str, hello: Hello) -> tuple[bytes, Hello]:
    """Make a request of a kind, and remember the hello that was said last."""
    if kind == "hello":
        hello = person.hello()
        return PresenceRequest(hello=hello).SerializeToString(), hello
    challenges = [response.challenge for response in stream.responses if response.HasField("challenge")]
    if kind == RIGHT_PROOF and challenges:
        proof = person.proof(hello, challenges[-1])
        return PresenceRequest(proof=proof).SerializeToString(), hello
    return person.request("proof" if kind == RIGHT_PROOF else kind), hello


def _move_on(scene: Scene, stream: Stream, person: Person, answer: str, hello: Hello) -> None:
    if answer == "challenge":
        scene.standing = Standing.CHALLENGED
        scene.signature = person.proof(hello, stream.responses[-1].challenge).signature
    elif answer == "welcome":
        scene.standing = Standing.OBSERVING if hello.observer else Standing.LIVE
        scene.present |= {person.key}


async def _go(stream: Stream, person: Person) -> None:
    if stream.ending is not None:
        return
    if any(response.HasField("welcome") for response in stream.responses):
        stream.say(person.request("leave"))
        await stream.ended()
    else:
        stream.reset()


ATTACK = Attack(
    "states",
    "P1 P9",
    "every kind of request in every state, all pairs",
    _run,
    minimum=ROUNDS * len(Standing) * len(ALL) * (len(ALL) + 1) // 2,
)
