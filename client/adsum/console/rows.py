"""The rows of the lobby's table: who is there, who has just gone, and what has just happened to each.

Pure. A row is marked for a moment after a change; who goes stays that long as a row that says so, and then
vanishes. Rows are ordered as the roster is: by name without regard to case, then by key.

Invariants: `order` holds exactly the places of `by_key`; `name_counts` and `present_count` count those who
are present; every row that has gone has an end.
"""

import unicodedata
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from adsum.client import (
    Back,
    DepartureReason,
    Joined,
    Left,
    Member,
    MembershipEvent,
    Snapshotted,
    Suspect,
    Updated,
)
from adsum.console.inputs import Moment
from adsum.console.wording import LIVENESS_WORDS, STATUS_WORDS

MARK_SECONDS = 3.0
"""How long a change is marked, and how long somebody who has gone stays to be seen going."""

Place = tuple[str, bytes]
"""Where a row stands in the order."""


class Mark(Enum):
    """What has just happened to a row, by the sign that line mode uses too."""

    CAME = "+"
    GONE = "-"
    LOST = "?"
    BACK = "!"
    CHANGED = "*"


@dataclass(frozen=True, slots=True)
class Row:
    """Hold one person: the newest record, and what has just happened."""

    member: Member
    searched: str = field(repr=False)
    """What a filter looks at."""
    mark: Mark | None = None
    gone_at: datetime | None = None
    reason: DepartureReason | None = None

    @property
    def is_present(self) -> bool:
        """True unless they have gone."""
        return self.gone_at is None


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Hold all rows. Made anew for each batch of changes, so nothing that was read changes."""

    by_key: Mapping[bytes, Row] = field(default_factory=dict)
    order: Sequence[Place] = ()
    name_counts: Mapping[str, int] = field(default_factory=dict)
    ends: Mapping[bytes, float] = field(default_factory=dict)
    """Until when each marked row is marked."""
    present_count: int = 0

    def get(self, public_key: bytes | None) -> Row | None:
        """Get somebody's row, if they have one."""
        return None if public_key is None else self.by_key.get(public_key)

    def present(self, public_key: bytes | None) -> Member | None:
        """Get the record of somebody who is present."""
        row = self.get(public_key)
        return row.member if row is not None and row.is_present else None

    def has_namesake(self, member: Member) -> bool:
        """Tell whether somebody else who is present has the same name, or one that only looks different to a computer."""
        return self.name_counts.get(_folded(member.name), 0) > 1

    def after(self, events: Iterable[Snapshotted | MembershipEvent], moment: Moment) -> "Rows":
        """Take in changes, in their order."""
        change = _Change(self, moment)
        for event in events:
            change.take_in(event)
        return change.rows()

    def relisted(self, members: Iterable[Member]) -> "Rows":
        """Hold exactly these members instead. Nothing is marked: what has changed isn't known."""
        change = _Change(Rows(), None)
        for member in members:
            change.put(member, None)
        return change.rows()

    def faded(self, now: float) -> "Rows":
        """Take away the marks that are over, and with them the rows of those who have gone."""
        over = [key for key, end in self.ends.items() if end <= now]
        if not over:
            return self
        change = _Change(self, None)
        for key in over:
            change.fade(key)
        return change.rows()

    @property
    def next_end(self) -> float | None:
        """When the next mark is over."""
        return min(self.ends.values(), default=None)

    def matching(self, wanted: str) -> Sequence[Place]:
        """Tell the places of those who fit a filter: each of its words occurs in the name, the fingerprint or the status."""
        words = unicodedata.normalize("NFC", wanted).casefold().split()
        if not words:
            return self.order
        by_key = self.by_key
        return [place for place in self.order if all(word in by_key[place[1]].searched for word in words)]


def place_of(member: Member) -> Place:
    """Tell where a member stands."""
    return member.name.casefold(), member.public_key


class _Change:
    """Collects the changes of one batch in copies."""

    def __init__(self, rows: Rows, moment: Moment | None) -> None:
        self._moment = moment
        self._by_key = dict(rows.by_key)
        self._order = list(rows.order)
        self._name_counts = dict(rows.name_counts)
        self._ends = dict(rows.ends)
        self._present_count = rows.present_count

    def rows(self) -> Rows:
        return Rows(self._by_key, self._order, self._name_counts, self._ends, self._present_count)

    def take_in(self, event: Snapshotted | MembershipEvent) -> None:
        match event:
            case Snapshotted(members):
                self._clear()
                for member in members:
                    self.put(member, None)
            case Joined(member):
                self.put(member, Mark.CAME)
            case Updated(member):
                self.put(member, Mark.CHANGED)
            case Suspect(member):
                self.put(member, Mark.LOST)
            case Back(member):
                self.put(member, Mark.BACK)
            case Left(member, reason):
                self._go(member, reason)

    def put(self, member: Member, mark: Mark | None) -> None:
        key = member.public_key
        self._take_out(key)
        self._by_key[key] = Row(member, _searched(member), mark)
        insort(self._order, place_of(member))
        self._count(member, +1)
        if mark is not None and self._moment is not None:
            self._ends[key] = self._moment.seconds + MARK_SECONDS

    def fade(self, key: bytes) -> None:
        row = self._by_key[key]
        if row.is_present:
            self._by_key[key] = replace(row, mark=None)
            del self._ends[key]
        else:
            self._take_out(key)

    def _go(self, member: Member, reason: DepartureReason) -> None:
        key = member.public_key
        row = self._by_key.get(key)
        if row is None or not row.is_present or self._moment is None:
            return
        self._count(row.member, -1)
        self._by_key[key] = replace(row, mark=Mark.GONE, gone_at=self._moment.local, reason=reason)
        self._ends[key] = self._moment.seconds + MARK_SECONDS

    def _take_out(self, key: bytes) -> None:
        row = self._by_key.pop(key, None)
        if row is None:
            return
        del self._order[bisect_left(self._order, place_of(row.member))]
        self._ends.pop(key, None)
        if row.is_present:
            self._count(row.member, -1)

    def _count(self, member: Member, step: int) -> None:
        name = _folded(member.name)
        self._present_count += step
        count = self._name_counts.get(name, 0) + step
        if count:
            self._name_counts[name] = count
        else:
            del self._name_counts[name]

    def _clear(self) -> None:
        self._by_key.clear()
        self._order.clear()
        self._name_counts.clear()
        self._ends.clear()
        self._present_count = 0


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _searched(member: Member) -> str:
    profile = member.profile
    words = (
        profile.name,
        member.fingerprint,
        STATUS_WORDS[profile.status],
        profile.status_text,
        LIVENESS_WORDS[member.liveness],
    )
    return " ".join(words).casefold()
