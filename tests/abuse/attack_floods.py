"""Requests faster than anybody may send them, which end that stream and nothing else; and just below, where everything must be answered."""

import asyncio
from random import Random

from adsum.contract.limits import Limits
from adsum.v1.presence_pb2 import PresenceRequest, PresenceResponse, Select
from tests.abuse.attack import Attack, Ground
from tests.abuse.judging import hear_end
from tests.abuse.oracle import faults_of, word_of
from tests.abuse.people import Person, enter
from tests.abuse.wire import Stream

LIMITED = ("update_profile", "select", "send", "heartbeat", "ack", "resync")
FLOODERS = 3
"""At once, each on a connection of its own. Together their first messages are fewer than may wait for one recipient."""
FLOOD = 2_000
"""Requests of one flooder, in one go: twenty times what it may send in a second."""
ROUNDS = 3
SECONDS_BELOW = 4.0
SHARE_BELOW = 0.9
ERRORS = 100
_LIMITS = Limits()
_ENDS = frozenset({"end:TOO_MANY_REQUESTS", "end:SLOW_READER"})
_OUTCOMES = frozenset(
    {
        "send_result:DELIVERED",
        "send_result:RATE_LIMITED",
        "send_result:RECIPIENT_BUSY",
        "send_result:UNCONFIRMED",
    }
)
_BELOW = {
    # How many of them a second are allowed for long.
    "update_profile": _LIMITS.updates_per_second,
    "send": _LIMITS.sends_per_second,
    "select": _LIMITS.requests_per_second,
    "heartbeat": _LIMITS.requests_per_second,
    "ack": _LIMITS.requests_per_second,
    "resync": _LIMITS.requests_per_second,
}


async def _run(ground: Ground) -> None:
    await _before_welcome(ground)
    for _ in range(ground.amount(ROUNDS)):
        for kind in LIMITED:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(FLOODERS):
                    tasks.create_task(_above(ground, Random(ground.random.getrandbits(64)), kind))
        await _refused_too_often(ground)
    async with asyncio.TaskGroup() as tasks:
        for kind in LIMITED:
            tasks.create_task(_below(ground, Random(ground.random.getrandbits(64)), kind))


async def _before_welcome(ground: Ground) -> None:
    """Say everything before it is one's turn."""
    for first in ("hello", "send", "proof"):
        wire = await ground.dial()
        person = Person(ground.random)
        stream = wire.open()
        contents = [person.request(first)] + [person.request("send") for _ in range(500)]
        for content in contents:
            stream.say(content)
        ending = await hear_end(stream)
        expected = "end:PROOF_EXPECTED" if first == "hello" else "end:HELLO_EXPECTED"
        ground.tally.count("pipelined before the handshake", len(contents) - 1)
        ground.tally.judge(ending, {expected}, f"{first} and 500 sends in one go")
        _check(ground, stream, proved=False)
        wire.close()


async def _above(ground: Ground, random: Random, kind: str) -> None:
    person = Person(random)
    wire = await ground.dial()
    stream, _ = await enter(wire, person)
    neighbour = random.choice(sorted(ground.neighbours.keys))
    for _ in range(FLOOD):
        stream.say(person.request(kind, neighbour))
    ending = await hear_end(stream)
    ground.tally.count(f"{kind} above", FLOOD - 1)
    ground.tally.judge(ending, _ENDS, f"a flood of {kind}")
    _check(ground, stream, proved=True)
    results = [response.send_result for response in stream.responses if response.HasField("send_result")]
    if len(results) > len({result.request_id for result in results}):
        ground.tally.blame("P8: two results for one message")
    deltas = sum(response.HasField("delta") for response in stream.responses)
    ground.tally.figures[f"{kind}: deltas to a flooder"] = deltas
    wire.close()


async def _refused_too_often(ground: Ground) -> None:
    person = Person(ground.random)
    wire = await ground.dial()
    stream, _ = await enter(wire, person)
    for number in range(ERRORS):
        stream.say(
            PresenceRequest(select=Select(request_id=number + 1, public_key=b"no key")).SerializeToString()
        )
    ending = await hear_end(stream)
    refused = sum(response.HasField("request_error") for response in stream.responses)
    ground.tally.count("refused too often", ERRORS - 1)
    ground.tally.judge(ending, {"end:TOO_MANY_ERRORS"}, f"{ERRORS} refused requests")
    # Those that were still on their way to be written when the stream ended are lost with it.
    ground.tally.expect(
        refused <= _LIMITS.errors_per_stream, f"P9: {refused} requests were refused on one stream"
    )
    _check(ground, stream, proved=True)
    wire.close()


async def _below(ground: Ground, random: Random, kind: str) -> None:
    """Be as fast as is allowed, for a while: nothing is refused, and everything answered."""
    person = Person(random)
    wire = await ground.dial()
    stream, _ = await enter(wire, person)
    neighbour = random.choice(sorted(ground.neighbours.keys))
    pause = 1 / (SHARE_BELOW * _BELOW[kind])
    loop = asyncio.get_running_loop()
    start = loop.time()
    ids = []
    while (now := loop.time()) < start + SECONDS_BELOW:
        content = person.request(kind, neighbour)
        ids.append(person.next_id)
        stream.say(content)
        # By the clock: a sleep that takes too long must not make the next one early by more than the burst allows.
        await asyncio.sleep(max(0.0, start + len(ids) * pause - now))
    tally = ground.tally
    if kind in ("select", "send"):
        is_answered = await stream.until(lambda: set(ids) <= _answered(stream, kind))
        tally.expect(
            is_answered,
            f"P8: of {len(ids)} x {kind}, {len(set(ids) - _answered(stream, kind))} have no answer",
        )
    for response in stream.responses:
        if response.HasField("send_result") and word_of(response) not in _OUTCOMES - {
            "send_result:RATE_LIMITED"
        }:
            tally.blame(f"P8: {word_of(response)} below the limit")
        if response.HasField("request_error"):
            tally.blame(f"P9: {word_of(response)} below the limit, for {kind}")
    if kind == "resync":
        snapshots = sum(response.HasField("snapshot") for response in stream.responses)
        most = 3 + SECONDS_BELOW + 2
        tally.expect(1 < snapshots <= most, f"P9: {snapshots} lists in {SECONDS_BELOW:g} s, at most {most:g}")
    tally.count(f"{kind} below", len(ids))
    tally.expect(stream.ending is None, f"P9: {len(ids)} x {kind} below the limit: {stream.ending}")
    _check(ground, stream, proved=True)
    if stream.ending is None:
        stream.say(person.request("leave"))
        await stream.ended()
    wire.close()


def _answered(stream: Stream, kind: str) -> set[int]:
    def request_id(response: PresenceResponse) -> int:
        return (response.send_result if kind == "send" else response.selection_update).request_id

    return {request_id(response) for response in stream.responses}


def _check(ground: Ground, stream: Stream, *, proved: bool) -> None:
    for fault in faults_of(stream, proved=proved):
        ground.tally.blame(fault)


ATTACK = Attack(
    "floods",
    "P8 P9",
    "requests at twenty times the limit, refused ones, all before the handshake, and just below the limits",
    _run,
    minimum=ROUNDS * len(LIMITED) * FLOODERS * FLOOD,
)
