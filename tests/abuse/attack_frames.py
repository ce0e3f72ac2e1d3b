"""Bytes that are no HTTP/2, frames that break its rules, and gRPC messages that are not what their heads say."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from random import Random

from adsum.v1.presence_pb2 import PresenceRequest
from tests.abuse.attack import Attack, Ground
from tests.abuse.mutations import LENGTH, tag, varint
from tests.abuse.oracle import faults_of, word_of, word_of_ending
from tests.abuse.people import Person
from tests.abuse.wire import PREFACE, Stream, Wire, honest_opening
from tests.bench import http2

ROUNDS = 6
RANDOM_CONNECTIONS = 250
FRAMES_EACH = 12
PATIENCE_SECONDS = 8.0
MESSAGE_BYTES = 64 * 1024
GAVE_UP = frozenset({"lost", "goaway", "reset", "silence"})
"""How a transport may answer what breaks its rules."""
_PRIORITY, _PUSH_PROMISE = 2, 5
NOT_HTTP2: dict[str, bytes] = {
    "HTTP/1.1": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HTTP/1.1 upgrade": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(190),
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a preface gone wrong": PREFACE.replace(b"SM", b"MS"),
    "zeros": bytes(4096),
    "a preface twice": PREFACE + PREFACE,
    "HTTP/2 without settings": PREFACE + http2.frame(http2.PING, 0, 0, bytes(8)),
}
BAD_FRAMES: dict[str, bytes] = {
    "settings of 5 bytes": http2.frame(http2.SETTINGS, 0, 0, bytes(5)),
    "settings with a window too wide": http2.frame(http2.SETTINGS, 0, 0, b"\x00\x04\xff\xff\xff\xff"),
    "settings with frames of 1 byte": http2.frame(http2.SETTINGS, 0, 0, b"\x00\x05\x00\x00\x00\x01"),
    "settings on a stream": http2.frame(http2.SETTINGS, 0, 1, bytes(6)),
    "a settings ack with content": http2.frame(http2.SETTINGS, http2.ACK, 0, bytes(6)),
    "a ping of 7 bytes": http2.frame(http2.PING, 0, 0, bytes(7)),
    "a window update of 0": http2.frame(http2.WINDOW_UPDATE, 0, 0, bytes(4)),
    "windows too wide": http2.frame(http2.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2,
    "data on stream 0": http2.frame(http2.DATA, 0, 0, b"x"),
    "data on a stream that isn't open": http2.frame(http2.DATA, 0, 99, b"x"),
    "headers on stream 0": http2.frame(http2.HEADERS, http2.END_HEADERS, 0, b"\x83"),
    "headers on an even stream": http2.frame(http2.HEADERS, http2.END_HEADERS, 2, b"\x83"),
    "a continuation of nothing": http2.frame(http2.CONTINUATION, 0, 1, b"x"),
    "a promise": http2.frame(_PUSH_PROMISE, http2.END_HEADERS, 1, b"\x00\x00\x00\x02\x83"),
    "a goodbye": http2.frame(http2.GOAWAY, 0, 0, bytes(8) + b"\xff" * 100),
    "a priority on itself": http2.frame(_PRIORITY, 0, 1, b"\x00\x00\x00\x01\x10"),
    "a frame of 16 MiB": http2.FRAME_HEAD.pack(0xFFFFFF << 8 | http2.DATA, 0, 1) + bytes(20_000),
    "padding longer than the frame": http2.frame(http2.DATA, http2.PADDED, 1, b"\xffabc"),
    "a reset of 3 bytes": http2.frame(http2.RST_STREAM, 0, 1, bytes(3)),
    "an index that isn't there": http2.frame(http2.HEADERS, http2.END_HEADERS, 1, b"\xff\xff\xff\xff\x7f"),
    "a number without end": http2.frame(http2.HEADERS, http2.END_HEADERS, 1, b"\x7f" + b"\xff" * 100),
    "bad Huffman code": http2.frame(http2.HEADERS, http2.END_HEADERS, 1, b"\x00\x84\xff\xff\xff\xff\x81\xff"),
    "a table of 4 GiB": http2.frame(http2.HEADERS, http2.END_HEADERS, 1, b"\x3f\xe1\xff\xff\xff\x0f\x83"),
}


async def _run(ground: Ground) -> None:
    for _ in range(ground.amount(ROUNDS)):
        for name, content in NOT_HTTP2.items():
            await _see(ground, name, await ground.dial(opening=content))
        for name, content in BAD_FRAMES.items():
            wire = await ground.dial()
            stream = wire.open()
            wire.write(content)
            await _see(ground, name, wire, stream)
        # Beside each other: some are answered only when the time for a handshake is up.
        async with asyncio.TaskGroup() as tasks:
            for case in CALLS:
                tasks.create_task(_call(ground, Random(ground.random.getrandbits(64)), case))
    for _ in range(ground.amount(RANDOM_CONNECTIONS)):
        await _random_frames(ground, Random(ground.random.getrandbits(64)))


async def _see(ground: Ground, name: str, wire: Wire, *streams: Stream) -> None:
    """Send a last honest ping, and see what became of the connection."""
    wire.write(http2.frame(http2.PING, 0, 0, b"are you?"))
    await wire.hears(0.3)
    answer = "lost" if wire.is_lost else "goaway" if wire.goaway is not None else "silence"
    ground.tally.judge(answer, GAVE_UP, name)
    for stream in streams:
        for fault in faults_of(stream, proved=False):
            ground.tally.blame(f"{fault} after {name}")
    wire.close()


async def _call(ground: Ground, random: Random, case: str) -> None:
    make, allowed = CALLS[case]
    wire = await ground.dial()
    await _see_answer(ground, case, await make(wire, random), allowed)
    wire.close()


async def _see_answer(ground: Ground, case: str, stream: Stream, allowed: Collection[str]) -> None:
    try:
        await stream.heard(1, PATIENCE_SECONDS)
    except TimeoutError:
        ground.tally.judge("silence", allowed, case)
        return
    heard = stream.responses
    answer = word_of(heard[0]) if heard else word_of_ending(stream.ending) if stream.ending else "silence"
    ground.tally.judge("reset" if answer.startswith("reset") else answer, allowed, case)
    for fault in faults_of(stream, proved=False):
        ground.tally.blame(f"{fault} after {case}")


async def _random_frames(ground: Ground, random: Random) -> None:
    wire = await ground.dial(opening=honest_opening() if random.random() < 0.8 else random.randbytes(40))
    streams = [wire.open() for _ in range(random.randrange(3))]
    for _ in range(FRAMES_EACH):
        content = random.randbytes(random.choice((0, 1, 4, 5, 8, 9, 100, 5000)))
        kind = random.randrange(12)
        number = random.choice((0, 1, 3, 5, 2, 2**31 - 1, random.getrandbits(31)))
        wire.write(http2.frame(kind, random.getrandbits(8), number, content))
        ground.tally.count("random frames")
    await wire.hears(0.05)
    for stream in streams:
        for fault in faults_of(stream, proved=False):
            ground.tally.blame(f"{fault} after random frames")
    wire.close()


# gRPC: one stream each, whose first answer is judged.


def _hello(random: Random) -> bytes:
    return PresenceRequest(hello=Person(random).hello()).SerializeToString()


def _framed(content: bytes, *, flag: int = 0, length: int | None = None) -> bytes:
    return bytes([flag]) + (len(content) if length is None else length).to_bytes(4, "big") + content


def _padded(random: Random, size: int) -> bytes:
    """Make a hello of so many bytes: the rest is a field that nobody knows."""
    hello = _hello(random)
    rest = size - len(hello) - 5
    return hello + tag(15, LENGTH) + varint(rest, padding=4 - len(varint(rest))) + bytes(rest)


def _raw(make: Callable[[Random], bytes], *, half_close: bool = False) -> "_Call":
    async def call(wire: Wire, random: Random) -> Stream:
        stream = wire.open()
        stream.say_raw(make(random))
        if half_close:
            stream.end_requests()
        return stream

    return call


def _cut_small(pieces: int) -> "_Call":
    async def call(wire: Wire, random: Random) -> Stream:
        stream = wire.open()
        content = _framed(_hello(random))
        for start in range(0, len(content), pieces):
            piece = content[start : start + pieces]
            wire.write(http2.frame(http2.DATA, 0, stream.id) + http2.frame(http2.DATA, 0, stream.id, piece))
            await asyncio.sleep(0)
        return stream

    return call


def _headers(**changes: str | None) -> "_Call":
    """Call with headers that differ: names are written with _ for - and without the colon."""

    async def call(wire: Wire, random: Random) -> Stream:
        headers: dict[str, str | None] = {
            "method": "POST",
            "scheme": "http",
            "path": "/adsum.v1.LobbyService/Presence",
            "authority": wire.authority,
            "content_type": "application/grpc",
            "te": "trailers",
            **changes,
        }
        pseudo = ("method", "scheme", "path", "authority")
        block = b"".join(
            _literal((":" if name in pseudo else "") + name.replace("_", "-"), value)
            for name, value in headers.items()
            if value is not None
        )
        stream = wire.open_with(block)
        stream.say(_hello(random))
        return stream

    return call


def _literal(name: str, value: str) -> bytes:
    written = b"\x00"
    for text in (name, value):
        content = text.encode("latin-1", "replace")
        written += (
            bytes([len(content)]) if len(content) < 127 else b"\x7f" + varint(len(content) - 127)
        ) + content
    return written


async def _bomb(wire: Wire, random: Random) -> Stream:
    # One great header into the table, then thousands of single bytes that stand for it.
    great = b"\x40" + _literal("x-bomb", "b" * 3_900)[1:]
    stream = wire.open_with(great, flags=0)
    for _ in range(40):
        wire.write(http2.frame(http2.CONTINUATION, 0, stream.id, b"\xbe" * 10_000))
    wire.write(http2.frame(http2.CONTINUATION, http2.END_HEADERS, stream.id, b"\xbe"))
    stream.say(_hello(random))
    return stream


_Call = Callable[[Wire, Random], Awaitable[Stream]]
_CHALLENGE = frozenset({"challenge"})
_TOO_LARGE = frozenset({"status:RESOURCE_EXHAUSTED"})
_REFUSED = frozenset(
    {
        "status:INTERNAL",
        "status:UNIMPLEMENTED",
        "status:INVALID_ARGUMENT",
        "reset",
        "lost",
        "end:MALFORMED_REQUEST",
    }
)
_NO_METHOD = frozenset({"status:UNIMPLEMENTED", "status:INTERNAL", "reset", "lost"})
_WAITS = frozenset({"end:HANDSHAKE_TIMEOUT", "silence"})
CALLS: dict[str, tuple[_Call, Collection[str]]] = {
    "a hello byte by byte": (_cut_small(1), _CHALLENGE),
    "a hello in sevens": (_cut_small(7), _CHALLENGE),
    "a hello of just 64 KiB": (_raw(lambda random: _framed(_padded(random, MESSAGE_BYTES))), _CHALLENGE),
    "a hello of 64 KiB and a byte": (
        _raw(lambda random: _framed(_padded(random, MESSAGE_BYTES + 1))),
        _TOO_LARGE,
    ),
    "a head of 4 GiB": (_raw(lambda random: _framed(_hello(random), length=2**32 - 1)), _TOO_LARGE),
    "a head of 2 GiB": (_raw(lambda random: _framed(_hello(random), length=2**31)), _TOO_LARGE),
    "a head that says less": (
        _raw(lambda random: _framed(_hello(random), length=10)),
        {"end:MALFORMED_REQUEST"},
    ),
    "a head that says more": (_raw(lambda random: _framed(_hello(random), length=5_000)), _WAITS),
    "an empty message": (_raw(lambda _: _framed(b"")), {"end:HELLO_EXPECTED"}),
    "compressed, as nobody said": (_raw(lambda random: _framed(_hello(random), flag=1)), _REFUSED),
    # gRPC's core drops such a message and tells nobody.
    "a flag that isn't": (_raw(lambda random: _framed(_hello(random), flag=0x7F)), {*_REFUSED, *_WAITS}),
    "the end in the middle of a message": (
        _raw(lambda random: _framed(_hello(random))[:30], half_close=True),
        {*_REFUSED, "end:OK", "status:UNAVAILABLE"},
    ),
    "the end at once": (_raw(lambda _: b"", half_close=True), {"end:OK"}),
    "an unknown method": (_headers(path="/adsum.v1.LobbyService/Absence"), _NO_METHOD),
    "an unknown service": (_headers(path="/" + "a" * 3_000), _NO_METHOD),
    "a path that is none": (_headers(path="..//%00"), _NO_METHOD),
    "an empty path": (_headers(path=""), _NO_METHOD),
    "no path": (_headers(path=None), _NO_METHOD),
    "GET": (_headers(method="GET"), {*_NO_METHOD, *_CHALLENGE}),
    "another content type": (_headers(content_type="text/html"), {*_NO_METHOD, *_CHALLENGE}),
    "no content type": (_headers(content_type=None), {*_NO_METHOD, *_CHALLENGE}),
    "no trailers": (_headers(te=None), {*_NO_METHOD, *_CHALLENGE}),
    "another authority": (_headers(authority="evil.example:1"), {*_NO_METHOD, *_CHALLENGE}),
    "an encoding that nobody knows": (_headers(grpc_encoding="brotli-x"), {*_NO_METHOD, *_CHALLENGE}),
    "a deadline of a nanosecond": (
        _headers(grpc_timeout="1n"),
        {"status:DEADLINE_EXCEEDED", "reset", *_CHALLENGE},
    ),
    "a deadline that is none": (_headers(grpc_timeout="x" * 50), {*_NO_METHOD, *_CHALLENGE}),
    "a header of 15 KiB": (
        # Between gRPC's soft and its hard limit it is chance.
        _headers(x_long="y" * 15_000),
        {"status:RESOURCE_EXHAUSTED", "status:INTERNAL", "reset", "lost", *_CHALLENGE},
    ),
    "a header with a line break": (_headers(x_line="a\r\nb: c"), {*_REFUSED, *_NO_METHOD, *_CHALLENGE}),
    "upper case": (_headers(X_Upper="a"), {*_REFUSED, *_NO_METHOD, *_CHALLENGE}),
    "a bomb of headers": (_bomb, {"status:RESOURCE_EXHAUSTED", "status:INTERNAL", "reset", "lost"}),
}
ATTACK = Attack(
    "frames",
    "P9",
    "bytes that are no HTTP/2, frames against its rules, gRPC messages that lie about themselves",
    _run,
    minimum=ROUNDS * (len(NOT_HTTP2) + len(BAD_FRAMES) + len(CALLS)) + RANDOM_CONNECTIONS * FRAMES_EACH,
    peak_mib=100.0,
)
