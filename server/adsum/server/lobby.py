"""The fold of a lobby's changes, and the one question that is asked of it: what has changed since a revision?

The lobby keeps its members and its tombstones in one map, ordered by the revision of their last change: whoever changes moves
to the end. `since(revision)` walks back from the end until it meets that revision, so it costs what has changed and not what there
is. A snapshot is the same walk from the beginning, without the tombstones.

Invariants: the map is ordered by revision and no two entries share one; `digest` is the sum over the members in it; below `floor`
something may have been forgotten, so nobody who stands there can be served by a delta.

It invents no revision (the store does), encodes nothing (`wire` does) and reads no clock.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass

from adsum.contract.digest import EMPTY, add, member_digest, remove
from adsum.server.history import Change, StoredLobby
from adsum.server.member import DepartureReason, Liveness, Member, Tombstone


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that changed after `base`, merged: at most one entry for each person, in the order of revisions.

    A member in `joined` became present after `base`; a tombstone in `left` was present at `base`.
    """

    base: int
    revision: int
    joined: tuple[Member, ...]
    updated: tuple[Member, ...]
    left: tuple[Tombstone, ...]


class Lobby:
    """One lobby as this node knows it. Fold changes in with `apply`, in the order of their revisions."""

    __slots__ = (
        "_digest",
        "_entries",
        "_first_incarnation",
        "_floor",
        "_graves",
        "_members",
        "_suspects",
        "epoch",
        "name",
        "revision",
    )

    def __init__(self, stored: StoredLobby) -> None:
        self.name = stored.name
        self.epoch = stored.epoch
        self.revision = stored.revision
        self._floor = stored.revision if stored.complete_since is None else stored.complete_since
        self._entries: OrderedDict[bytes, Member | Tombstone] = OrderedDict()
        # In the order of burial. A grave whose member has come back stays here until its time, and then means nothing.
        self._graves: deque[Tombstone] = deque()
        # For members who came back over their own tombstone: the incarnation under which a stream may still hold them.
        self._first_incarnation: dict[bytes, int] = {}
        self._digest = EMPTY
        self._members = 0
        self._suspects = 0
        for member in sorted(stored.members, key=lambda member: member.revision):
            self._count(member, 1)
            self._entries[member.public_key] = member

    def __len__(self) -> int:
        """Count the members, suspect ones included."""
        return self._members

    def __iter__(self) -> Iterator[Member]:
        """Go through the members in the order of their last change."""
        return (entry for entry in self._entries.values() if isinstance(entry, Member))

    @property
    def digest(self) -> int:
        """The digest of the members at `revision`."""
        return self._digest

    @property
    def suspects(self) -> int:
        """How many members are suspect."""
        return self._suspects

    @property
    def floor(self) -> int:
        """The oldest revision from which a difference can be told."""
        return self._floor

    def member(self, public_key: bytes) -> Member | None:
        """Find a member that is present."""
        entry = self._entries.get(public_key)
        return entry if isinstance(entry, Member) else None

    def tombstone(self, public_key: bytes) -> Tombstone | None:
        """Find what is remembered of a member that has gone."""
        entry = self._entries.get(public_key)
        return entry if isinstance(entry, Tombstone) else None

    def apply(self, change: Change, now: float) -> None:
        """Fold one change in.

        A change that has been folded in already is ignored.

        Raises:
            AssertionError: the change is of another history, or there is a hole before it: the store broke its contract.
        """
        if change.epoch != self.epoch or change.revision > self.revision + 1:
            raise AssertionError(
                f"change {change.revision} does not follow revision {self.revision} of {self.name!r}"
            )
        if change.revision <= self.revision:
            return
        before = self._entries.pop(change.public_key, None)
        if isinstance(before, Member):
            self._count(before, -1)
        if change.member is not None:
            if isinstance(before, Tombstone):
                self._first_incarnation[change.public_key] = before.first_incarnation
            self._count(change.member, 1)
            self._entries[change.public_key] = change.member
        elif isinstance(before, Member):
            first = self._first_incarnation.pop(change.public_key, before.incarnation)
            reason = change.reason or DepartureReason.LOST
            tombstone = Tombstone(change.public_key, first, change.revision, reason, now)
            self._entries[change.public_key] = tombstone
            self._graves.append(tombstone)
        self.revision = change.revision

    def since(self, base: int) -> Difference | None:
        """Tell everything that changed after `base`, or None if that can't be told: too old, or not of this history."""
        if not self._floor <= base <= self.revision:
            return None
        joined: list[Member] = []
        updated: list[Member] = []
        left: list[Tombstone] = []
        for entry in reversed(self._entries.values()):
            if entry.revision <= base:
                break
            if isinstance(entry, Tombstone):
                # Who came and went in between was never seen by a stream that stands at base.
                if entry.first_incarnation <= base:
                    left.append(entry)
            elif entry.incarnation > base:
                joined.append(entry)
            else:
                updated.append(entry)
        return Difference(base, self.revision, tuple(joined[::-1]), tuple(updated[::-1]), tuple(left[::-1]))

    def forget(self, buried_before: float, keep_at_most: int) -> None:
        """Drop the tombstones of members that went before a moment, and the oldest beyond a number; raise the floor above them."""
        while self._graves and (
            self._graves[0].buried_at < buried_before or len(self._graves) > keep_at_most
        ):
            tombstone = self._graves.popleft()
            if self._entries.get(tombstone.public_key) is tombstone:
                del self._entries[tombstone.public_key]
                self._floor = max(self._floor, tombstone.revision)

    def _count(self, member: Member, sign: int) -> None:
        hashed = member_digest(member.public_key, member.incarnation, member.revision)
        self._digest = add(self._digest, hashed) if sign > 0 else remove(self._digest, hashed)
        self._members += sign
        if member.liveness is Liveness.SUSPECT:
            self._suspects += sign
