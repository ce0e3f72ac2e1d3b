"""What the crowd does to a lobby, and when each of it was seen by whom.

An event is an update, a join or a leave by a lean member. It is sent at one moment, gets a revision from the server, and has arrived at
a member with the first delta whose revision is not smaller: whatever a merged delta holds arrives at once.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

BUCKET_SECONDS = 0.0002
"""How finely latencies are told apart. Their sums over thousands of members and events are taken over buckets."""
LONGEST_SECONDS = 60.0
_BUCKETS = int(LONGEST_SECONDS / BUCKET_SECONDS)


class Kind(Enum):
    """What happened."""

    UPDATE = "update"
    JOIN = "join"
    LEAVE = "leave"


@dataclass(slots=True, eq=False)
class Event:
    """One change. `revision` is 0 until it is known."""

    kind: Kind
    public_key: bytes
    sent_at: float
    revision: int = 0


@dataclass(slots=True)
class EventLog:
    """Keep the events of one lobby, and find the one that a record or departure shows."""

    events: list[Event] = field(default_factory=list)
    _updates: dict[str, Event] = field(default_factory=dict)
    _joins: dict[bytes, Event] = field(default_factory=dict)
    _leaves: dict[bytes, Event] = field(default_factory=dict)
    _strange: dict[tuple[bytes, str], int] = field(default_factory=dict)
    """The revisions of updates that nobody has told this log of, by key and token."""

    def update(self, public_key: bytes, token: str, now: float) -> None:
        """Note an update that says `token` in its status text."""
        self._updates[token] = self._add(Event(Kind.UPDATE, public_key, now))

    def join(self, public_key: bytes, now: float) -> None:
        """Note a join, by a key that has not been in the lobby before."""
        self._joins[public_key] = self._add(Event(Kind.JOIN, public_key, now))

    def leave(self, public_key: bytes, now: float) -> None:
        """Note a leave."""
        self._leaves[public_key] = self._add(Event(Kind.LEAVE, public_key, now))

    def show(self, public_key: bytes, incarnation: int, revision: int, token: str) -> None:
        """Take note of a member's record, as a delta shows it."""
        joined = self._joins.get(public_key)
        if joined is not None and not joined.revision:
            joined.revision = incarnation
        updated = self._updates.get(token)
        if updated is None:
            if token:
                self._strange.setdefault((public_key, token), revision)
        elif not updated.revision and updated.public_key == public_key:
            updated.revision = revision

    def depart(self, public_key: bytes, revision: int) -> None:
        """Take note of a departure."""
        left = self._leaves.get(public_key)
        if left is not None and not left.revision:
            left.revision = revision

    def adopt(self, public_key: bytes, token: str, sent_at: float) -> None:
        """Note an update that somebody else has made, and that may have been shown already."""
        revision = self._strange.get((public_key, token), 0)
        self._updates[token] = self._add(Event(Kind.UPDATE, public_key, sent_at, revision))

    def settle(self) -> None:
        """Give updates that were merged with a later one of the same member that one's revision: nobody saw them apart."""
        later: dict[bytes, int] = {}
        for event in reversed(self.events):
            if event.kind is not Kind.UPDATE:
                continue
            if event.revision:
                later[event.public_key] = event.revision
            else:
                event.revision = later.get(event.public_key, 0)

    def unseen(self) -> list[Event]:
        """List the events that nobody has seen and somebody should have: not whoever came and went between two deltas."""
        return [event for event in self.events if not event.revision and not self._is_undone(event)]

    def _is_undone(self, event: Event) -> bool:
        return (
            event.kind is not Kind.UPDATE
            and event.public_key in self._joins
            and event.public_key in self._leaves
        )

    def _add(self, event: Event) -> Event:
        self.events.append(event)
        return event


class Latencies:
    """Count latencies by buckets."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.total = 0

    def add(self, seconds: float, count: int = 1) -> None:
        """Count so many arrivals after so many seconds."""
        bucket = min(_BUCKETS, int(seconds / BUCKET_SECONDS))
        self._counts[bucket] = self._counts.get(bucket, 0) + count
        self.total += count

    def merge(self, other: "Latencies") -> None:
        """Add another's counts."""
        for bucket, count in other._counts.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count
        self.total += other.total

    def milliseconds(self, part: float) -> float:
        """Tell after how many milliseconds so large a part had arrived; 0 if there is none."""
        wanted = part * self.total
        seen = 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= wanted:
                return (bucket + 0.5) * BUCKET_SECONDS * 1000
        return 0.0

    def summary(self) -> dict[str, float]:
        """Tell what is reported of them, in milliseconds."""
        return {
            "count": self.total,
            "p50_ms": round(self.milliseconds(0.5), 1),
            "p90_ms": round(self.milliseconds(0.9), 1),
            "p99_ms": round(self.milliseconds(0.99), 1),
            "max_ms": round(self.milliseconds(1.0), 1),
        }


def latencies_by_kind(
    events: Iterable[Event], arrivals: Iterable[tuple[int, int, Iterable[float]]]
) -> dict[Kind, Latencies]:
    """Tell how long events took, from deltas: each is its base, its revision, and when it arrived at whom.

    An event that was sent after an arrival that should hold it is a contradiction of clocks, and counts as 0.
    """
    ordered = sorted((event for event in events if event.revision), key=lambda event: event.revision)
    revisions = [event.revision for event in ordered]
    found = {kind: Latencies() for kind in Kind}
    for base, revision, moments in arrivals:
        held = ordered[bisect_right(revisions, base) : bisect_right(revisions, revision)]
        if not held:
            continue
        # All events of a delta arrive together: buckets of moments instead of moments keep this quick.
        buckets: dict[int, int] = {}
        for moment in moments:
            bucket = int(moment / BUCKET_SECONDS)
            buckets[bucket] = buckets.get(bucket, 0) + 1
        for event in held:
            latencies = found[event.kind]
            for bucket, count in buckets.items():
                latencies.add(max(0.0, (bucket + 0.5) * BUCKET_SECONDS - event.sent_at), count)
    return found
