"""A connection of the crowd, against a socket that sends what a server may send, in pieces of any size."""

import socket
from collections.abc import Iterator

import pytest

from tests.bench import http2
from tests.bench.connection import Connection, Phase
from tests.bench.loop import Loop


class Listener(Connection):
    """Keeps what it hears."""

    path = "/a.B/C"

    def __init__(self, loop: Loop, address: tuple[str, int]) -> None:
        super().__init__(loop, address)
        self.heard: list[bytes] = []
        self.endings: list[str] = []

    def hear(self, data: bytes, start: int, stop: int, now: float) -> None:
        self.heard.append(data[start:stop])

    def opened(self) -> None:
        self.open_stream(b"hello")

    def ended(self) -> None:
        self.endings.append(self.ending)


class Peer:
    """The server's end."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            self.client = Listener(loop, listening.getsockname())
            self.client.dial()
            self.socket, _ = listening.accept()
        self.socket.settimeout(5.0)
        self.turn()
        self.first = self.read()

    def turn(self) -> None:
        """Let the client do what it has to do."""
        self._loop.run(0.05)

    def send(self, content: bytes) -> None:
        """Send, and let the client read it."""
        self.socket.sendall(content)
        self._loop.turn(1.0)

    def read(self) -> bytes:
        """Read what the client has sent."""
        return self.socket.recv(1 << 20)


@pytest.fixture
def peer() -> Iterator[Peer]:
    one = Peer(Loop())
    yield one
    one.client.close()
    one.socket.close()


def test_a_connection_opens_its_stream_with_its_first_message(peer: Peer) -> None:
    assert peer.first.startswith(http2.opening())
    assert peer.first.endswith(http2.message(1, b"hello"))
    assert peer.client.phase is Phase.OPEN


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_messages_are_heard_whole_however_they_are_cut(peer: Peer, size: int) -> None:
    content = http2.message(1, b"one") + http2.message(1, b"") + http2.message(1, b"three" * 50)
    for start in range(0, len(content), size):
        peer.send(content[start : start + size])
    assert peer.client.heard == [b"one", b"", b"three" * 50]


def test_a_message_in_several_frames_and_several_in_one_are_told_apart(peer: Peer) -> None:
    one = http2.message(1, b"abcdef")[http2.FRAME_HEAD_BYTES :]
    two = http2.message(1, b"gh")[http2.FRAME_HEAD_BYTES :]
    peer.send(http2.frame(http2.DATA, 0, 1, one[:3]) + http2.frame(http2.DATA, 0, 1, one[3:] + two + two[:1]))
    peer.send(http2.frame(http2.DATA, 0, 1, two[1:]))
    assert peer.client.heard == [b"abcdef", b"gh", b"gh"]


def test_settings_and_pings_are_answered_and_their_answers_are_not(peer: Peer) -> None:
    peer.send(http2.frame(http2.SETTINGS, 0, 0) + http2.frame(http2.SETTINGS, http2.ACK, 0))
    assert peer.read() == http2.frame(http2.SETTINGS, http2.ACK, 0)
    peer.send(http2.frame(http2.PING, 0, 0, b"12345678"))
    assert peer.read() == http2.frame(http2.PING, http2.ACK, 0, b"12345678")


def test_trailers_end_the_stream_with_the_server_s_status_and_the_connection_serves_again(peer: Peer) -> None:
    trailers = b"\x00\x0bgrpc-status\x018"
    flags = http2.END_HEADERS | http2.END_STREAM
    peer.send(http2.frame(http2.HEADERS, flags, 1, trailers) + http2.frame(http2.RST_STREAM, 0, 1, bytes(4)))
    assert peer.client.endings == ["status 8"]
    assert peer.client.phase is Phase.READY
    peer.client.open_stream(b"again")
    assert peer.read().endswith(http2.message(3, b"again"))
    peer.send(http2.message(1, b"late") + http2.message(3, b"new"))
    assert peer.client.heard == [b"new"]


def test_the_window_is_given_back_before_the_server_has_to_wait(peer: Peer) -> None:
    content = http2.message(1, bytes(1 << 18))
    for _ in range(3):
        peer.socket.sendall(content)
        peer.turn()
    given = peer.read()
    size = int.from_bytes(given[9:13], "big")
    assert size >= http2.WINDOW_BYTES // 2
    assert given == http2.consumed(1, size)


def test_whoever_does_not_read_hears_nothing_until_they_do(peer: Peer) -> None:
    peer.client.pause_reading()
    peer.socket.sendall(http2.message(1, b"one"))
    peer.turn()
    assert peer.client.heard == []
    peer.client.resume_reading()
    peer.turn()
    assert peer.client.heard == [b"one"]


def test_the_end_of_a_connection_is_told(peer: Peer) -> None:
    peer.socket.close()
    peer.turn()
    assert len(peer.client.endings) == 1
    assert peer.client.phase is Phase.CLOSED
