"""Who is in a lobby, as values: a member, what they say about themselves, and whether they can be reached.

All are frozen: a member that changes is a new `Member` in the roster, and one that was read before keeps
saying what was true then.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from adsum.contract.identity import fingerprint


class Liveness(IntEnum):
    """Whether a member can be reached right now, as the server sees it."""

    ONLINE = 1
    SUSPECT = 2
    """The connection is lost or silent: unavailable, and gone when the grace period ends."""


class Status(IntEnum):
    """What a person says about themselves. It never changes whether they can be reached."""

    AVAILABLE = 1
    AWAY = 2
    BUSY = 3


class DepartureReason(IntEnum):
    """Why a member is no longer in the lobby."""

    LEFT = 1
    """Said so. Also given where nobody can tell any more: the member is missing from a snapshot, or came back in the meantime."""
    LOST = 2
    """The connection was lost and the grace period ended."""
    REMOVED = 3
    """An operator removed the member."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Hold what a member says about themselves. All of it is a claim: show the fingerprint beside the name."""

    name: str
    status: Status = Status.AVAILABLE
    status_text: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Free attributes of the application. Treat them as read-only."""


@dataclass(frozen=True, slots=True)
class Member:
    """Hold one member of a lobby, as it was when this was read.

    The texts in `profile` come from another person: clean them (`adsum.contract.text.clean`) before they
    reach a terminal.
    """

    public_key: bytes
    """The identity: 32 bytes."""
    incarnation: int
    """Changes when the member goes and comes back; not when the connection blips. Compare it within one epoch only."""
    revision: int
    """The lobby's revision of the last change of this member."""
    liveness: Liveness
    profile: Profile
    joined_at: datetime
    """When this incarnation began, by the server's clock, in UTC."""
    session_count: int
    """How many sessions (devices) the member has in this lobby."""

    @property
    def name(self) -> str:
        """The display name that the member claims."""
        return self.profile.name

    @property
    def fingerprint(self) -> str:
        """The short name of the key, such as `k7q2-m4xd`."""
        return fingerprint(self.public_key)

    @property
    def is_available(self) -> bool:
        """True if the member can be reached right now."""
        return self.liveness is Liveness.ONLINE
