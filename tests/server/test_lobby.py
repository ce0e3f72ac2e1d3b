"""The fold of a lobby, and what has changed since a revision."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.server.history import Change, StoredLobby
from adsum.server.lobby import Lobby
from adsum.server.member import DepartureReason, Liveness, Member, Profile, Tombstone
from tests.server.builders import ADA, BOB, CLEO, DAN, EPOCH, LOBBY, key, member, session

NAMES = ("ada", "bob", "cleo", "dan")
EVERYBODY = 1 << 30


def digest_of(members: dict[bytes, Member]) -> int:
    """Compute the digest as protocol.md defines it."""
    total = 0
    for one in members.values():
        content = (
            b"adsum/1"
            + len(one.public_key).to_bytes(4, "big")
            + one.public_key
            + one.incarnation.to_bytes(8, "big")
            + one.revision.to_bytes(8, "big")
        )
        total += int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
    return total % 2**64


class Chronicle:
    """A lobby, and a full copy of its members at each revision."""

    def __init__(self, *present: Member, revision: int = 0) -> None:
        self.lobby = Lobby(StoredLobby(LOBBY, EPOCH, revision, present))
        self.members = {one.public_key: one for one in present}
        self.copies = {revision: dict(self.members)}

    def come(self, name: str, now: float = 0.0) -> None:
        """Somebody becomes present."""
        revision = self.lobby.revision + 1
        self._fold(key(name), member(name, revision, revision), None, now)

    def change(
        self, name: str, *, liveness: Liveness = Liveness.ONLINE, text: str = "", now: float = 0.0
    ) -> None:
        """Somebody who is present changes."""
        incarnation = self.members[key(name)].incarnation
        profile = Profile(name, status_text=text)
        after = member(name, incarnation, self.lobby.revision + 1, liveness=liveness, profile=profile)
        self._fold(key(name), after, None, now)

    def go(self, name: str, reason: DepartureReason = DepartureReason.LEFT, now: float = 0.0) -> None:
        """Somebody who is present goes."""
        self._fold(key(name), None, reason, now)

    def _fold(
        self, public_key: bytes, after: Member | None, reason: DepartureReason | None, now: float
    ) -> None:
        revision = self.lobby.revision + 1
        self.lobby.apply(Change(LOBBY, EPOCH, revision, public_key, bytes(16), after, reason), now)
        if after is None:
            del self.members[public_key]
        else:
            self.members[public_key] = after
        self.copies[revision] = dict(self.members)

    def assert_consistent(self) -> None:
        """Compare everything that the lobby says of itself with the copy."""
        lobby = self.lobby
        assert {one.public_key: one for one in lobby} == self.members
        assert len(lobby) == len(self.members)
        assert lobby.digest == digest_of(self.members)
        assert lobby.suspects == sum(one.liveness is Liveness.SUSPECT for one in self.members.values())
        revisions = [one.revision for one in lobby]
        assert revisions == sorted(set(revisions))

    def assert_told_from(self, base: int) -> None:
        """Apply the difference to the copy at `base`, as a client does, and compare with the copy of today."""
        difference = self.lobby.since(base)
        assert difference is not None
        assert (difference.base, difference.revision) == (base, self.lobby.revision)
        held = dict(self.copies[base])
        changed: list[Member | Tombstone] = [*difference.joined, *difference.updated, *difference.left]
        named = [one.public_key for one in changed]
        assert len(set(named)) == len(named), "a person is named twice"
        for one in difference.updated:
            assert held[one.public_key].incarnation == one.incarnation, "updated, but not held"
        for one in difference.joined:
            before = held.get(one.public_key)
            assert before is None or before.incarnation != one.incarnation, "joined, but held already"
        for one in (*difference.joined, *difference.updated):
            assert one.revision > base, "told, but unchanged"
            held[one.public_key] = one
        for grave in difference.left:
            held.pop(grave.public_key, None)
        assert held == self.members


def told(chronicle: Chronicle, base: int) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Name whom a difference tells of: joined, updated and left."""
    difference = chronicle.lobby.since(base)
    assert difference is not None
    return (
        [one.public_key for one in difference.joined],
        [one.public_key for one in difference.updated],
        [one.public_key for one in difference.left],
    )


# What has changed


def test_new_lobby_is_empty_with_digest_zero() -> None:
    lobby = Chronicle().lobby
    assert (len(lobby), lobby.digest, lobby.revision, lobby.suspects) == (0, 0, 0, 0)
    assert told(Chronicle(), 0) == ([], [], [])


def test_join_is_told_once_to_whom_stood_before_it() -> None:
    chronicle = Chronicle()
    chronicle.come("ada")
    assert told(chronicle, 0) == ([ADA], [], [])
    assert told(chronicle, 1) == ([], [], [])


def test_update_is_told_as_the_whole_record() -> None:
    chronicle = Chronicle()
    chronicle.come("ada")
    chronicle.change("ada", text="back at noon")
    difference = chronicle.lobby.since(1)
    assert difference is not None
    assert [one.profile.status_text for one in difference.updated] == ["back at noon"]


def test_many_changes_of_one_person_are_told_as_the_last() -> None:
    chronicle = Chronicle()
    chronicle.come("ada")
    chronicle.come("bob")
    for number in range(5):
        chronicle.change("ada", text=str(number))
    difference = chronicle.lobby.since(2)
    assert difference is not None
    assert [one.profile.status_text for one in difference.updated] == ["4"]


def test_changes_are_told_in_the_order_of_revisions() -> None:
    chronicle = Chronicle()
    for name in NAMES:
        chronicle.come(name)
    for name in ("cleo", "ada", "dan"):
        chronicle.change(name)
    assert told(chronicle, 4) == ([], [CLEO, ADA, DAN], [])
    assert told(chronicle, 0) == ([BOB, CLEO, ADA, DAN], [], [])


def test_who_came_and_went_between_two_looks_is_not_told() -> None:
    chronicle = Chronicle()
    chronicle.come("ada")
    chronicle.come("bob")
    chronicle.go("bob")
    assert told(chronicle, 1) == ([], [], [])
    assert told(chronicle, 2) == ([], [], [BOB])


def test_departure_is_told_with_its_reason_and_revision() -> None:
    chronicle = Chronicle()
    chronicle.come("ada")
    chronicle.go("ada", DepartureReason.LOST, now=50.0)
    difference = chronicle.lobby.since(1)
    assert difference is not None
    (grave,) = difference.left
    assert (grave.reason, grave.revision, grave.buried_at) == (DepartureReason.LOST, 2, 50.0)
    assert chronicle.lobby.tombstone(ADA) == grave
    assert chronicle.lobby.member(ADA) is None


def test_who_left_and_came_back_is_joined_in_another_incarnation() -> None:
    chronicle = Chronicle()
    chronicle.come("ada")
    chronicle.go("ada")
    chronicle.come("ada")
    assert told(chronicle, 1) == ([ADA], [], [])
    assert told(chronicle, 2) == ([ADA], [], [])
    assert chronicle.lobby.tombstone(ADA) is None


def test_who_left_came_back_and_left_again_is_gone_for_whoever_held_either_incarnation() -> None:
    chronicle = Chronicle()
    chronicle.come("bob")
    for _ in range(3):
        chronicle.come("ada")
        chronicle.go("ada")
    # Revision 1 never saw ada; 2, 4 and 6 hold her in three incarnations; 3 and 5 have been told that she went.
    assert told(chronicle, 1) == ([], [], [])
    for base in (2, 4, 6):
        assert told(chronicle, base) == ([], [], [ADA])
    for base in range(8):
        chronicle.assert_told_from(base)


def test_suspects_are_counted() -> None:
    chronicle = Chronicle()
    chronicle.come("ada")
    chronicle.come("bob")
    chronicle.change("ada", liveness=Liveness.SUSPECT)
    assert chronicle.lobby.suspects == 1
    chronicle.change("bob", liveness=Liveness.SUSPECT)
    chronicle.change("ada")
    chronicle.go("bob")
    assert chronicle.lobby.suspects == 0


# What a fold accepts


def test_change_that_has_been_folded_in_already_is_ignored() -> None:
    chronicle = Chronicle()
    chronicle.come("ada")
    chronicle.come("bob")
    chronicle.lobby.apply(Change(LOBBY, EPOCH, 1, ADA, bytes(16), None, DepartureReason.LEFT), 0.0)
    chronicle.assert_consistent()
    assert chronicle.lobby.revision == 2


@pytest.mark.parametrize(("epoch", "revision"), [(EPOCH, 3), (EPOCH + 1, 2), (EPOCH + 1, 1)])
def test_hole_and_change_of_another_history_are_the_stores_fault(epoch: int, revision: int) -> None:
    chronicle = Chronicle()
    chronicle.come("ada")
    with pytest.raises(AssertionError):
        chronicle.lobby.apply(Change(LOBBY, epoch, revision, BOB, bytes(16), member("bob", 2, 2)), 0.0)
    chronicle.assert_consistent()


def test_lobby_starts_from_what_the_store_has() -> None:
    # The store has no order to keep.
    chronicle = Chronicle(member("bob", 7, 9), member("ada", 3, 4, liveness=Liveness.SUSPECT), revision=12)
    chronicle.assert_consistent()
    assert (chronicle.lobby.revision, chronicle.lobby.suspects) == (12, 1)
    chronicle.change("ada")
    chronicle.come("cleo")
    assert told(chronicle, 12) == ([CLEO], [ADA], [])


def test_nobody_is_served_from_before_the_fold_started() -> None:
    # Who has gone before is not known here.
    chronicle = Chronicle(member("ada", 3, 4), revision=12)
    assert chronicle.lobby.since(11) is None
    assert chronicle.lobby.since(0) is None
    assert chronicle.lobby.since(12) is not None


@pytest.mark.parametrize("base", [-1, 3, 1 << 64])
def test_revision_of_another_history_is_not_served(base: int) -> None:
    chronicle = Chronicle()
    chronicle.come("ada")
    chronicle.come("bob")
    assert chronicle.lobby.since(base) is None


# What is forgotten


def test_old_tombstones_are_dropped_and_raise_the_floor() -> None:
    chronicle = Chronicle()
    chronicle.come("ada", now=0.0)
    chronicle.come("bob", now=0.0)
    chronicle.go("ada", now=10.0)
    chronicle.go("bob", now=20.0)
    chronicle.lobby.forget(15.0, EVERYBODY)
    assert chronicle.lobby.tombstone(ADA) is None
    assert chronicle.lobby.tombstone(BOB) is not None
    assert chronicle.lobby.floor == 3
    assert chronicle.lobby.since(2) is None
    assert told(chronicle, 3) == ([], [], [BOB])


def test_tombstones_are_kept_for_their_time() -> None:
    chronicle = Chronicle()
    chronicle.come("ada")
    chronicle.go("ada", now=10.0)
    chronicle.lobby.forget(10.0, EVERYBODY)
    assert told(chronicle, 1) == ([], [], [ADA])


def test_tombstones_beyond_the_number_are_dropped_oldest_first() -> None:
    chronicle = Chronicle()
    for name in NAMES:
        chronicle.come(name)
    for name in NAMES:
        chronicle.go(name)
    chronicle.lobby.forget(-1.0, keep_at_most=1)
    assert [chronicle.lobby.tombstone(key(name)) is None for name in NAMES] == [True, True, True, False]
    assert chronicle.lobby.floor == 7
    assert told(chronicle, 7) == ([], [], [DAN])


def test_members_are_never_forgotten() -> None:
    chronicle = Chronicle()
    chronicle.come("ada")
    chronicle.come("bob")
    chronicle.go("bob")
    chronicle.lobby.forget(1e9, 0)
    chronicle.assert_consistent()
    assert told(chronicle, 3) == ([], [], [])


def test_grave_of_somebody_who_is_back_raises_no_floor() -> None:
    chronicle = Chronicle()
    chronicle.come("ada")
    chronicle.come("bob")
    chronicle.go("ada", now=10.0)
    chronicle.come("ada", now=11.0)
    chronicle.lobby.forget(20.0, EVERYBODY)
    assert chronicle.lobby.floor == 0
    for base in range(5):
        chronicle.assert_told_from(base)


def test_second_tombstone_outlives_the_time_of_the_first() -> None:
    chronicle = Chronicle()
    chronicle.come("ada")
    chronicle.go("ada", now=10.0)
    chronicle.come("ada", now=11.0)
    chronicle.go("ada", now=30.0)
    chronicle.lobby.forget(20.0, EVERYBODY)
    # Whoever holds the first incarnation is still told.
    assert told(chronicle, 1) == ([], [], [ADA])
    assert told(chronicle, 3) == ([], [], [ADA])


def test_who_comes_back_after_being_forgotten_is_new_to_everybody() -> None:
    chronicle = Chronicle()
    chronicle.come("ada")
    chronicle.go("ada", now=10.0)
    chronicle.lobby.forget(20.0, EVERYBODY)
    chronicle.come("ada")
    chronicle.go("ada", now=30.0)
    assert told(chronicle, 2) == ([], [], [])
    assert told(chronicle, 3) == ([], [], [ADA])


def test_coming_and_going_for_ever_takes_no_room() -> None:
    chronicle = Chronicle()
    for round_number in range(500):
        chronicle.come("ada", now=round_number)
        chronicle.go("ada", now=round_number)
        chronicle.lobby.forget(-1.0, keep_at_most=3)
    lobby = chronicle.lobby
    assert len(lobby._graves) <= 3
    assert len(lobby._entries) == 1
    assert not lobby._first_incarnation


# Any history

STEPS = st.lists(
    st.one_of(
        st.sampled_from(NAMES).map(lambda name: ("toggle", name)),
        st.sampled_from(NAMES).map(lambda name: ("change", name)),
        st.sampled_from(NAMES).map(lambda name: ("doubt", name)),
        st.integers(0, 3).map(lambda kept: ("forget", str(kept))),
    ),
    max_size=40,
)


@given(STEPS)
def test_from_every_revision_that_is_served_the_difference_leads_to_today(
    steps: list[tuple[str, str]],
) -> None:
    chronicle = Chronicle()
    for now, (step, name) in enumerate(steps):
        if step == "forget":
            chronicle.lobby.forget(now - 20.0, int(name))
        elif key(name) not in chronicle.members:
            chronicle.come(name, now)
        elif step == "toggle":
            chronicle.go(name, now=now)
        elif step == "change":
            chronicle.change(name, text=str(now), now=now)
        else:
            chronicle.change(name, liveness=Liveness.SUSPECT, now=now)
        chronicle.assert_consistent()
        assert len(chronicle.lobby._first_incarnation) <= len(chronicle.lobby)
    for base in range(chronicle.lobby.revision + 1):
        if base >= chronicle.lobby.floor:
            chronicle.assert_told_from(base)
        else:
            assert chronicle.lobby.since(base) is None


def test_member_is_the_best_of_its_sessions() -> None:
    lost = session("ada", "phone", liveness=Liveness.SUSPECT)
    healthy = session("ada", "laptop")
    assert Member(ADA, 1, 2, (lost, healthy)).liveness is Liveness.ONLINE
    assert Member(ADA, 1, 2, (healthy, lost)).liveness is Liveness.ONLINE
    assert Member(ADA, 1, 2, (lost,)).liveness is Liveness.SUSPECT
