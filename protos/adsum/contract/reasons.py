"""Every reason for which something is refused: one table.

The names and numbers are those of `adsum.v1.Reason`. In `google.rpc.ErrorInfo` a reason stands by its name, with the domain
`adsum`.
"""

from dataclasses import dataclass
from enum import IntEnum

ERROR_DOMAIN = "adsum"
"""The `domain` of every `google.rpc.ErrorInfo` that Adsum sends."""


class Reason(IntEnum):
    """Why something is refused. `TABLE` tells what follows from it."""

    UNSPECIFIED = 0
    MALFORMED_REQUEST = 1
    UNSUPPORTED_REQUEST = 2
    HELLO_EXPECTED = 3
    PROOF_EXPECTED = 4
    HANDSHAKE_REPEATED = 5
    HANDSHAKE_TIMEOUT = 6
    CHALLENGE_EXPIRED = 7
    BAD_KEY = 8
    BAD_NONCE = 9
    BAD_SIGNATURE = 10
    WRONG_AUDIENCE = 11
    BAD_LOBBY = 12
    BAD_NAME = 13
    BAD_STATUS = 14
    BAD_STATUS_TEXT = 15
    BAD_ATTRIBUTES = 16
    BAD_RECIPIENT = 17
    BAD_REQUEST_ID = 18
    LOBBY_FULL = 19
    TOO_MANY_LOBBIES = 20
    TOO_MANY_SESSIONS = 21
    TOO_MANY_STREAMS = 22
    TOO_MANY_REQUESTS = 23
    TOO_MANY_ERRORS = 24
    SLOW_READER = 25
    LEASE_EXPIRED = 26
    SESSION_REPLACED = 27
    SESSION_UNKNOWN = 28
    BAD_TOKEN = 29
    OBSERVER = 30
    DRAINING = 31
    STORE_UNAVAILABLE = 32
    INTERNAL = 33
    LOBBY_NOT_FOUND = 34
    BAD_PAGE = 35


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """What follows from a reason.

    `code` is the name of the gRPC status code, `retry` tells whether the same request may succeed later, and `text` is what the
    person sees.
    """

    code: str
    retry: bool
    text: str


TABLE: dict[Reason, ReasonRow] = {
    Reason.UNSPECIFIED: ReasonRow("UNKNOWN", False, "refused without a reason"),
    Reason.MALFORMED_REQUEST: ReasonRow("INVALID_ARGUMENT", False, "the server could not read the request"),
    Reason.UNSUPPORTED_REQUEST: ReasonRow("UNIMPLEMENTED", False, "the server does not know this request"),
    Reason.HELLO_EXPECTED: ReasonRow("FAILED_PRECONDITION", False, "the stream must start with a hello"),
    Reason.PROOF_EXPECTED: ReasonRow("FAILED_PRECONDITION", False, "the challenge must be answered first"),
    Reason.HANDSHAKE_REPEATED: ReasonRow("FAILED_PRECONDITION", False, "the handshake is already done"),
    Reason.HANDSHAKE_TIMEOUT: ReasonRow("DEADLINE_EXCEEDED", True, "the handshake took too long"),
    Reason.CHALLENGE_EXPIRED: ReasonRow("DEADLINE_EXCEEDED", True, "the challenge was answered too late"),
    Reason.BAD_KEY: ReasonRow("INVALID_ARGUMENT", False, "the public key is not a valid Ed25519 key"),
    Reason.BAD_NONCE: ReasonRow("INVALID_ARGUMENT", False, "the nonce must be 32 bytes"),
    Reason.BAD_SIGNATURE: ReasonRow("UNAUTHENTICATED", False, "the signature does not prove the key"),
    Reason.WRONG_AUDIENCE: ReasonRow(
        "UNAUTHENTICATED", False, "this server does not answer to the name that was dialled"
    ),
    Reason.BAD_LOBBY: ReasonRow("INVALID_ARGUMENT", False, "that is not a valid lobby name"),
    Reason.BAD_NAME: ReasonRow("INVALID_ARGUMENT", False, "that is not a valid display name"),
    Reason.BAD_STATUS: ReasonRow("INVALID_ARGUMENT", False, "that is not a valid status"),
    Reason.BAD_STATUS_TEXT: ReasonRow("INVALID_ARGUMENT", False, "that is not a valid status text"),
    Reason.BAD_ATTRIBUTES: ReasonRow(
        "INVALID_ARGUMENT", False, "the attributes are too large or not clean text"
    ),
    Reason.BAD_RECIPIENT: ReasonRow("INVALID_ARGUMENT", False, "that is not a member's key"),
    Reason.BAD_REQUEST_ID: ReasonRow("INVALID_ARGUMENT", False, "the request id must be greater than 0"),
    Reason.LOBBY_FULL: ReasonRow("RESOURCE_EXHAUSTED", True, "the lobby is full"),
    Reason.TOO_MANY_LOBBIES: ReasonRow(
        "RESOURCE_EXHAUSTED", True, "the server has no room for another lobby"
    ),
    Reason.TOO_MANY_SESSIONS: ReasonRow(
        "RESOURCE_EXHAUSTED", True, "you are in this lobby on too many devices"
    ),
    Reason.TOO_MANY_STREAMS: ReasonRow(
        "RESOURCE_EXHAUSTED", True, "too many connections are waiting to be let in"
    ),
    Reason.TOO_MANY_REQUESTS: ReasonRow("RESOURCE_EXHAUSTED", True, "requests come too fast"),
    Reason.TOO_MANY_ERRORS: ReasonRow("INVALID_ARGUMENT", False, "too many requests were refused"),
    Reason.SLOW_READER: ReasonRow("RESOURCE_EXHAUSTED", True, "the client does not read what it is sent"),
    Reason.LEASE_EXPIRED: ReasonRow(
        "DEADLINE_EXCEEDED", True, "nothing was heard from the client for too long"
    ),
    Reason.SESSION_REPLACED: ReasonRow("ABORTED", False, "another connection has taken over this session"),
    Reason.SESSION_UNKNOWN: ReasonRow("NOT_FOUND", True, "the session has ended"),
    Reason.BAD_TOKEN: ReasonRow("UNAUTHENTICATED", True, "the resume token is not valid"),
    Reason.OBSERVER: ReasonRow("FAILED_PRECONDITION", False, "an observer can only look"),
    Reason.DRAINING: ReasonRow("UNAVAILABLE", True, "the server is stopping"),
    Reason.STORE_UNAVAILABLE: ReasonRow("UNAVAILABLE", True, "the server can not reach its store"),
    Reason.INTERNAL: ReasonRow("INTERNAL", True, "the server made a mistake"),
    Reason.LOBBY_NOT_FOUND: ReasonRow("NOT_FOUND", False, "there is no such lobby"),
    Reason.BAD_PAGE: ReasonRow("INVALID_ARGUMENT", False, "the page size or page token is not valid"),
}
"""One row for each reason."""
