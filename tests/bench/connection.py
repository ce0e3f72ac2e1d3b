"""One connection of the crowd: a socket and its HTTP/2, one stream at a time. What a message means is a subclass's affair."""

import socket
import struct
import time
from abc import ABC, abstractmethod
from enum import IntEnum

from tests.bench import http2
from tests.bench.http2 import FRAME_HEAD, FRAME_HEAD_BYTES, MESSAGE_HEAD_BYTES
from tests.bench.loop import READ, WRITE, Loop

_BUFFER = bytearray(1 << 20)
_VIEW = memoryview(_BUFFER)
_MESSAGE_SIZE = struct.Struct(">I")
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Phase(IntEnum):
    """How far a connection is."""

    CLOSED = 0
    DIALLING = 1
    READY = 2
    """Connected; there is no stream."""
    OPEN = 3
    """There is a stream."""


class Connection(ABC):
    """Be one client's connection: dial, open a stream, say, hear.

    What is to be told about failures ends up in `ending`: the gRPC status, or what became of the connection.
    """

    path: str
    """The RPC."""

    def __init__(self, loop: Loop, address: tuple[str, int]) -> None:
        self._loop = loop
        self._address = address
        self._authority = f"{address[0]}:{address[1]}"
        self.phase = Phase.CLOSED
        self.is_reading = True
        self.ending = ""
        self._stream = -1
        self._socket: socket.socket | None = None
        self._rest = b""
        self._pieces = bytearray()
        self._unsent = bytearray()
        self._consumed = 0

    @abstractmethod
    def hear(self, data: bytes, start: int, stop: int, now: float) -> None:
        """Take one message, which came at `now`."""

    @abstractmethod
    def opened(self) -> None:
        """Take note that the connection stands; open a stream if that is wanted."""

    @abstractmethod
    def ended(self) -> None:
        """Take note that the stream, or the connection with it, has ended; `ending` tells how."""

    def dial(self, address: tuple[str, int] | None = None) -> None:
        """Start to connect."""
        if address is not None:
            self._address = address
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = -1
        self._rest = b""
        self._pieces.clear()
        self._unsent.clear()
        self._consumed = 0
        self.is_reading = True
        self.ending = ""
        self.phase = Phase.DIALLING
        self._socket.connect_ex(self._address)
        self._loop.register(self._socket.fileno(), self._on_ready, WRITE)

    def open_stream(self, first: bytes) -> None:
        """Start an RPC with its first message."""
        self._stream += 2
        self.phase = Phase.OPEN
        self.ending = ""
        self._write(
            http2.request(self._stream, self.path, self._authority) + http2.message(self._stream, first)
        )

    def say(self, content: bytes) -> None:
        """Send a message on the stream."""
        self._write(http2.message(self._stream, content))

    def say_last(self, content: bytes) -> None:
        """Send a message, and end the requests."""
        self._write(http2.message(self._stream, content) + http2.half_close(self._stream))

    def pause_reading(self) -> None:
        """Read nothing any more: what comes stays in the socket, then in the server."""
        self.is_reading = False
        self._expect()

    def resume_reading(self) -> None:
        """Read again."""
        self.is_reading = True
        self._expect()

    def close(self, *, abruptly: bool = False) -> None:
        """Close the connection without a word; abruptly: with a reset. `ended` isn't called."""
        if self._socket is None:
            return
        self._loop.forget(self._socket.fileno())
        if abruptly:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        self._socket.close()
        self._socket = None
        self.phase = Phase.CLOSED

    def _on_ready(self, events: int) -> None:
        if events & WRITE:
            if self.phase is Phase.DIALLING and not self._connect():
                return
            self._flush()
        if events & ~WRITE and self._socket is not None:
            if self.is_reading:
                self._receive()
            else:
                # Only what is told unasked: the connection is broken.
                self._lose("reset by the server")

    def _connect(self) -> bool:
        assert self._socket is not None
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._lose(f"connect: {error}")
            return False
        self.phase = Phase.READY
        self._unsent += http2.opening()
        self.opened()
        return self._socket is not None

    def _write(self, content: bytes) -> None:
        if self._socket is None:
            return
        if self._unsent:
            self._unsent += content
            self._flush()
            return
        try:
            sent = self._socket.send(content)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lose(f"send: {error.errno}")
            return
        if sent < len(content):
            self._unsent += content[sent:]
            self._expect()

    def _flush(self) -> None:
        if self._socket is None:
            return
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError as error:
            self._lose(f"send: {error.errno}")
            return
        self._expect()

    def _expect(self) -> None:
        if self._socket is not None:
            wanted = (READ if self.is_reading else 0) | (WRITE if self._unsent else 0)
            self._loop.expect(self._socket.fileno(), wanted)

    def _receive(self) -> None:
        assert self._socket is not None
        try:
            size = self._socket.recv_into(_BUFFER)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(f"receive: {error.errno}")
            return
        now = time.monotonic()
        if size == 0:
            self._lose("closed by the server")
            return
        data = self._rest + _VIEW[:size] if self._rest else bytes(_VIEW[:size])
        position, end = 0, len(data)
        while end - position >= FRAME_HEAD_BYTES:
            word, flags, stream = FRAME_HEAD.unpack_from(data, position)
            start = position + FRAME_HEAD_BYTES
            stop = start + (word >> 8)
            if stop > end:
                break
            position = stop
            if word & 0xFF != http2.DATA:
                self._take_control(word & 0xFF, flags, stream, data[start:stop])
                continue
            self._consumed += stop - start
            if stream != self._stream or self.phase is not Phase.OPEN:
                continue
            if (
                not self._pieces
                and stop - start >= MESSAGE_HEAD_BYTES
                and _MESSAGE_SIZE.unpack_from(data, start + 1)[0] == stop - start - MESSAGE_HEAD_BYTES
            ):
                self.hear(data, start + MESSAGE_HEAD_BYTES, stop, now)
            else:
                self._assemble(data[start:stop], now)
        self._rest = data[position:]
        if self._consumed >= http2.WINDOW_BYTES // 2:
            self._write(http2.consumed(self._stream, self._consumed))
            self._consumed = 0

    def _assemble(self, piece: bytes, now: float) -> None:
        """Put messages together that don't fill exactly one frame each."""
        self._pieces += piece
        while len(self._pieces) >= MESSAGE_HEAD_BYTES:
            size = MESSAGE_HEAD_BYTES + _MESSAGE_SIZE.unpack_from(self._pieces, 1)[0]
            if len(self._pieces) < size:
                return
            content = bytes(self._pieces[MESSAGE_HEAD_BYTES:size])
            del self._pieces[:size]
            self.hear(content, 0, len(content), now)

    def _take_control(self, kind: int, flags: int, stream: int, content: bytes) -> None:
        if kind == http2.SETTINGS and not flags & http2.ACK:
            self._write(http2.frame(http2.SETTINGS, http2.ACK, 0))
        elif kind == http2.PING and not flags & http2.ACK:
            self._write(http2.frame(http2.PING, http2.ACK, 0, content))
        elif kind == http2.HEADERS and flags & http2.END_STREAM and stream == self._stream:
            headers = http2.read_headers(http2.header_block(content, flags))
            self._end(f"status {headers.get('grpc-status', '?')} {headers.get('grpc-message', '')}".strip())
        elif kind == http2.RST_STREAM and stream == self._stream:
            self._end(f"reset {int.from_bytes(content, 'big')}")

    def _end(self, ending: str) -> None:
        if self.phase is Phase.OPEN:
            self.phase = Phase.READY
            self.ending = ending
            self.ended()

    def _lose(self, ending: str) -> None:
        self.close(abruptly=True)
        self.ending = ending
        self.ended()
