"""What clients say and what the server says, as values without protobuf.

Each class mirrors the message of the same name in `adsum.v1`, where the meaning of every field is written down. `wire` turns bytes
into requests and responses into bytes. A request here is only well-formed; whether it is allowed is decided by the cores.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from adsum.contract.reasons import Reason
from adsum.server.member import DepartureReason


@dataclass(frozen=True, slots=True)
class ProfileClaim:
    """A profile as a client sent it: not yet normalised or checked, the status still a number."""

    name: str
    status: int
    status_text: str
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Resume:
    """Names the session to continue and what its client still holds."""

    session_id: bytes
    token: bytes
    epoch: int
    revision: int
    digest: int


@dataclass(frozen=True, slots=True)
class Hello:
    """Opens a session, or resumes one."""

    lobby: str
    public_key: bytes
    client_nonce: bytes
    audience: str
    profile: ProfileClaim
    resume: Resume | None = None
    observer: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """Proves that the client holds the private key."""

    signature: bytes


@dataclass(frozen=True, slots=True)
class UpdateProfile:
    """Replaces the session's profile."""

    request_id: int
    profile: ProfileClaim


@dataclass(frozen=True, slots=True)
class Select:
    """Selects a member; an empty key clears the selection."""

    request_id: int
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Send:
    """Sends a direct message. `incarnation` 0 means any."""

    request_id: int
    recipient: bytes
    payload: bytes
    incarnation: int


@dataclass(frozen=True, slots=True)
class Ack:
    """Confirms a delivery."""

    delivery_id: int


@dataclass(frozen=True, slots=True)
class ClientHeartbeat:
    """Tells that the client lives and what it holds."""

    epoch: int
    revision: int
    digest: int
    echo: int


@dataclass(frozen=True, slots=True)
class Resync:
    """Asks for a snapshot. `reason` is the number the client gave."""

    reason: int


@dataclass(frozen=True, slots=True)
class Leave:
    """Leaves at once and for good."""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A request of a kind that this server doesn't know."""


Request: TypeAlias = (
    Hello | Proof | UpdateProfile | Select | Send | Ack | ClientHeartbeat | Resync | Leave | Unsupported
)


@dataclass(frozen=True, slots=True)
class Challenge:
    """Asks for a proof of the key."""

    server_nonce: bytes
    expires_at_unix_millis: int
    resume_refusal: Reason = Reason.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Welcome:
    """Accepts the session. The rest of the message follows from the server's limits."""

    session_id: bytes
    resume_token: bytes
    generation: int
    resumed: bool


class SelectionState(IntEnum):
    """Whether the selected member can be written to."""

    AVAILABLE = 1
    UNAVAILABLE = 2
    CLEARED = 3


class SelectionReason(IntEnum):
    """Why the selection is as it is."""

    NONE = 0
    SUSPECT = 1
    NOT_PRESENT = 2
    LEFT = 3
    LOST = 4
    BY_CLIENT = 5
    REMOVED = 6


SELECTION_REASON_OF_DEPARTURE = {
    DepartureReason.LEFT: SelectionReason.LEFT,
    DepartureReason.LOST: SelectionReason.LOST,
    DepartureReason.REMOVED: SelectionReason.REMOVED,
}
"""How a departure clears a selection."""


@dataclass(frozen=True, slots=True)
class SelectionUpdate:
    """Tells what became of the selected member."""

    request_id: int
    public_key: bytes
    incarnation: int
    state: SelectionState
    reason: SelectionReason
    revision: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """Hands over a direct message."""

    delivery_id: int
    sender: bytes
    sender_incarnation: int
    payload: bytes
    sent_at_unix_millis: int


class SendOutcome(IntEnum):
    """What became of a direct message."""

    DELIVERED = 1
    RECIPIENT_OFFLINE = 2
    RECIPIENT_SUSPECT = 3
    RECIPIENT_CHANGED = 4
    RECIPIENT_BUSY = 5
    RECIPIENT_WENT_OFFLINE = 6
    UNCONFIRMED = 7
    RATE_LIMITED = 8
    TOO_LARGE = 9


@dataclass(frozen=True, slots=True)
class SendResult:
    """Tells what became of a direct message."""

    request_id: int
    outcome: SendOutcome
    revision: int


@dataclass(frozen=True, slots=True)
class ServerHeartbeat:
    """Tells that the server lives and what the client should hold."""

    epoch: int
    revision: int
    digest: int
    count: int
    server_time_unix_millis: int
    nonce: int
    round_trip_micros: int
    degraded: bool


@dataclass(frozen=True, slots=True)
class Draining:
    """Says that the server is about to stop."""

    deadline_millis: int
    reconnect_delay_millis: int


@dataclass(frozen=True, slots=True)
class RequestError:
    """Refuses one request; the stream goes on."""

    request_id: int
    reason: Reason
    message: str
    retry_after_millis: int = 0


Response: TypeAlias = (
    Challenge | Welcome | SelectionUpdate | Delivery | SendResult | ServerHeartbeat | Draining | RequestError
)
"""What is said to one stream alone. Snapshots and deltas are made by `wire` from the lobby itself."""
