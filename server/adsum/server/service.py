"""The Presence RPC: a handshake, then one reader and one writer until the stream is over.

Bytes come in and go out as they are (`wire` reads and writes them), so a request that is no protobuf gets a reason of ours. The
writer is the only one who writes: gRPC allows one write at a time, and a write that is cancelled leaves the stream unwritable, so that
is done only when the stream is over anyway.

A client whose stream is over but who doesn't read can't be thrown out of gRPC before its connection is too old. It is out of
presence by then; its address is held at the door until its stream has really ended.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import NoReturn, TypeAlias

import grpc

from adsum.contract.reasons import TABLE, Reason
from adsum.server.door import address_of
from adsum.server.hub import Hub, Stream
from adsum.server.logs import get_log
from adsum.server.session import Fault
from adsum.server.wire import STATUS_DETAILS_KEY, MalformedRequestError, decode_request, encode_status

SERVICE_NAME = "adsum.v1.LobbyService"
RETRY_SECONDS = 1.0
"""What a refused client is told to wait, where waiting helps."""

Context: TypeAlias = grpc.aio.ServicerContext[bytes, bytes]

GONE = (grpc.aio.UsageError, grpc.aio.InternalError)
"""What a write raises when the client has gone in the meantime."""

log = get_log(__name__)


class LobbyService:
    """Serve `adsum.v1.LobbyService` from a hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def handler(self) -> grpc.GenericRpcHandler:
        """Make the handler to be added to a server."""
        return grpc.method_handlers_generic_handler(
            SERVICE_NAME, {"Presence": grpc.stream_stream_rpc_method_handler(self.presence)}
        )

    async def presence(self, requests: AsyncIterator[bytes], context: Context) -> None:
        """Carry one session in one lobby."""
        # Asked for now: after the RPC has ended, the context may not be touched.
        address = address_of(context.peer())
        stream = self._hub.open_stream(address)
        if isinstance(stream, Reason):
            await refuse(context, Fault(stream, ""))
        try:
            await self._serve(stream, requests, context)
        except MalformedRequestError as error:
            await self._hub.eject(stream, Reason.MALFORMED_REQUEST)
            stream.fault = Fault(Reason.MALFORMED_REQUEST, str(error))
        except TimeoutError:
            stream.fault = Fault(Reason.HANDSHAKE_TIMEOUT, "")
        except Exception:
            # gRPC would send the exception's text to the client.
            log.exception("a stream failed")
            stream.fault = Fault(Reason.INTERNAL, "")
        finally:
            self._hub.close_stream(stream)
        if stream.fault is None:
            return
        log.info(
            "stream refused", reason=stream.fault.reason.name, address=address, detail=stream.fault.detail
        )
        self._hub.door.hold(address)
        try:
            await refuse(context, stream.fault)
        finally:
            self._hub.door.leave(address)

    async def _serve(self, stream: Stream, requests: AsyncIterator[bytes], context: Context) -> None:
        async with asyncio.timeout(self._hub.limits.handshake_seconds):
            await self._shake_hands(stream, requests, context)
        if stream.over.is_set() or stream.line is None:
            return
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(self._read(stream, requests))
            writer = tasks.create_task(self._write(stream, context))
            await stream.over.wait()
            reader.cancel()
            writer.cancel()

    async def _shake_hands(self, stream: Stream, requests: AsyncIterator[bytes], context: Context) -> None:
        try:
            # Else the first write would carry it, and if the stream ends while that is under way, the status would
            # carry it again: gRPC refuses that, and the RPC never ends.
            await context.send_initial_metadata(())
            challenge = await self._hub.greet(stream, decode_request(await anext(requests)))
            if challenge is not None:
                await context.write(challenge)
                await self._hub.admit(stream, decode_request(await anext(requests)))
        except (StopAsyncIteration, *GONE):
            stream.over.set()

    async def _read(self, stream: Stream, requests: AsyncIterator[bytes]) -> None:
        try:
            async for content in requests:
                await self._hub.receive(stream, decode_request(content))
        except MalformedRequestError as error:
            await self._hub.eject(stream, Reason.MALFORMED_REQUEST)
            stream.fault = Fault(Reason.MALFORMED_REQUEST, str(error))
        finally:
            # The end of requests, a cancel and a lost connection can't be told apart here, and needn't be.
            stream.over.set()

    async def _write(self, stream: Stream, context: Context) -> None:
        while True:
            stream.wake.clear()
            contents = self._hub.take(stream)
            for content in contents:
                self._hub.writing(stream, busy=True)
                try:
                    await context.write(content)
                except GONE:
                    stream.over.set()
                    return
                self._hub.writing(stream, busy=False)
            if not contents:
                await stream.wake.wait()


async def refuse(context: Context, fault: Fault) -> NoReturn:
    """End an RPC with a reason: its gRPC status, with ErrorInfo and, where trying again helps, RetryInfo."""
    row = TABLE[fault.reason]
    message = f"{row.text}: {fault.detail}" if fault.detail else row.text
    details = encode_status(fault.reason, message, RETRY_SECONDS if row.retry else None)
    await context.abort(grpc.StatusCode[row.code], message, ((STATUS_DETAILS_KEY, details),))
    raise AssertionError("abort returns")
