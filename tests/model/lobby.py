"""What a lobby was at each revision of each epoch, and what a change may be.

Every change takes one revision, the next one.
A member that was present keeps its incarnation; one that was absent gets that revision as its incarnation.
A member's record carries the revision of its last change.
A history starts with revision 0 and nobody, under an epoch that no history had before.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from adsum.v1 import member_pb2
from tests.model.promises import Checks


class Record(NamedTuple):
    """One member, as the contract's `Member` has it; `profile` is name, status, text and attributes."""

    incarnation: int
    revision: int
    is_online: bool
    sessions: int
    profile: tuple[str, int, str, tuple[tuple[str, str], ...]]


Roster: TypeAlias = Mapping[bytes, Record]


def record_of(member: member_pb2.Member) -> Record:
    """Read a record from the wire."""
    profile = member.profile
    said = (profile.name, profile.status, profile.status_text, tuple(sorted(profile.attributes.items())))
    is_online = member.liveness == member_pb2.LIVENESS_ONLINE
    return Record(member.incarnation, member.revision, is_online, member.session_count, said)


class LobbyModel:
    """One lobby through all its histories."""

    def __init__(self, name: str, checks: Checks) -> None:
        self.name = name
        self.epoch = 0
        self.revision = 0
        self.histories: dict[int, dict[int, Roster]] = {}
        self._checks = checks
        self._is_over = True

    @property
    def members(self) -> Roster:
        """Who is there now."""
        return {} if self._is_over else self.histories[self.epoch][self.revision]

    def end(self) -> None:
        """Note that nobody knows of this history any more: the server has crashed, or everybody has gone."""
        self._is_over = True

    def at(self, epoch: int, revision: int) -> Roster | None:
        """Tell what the lobby was; None if it never was at that revision."""
        return self.histories.get(epoch, {}).get(revision)

    def start(self, epoch: int) -> None:
        """Start a history."""
        self._checks.that("P2", epoch not in self.histories, "epoch {:x} starts a second time", epoch)
        self.epoch, self.revision = epoch, 0
        self.histories[epoch] = {0: {}}
        self._is_over = False

    def take_over(self, epoch: int, revision: int, members: Roster) -> None:
        """Go on after a planned restart: the same people in the same incarnations, and nobody is online yet."""
        checks = self._checks
        if not checks.that(
            "P10", epoch == self.epoch, "the restart started another history of {}", self.name
        ):
            self.epoch, self.histories[epoch] = epoch, {}
        else:
            before = self.members
            there = {
                key: (record.incarnation, record.sessions, record.profile) for key, record in members.items()
            }
            was = {
                key: (record.incarnation, record.sessions, record.profile) for key, record in before.items()
            }
            checks.that("P10", there == was, "the restart changed who is in {}", self.name)
            changed = [one for key, one in members.items() if before.get(key) != one]
            taken = {one.revision for one in changed}
            checks.that(
                "P2",
                len(taken) == len(changed) and taken == set(range(self.revision + 1, revision + 1)),
                "the restart took the revisions {} for {} changes after {}",
                sorted(taken),
                len(changed),
                self.revision,
            )
        checks.that("P10", not any(one.is_online for one in members.values()), "online before they are back")
        self.revision = revision
        self.histories[epoch][revision] = dict(members)

    def change(self, epoch: int, revision: int, key: bytes, record: Record | None) -> None:
        """Take in one change: the member after it, or None if it has gone."""
        checks = self._checks
        if epoch != self.epoch or self._is_over:
            self.start(epoch)
        checks.that("P2", revision == self.revision + 1, "revision {} follows {}", revision, self.revision)
        members = dict(self.members)
        before = members.pop(key, None)
        if record is None:
            checks.that("P2", before is not None, "revision {}: somebody leaves who wasn't there", revision)
        else:
            incarnation = before.incarnation if before is not None else revision
            checks.that(
                "P6",
                record.incarnation == incarnation,
                "incarnation {} instead of {}",
                record.incarnation,
                incarnation,
            )
            checks.that(
                "P2", record.revision == revision, "a record of revision {} at {}", record.revision, revision
            )
            members[key] = record
        self.revision = revision
        self.histories[epoch][revision] = members
