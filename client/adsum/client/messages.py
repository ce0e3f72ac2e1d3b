"""What client and server say to each other, as frozen values: the messages of `adsum.v1` that a client handles.

Each class mirrors the message of its name, and the contract's comments tell what it means. Nothing here knows
protobuf; `wire` translates. Enumerations have the contract's names and numbers without the prefixes.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from adsum.client.member import DepartureReason, Member, Profile
from adsum.contract.limits import Limits as Defaults
from adsum.contract.reasons import Reason


class SendOutcome(IntEnum):
    """What became of a message."""

    DELIVERED = 1
    RECIPIENT_OFFLINE = 2
    RECIPIENT_SUSPECT = 3
    RECIPIENT_CHANGED = 4
    RECIPIENT_BUSY = 5
    RECIPIENT_WENT_OFFLINE = 6
    UNCONFIRMED = 7
    RATE_LIMITED = 8
    TOO_LARGE = 9


class SelectionState(IntEnum):
    """Whether the selected member can be written to."""

    AVAILABLE = 1
    UNAVAILABLE = 2
    CLEARED = 3


class SelectionReason(IntEnum):
    """Why the selection is as it is. The last two are the library's own and never on the wire."""

    NONE = 0
    """The state needs no reason."""
    SUSPECT = 1
    """The member's connection is lost; it may be back."""
    NOT_PRESENT = 2
    """There was no such member when it was selected; or the list has just lost it, and the server's word is on its way."""
    LEFT = 3
    LOST = 4
    """The member's connection was lost for good."""
    BY_CLIENT = 5
    """The selection was cleared, or somebody else selected."""
    REMOVED = 6
    NOT_CONNECTED = 100
    """This client's own connection is lost: nobody can say whether the member can be written to."""
    SESSION_LOST = 101
    """This client's session could not be resumed, and the selection went with it."""


class ResyncReason(IntEnum):
    """Why a client asks for a snapshot."""

    GAP = 1
    EPOCH = 2
    DIGEST = 3
    REQUESTED = 4


# What the client says.


@dataclass(frozen=True, slots=True)
class Resume:
    """Name the session to continue, and the list still held."""

    session_id: bytes
    token: bytes
    epoch: int
    revision: int
    digest: int

    def __repr__(self) -> str:
        """Show everything but the token, which is a secret."""
        return f"Resume(session_id={self.session_id.hex()}, epoch={self.epoch}, revision={self.revision})"


@dataclass(frozen=True, slots=True)
class Hello:
    """Open a session, or resume one."""

    lobby: str
    public_key: bytes
    client_nonce: bytes
    audience: str
    profile: Profile
    resume: Resume | None = None
    observer: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """Prove possession of the private key."""

    signature: bytes


@dataclass(frozen=True, slots=True)
class UpdateProfile:
    """Replace the session's profile."""

    request_id: int
    profile: Profile


@dataclass(frozen=True, slots=True)
class Select:
    """Select a member, or clear the selection with an empty key."""

    request_id: int
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Send:
    """Send a direct message."""

    request_id: int
    recipient: bytes
    payload: bytes
    incarnation: int = 0


@dataclass(frozen=True, slots=True)
class Ack:
    """Confirm a delivery."""

    delivery_id: int


@dataclass(frozen=True, slots=True)
class ClientHeartbeat:
    """Say what list is held."""

    epoch: int
    revision: int
    digest: int
    echo: int


@dataclass(frozen=True, slots=True)
class Resync:
    """Ask for a snapshot."""

    reason: ResyncReason


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the lobby for good."""


Request = Hello | Proof | UpdateProfile | Select | Send | Ack | ClientHeartbeat | Resync | Leave


# What the server says.


@dataclass(frozen=True, slots=True)
class Challenge:
    """Ask for a proof."""

    server_nonce: bytes
    expires_at_unix_millis: int
    resume_refusal: Reason = Reason.UNSPECIFIED


_DEFAULTS = Defaults()


@dataclass(frozen=True, slots=True)
class Limits:
    """Hold what a server accepts: sizes in bytes, rates per second."""

    message_bytes: int = _DEFAULTS.message_bytes
    payload_bytes: int = _DEFAULTS.payload_bytes
    sends_per_second: int = int(_DEFAULTS.sends_per_second)
    send_burst: int = _DEFAULTS.send_burst
    updates_per_second: int = int(_DEFAULTS.updates_per_second)
    update_burst: int = _DEFAULTS.update_burst


@dataclass(frozen=True, slots=True)
class Welcome:
    """Accept the session."""

    session_id: bytes
    resume_token: bytes
    generation: int
    resumed: bool
    heartbeat_millis: int
    lease_millis: int
    grace_millis: int
    limits: Limits = Limits()

    def __repr__(self) -> str:
        """Show everything but the token, which is a secret."""
        return f"Welcome(session_id={self.session_id.hex()}, generation={self.generation}, resumed={self.resumed})"


@dataclass(frozen=True, slots=True)
class Departure:
    """Name a member that has gone."""

    public_key: bytes
    revision: int
    reason: DepartureReason


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Carry a part of the whole lobby."""

    epoch: int
    revision: int
    members: tuple[Member, ...]
    digest: int
    count: int
    last: bool
    chunk_index: int = 0
    chunk_count: int = 1


@dataclass(frozen=True, slots=True)
class Delta:
    """Carry everything that changed since a revision."""

    epoch: int
    base_revision: int
    revision: int
    joined: tuple[Member, ...]
    updated: tuple[Member, ...]
    left: tuple[Departure, ...]
    digest: int
    count: int


@dataclass(frozen=True, slots=True)
class SelectionUpdate:
    """Tell what became of the selected member."""

    request_id: int
    public_key: bytes
    incarnation: int
    state: SelectionState
    reason: SelectionReason
    revision: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """Carry a direct message for this client."""

    delivery_id: int
    sender: bytes
    sender_incarnation: int
    payload: bytes
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class SendResult:
    """Tell what became of a message that was sent."""

    request_id: int
    outcome: SendOutcome
    revision: int


@dataclass(frozen=True, slots=True)
class ServerHeartbeat:
    """Tell what list the client should hold."""

    epoch: int
    revision: int
    digest: int
    count: int
    server_time_unix_millis: int
    nonce: int
    round_trip_micros: int = 0
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class Draining:
    """Ask the client to move: in milliseconds."""

    deadline_millis: int
    reconnect_delay_millis: int


@dataclass(frozen=True, slots=True)
class RequestError:
    """Refuse one request."""

    request_id: int
    reason: Reason
    message: str
    retry_after_millis: int = 0


Response = (
    Challenge
    | Welcome
    | Snapshot
    | Delta
    | SelectionUpdate
    | Delivery
    | SendResult
    | ServerHeartbeat
    | Draining
    | RequestError
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Hold what the status that ended a stream says in Adsum's own words."""

    reason: Reason | None
    """None if it names one that isn't known here."""
    retry_seconds: float | None
    """After how long trying again may help; None if the server doesn't say that it can."""
