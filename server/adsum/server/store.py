"""The port to whatever gives changes their order.

A store keeps, for each lobby, an epoch, a revision and the sessions of each member. It is the only one who invents revisions. It doesn't
know streams, deadlines or clocks: a session is in it until somebody drops it.

Contract, for every implementation:

- *Atomic*: a write happens as a whole or not at all, and takes exactly one revision if it happens.
- *Ordered*: subscribers are told of every change of a lobby once, in the order of revisions, without a hole, and before the writer's
  own call returns or later.
- *Fenced*: a write that names an older generation of a session than the store has is refused with `FENCED` and changes nothing. So
  a late "connection lost" can't hurt a session that is back on another stream.
- *Idempotent*: dropping a session that isn't there is `ABSENT` and takes no revision.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from adsum.server.history import Change, Refusal, StoredLobby
from adsum.server.member import DepartureReason, Session

Subscriber: TypeAlias = Callable[[Change], None]
"""Is called for each change of a lobby. It must not block, raise or call the store."""


class Store(Protocol):
    """Keep the sessions of lobbies and give every change its revision. See the module for the contract."""

    async def put(self, lobby: str, session: Session, *, sets_profile: bool) -> Change | Refusal:
        """Add a session or replace its record.

        The store fills in `incarnation`, and `profile_revision` if `sets_profile` is true; `joined_at_millis` is taken from the first
        session of the member's incarnation. A session of generation 1 is added if it isn't there, a later one only replaces.

        Returns:
            The change, or FENCED, ABSENT, LOBBY_FULL, TOO_MANY_SESSIONS, TOO_MANY_LOBBIES or UNAVAILABLE.
        """

    async def drop(
        self, lobby: str, session_id: bytes, public_key: bytes, generation: int, reason: DepartureReason
    ) -> Change | Refusal:
        """Remove a session for good. If it was its member's last, the member has gone for `reason`.

        Returns:
            The change, or FENCED, ABSENT or UNAVAILABLE.
        """

    async def open(self, lobby: str, subscriber: Subscriber) -> StoredLobby | Refusal:
        """Tell a subscriber of each change of a lobby from now on, and return the lobby as it stands before the first of them.

        A lobby that doesn't exist is created, empty and in a new epoch. At most one subscriber for each lobby and store object.

        Returns:
            The lobby, or TOO_MANY_LOBBIES or UNAVAILABLE.
        """

    async def close(self, lobby: str) -> None:
        """Stop telling the subscriber of a lobby.

        A lobby without members and subscribers is forgotten; its next history has a new epoch.
        """
