"""The Presence RPC: a handshake, then one reader and one writer until the stream is over.

Bytes come in and go out as they are (`wire` reads and writes them), so a request that is no protobuf gets a reason of ours. The
writer is the only one who writes: gRPC allows one write at a time, and a write that is cancelled leaves the stream unwritable, so that
is done only when the stream is over anyway.

A client whose stream is over but who doesn't read can't be thrown out of gRPC before its connection is too old. It is out of
presence by then; its address is held at the door until its stream has really ended.
"""

import asyncio
from typing import NoReturn, TypeAlias

import grpc

from adsum.contract.reasons import TABLE, Reason
from adsum.server.door import address_of
from adsum.server.hub import Hub, Stream
from adsum.server.logs import get_log
from adsum.server.messages import Request
from adsum.server.pump import GONE, Pump
from adsum.server.session import Fault
from adsum.server.wire import STATUS_DETAILS_KEY, MalformedRequestError, decode_request, encode_status

SERVICE_NAME = "adsum.v1.LobbyService"
RETRY_SECONDS = 1.0
"""What a refused client is told to wait, where waiting helps."""

Context: TypeAlias = grpc.aio.ServicerContext[bytes, bytes]

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

    async def presence(self, _requests: object, context: Context) -> None:
        """Carry one session in one lobby."""
        # Asked for now: after the RPC has ended, the context may not be touched.
        address = address_of(context.peer())
        stream = self._hub.open_stream(address)
        if isinstance(stream, Reason):
            await refuse(context, Fault(stream, ""))
        try:
            await self._serve(stream, context)
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
            if stream.pump is not None:
                stream.pump.close()
            self._hub.close_stream(stream)
        if stream.fault is None:
            return
        log.info(
            "stream refused", reason=stream.fault.reason.name, address=address, detail=stream.fault.detail
        )
        self._hub.door.hold(address)
        try:
            if stream.pump is not None:
                await stream.pump.opened()
            await refuse(context, stream.fault)
        finally:
            self._hub.door.leave(address)

    async def _serve(self, stream: Stream, context: Context) -> None:
        pump = stream.pump = Pump(context, stream)
        async with asyncio.timeout(self._hub.limits.handshake_seconds):
            await self._shake_hands(stream, pump, context)
        if stream.is_over or stream.line is None:
            return
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(self._read(stream, context))
            await stream.until_over()
            reader.cancel()

    async def _shake_hands(self, stream: Stream, pump: Pump, context: Context) -> None:
        """Lead a stream to its welcome. What is written isn't waited for: the client's next word is."""
        if (hello := await _next_request(context)) is not None:
            if (challenge := await self._hub.greet(stream, hello)) is None:
                return
            pump.push(challenge)
            if (proof := await _next_request(context)) is not None:
                await self._hub.admit(stream, proof)
                return
        stream.end()

    async def _read(self, stream: Stream, context: Context) -> None:
        try:
            # A read that is cancelled costs 100 bytes of gRPC's memory for ever: none is begun where the last request ended the stream.
            while not stream.is_over and (request := await _next_request(context)) is not None:
                await self._hub.receive(stream, request)
        except MalformedRequestError as error:
            await self._hub.eject(stream, Reason.MALFORMED_REQUEST)
            stream.fault = Fault(Reason.MALFORMED_REQUEST, str(error))
        finally:
            stream.end()


async def _next_request(context: Context) -> Request | None:
    """Read a request; None at the end. The end of requests, a cancel and a lost connection can't be told apart here, and needn't be.

    Raises:
        MalformedRequestError: the bytes are not a request.
    """
    try:
        # Bytes or EOF; the stubs know only the bytes.
        content: object = await context.read()
    except GONE:
        return None
    return decode_request(content) if isinstance(content, bytes) else None


async def refuse(context: Context, fault: Fault) -> NoReturn:
    """End an RPC with a reason: its gRPC status, with ErrorInfo and, where trying again helps, RetryInfo."""
    row = TABLE[fault.reason]
    message = f"{row.text}: {fault.detail}" if fault.detail else row.text
    details = encode_status(fault.reason, message, RETRY_SECONDS if row.retry else None)
    try:
        await context.abort(grpc.StatusCode[row.code], message, ((STATUS_DETAILS_KEY, details),))
    except GONE:
        # There is nobody to tell any more, and gRPC logs whatever else is raised as a failure of ours.
        raise asyncio.CancelledError("the client has gone") from None
    raise AssertionError("abort returns")
