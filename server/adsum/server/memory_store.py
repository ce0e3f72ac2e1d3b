"""A store in this process's memory: for one node, the default.

A counter and a dictionary for each lobby. Writes never wait, so each is atomic by itself, and the subscriber has been told when
`put` or `drop` returns.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from adsum.contract.limits import Limits
from adsum.server.history import Change, Refusal, StoredLobby
from adsum.server.member import DepartureReason, Liveness, Member, Session
from adsum.server.store import Subscriber


@dataclass(slots=True)
class _Shelf:
    epoch: int
    revision: int = 0
    members: dict[bytes, Member] = field(default_factory=dict)
    subscriber: Subscriber | None = None
    complete_since: int | None = None


class MemoryStore:
    """Keep lobbies in memory. `draw_epoch` gives a fresh random 64-bit number for each new history."""

    def __init__(self, limits: Limits, draw_epoch: Callable[[], int]) -> None:
        self._limits = limits
        self._draw_epoch = draw_epoch
        self._shelves: dict[str, _Shelf] = {}

    async def put(self, lobby: str, session: Session, *, sets_profile: bool) -> Change | Refusal:
        """See `Store.put`. Never UNAVAILABLE."""
        if lobby not in self._shelves and session.generation != 1:
            return Refusal.ABSENT
        shelf = self._shelf(lobby)
        if shelf is None:
            return Refusal.TOO_MANY_LOBBIES
        member = shelf.members.get(session.public_key)
        others = tuple(other for other in member.sessions if other.id != session.id) if member else ()
        before = (
            next((other for other in member.sessions if other.id == session.id), None) if member else None
        )
        if before is None:
            if session.generation != 1:
                return Refusal.ABSENT
            if member is None and len(shelf.members) >= self._limits.members_per_lobby:
                return Refusal.LOBBY_FULL
            if len(others) >= self._limits.sessions_per_member:
                return Refusal.TOO_MANY_SESSIONS
        elif session.generation < before.generation:
            return Refusal.FENCED
        shelf.revision += 1
        kept = replace(
            session,
            incarnation=member.incarnation if member else shelf.revision,
            joined_at_millis=member.joined_at_millis if member else session.joined_at_millis,
            profile_revision=shelf.revision if sets_profile or before is None else before.profile_revision,
        )
        after = Member(session.public_key, kept.incarnation, shelf.revision, (*others, kept))
        shelf.members[session.public_key] = after
        return self._tell(
            shelf, Change(lobby, shelf.epoch, shelf.revision, session.public_key, session.id, after)
        )

    async def drop(
        self, lobby: str, session_id: bytes, public_key: bytes, generation: int, reason: DepartureReason
    ) -> Change | Refusal:
        """See `Store.drop`. Never UNAVAILABLE."""
        shelf = self._shelves.get(lobby)
        member = shelf.members.get(public_key) if shelf else None
        session = (
            next((session for session in member.sessions if session.id == session_id), None)
            if member
            else None
        )
        if shelf is None or member is None or session is None:
            return Refusal.ABSENT
        if generation < session.generation:
            return Refusal.FENCED
        shelf.revision += 1
        others = tuple(other for other in member.sessions if other.id != session_id)
        after = replace(member, revision=shelf.revision, sessions=others) if others else None
        if after is None:
            del shelf.members[public_key]
            shelf.complete_since = None
            if not shelf.members and shelf.subscriber is None:
                del self._shelves[lobby]
        else:
            shelf.members[public_key] = after
        change = Change(
            lobby,
            shelf.epoch,
            shelf.revision,
            public_key,
            session_id,
            after,
            None if after is not None else reason,
        )
        return self._tell(shelf, change)

    async def open(self, lobby: str, subscriber: Subscriber) -> StoredLobby | Refusal:
        """See `Store.open`. Never UNAVAILABLE."""
        shelf = self._shelf(lobby)
        if shelf is None:
            return Refusal.TOO_MANY_LOBBIES
        if shelf.subscriber is not None:
            raise AssertionError(f"lobby {lobby!r} is open already")
        shelf.subscriber = subscriber
        stored = StoredLobby(
            lobby, shelf.epoch, shelf.revision, tuple(shelf.members.values()), shelf.complete_since
        )
        # Somebody may go from now on, and a later subscriber would not be told of it.
        shelf.complete_since = None
        return stored

    async def close(self, lobby: str) -> None:
        """See `Store.close`."""
        shelf = self._shelves.get(lobby)
        if shelf is None:
            return
        shelf.subscriber = None
        if not shelf.members:
            del self._shelves[lobby]

    def dump(self) -> list[StoredLobby]:
        """Copy out every lobby that has members, for a successor of this process."""
        return [
            StoredLobby(name, shelf.epoch, shelf.revision, tuple(shelf.members.values()))
            for name, shelf in self._shelves.items()
            if shelf.members
        ]

    def restore(self, lobbies: Iterable[StoredLobby]) -> None:
        """Take over what a predecessor dumped, with every session suspect: none of them has a stream here yet.

        Each session that was online takes a revision, as any other loss would. Call it before anything is opened.
        """
        for stored in lobbies:
            shelf = _Shelf(stored.epoch, stored.revision, complete_since=stored.revision)
            for member in stored.members:
                sessions = tuple(replace(session, liveness=Liveness.SUSPECT) for session in member.sessions)
                if sessions != member.sessions:
                    shelf.revision += 1
                    member = replace(member, revision=shelf.revision, sessions=sessions)
                shelf.members[member.public_key] = member
            self._shelves[stored.name] = shelf

    def _shelf(self, lobby: str) -> _Shelf | None:
        shelf = self._shelves.get(lobby)
        if shelf is None and len(self._shelves) < self._limits.lobbies:
            shelf = self._shelves[lobby] = _Shelf(self._draw_epoch())
        return shelf

    @staticmethod
    def _tell(shelf: _Shelf, change: Change) -> Change:
        if shelf.subscriber is not None:
            shelf.subscriber(change)
        return change
