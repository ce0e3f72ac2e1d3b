"""gRPC's own services beside ours: health and reflection, as grpcio ships them.

As grpcio registers them, bytes that are no request raise inside gRPC, which logs a traceback for each and tells the caller Python's words.
Here they are refused with a reason, as in our own services.
"""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeAlias, TypeVar, cast

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1.health import SERVICE_NAME as HEALTH_SERVICE_NAME
from grpc_health.v1.health import aio as health_aio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from adsum.contract.reasons import Reason
from adsum.server.service import Context, refuse
from adsum.server.session import Fault

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response")
_Answering: TypeAlias = Callable[[AsyncIterable[Request], Context], AsyncIterable[Response]]


def health_handler(servicer: health_aio.HealthServicer) -> grpc.GenericRpcHandler:
    """Make the handler of the health service to be added to a server."""
    to_bytes = HealthCheckResponse.SerializeToString
    return grpc.method_handlers_generic_handler(
        HEALTH_SERVICE_NAME,
        {
            "Check": grpc.unary_unary_rpc_method_handler(
                _one(HealthCheckRequest, servicer.Check), response_serializer=to_bytes
            ),
            "Watch": grpc.unary_stream_rpc_method_handler(
                _one(HealthCheckRequest, servicer.Watch), response_serializer=to_bytes
            ),
        },
    )


def reflection_handler(service_names: Iterable[str]) -> grpc.GenericRpcHandler:
    """Make the handler of the reflection service, which describes these services and itself."""
    servicer = reflection.aio.ReflectionServicer((*service_names, reflection.SERVICE_NAME))
    # Its stubs take an asynchronous generator for a coroutine.
    answer = cast(
        "_Answering[ServerReflectionRequest, ServerReflectionResponse]", servicer.ServerReflectionInfo
    )
    return grpc.method_handlers_generic_handler(
        reflection.SERVICE_NAME,
        {
            "ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(
                _many(ServerReflectionRequest, answer),
                response_serializer=ServerReflectionResponse.SerializeToString,
            )
        },
    )


def _one(
    kind: type[Request], answer: Callable[[Request, Any], Awaitable[Response]]
) -> Callable[[bytes, Context], Awaitable[Response]]:
    async def judged(content: bytes, context: Context) -> Response:
        try:
            request = kind.FromString(content)
        except DecodeError as error:
            await refuse(context, Fault(Reason.MALFORMED_REQUEST, str(error)))
        return await answer(request, context)

    return judged


def _many(
    kind: type[Request], answer: _Answering[Request, Response]
) -> Callable[[AsyncIterable[bytes], Context], AsyncIterator[Response]]:
    async def judged(contents: AsyncIterable[bytes], context: Context) -> AsyncIterator[Response]:
        requests = (kind.FromString(content) async for content in contents)
        try:
            async for response in answer(requests, context):
                yield response
        except DecodeError as error:
            await refuse(context, Fault(Reason.MALFORMED_REQUEST, str(error)))

    return judged
