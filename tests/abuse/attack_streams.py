"""What HTTP/2 lets a client do a million times for next to nothing: open and reset, ping, settings, empty frames, endless headers."""

import asyncio
from collections.abc import Callable
from random import Random

from adsum.v1.presence_pb2 import PresenceRequest
from tests.abuse.attack import Attack, Ground
from tests.abuse.oracle import faults_of_ending, word_of_ending
from tests.abuse.people import Person
from tests.abuse.wire import Stream, Wire
from tests.bench import http2
from tests.integration.raw_stream import METHOD

CONNECTIONS = 3
"""Of each flood, one after the other."""
REPEATS = 16_000
BATCH = 50
"""Frames in one write."""
PRIORITY_FRAME = 2
QUIET_SECONDS = 5.0


def _open_and_reset(wire: Wire, _: Random) -> bytes:
    stream = wire.expect()
    wire.forget(stream)
    return http2.request(stream.id, METHOD, wire.authority) + _reset(stream.id)


def _hello_and_reset(wire: Wire, random: Random) -> bytes:
    stream = wire.expect()
    wire.forget(stream)
    hello = PresenceRequest(hello=Person(random).hello()).SerializeToString()
    return (
        http2.request(stream.id, METHOD, wire.authority) + http2.message(stream.id, hello) + _reset(stream.id)
    )


def _reset(number: int) -> bytes:
    return http2.frame(http2.RST_STREAM, 0, number, (8).to_bytes(4, "big"))


def _ping(_: Wire, random: Random) -> bytes:
    return http2.frame(http2.PING, 0, 0, random.randbytes(8))


def _settings(_: Wire, random: Random) -> bytes:
    return http2.frame(http2.SETTINGS, 0, 0, b"\x00\x04" + random.randrange(1 << 20).to_bytes(4, "big"))


def _windows(_: Wire, __: Random) -> bytes:
    return http2.frame(http2.WINDOW_UPDATE, 0, 0, (1).to_bytes(4, "big"))


def _priorities(_: Wire, random: Random) -> bytes:
    return http2.frame(
        PRIORITY_FRAME,
        0,
        random.randrange(1, 1000) * 2 + 1,
        random.randrange(100).to_bytes(4, "big") + b"\x10",
    )


def _empty_data(wire: Wire, _: Random) -> bytes:
    first = next(iter(wire.streams.values()), None) or wire.open()
    return http2.frame(http2.DATA, 0, first.id)


def _unknown_frames(_: Wire, random: Random) -> bytes:
    return http2.frame(random.randrange(0x10, 0x100), random.randrange(256), 0, random.randbytes(10))


def _resets_of_nothing(_: Wire, random: Random) -> bytes:
    return _reset(random.randrange(1, 1 << 20) * 2 + 1)


def _continuations(wire: Wire, random: Random) -> bytes:
    # The header block of one stream that never ends (CVE-2024-27316 and its kin).
    if not wire.streams:
        stream = wire.expect()
        return http2.frame(http2.HEADERS, 0, stream.id, b"\x83")
    number = next(iter(wire.streams))
    return http2.frame(
        http2.CONTINUATION, 0, number, b"\x00\x04name\x05" + random.randbytes(5).hex()[:5].encode()
    )


FLOODS: dict[str, Callable[[Wire, Random], bytes]] = {
    "open and reset": _open_and_reset,
    "hello and reset": _hello_and_reset,
    "pings": _ping,
    "settings": _settings,
    "window updates": _windows,
    "priorities": _priorities,
    "empty data": _empty_data,
    "unknown frames": _unknown_frames,
    "resets of nothing": _resets_of_nothing,
    "endless headers": _continuations,
}


async def _run(ground: Ground) -> None:
    for name, make in FLOODS.items():
        for number in range(CONNECTIONS):
            wire = await ground.dial()
            # Answers to what it sends don't slow a flood down.
            wire.rude = True
            if number == 0:
                # What the server answers then waits on its side.
                wire.stop_reading()
            await _flood(ground, wire, Random(ground.random.getrandbits(64)), name, make)
            await _look_at(ground, wire, name)
            wire.close()


async def _flood(
    ground: Ground, wire: Wire, random: Random, name: str, make: Callable[[Wire, Random], bytes]
) -> None:
    streams = _streams_of(wire)
    for _ in range(max(1, ground.amount(REPEATS) // BATCH)):
        if wire.is_lost or wire.goaway is not None:
            break
        wire.write(b"".join(make(wire, random) for _ in range(BATCH)))
        streams += [stream for stream in _streams_of(wire) if stream not in streams]
        ground.tally.count(name, BATCH)
        await asyncio.sleep(0)
        try:
            await wire.drained()
        except TimeoutError:
            # It reads no more, which is an answer, too.
            break
    for stream in streams:
        if stream.ending is not None:
            ground.tally.answers[word_of_ending(stream.ending)] += 1
            for fault in faults_of_ending(stream.ending):
                ground.tally.blame(f"{fault} ({name})")
        if stream.contents:
            ground.tally.blame(f"P1: an answer to {name}")


def _streams_of(wire: Wire) -> list[Stream]:
    return list(wire.streams.values())


async def _look_at(ground: Ground, wire: Wire, name: str) -> None:
    """See whether the server has ended the connection, or still answers on it."""
    wire.rude = False
    wire.read_again()
    if not wire.is_lost and wire.goaway is None and name != "endless headers":
        wire.write(http2.frame(http2.PING, 0, 0, b"are you?"))
        answers = await wire.hears(QUIET_SECONDS)
        ground.tally.expect(answers or wire.is_lost, f"P9: no answer on the connection after {name}")
    ended = wire.is_lost or wire.goaway is not None
    key = f"{name}: connections ended"
    ground.tally.figures[key] = ground.tally.figures.get(key, 0) + ended


ATTACK = Attack(
    "streams",
    "P9",
    "streams opened and reset in a loop, floods of pings, settings, empty and endless frames",
    _run,
    minimum=10_000,
    peak_mib=150.0,
)
