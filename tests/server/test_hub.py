"""The hub carries out what desks decide, in order, on a real event loop and the store in memory."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.server.hub import Hub, Stream
from adsum.server.member import Liveness
from adsum.server.memory_store import MemoryStore
from adsum.server.messages import Hello, Leave, ProfileClaim, Proof, Send, SendOutcome, UpdateProfile
from adsum.server.pump import Pump
from adsum.server.wire import LobbyCodec
from adsum.v1.presence_pb2 import PresenceResponse, SendResult
from tests.server.builders import ADA, BOB, LOBBY


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    numbers = itertools.count(1)
    limits = Limits()
    store = MemoryStore(limits, lambda: 7)
    draw = lambda size: next(numbers).to_bytes(size, "big")  # noqa: E731
    async with Hub(store, limits, draw, proves_keys=False) as hub:
        yield hub


async def enter(hub: Hub, key: bytes) -> Stream:
    stream = hub.open_stream("192.0.2.1")
    assert isinstance(stream, Stream)
    hello = Hello(LOBBY, key, bytes(32), "localhost", ProfileClaim("x", 0, "", ()), None, observer=False)
    assert await hub.greet(stream, hello) is not None
    await hub.admit(stream, Proof(b""))
    assert stream.line is not None
    return stream


def results(hub: Hub, stream: Stream) -> list[SendResult]:
    found = []
    while contents := hub.take(stream):
        for content in contents:
            response = PresenceResponse.FromString(content)
            if response.HasField("send_result"):
                found.append(response.send_result)
    return found


async def test_message_to_somebody_lost_this_very_moment_is_judged_by_the_list_of_everybody(hub: Hub) -> None:
    ann, bob = await enter(hub, ADA), await enter(hub, BOB)
    # The store is told of the loss by a task that has not run yet when the next request is read.
    hub.close_stream(bob)
    await hub.receive(ann, Send(1, BOB, b"lunch?", 0))
    (result,) = results(hub, ann)
    place = hub.find(LOBBY)
    assert place is not None
    member = place.desk.lobby.member(BOB)
    assert member is not None
    assert result.outcome == SendOutcome.RECIPIENT_SUSPECT.value
    assert member.liveness is Liveness.SUSPECT
    assert result.revision >= member.revision


async def test_nothing_changes_any_more_when_what_is_left_for_a_successor_is_written_down() -> None:
    numbers = itertools.count(1)
    limits = Limits()
    store = MemoryStore(limits, lambda: 7)
    async with Hub(store, limits, lambda size: next(numbers).to_bytes(size, "big"), proves_keys=False) as hub:
        ann, bob = await enter(hub, ADA), await enter(hub, BOB)
        await hub.drain(0.0)
        hub.seal()
        left = store.dump()
        await hub.receive(ann, UpdateProfile(1, ProfileClaim("late", 0, "", ())))
        await hub.receive(bob, Leave())
        hub.close_stream(ann)
        assert store.dump() == left
        # They are told to come back to the successor.
        assert bob.is_over
        assert bob.fault is not None
        assert bob.fault.reason is Reason.DRAINING


class Paper:
    """What is written on: a write is done at once, or never once its client has stopped reading."""

    def __init__(self) -> None:
        self.written: list[PresenceResponse] = []
        self.reads = True
        self._news = asyncio.Event()

    async def send_initial_metadata(self, initial_metadata: tuple[()]) -> None:
        pass

    async def write(self, message: bytes) -> None:
        self.written.append(PresenceResponse.FromString(message))
        self._news.set()
        if not self.reads:
            await asyncio.get_running_loop().create_future()

    async def sees(self, kind: str) -> None:
        async with asyncio.timeout(1):
            while not any(response.HasField(kind) for response in self.written):  # type: ignore[arg-type]  # any kind
                self._news.clear()
                await self._news.wait()


async def enter_with_paper(hub: Hub) -> tuple[Stream, Paper]:
    """Let Ann in, and wait until she has the list."""
    ann, paper = await enter(hub, ADA), Paper()
    ann.pump = Pump(paper, ann)
    ann.wake()
    await paper.sees("snapshot")
    return ann, paper


async def test_observer_who_comes_while_a_wave_is_under_way_has_the_list_soon(hub: Hub) -> None:
    ann, paper = await enter_with_paper(hub)
    paper.reads = False
    await hub.receive(ann, UpdateProfile(1, ProfileClaim("away", 0, "", ())))
    await paper.sees("delta")
    place = hub.find(LOBBY)
    assert place is not None
    assert place.waves._tail is not None
    observer = hub.open_stream("192.0.2.2")
    assert isinstance(observer, Stream)
    seen = Paper()
    observer.pump = Pump(seen, observer)
    hello = Hello(LOBBY, BOB, bytes(32), "localhost", ProfileClaim("x", 0, "", ()), None, observer=True)
    await hub.greet(observer, hello)
    await hub.admit(observer, Proof(b""))
    # Nothing changes any more, so nothing else would start another wave.
    await seen.sees("snapshot")
    assert ann.pump is not None
    ann.pump.close()


async def test_challenge_that_is_stuck_makes_its_stream_a_stuck_one(hub: Hub) -> None:
    stream = hub.open_stream("192.0.2.1")
    assert isinstance(stream, Stream)
    paper = Paper()
    paper.reads = False
    stream.pump = Pump(paper, stream)
    hello = Hello(LOBBY, ADA, bytes(32), "localhost", ProfileClaim("x", 0, "", ()), None, observer=False)
    challenge = await hub.greet(stream, hello)
    assert challenge is not None
    stream.pump.push(challenge)
    await hub.admit(stream, Proof(b""))
    assert stream.line is not None
    assert stream.line.writing_since is not None
    place = hub.find(LOBBY)
    assert place is not None
    assert place.waves.writes == 1
    stream.pump.close()
    hub.close_stream(stream)
    assert place.waves.writes == 0


async def test_change_that_can_not_be_encoded_ends_no_waves(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, paper = await enter_with_paper(hub)
    place = hub.find(LOBBY)
    assert place is not None
    encode = place.codec._encode_delta
    failures = [MemoryError()]

    def encode_at_last(base: int) -> bytes:
        if failures:
            raise failures.pop()
        return encode(base)

    monkeypatch.setattr(LobbyCodec, "_encode_delta", lambda _, base: encode_at_last(base))
    paper.written.clear()
    await hub.receive(ann, UpdateProfile(1, ProfileClaim("one", 0, "", ())))
    await paper.sees("snapshot")
    await hub.receive(ann, UpdateProfile(2, ProfileClaim("two", 0, "", ())))
    await paper.sees("delta")
    assert not ann.is_over


async def test_closed_waves_start_no_more(hub: Hub) -> None:
    ann, paper = await enter_with_paper(hub)
    place = hub.find(LOBBY)
    assert place is not None
    place.waves.close()
    paper.written.clear()
    await hub.receive(ann, UpdateProfile(1, ProfileClaim("late", 0, "", ())))
    place.waves.plan()
    assert place.waves._next is None
    assert paper.written == []
