"""One Presence RPC as it is on the wire: any bytes in, messages out, and how it ended."""

import asyncio
from collections.abc import Sequence

import grpc

from adsum.v1.presence_pb2 import PresenceRequest, PresenceResponse
from tests.integration.promises import BrokenPromiseError
from tests.integration.refusal import Ending, ending_of

METHOD = "/adsum.v1.LobbyService/Presence"
WAIT_SECONDS = 10.0
"""How long anything is waited for. What takes longer is broken."""
_OWN_FAILURE = "Internal error from Core"
_OPTIONS = (
    # Else two channels to one server share a connection, and can't be cut one by one.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # In spite of its name this is how long one attempt to connect may take.
    ("grpc.min_reconnect_backoff_ms", 10_000),
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
        # Not `read`: if a write fails at the end, it refuses what came before, and the status stands behind that.
        self._messages = aiter(self.call)
        self._first_ending: Ending | None = None
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
            return await anext(self._messages)
        except (StopAsyncIteration, grpc.aio.AioRpcError):
            # Why, is told below.
            pass
        async with asyncio.timeout(WAIT_SECONDS):
            self.ending = await self._true_ending()
        return None

    async def hear_end(self) -> Ending:
        """Read until the end, and tell how it ended."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while await self.hear() is not None:
                    continue
        except TimeoutError:
            raise BrokenPromiseError("P9", "the stream doesn't end") from None
        if self.ending is None:
            raise AssertionError("the stream has ended without an ending")
        return self.ending

    def _note_ending(self, _: object) -> None:
        # The status is known here, so the coroutine ends at once.
        try:
            ending_of(self.call).send(None)
        except StopIteration as done:
            self._first_ending = done.value

    async def _true_ending(self) -> Ending:
        # When a write fails at the end, grpc.aio puts an INTERNAL of its own in the place of the server's status, before
        # or after that. Only the first is told by a callback.
        while True:
            for ending in (self._first_ending, await ending_of(self.call)):
                if ending is not None and ending.message != _OWN_FAILURE:
                    return ending
            await asyncio.sleep(0.001)

    def cut(self) -> None:
        """End the RPC as a lost connection does: by a reset, without Leave."""
        self.call.cancel()
