"""What a store hands out: a lobby as it stands, each change after that, and the reasons for not writing."""

from dataclasses import dataclass
from enum import Enum

from adsum.server.member import DepartureReason, Member


@dataclass(frozen=True, slots=True)
class StoredLobby:
    """A lobby as it stands in the store: what a fold starts from.

    `complete_since` is the oldest revision after which nobody has gone, so that the members alone tell what has changed since;
    None if that is only known of `revision` itself.
    """

    name: str
    epoch: int
    revision: int
    members: tuple[Member, ...]
    complete_since: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a lobby's history: what happened to one session at one revision.

    `member` is the member after the change, or None if the last of its sessions has gone; then `reason` tells why.
    """

    lobby: str
    epoch: int
    revision: int
    public_key: bytes
    session_id: bytes
    member: Member | None
    reason: DepartureReason | None = None


class Refusal(Enum):
    """Why a store did not write."""

    FENCED = "an older generation wrote"
    ABSENT = "there is no such session"
    LOBBY_FULL = "the lobby has as many members as it may"
    TOO_MANY_SESSIONS = "the member has as many sessions as it may"
    TOO_MANY_LOBBIES = "there are as many lobbies as there may be"
    UNAVAILABLE = "the store can't be reached"
