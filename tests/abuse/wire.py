"""One HTTP/2 connection of an attacker: any bytes at any time, many streams, and everything that comes back kept.

It does what a decent client does (answers SETTINGS and PING, gives windows back) unless it is told to be `rude`. Nothing that is said is
checked: what may be heard is the oracle's affair.
"""

import asyncio
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adsum.v1.presence_pb2 import PresenceResponse
from tests.abuse.endings import Ending, ending_of
from tests.bench import http2
from tests.integration.raw_stream import METHOD, WAIT_SECONDS

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TRUE_BINARY = 0xFE03
"""gRPC's own setting: headers named -bin may come as they are. Else they come in Huffman's code, which nobody here reads."""
_INITIAL_WINDOW_SIZE = 4
_FIRST_WINDOW = 65_535
_GREAT_WINDOW = (1 << 31) - 1 - _FIRST_WINDOW
_FRAME_BYTES = 16_384
"""The largest frame that a server takes unless it says otherwise."""


class HungUpError(Exception):
    """The connection has ended, and what was waited for has not come."""


@dataclass(slots=True, eq=False)
class Stream:
    """One RPC: what has been heard on it so far."""

    wire: "Wire"
    id: int
    contents: list[bytes] = field(default_factory=list)
    ending: Ending | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)
    pieces: bytearray = field(default_factory=bytearray)
    http_status: str = ""
    window: int = _FIRST_WINDOW
    """How many bytes the server takes on this stream now."""
    unsent: bytearray = field(default_factory=bytearray)
    is_ending: bool = False

    @property
    def responses(self) -> list[PresenceResponse]:
        """What was heard, as the messages of Presence."""
        return [PresenceResponse.FromString(content) for content in self.contents]

    def say(self, content: bytes) -> None:
        """Write one message, as fast as the server's windows allow."""
        self.say_raw(b"\0" + len(content).to_bytes(4, "big") + content)

    def say_raw(self, content: bytes) -> None:
        """Write bytes that gRPC should read as messages, as fast as the server's windows allow."""
        self.unsent += content
        self.wire.flush(self)

    def end_requests(self) -> None:
        """Half-close, after all that is still to be written."""
        self.is_ending = True
        self.wire.flush(self)

    def reset(self, code: int = 8) -> None:
        """Cancel it."""
        self.wire.write(http2.frame(http2.RST_STREAM, 0, self.id, code.to_bytes(4, "big")))
        self.wire.forget(self)

    async def until(self, is_so: Callable[[], bool], seconds: float = WAIT_SECONDS) -> bool:
        """Wait until something is so, or the stream has ended. Returns whether it is so.

        Raises:
            TimeoutError: neither has come.
        """
        async with asyncio.timeout(seconds):
            while not is_so() and self.ending is None:
                self.news.clear()
                await self.news.wait()
        return is_so()

    async def heard(self, count: int, seconds: float = WAIT_SECONDS) -> bool:
        """Wait until so many messages have come, or the stream has ended."""
        return await self.until(lambda: len(self.contents) >= count, seconds)

    async def ended(self, seconds: float = WAIT_SECONDS) -> Ending:
        """Wait for the end."""
        await self.until(lambda: False, seconds)
        assert self.ending is not None
        return self.ending


class Wire(asyncio.Protocol):
    """One connection. `dial` makes it; `close` ends it."""

    def __init__(self, authority: str) -> None:
        self.authority = authority
        self.streams: dict[int, Stream] = {}
        self.is_lost = False
        self.goaway: tuple[int, bytes] | None = None
        self.rude = False
        self.received = 0
        self.frames = 0
        self.window = _FIRST_WINDOW
        self._first_window = _FIRST_WINDOW
        self._next = 1
        self._rest = b""
        self._block = b""
        self._transport: asyncio.Transport | None = None
        self._lost = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._heard = asyncio.Event()

    @classmethod
    async def dial(cls, address: str, *, source: str = "", opening: bytes | None = None) -> "Wire":
        """Connect, from an address of this machine if one is given, and begin with an opening (None for an honest one)."""
        host, _, port = address.rpartition(":")
        wire = cls(address)
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.get_running_loop().create_connection(
                lambda: wire, host, int(port), local_addr=(source, 0) if source else None
            )
        wire.write(honest_opening() if opening is None else opening)
        return wire

    def write(self, content: bytes) -> None:
        """Write anything."""
        if self._transport is not None and not self._transport.is_closing() and content:
            self._transport.write(content)

    def flush(self, stream: Stream) -> None:
        """Write what a stream has to say, as far as the windows allow."""
        while (
            stream.unsent and (size := min(len(stream.unsent), stream.window, self.window, _FRAME_BYTES)) > 0
        ):
            stream.window -= size
            self.window -= size
            self.write(http2.frame(http2.DATA, 0, stream.id, bytes(stream.unsent[:size])))
            del stream.unsent[:size]
        if stream.is_ending and not stream.unsent:
            stream.is_ending = False
            self.write(http2.half_close(stream.id))

    async def drained(self) -> None:
        """Wait until there is room for more, or the connection has ended."""
        async with asyncio.timeout(WAIT_SECONDS):
            await self._drained.wait()

    async def hears(self, seconds: float = WAIT_SECONDS) -> bool:
        """Tell whether anything comes from the server within a time."""
        self._heard.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        except TimeoutError:
            return False
        return not self.is_lost

    def open(self, path: str = METHOD) -> Stream:
        """Start an RPC."""
        stream = self.expect()
        self.write(http2.request(stream.id, path, self.authority))
        return stream

    def open_with(self, block: bytes, flags: int = http2.END_HEADERS) -> Stream:
        """Start an RPC by a header block of one's own."""
        stream = self.expect()
        self.write(http2.frame(http2.HEADERS, flags, stream.id, block))
        return stream

    def expect(self) -> Stream:
        """Take the next number for a stream, and listen to it."""
        stream = Stream(self, self._next, window=self._first_window)
        self.streams[stream.id] = stream
        self._next += 2
        return stream

    def forget(self, stream: Stream) -> None:
        """Listen to a stream no more."""
        self.streams.pop(stream.id, None)

    def stop_reading(self) -> None:
        """Leave in the socket what comes from now on."""
        if self._transport is not None and not self.is_lost:
            self._transport.pause_reading()

    def read_again(self) -> None:
        """Take it out again."""
        if self._transport is not None and not self.is_lost:
            self._transport.resume_reading()

    def close(self) -> None:
        """End the connection by a reset of TCP, whatever still waits."""
        if self._transport is not None:
            self._transport.abort()

    async def lost(self, seconds: float = WAIT_SECONDS) -> None:
        """Wait until the server has ended the connection."""
        async with asyncio.timeout(seconds):
            await self._lost.wait()

    # What asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self._lost.set()
        self._drained.set()
        self._heard.set()
        for stream in list(self.streams.values()):
            self._end(stream, Ending(None, "the connection was lost"))

    def pause_writing(self) -> None:
        self._drained.clear()

    def resume_writing(self) -> None:
        self._drained.set()

    def data_received(self, data: bytes) -> None:
        self._heard.set()
        self.received += len(data)
        data = self._rest + data
        position, consumed = 0, 0
        while len(data) - position >= http2.FRAME_HEAD_BYTES:
            word, flags, number = http2.FRAME_HEAD.unpack_from(data, position)
            stop = position + http2.FRAME_HEAD_BYTES + (word >> 8)
            if stop > len(data):
                break
            content = data[position + http2.FRAME_HEAD_BYTES : stop]
            position = stop
            self.frames += 1
            if word & 0xFF == http2.DATA:
                consumed += len(content)
            self._take(word & 0xFF, flags, number & 0x7FFFFFFF, content)
        self._rest = data[position:]
        if consumed and not self.rude:
            self.write(http2.frame(http2.WINDOW_UPDATE, 0, 0, consumed.to_bytes(4, "big")))

    def _take(self, kind: int, flags: int, number: int, content: bytes) -> None:
        if kind == http2.SETTINGS and not flags & http2.ACK:
            self._obey(content)
        elif kind == http2.WINDOW_UPDATE:
            self._widen(number, int.from_bytes(content, "big"))
        elif kind == http2.PING and not flags & http2.ACK and not self.rude:
            self.write(http2.frame(http2.PING, http2.ACK, 0, content))
        elif kind == http2.GOAWAY:
            self.goaway = (int.from_bytes(content[4:8], "big"), content[8:])
        stream = self.streams.get(number)
        if stream is None:
            return
        if kind == http2.DATA:
            self._assemble(stream, content)
        elif kind in (http2.HEADERS, http2.CONTINUATION):
            self._block += http2.header_block(content, flags) if kind == http2.HEADERS else content
            if flags & http2.END_HEADERS:
                block, self._block = self._block, b""
                self._take_headers(stream, block, is_last=bool(flags & http2.END_STREAM))
        elif kind == http2.RST_STREAM:
            self._end(stream, Ending(None, "", reset=int.from_bytes(content, "big")))

    def _take_headers(self, stream: Stream, block: bytes, *, is_last: bool) -> None:
        headers = http2.read_headers(block)
        stream.http_status = stream.http_status or (":200" if b"\x88" in block[:3] else "other")
        if is_last or "grpc-status" in headers:
            self._end(stream, ending_of(headers, stream.http_status))

    def _obey(self, settings: bytes) -> None:
        for setting, value in struct.iter_unpack(">HI", settings):
            if setting == _INITIAL_WINDOW_SIZE:
                for stream in self.streams.values():
                    stream.window += value - self._first_window
                self._first_window = value
        if not self.rude:
            self.write(http2.frame(http2.SETTINGS, http2.ACK, 0))
        for stream in list(self.streams.values()):
            self.flush(stream)

    def _widen(self, number: int, size: int) -> None:
        if number == 0:
            self.window += size
        elif number in self.streams:
            self.streams[number].window += size
        for stream in list(self.streams.values()):
            self.flush(stream)

    def _assemble(self, stream: Stream, piece: bytes) -> None:
        pieces = stream.pieces
        pieces += piece
        if piece and not self.rude:
            self.write(http2.frame(http2.WINDOW_UPDATE, 0, stream.id, len(piece).to_bytes(4, "big")))
        while len(pieces) >= http2.MESSAGE_HEAD_BYTES:
            size = http2.MESSAGE_HEAD_BYTES + int.from_bytes(pieces[1:5], "big")
            if len(pieces) < size:
                break
            stream.contents.append(bytes(pieces[http2.MESSAGE_HEAD_BYTES : size]))
            del pieces[:size]
            stream.news.set()

    def _end(self, stream: Stream, ending: Ending) -> None:
        self.streams.pop(stream.id, None)
        stream.ending = ending
        stream.news.set()


def honest_opening(settings: Sequence[tuple[int, int]] = ()) -> bytes:
    """Write what an honest client begins with, with more settings if there are any."""
    chosen = ((1, 0), (2, 0), (4, 1 << 20), (5, 1 << 20), (TRUE_BINARY, 1), *settings)
    content = b"".join(struct.pack(">HI", *setting) for setting in chosen)
    window = http2.frame(http2.WINDOW_UPDATE, 0, 0, _GREAT_WINDOW.to_bytes(4, "big"))
    return PREFACE + http2.frame(http2.SETTINGS, 0, 0, content) + window
