"""A real gRPC server whose every word is written in the test that runs it."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from adsum.client.messages import Challenge, Response, Welcome
from adsum.contract.identity import is_valid_signature, proof_transcript
from adsum.contract.reasons import ERROR_DOMAIN, Reason
from adsum.v1.presence_pb2 import Hello, PresenceRequest
from tests.client.encoding import encode_response
from tests.client.model_lobby import ModelLobby

PATIENCE_SECONDS = 10.0
"""How long a test waits for what must happen: far longer than it takes, so that a slow machine doesn't fail."""
NONCE = b"n" * 32
EXPIRES = 1_800_000_000_000


class ScriptedStream:
    """One stream: what the client says waits in order, and the test decides what is answered."""

    def __init__(self, context: "grpc.aio.ServicerContext[PresenceRequest, bytes]") -> None:
        self._context = context
        self._requests: asyncio.Queue[PresenceRequest | None] = asyncio.Queue()
        self._verdict: asyncio.Future[tuple[grpc.StatusCode, str, bytes] | None] = asyncio.Future()
        self.has_left = False
        self.over = asyncio.Event()

    async def next(self) -> PresenceRequest | None:
        """Wait for the next request; None when the client says no more."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._requests.get()

    async def expect(self, kind: str) -> PresenceRequest:
        """Wait for the next request of this kind; heartbeats and acknowledgements before it are passed over."""
        while True:
            request = await self.next()
            assert request is not None, f"the client said no more, and no {kind}"
            if request.WhichOneof("request") == kind:
                return request
            assert request.WhichOneof("request") in ("heartbeat", "ack"), request

    async def say(self, *responses: Response | bytes) -> None:
        for response in responses:
            data = response if isinstance(response, bytes) else encode_response(response)
            await self._context.write(data)

    async def challenge(self, refusal: Reason = Reason.UNSPECIFIED) -> Hello:
        """Lead the client through the proof, and check it."""
        hello = (await self.expect("hello")).hello
        await self.say(Challenge(NONCE, EXPIRES, refusal))
        proof = (await self.expect("proof")).proof
        transcript = proof_transcript(
            audience=hello.audience,
            server_nonce=NONCE,
            client_nonce=hello.client_nonce,
            public_key=hello.public_key,
            lobby=hello.lobby,
            expires_at_unix_millis=EXPIRES,
        )
        assert is_valid_signature(hello.public_key, transcript, proof.signature)
        return hello

    async def admit(
        self,
        lobby: ModelLobby,
        *,
        session: bytes = b"session-1",
        refusal: Reason = Reason.UNSPECIFIED,
        **odd: int,
    ) -> Hello:
        """Let the client in with a new session, and tell it the lobby."""
        hello = await self.challenge(refusal)
        await self.say(a_welcome(session, **odd), *lobby.snapshot())
        await self.expect("heartbeat")
        return hello

    async def resume(self, lobby: ModelLobby, *words: Response, **odd: int) -> Hello:
        """Continue the client's session, and tell it what changed, and then these."""
        hello = (await self.expect("hello")).hello
        assert hello.HasField("resume")
        generation = int(hello.resume.token.decode().rpartition("-")[2]) + 1
        await self.say(a_welcome(hello.resume.session_id, generation=generation, resumed=True, **odd))
        if hello.resume.revision < lobby.revision:
            await self.say(lobby.since(hello.resume.revision))
        await self.say(*words, lobby.heartbeat())
        await self.expect("heartbeat")
        return hello

    def end(
        self,
        code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE,
        reason: Reason | str | None = None,
        retry_seconds: float | None = None,
        details: str = "",
    ) -> None:
        """End the stream with a status, and a reason of Adsum's if there is one."""
        status = Status(code=code.value[0], message=details)
        if reason is not None:
            name = reason.name if isinstance(reason, Reason) else reason
            status.details.append(_packed(ErrorInfo(reason=name, domain=ERROR_DOMAIN)))
        if retry_seconds is not None:
            retry = RetryInfo()
            retry.retry_delay.FromNanoseconds(int(retry_seconds * 1e9))
            status.details.append(_packed(retry))
        self._decide((code, details, status.SerializeToString() if status.details else b""))

    def close(self) -> None:
        """End the stream with OK."""
        self._decide(None)

    async def serve(self, requests: AsyncIterator[PresenceRequest]) -> None:
        """Be the handler of the RPC."""
        try:
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(self._read(requests))
                verdict = await self._verdict
                reader.cancel()
        finally:
            self._requests.put_nowait(None)
            self.over.set()
        if verdict is not None:
            code, details, status = verdict
            metadata = (("grpc-status-details-bin", status),) if status else ()
            await self._context.abort(code, details, metadata)

    async def _read(self, requests: AsyncIterator[PresenceRequest]) -> None:
        async for request in requests:
            self._requests.put_nowait(request)
            if request.WhichOneof("request") == "leave":
                self.has_left = True
                self.close()
        self.close()

    def _decide(self, verdict: tuple[grpc.StatusCode, str, bytes] | None) -> None:
        if not self._verdict.done():
            self._verdict.set_result(verdict)


class ScriptedServer:
    """Listen on a port of this machine and hand every stream to the test."""

    def __init__(self, port: int = 0, credentials: grpc.ServerCredentials | None = None) -> None:
        self._port = port
        self._credentials = credentials
        self._streams: asyncio.Queue[ScriptedStream] = asyncio.Queue()
        self.accepted = 0

    @property
    def port(self) -> int:
        return self._port

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def accept(self) -> ScriptedStream:
        """Wait for the next stream."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._streams.get()

    async def admit(self, lobby: ModelLobby, *, session: bytes = b"session-1", **odd: int) -> ScriptedStream:
        """Wait for the next stream, and let it in with a new session."""
        stream = await self.accept()
        await stream.admit(lobby, session=session, refusal=Reason.UNSPECIFIED, **odd)
        return stream

    async def resume(self, lobby: ModelLobby, **odd: int) -> ScriptedStream:
        """Wait for the next stream, and continue its session."""
        stream = await self.accept()
        await stream.resume(lobby, **odd)
        return stream

    async def __aenter__(self) -> "ScriptedServer":
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        handler: grpc.RpcMethodHandler[PresenceRequest, bytes] = grpc.stream_stream_rpc_method_handler(
            self._presence, request_deserializer=PresenceRequest.FromString, response_serializer=None
        )
        service = grpc.method_handlers_generic_handler("adsum.v1.LobbyService", {"Presence": handler})
        self._server.add_generic_rpc_handlers((service,))
        address = f"127.0.0.1:{self._port}"
        if self._credentials is None:
            self._port = self._server.add_insecure_port(address)
        else:
            self._port = self._server.add_secure_port(address, self._credentials)
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._server.stop(None)

    async def _presence(
        self,
        requests: AsyncIterator[PresenceRequest],
        context: "grpc.aio.ServicerContext[PresenceRequest, bytes]",
    ) -> None:
        self.accepted += 1
        stream = ScriptedStream(context)
        self._streams.put_nowait(stream)
        await stream.serve(requests)


def a_welcome(
    session: bytes = b"session-1",
    *,
    generation: int = 1,
    resumed: int = False,
    heartbeat_millis: int = 5_000,
    lease_millis: int = 12_000,
    grace_millis: int = 5_000,
) -> Welcome:
    """Make a Welcome; its token shows the generation."""
    token = f"token-{generation}".encode()
    return Welcome(session, token, generation, bool(resumed), heartbeat_millis, lease_millis, grace_millis)


def _packed(detail: ErrorInfo | RetryInfo) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(detail)
    return packed
