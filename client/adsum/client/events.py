"""What an application is told, in the order in which it happened, and the two values it can also read at any time.

Every event is frozen. An event that belongs to a change of the lobby has the `revision` of that change.
Applying the membership events (`Snapshotted`, `Joined`, `Updated`, `Suspect`, `Back`, `Left`) in order to an
empty list gives what `lobby.roster` shows, until an `Overflowed` says that some were dropped.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from adsum.client.member import DepartureReason, Member
from adsum.client.messages import SelectionReason, SelectionState
from adsum.contract.reasons import Reason


class Phase(Enum):
    """Where the connection stands."""

    CONNECTING = "connecting"
    """The first list has not come yet."""
    LIVE = "live"
    """Connected, and the list is the server's."""
    RECONNECTING = "reconnecting"
    """The connection is lost, and another is waited for or under way. The list is as it was."""
    STALE = "stale"
    """Connected, but the list can't be trusted now: a resync is under way, or the server has been silent for too long."""
    DEGRADED = "degraded"
    """Connected, and the server says that it has trouble: the list may be behind, and nobody is removed because of it."""
    CLOSED = "closed"
    """Left, or ended for good."""


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """Hold where the connection stands and why."""

    phase: Phase
    cause: str = ""
    """Why, for a person to read; empty where nothing needs a reason."""
    retry_at: float | None = None
    """When the next attempt starts, by the event loop's clock; None if none is planned or one is under way."""
    retry_in_seconds: float | None = None
    """The same, counted from the moment of the change to this state."""

    @property
    def is_live(self) -> bool:
        """True if what the roster and the selection say is what the server says: `LIVE` or `DEGRADED`."""
        return self.phase in (Phase.LIVE, Phase.DEGRADED)


@dataclass(frozen=True, slots=True)
class SnapshotProgress:
    """Hold how much of a list that is being fetched has come."""

    chunks: int
    chunk_count: int
    members: int
    member_count: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Hold who is selected, and whether they can be written to.

    While this client's own connection is lost the state is never `AVAILABLE` but `UNAVAILABLE` with
    `NOT_CONNECTED`; and it is never `AVAILABLE` for somebody whom the roster doesn't show online.
    """

    public_key: bytes
    incarnation: int
    state: SelectionState
    reason: SelectionReason

    @property
    def is_available(self) -> bool:
        """True if the server confirms that the member can be written to."""
        return self.state is SelectionState.AVAILABLE


class RepairCause(Enum):
    """Why a list had to be replaced."""

    GAP = "gap"
    """Changes were missing; also after an absence longer than the server remembers changes."""
    EPOCH = "epoch"
    """The lobby's history has started afresh: the server was restarted."""
    DIGEST = "digest"
    """The list differed from the server's."""
    REQUESTED = "requested"
    """The application asked for it."""


@dataclass(frozen=True, slots=True)
class Snapshotted:
    """Tell the first list, once: all members, ordered as in the roster."""

    members: tuple[Member, ...]
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Joined:
    """Tell that a member has come."""

    member: Member

    @property
    def revision(self) -> int:
        """The lobby's revision of this change."""
        return self.member.revision


@dataclass(frozen=True, slots=True)
class Updated:
    """Tell that a member's profile or number of sessions has changed."""

    member: Member
    before: Member

    @property
    def revision(self) -> int:
        """The lobby's revision of this change."""
        return self.member.revision


@dataclass(frozen=True, slots=True)
class Suspect:
    """Tell that a member's connection is lost: unavailable from now on, gone when the grace period ends."""

    member: Member

    @property
    def revision(self) -> int:
        """The lobby's revision of this change."""
        return self.member.revision


@dataclass(frozen=True, slots=True)
class Back:
    """Tell that a suspect member is online again, without having been gone."""

    member: Member

    @property
    def revision(self) -> int:
        """The lobby's revision of this change."""
        return self.member.revision


@dataclass(frozen=True, slots=True)
class Left:
    """Tell that a member has gone; `member` is the last that was known of it."""

    member: Member
    reason: DepartureReason
    revision: int = 0


@dataclass(frozen=True, slots=True)
class SelectionChanged:
    """Tell that the selection, or whether the selected member can be written to, has changed.

    `member` is the roster's record of `public_key`, None if it isn't there. `was` is the state before; None
    if nothing was selected.
    """

    public_key: bytes
    member: Member | None
    state: SelectionState
    reason: SelectionReason
    was: SelectionState | None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """Tell a direct message. It has been acknowledged: the sender learns `DELIVERED`.

    `sender_key` is proved; `sender` is the roster's record of it when the message came, None if it wasn't
    there.
    """

    delivery_id: int
    sender: Member | None
    sender_key: bytes
    payload: bytes
    sent_at: datetime
    """When the server received it, by its clock, in UTC."""

    @property
    def text(self) -> str:
        """The payload read as UTF-8, with U+FFFD for what isn't. Clean it before it reaches a terminal."""
        return self.payload.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class StateChanged:
    """Tell that the connection stands differently."""

    state: ConnectionState
    before: ConnectionState


@dataclass(frozen=True, slots=True)
class Repaired:
    """Tell that the list was replaced by a snapshot. The difference has been told by the events just before, counted here."""

    cause: RepairCause
    joined: int
    updated: int
    """How many members changed in any way but coming and going."""
    left: int
    revision: int = 0


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """Tell that the server refused one request; the connection goes on.

    Told only of requests whose caller isn't waiting for an answer any more, such as a profile update.
    """

    request_id: int
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Overflowed:
    """Tell that the application didn't read for so long that events were dropped: all but messages, and `dropped` is how many.

    Read `lobby.roster`, `lobby.selection` and `lobby.state` again. Events that follow may tell what these
    show already.
    """

    dropped: int


MembershipEvent: TypeAlias = Joined | Updated | Suspect | Back | Left
Event: TypeAlias = (
    Snapshotted
    | Joined
    | Updated
    | Suspect
    | Back
    | Left
    | SelectionChanged
    | MessageReceived
    | StateChanged
    | Repaired
    | RequestRefused
    | Overflowed
)
