"""Readers that stop: what comes for them is held up at the server, and must cost neither its memory nor anybody's time."""

import asyncio
from random import Random

from adsum.contract.limits import Limits
from adsum.v1.admin_pb2 import WatchLobbyRequest
from adsum.v1.member_pb2 import Profile
from adsum.v1.presence_pb2 import ClientHeartbeat, PresenceRequest, Send, UpdateProfile
from tests.abuse.attack import Attack, Ground
from tests.abuse.oracle import faults_of, word_of
from tests.abuse.people import LOBBY, Person, enter, keep_alive
from tests.abuse.wire import Stream, honest_opening

READERS = 30
WATCHERS = 10
TALKERS = 6
UPDATE_SECONDS = 0.22
SENDS_EACH = 2
"""To each update: with large payloads, to readers by turns. Below the limit."""
WINDOW_BYTES = 16_000
BEAT_SECONDS = 2.0
_LIMITS = Limits()
GONE_SECONDS = 1.2 * _LIMITS.heartbeat_seconds + _LIMITS.lease_seconds + _LIMITS.grace_seconds + 3
"""Until the last of them must be gone: a heartbeat that isn't echoed, the lease, the grace, and the time to look."""
OUTCOME_SECONDS = _LIMITS.ack_seconds + 3
_OUTCOMES = frozenset(
    {
        "send_result:UNCONFIRMED",
        "send_result:RECIPIENT_BUSY",
        "send_result:RECIPIENT_SUSPECT",
        "send_result:RECIPIENT_OFFLINE",
        "send_result:RECIPIENT_WENT_OFFLINE",
    }
)
"""What may become of a message to somebody who reads nothing: never that it was delivered."""
WATCH = "/adsum.v1.AdminService/WatchLobby"


async def _run(ground: Ground) -> None:
    readers = [await _stop_reading(ground, number) for number in range(ground.amount(READERS))]
    for _ in range(ground.amount(WATCHERS)):
        wire = await ground.dial(
            address=ground.server.admin_address, opening=honest_opening(((4, WINDOW_BYTES),))
        )
        stream = wire.open(WATCH)
        stream.say(WatchLobbyRequest(lobby=LOBBY).SerializeToString())
        stream.end_requests()
        await stream.heard(1)
        wire.rude = True
        wire.stop_reading()
        ground.tally.count("watchers that don't read")
    talkers = []
    for _ in range(TALKERS):
        person = Person(Random(ground.random.getrandbits(64)))
        stream, _ = await enter(await ground.dial(), person)
        talkers.append((person, stream))
    async with asyncio.TaskGroup() as tasks:
        helpers = [tasks.create_task(_beat(stream)) for _, stream in readers[::3]]
        helpers += [tasks.create_task(keep_alive(stream)) for _, stream in talkers]
        talking = [
            tasks.create_task(_talk(ground, person, stream, [reader.key for reader, _ in readers]))
            for person, stream in talkers
        ]
        await _are_gone(ground, frozenset(reader.key for reader, _ in readers))
        for task in talking:
            task.cancel()
        await asyncio.wait(talking)
        for person, stream in talkers:
            await _judge_results(ground, person, stream)
        for task in helpers:
            task.cancel()
    for person, stream in talkers:
        stream.say(person.request("leave"))
        await stream.ended()


async def _stop_reading(ground: Ground, number: int) -> tuple[Person, Stream]:
    """Come in and stop: every second one leaves everything in its socket, the others give no window back."""
    person = Person(ground.random)
    wire = await ground.dial(opening=honest_opening(((4, WINDOW_BYTES),)))
    stream, _ = await enter(wire, person)
    wire.rude = True
    if number % 2:
        wire.stop_reading()
    ground.tally.count("readers that stop")
    return person, stream


async def _beat(stream: Stream) -> None:
    """Go on talking without reading."""
    while True:
        stream.say(PresenceRequest(heartbeat=ClientHeartbeat()).SerializeToString())
        await asyncio.sleep(BEAT_SECONDS)


async def _talk(ground: Ground, person: Person, stream: Stream, readers: list[bytes]) -> None:
    number = 0
    while True:
        number += 1
        filler = person.random.randbytes(500).hex()
        profile = Profile(name=person.name, status_text=str(number), attributes={"f": filler})
        stream.say(PresenceRequest(update_profile=UpdateProfile(profile=profile)).SerializeToString())
        for _ in range(SENDS_EACH):
            payload = person.random.randbytes(_LIMITS.payload_bytes)
            message = Send(
                request_id=person.draw_id(), recipient=person.random.choice(readers), payload=payload
            )
            stream.say(PresenceRequest(send=message).SerializeToString())
        ground.tally.count("updates and messages to them", 1 + SENDS_EACH)
        await asyncio.sleep(UPDATE_SECONDS)


async def _are_gone(ground: Ground, keys: frozenset[bytes]) -> None:
    """Wait until none of them is present any more."""
    ends_at = asyncio.get_running_loop().time() + GONE_SECONDS
    while present := keys & set(await ground.admin.members(LOBBY)):
        if asyncio.get_running_loop().time() > ends_at:
            break
        await asyncio.sleep(0.2)
    ground.tally.expect(
        not present, f"P5: {GONE_SECONDS:g} s later {len(present)} who don't read are present"
    )


async def _judge_results(ground: Ground, person: Person, stream: Stream) -> None:
    ids = set(range(1, person.next_id + 1))
    try:
        await stream.until(lambda: ids <= set(_results(stream)), OUTCOME_SECONDS)
    except TimeoutError:
        missing = len(ids - set(_results(stream)))
        ground.tally.blame(f"P8: {missing} of {len(ids)} messages to readers that stop have no outcome")
    for response in stream.responses:
        if response.HasField("send_result"):
            ground.tally.judge(word_of(response), _OUTCOMES, "a message to a reader that stops")
    if len(_results(stream)) > len(set(_results(stream))):
        ground.tally.blame("P8: two outcomes of one message")
    for fault in faults_of(stream, proved=True):
        ground.tally.blame(fault)


def _results(stream: Stream) -> list[int]:
    return [
        response.send_result.request_id for response in stream.responses if response.HasField("send_result")
    ]


ATTACK = Attack(
    "readers",
    "P5 P8 P9",
    "readers that stop while lists and messages go to them, some still beating; watchers, too",
    _run,
    minimum=READERS + WATCHERS + 1_000,
    peak_mib=48.0,
)
