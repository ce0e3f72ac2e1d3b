"""How a stream ended, read from its trailers without a checker's mercy: whatever stands there is kept."""

import base64
from dataclasses import dataclass
from urllib.parse import unquote

from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

_DETAILS = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a stream ended: by a gRPC status (`code`, None if there was none), a reset, or with its connection."""

    code: int | None
    message: str
    reason: str | None = None
    domain: str = ""
    has_retry: bool = False
    reset: int | None = None
    http_status: str = ""


def ending_of(headers: dict[str, str], http_status: str = "") -> Ending:
    """Read a status, and what Adsum adds to it, out of trailers."""
    code = headers.get("grpc-status")
    message = unquote(headers.get("grpc-message", ""))
    number = int(code) if code is not None and code.isdigit() else None
    if _DETAILS not in headers:
        return Ending(number, message, http_status=http_status)
    written = headers[_DETAILS].encode("latin-1")
    raw = written[1:] if written[:1] == b"\0" else base64.b64decode(written + b"==")
    info, retry = ErrorInfo(), RetryInfo()
    has_retry = False
    for detail in Status.FromString(raw).details:
        _ = detail.Unpack(info)
        has_retry = detail.Unpack(retry) or has_retry
    return Ending(number, message, info.reason, info.domain, has_retry, http_status=http_status)
