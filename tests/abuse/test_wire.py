"""The attacker's connection says what it is told within the server's windows, and keeps all that it hears."""

import asyncio
import struct

from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from adsum.v1.presence_pb2 import Challenge, PresenceResponse
from tests.abuse.endings import Ending, ending_of
from tests.abuse.wire import Wire
from tests.bench import http2


class Recorder(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return False


def a_wire() -> tuple[Wire, Recorder]:
    wire, transport = Wire("localhost:1"), Recorder()
    wire.connection_made(transport)
    return wire, transport


async def test_messages_are_put_together_from_frames_in_pieces() -> None:
    wire, _ = a_wire()
    stream = wire.open()
    response = PresenceResponse(challenge=Challenge(server_nonce=b"n" * 32))
    told = http2.message(1, response.SerializeToString())
    head, content = told[: http2.FRAME_HEAD_BYTES], told[http2.FRAME_HEAD_BYTES :]
    assert len(head) == http2.FRAME_HEAD_BYTES
    for piece in (content[:3], content[3:]):
        frame = http2.frame(http2.DATA, 0, 1, piece)
        wire.data_received(frame[:4])
        wire.data_received(frame[4:])
    assert stream.responses == [response]


async def test_no_more_is_said_than_the_server_takes() -> None:
    wire, transport = a_wire()
    stream = wire.open()
    transport.written = b""
    stream.say(bytes(100_000))
    assert 65_535 <= len(transport.written) <= 65_535 + 5 * http2.FRAME_HEAD_BYTES
    wire.data_received(http2.consumed(1, 50_000))
    assert not stream.unsent


async def test_a_status_is_read_with_its_reason() -> None:
    wire, _ = a_wire()
    stream = wire.open()
    status = Status(code=8, message="no")
    status.details.add().Pack(ErrorInfo(reason="TOO_MANY_STREAMS", domain="adsum"))
    status.details.add().Pack(RetryInfo())
    headers = {
        "grpc-status": "8",
        "grpc-message": "no%20room",
        "grpc-status-details-bin": "\0" + status.SerializeToString().decode("latin-1"),
    }
    assert ending_of(headers) == Ending(8, "no room", "TOO_MANY_STREAMS", "adsum", has_retry=True)
    wire.data_received(http2.frame(http2.RST_STREAM, 0, 1, struct.pack(">I", 7)))
    assert (await stream.ended()).reset == 7


async def test_a_lost_connection_ends_every_stream() -> None:
    wire, _ = a_wire()
    streams = [wire.open(), wire.open()]
    wire.connection_lost(None)
    assert [stream.ending for stream in streams] == [Ending(None, "the connection was lost")] * 2
