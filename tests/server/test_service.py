"""How a stream is refused; the rest of the service is tested through real streams in tests/integration."""

import asyncio
from types import SimpleNamespace
from typing import cast

import grpc
import pytest

from adsum.contract.reasons import Reason
from adsum.server.hub import Hub, Stream
from adsum.server.service import Context, LobbyService, refuse
from adsum.server.session import Fault, Handshake
from adsum.v1.presence_pb2 import Leave, PresenceRequest


class LeavingContext:
    """A context whose client goes while the status is being sent."""

    async def abort(self, *_: object) -> None:
        """Fail as gRPC does then."""
        raise grpc.aio.InternalError("failed grpc_call_start_batch")


async def test_a_client_that_goes_while_it_is_refused_is_no_failure_of_the_server() -> None:
    # gRPC logs whatever a handler raises, with a traceback, but for this.
    with pytest.raises(asyncio.CancelledError):
        await refuse(cast("Context", LeavingContext()), Fault(Reason.SLOW_READER, ""))


class LeavingClient:
    """A context whose client says Leave, and nothing after it."""

    def __init__(self) -> None:
        self.reads = 0

    async def read(self) -> object:
        """Give the request, and then the end."""
        self.reads += 1
        return PresenceRequest(leave=Leave()).SerializeToString() if self.reads == 1 else grpc.aio.EOF


async def test_no_read_is_begun_after_the_request_that_ended_the_stream() -> None:
    # It would have to be cancelled, and each that is costs memory of gRPC's that never comes back.
    context = LeavingClient()

    async def receive(stream: Stream, _: object) -> None:
        stream.end()

    hub = cast("Hub", SimpleNamespace(receive=receive))
    stream = Stream(hub, 1, "loopback", Handshake(bytes(32), None))
    service = LobbyService(hub)
    await service._read(stream, cast("Context", context))
    assert context.reads == 1
