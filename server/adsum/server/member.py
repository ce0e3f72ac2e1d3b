"""The people in a lobby, as values.

A *session* is one client of a person; it is what a store keeps. A *member* is folded from its sessions: it is online if any of
them is, and says what the latest of them said. Nothing here changes and nothing here decides; every value is frozen.
"""

from dataclasses import dataclass
from enum import IntEnum


class Liveness(IntEnum):
    """Whether a session or a member can be reached. Ordered: the greater is the better."""

    SUSPECT = 1
    ONLINE = 2


class Status(IntEnum):
    """What a person says about their availability."""

    AVAILABLE = 1
    AWAY = 2
    BUSY = 3


class DepartureReason(IntEnum):
    """Why a member is no longer in the lobby."""

    LEFT = 1
    LOST = 2
    REMOVED = 3


@dataclass(frozen=True, slots=True)
class Profile:
    """What a person says about themselves: normalised and checked text. Attributes are sorted by key."""

    name: str
    status: Status = Status.AVAILABLE
    status_text: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """One client of a member, as the store keeps it.

    `generation` counts the streams the session has had. `profile_revision` is the revision at which this session last set its
    profile, and `joined_at_millis` when the member's incarnation began (milliseconds since 1970-01-01 UTC); the store fills in
    both and `incarnation`.
    """

    id: bytes
    public_key: bytes
    generation: int
    liveness: Liveness
    profile: Profile
    joined_at_millis: int
    incarnation: int = 0
    profile_revision: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """A person in a lobby, folded from at least one session.

    `revision` is that of the last change of any of the sessions, those that have gone since included.
    """

    public_key: bytes
    incarnation: int
    revision: int
    sessions: tuple[Session, ...]

    @property
    def liveness(self) -> Liveness:
        """The best liveness of the sessions."""
        return max(session.liveness for session in self.sessions)

    @property
    def profile(self) -> Profile:
        """The profile that was set last."""
        return max(self.sessions, key=lambda session: session.profile_revision).profile

    @property
    def joined_at_millis(self) -> int:
        """When this incarnation began, in milliseconds since 1970-01-01 UTC."""
        return self.sessions[0].joined_at_millis


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is remembered of a member that has gone.

    `first_incarnation` is the oldest under which any stream that can be served by a difference may hold the member: one that stands
    before it never saw the member and needn't hear of its departure. `buried_at` is when the member went, by the clock that is
    passed in as `now`.
    """

    public_key: bytes
    first_incarnation: int
    revision: int
    reason: DepartureReason
    buried_at: float
