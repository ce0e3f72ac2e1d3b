"""Ten thousand handshakes that are begun and not finished, from many addresses; then a door that is full."""

import asyncio
from random import Random

from adsum.contract.limits import Limits
from adsum.v1.presence_pb2 import PresenceRequest
from tests.abuse.attack import Attack, Ground
from tests.abuse.judging import hear_end
from tests.abuse.oracle import faults_of
from tests.abuse.people import Person, enter
from tests.abuse.wire import PREFACE, HungUpError, Stream, Wire, honest_opening
from tests.bench import http2
from tests.integration.raw_stream import METHOD

HANDSHAKES = 10_000
WAVES = 5
WAVE_EVERY_SECONDS = 3.0
"""So that at most three waves are waiting: fewer streams than may wait in all, so that each has its whole time."""
DIALLING_AT_ONCE = 100
STREAMS_PER_CONNECTION = 250
"""Below what the server allows on one connection."""
_LIMITS = Limits()
PATIENCE_SECONDS = _LIMITS.handshake_seconds + 6
# How far a handshake gets, and how often that is chosen. Only those after the bar are streams to the server.
_KINDS = (
    *("nothing", "half a preface", "no settings", "half a header"),
    *("no message", "half a message"),
    *("hello",) * 5,
)
_STREAMS = frozenset({"no message", "half a message", "hello"})


async def _run(ground: Ground) -> None:
    async with asyncio.TaskGroup() as tasks:
        for wave in range(WAVES):
            random = Random(ground.random.getrandbits(64))
            tasks.create_task(_wave(ground, random, wave, ground.amount(HANDSHAKES // WAVES)))
            await asyncio.sleep(WAVE_EVERY_SECONDS)
    await _fill_the_door(ground)


async def _wave(ground: Ground, random: Random, wave: int, amount: int) -> None:
    gate = asyncio.Semaphore(DIALLING_AT_ONCE)
    plans = [(random.choice(_KINDS), f"127.0.{wave + 1}.{number % 250 + 1}") for number in range(amount)]
    halves: list[tuple[str, Wire, Stream | None]] = []

    async def begin(kind: str, source: str) -> None:
        async with gate:
            halves.append(await _begin(ground, random, kind, source))

    async with asyncio.TaskGroup() as tasks:
        for kind, source in plans:
            tasks.create_task(begin(kind, source))
    for kind, _, stream in halves:
        if stream is None:
            ground.tally.count(kind)
            continue
        ending = await hear_end(stream, PATIENCE_SECONDS)
        ground.tally.judge(ending, {"end:HANDSHAKE_TIMEOUT"}, kind)
        for fault in faults_of(stream, proved=False):
            ground.tally.blame(fault)
    for _, wire, _ in halves:
        wire.close()


async def _begin(ground: Ground, random: Random, kind: str, source: str) -> tuple[str, Wire, Stream | None]:
    openings = {
        "nothing": b"",
        "half a preface": PREFACE[: random.randrange(1, len(PREFACE))],
        "no settings": PREFACE,
        "half a header": honest_opening()
        + http2.request(1, METHOD, ground.address)[: random.randrange(5, 60)],
    }
    wire = await ground.dial(source=source, opening=openings.get(kind))
    if kind not in _STREAMS:
        return kind, wire, None
    stream = wire.open()
    hello = PresenceRequest(hello=Person(random).hello()).SerializeToString()
    if kind == "hello":
        stream.say(hello)
    elif kind == "half a message":
        stream.say_raw((b"\0" + len(hello).to_bytes(4, "big") + hello)[: random.randrange(1, len(hello))])
    return kind, wire, stream


async def _fill_the_door(ground: Ground) -> None:
    """Have more streams wait than may: the rest is refused by name, and a while later everybody is let in again."""
    connections = _LIMITS.unproved_streams // STREAMS_PER_CONNECTION + 2
    if ground.scale < 1:
        return
    streams = []
    for _ in range(connections):
        wire = await ground.dial()
        for _ in range(STREAMS_PER_CONNECTION):
            stream = wire.open()
            stream.say(PresenceRequest(hello=Person(ground.random).hello()).SerializeToString())
            streams.append(stream)
        # One connection after the other: the attacker is not to be the one that is too slow.
        await streams[-1].heard(1)
    newcomer = await _try_to_enter(ground)
    ground.tally.judge(newcomer, {"end:TOO_MANY_STREAMS"}, "a newcomer at a full door")
    for stream in streams:
        ending = await hear_end(stream, PATIENCE_SECONDS)
        ground.tally.judge(ending, {"end:HANDSHAKE_TIMEOUT", "end:TOO_MANY_STREAMS"}, "at a full door")
        for fault in faults_of(stream, proved=False):
            ground.tally.blame(fault)
    refused = ground.tally.answers["end:TOO_MANY_STREAMS"]
    ground.tally.expect(refused >= 1, "P9: more streams wait than may")
    newcomer = await _try_to_enter(ground)
    ground.tally.judge(newcomer, {"let in"}, "a newcomer at an empty door")


async def _try_to_enter(ground: Ground) -> str:
    wire = await ground.dial()
    person = Person(ground.random)
    try:
        stream, _ = await enter(wire, person)
    except HungUpError as error:
        return "end:TOO_MANY_STREAMS" if "TOO_MANY_STREAMS" in str(error) else str(error)
    stream.say(person.request("leave"))
    await stream.ended()
    return "let in"


ATTACK = Attack(
    "half-open",
    "P9",
    "ten thousand handshakes that are not finished, from many addresses, and a full door",
    _run,
    minimum=HANDSHAKES,
    peak_mib=500.0,
)
