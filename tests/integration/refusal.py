"""How an RPC ended: its status and, for a refusal, the typed reason that must stand in it."""

from dataclasses import dataclass

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from adsum.contract.reasons import ERROR_DOMAIN, TABLE, Reason
from tests.integration.promises import promised

DETAILS_KEY = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True)
class Ending:
    """Hold the status of an RPC. `reason` is None if it carries no ErrorInfo."""

    code: grpc.StatusCode
    message: str
    reason: Reason | None
    retry_seconds: float | None


async def ending_of(call: grpc.aio.Call) -> Ending:
    """Wait for the end of a call, and read how it ended."""
    return _read(await call.code(), await call.details(), await call.trailing_metadata())


def ending_of_error(error: grpc.aio.AioRpcError) -> Ending:
    """Read how a call ended from what it raised."""
    return _read(error.code(), error.details() or "", error.trailing_metadata())


def _read(code: grpc.StatusCode, message: str, trailers: grpc.aio.Metadata | None) -> Ending:
    details = trailers.get(DETAILS_KEY) if trailers is not None else None
    if details is None:
        return Ending(code, message, None, None)
    promised("contract", isinstance(details, bytes), f"{DETAILS_KEY} is not bytes")
    status = Status.FromString(bytes(details) if isinstance(details, bytes) else b"")
    info, retry = ErrorInfo(), RetryInfo()
    for detail in status.details:
        _ = detail.Unpack(info) or detail.Unpack(retry)
    reason = Reason[info.reason]
    row = TABLE[reason]
    promised("contract", info.domain == ERROR_DOMAIN, f"the domain of {reason.name} is {info.domain!r}")
    promised("contract", code.name == row.code, f"{reason.name} came with {code.name}, not {row.code}")
    promised(
        "contract", status.code == code.value[0] and status.message == message, "status and details disagree"
    )
    seconds = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9 or None
    promised("contract", (seconds is not None) == row.retry, f"{reason.name} says: retry after {seconds}")
    return Ending(code, message, reason, seconds)
