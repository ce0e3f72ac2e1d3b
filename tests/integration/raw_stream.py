"""One Presence RPC as it is on the wire: any bytes in, messages out, and how it ended."""

import asyncio
from collections.abc import Sequence

import grpc

from adsum.v1.presence_pb2 import PresenceRequest, PresenceResponse
from tests.integration.refusal import Ending, ending_of

METHOD = "/adsum.v1.LobbyService/Presence"
WAIT_SECONDS = 10.0
"""How long anything is waited for. What takes longer is broken."""
_OWN_FAILURE = "Internal error from Core"
_OPTIONS = (
    # Else two channels to one server share a connection, and can't be cut one by one.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 100),
)


def open_channel(
    target: str,
    credentials: grpc.ChannelCredentials | None = None,
    options: Sequence[tuple[str, str | int]] = (),
) -> grpc.aio.Channel:
    """Open a channel with a connection of its own."""
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=(*_OPTIONS, *options))
    return grpc.aio.secure_channel(target, credentials, options=(*_OPTIONS, *options))


class RawStream:
    """Carry one stream. Nothing is sent or checked by itself."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        method: grpc.aio.StreamStreamMultiCallable[bytes, PresenceResponse] = channel.stream_stream(
            METHOD, response_deserializer=PresenceResponse.FromString
        )
        self.call = method()
        self.ending: Ending | None = None
        self._true_ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.call.add_done_callback(self._note_ending)
        self._writing = asyncio.Lock()

    async def say(self, request: PresenceRequest) -> None:
        """Write one request."""
        await self.say_bytes(request.SerializeToString())

    async def say_bytes(self, content: bytes) -> None:
        """Write anything. The bound is there because a server that doesn't read blocks the write."""
        async with asyncio.timeout(WAIT_SECONDS), self._writing:
            await self.call.write(content)

    async def hear(self) -> PresenceResponse | None:
        """Read the next message; None at the end, which `ending` then tells."""
        try:
            message = await self.call.read()
            if isinstance(message, PresenceResponse):
                return message
        except grpc.aio.AioRpcError:
            # Why, is told below.
            pass
        async with asyncio.timeout(WAIT_SECONDS):
            self.ending = await asyncio.shield(self._true_ending)
        return None

    async def hear_end(self) -> Ending:
        """Read until the end, and tell how it ended."""
        async with asyncio.timeout(WAIT_SECONDS):
            while await self.hear() is not None:
                continue
        if self.ending is None:
            raise AssertionError("the stream has ended without an ending")
        return self.ending

    def _note_ending(self, call: object) -> None:
        # When a write was under way at the end, grpc.aio tells the end twice: the server's status, and before or after it,
        # in its place, an INTERNAL of its own for the write. Here the status is known, so nothing is waited for.
        try:
            ending_of(self.call).send(None)
        except StopIteration as done:
            ending: Ending = done.value
            if ending.message != _OWN_FAILURE and not self._true_ending.done():
                self._true_ending.set_result(ending)

    def cut(self) -> None:
        """End the RPC as a lost connection does: by a reset, without Leave."""
        self.call.cancel()
