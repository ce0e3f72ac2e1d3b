"""What a store promises: atomic, ordered, fenced and idempotent writes. (The contract is in `store`.)"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.contract.limits import Limits
from adsum.server.history import Change, Refusal, StoredLobby
from adsum.server.lobby import Lobby
from adsum.server.member import DepartureReason, Liveness, Member, Profile, Session
from adsum.server.memory_store import MemoryStore
from tests.server.builders import ADA, BOB, LOBBY, key, run, session, written

LIMITS = Limits(members_per_lobby=3, sessions_per_member=2, lobbies=2)
ONLINE, SUSPECT = Liveness.ONLINE, Liveness.SUSPECT


class Keeper:
    """A store, asked without waiting."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._epochs = iter(range(100, 1_000_000))
        self.store = MemoryStore(limits, lambda: next(self._epochs))

    def put(self, record: Session, *, sets_profile: bool = False, lobby: str = LOBBY) -> Change | Refusal:
        """Put a session."""
        return run(self.store.put(lobby, record, sets_profile=sets_profile))

    def drop(
        self, record: Session, reason: DepartureReason = DepartureReason.LEFT, *, lobby: str = LOBBY
    ) -> Change | Refusal:
        """Drop a session, in the generation of its record."""
        return run(self.store.drop(lobby, record.id, record.public_key, record.generation, reason))

    def open(self, told: list[Change], lobby: str = LOBBY) -> StoredLobby:
        """Open a lobby and keep what its subscriber is told."""
        stored = run(self.store.open(lobby, told.append))
        assert isinstance(stored, StoredLobby)
        return stored

    def close(self, lobby: str = LOBBY) -> None:
        """Close a lobby."""
        run(self.store.close(lobby))

    def look(self, lobby: str = LOBBY) -> StoredLobby:
        """See how a lobby stands; nobody may have it open."""
        stored = self.open([], lobby)
        self.close(lobby)
        return stored


@pytest.fixture
def store() -> Keeper:
    return Keeper()


def present(change: Change | Refusal) -> Member:
    """Expect a change after which the member is present."""
    after = written(change).member
    assert after is not None
    return after


# Sessions and members


def test_first_session_begins_an_incarnation(store: Keeper) -> None:
    change = written(store.put(session("ada"), sets_profile=True))
    after = present(change)
    assert (change.lobby, change.revision, change.public_key, change.reason) == (LOBBY, 1, ADA, None)
    assert change.session_id == session("ada").id
    assert (after.incarnation, after.revision) == (1, 1)
    (kept,) = after.sessions
    assert (kept.incarnation, kept.profile_revision) == (1, 1)


def test_second_device_keeps_member_present_in_the_same_incarnation(store: Keeper) -> None:
    phone, laptop = session("ada", "phone"), session("ada", "laptop", joined_at_millis=5)
    began_at = present(store.put(phone, sets_profile=True)).joined_at_millis
    after = present(store.put(laptop, sets_profile=True))
    assert (after.incarnation, after.revision, len(after.sessions)) == (1, 2, 2)
    assert after.joined_at_millis == began_at
    after = present(store.drop(phone))
    assert (after.incarnation, after.revision, after.joined_at_millis) == (1, 3, began_at)
    assert written(store.drop(laptop)).member is None


def test_who_comes_back_has_another_incarnation_and_a_new_beginning(store: Keeper) -> None:
    store.open([])
    store.put(session("ada"), sets_profile=True)
    store.drop(session("ada"))
    after = present(store.put(session("ada", "laptop", joined_at_millis=9), sets_profile=True))
    assert (after.incarnation, after.joined_at_millis) == (3, 9)


def test_lost_and_resumed_session_keeps_the_incarnation(store: Keeper) -> None:
    store.put(session("ada"), sets_profile=True)
    assert present(store.put(session("ada", liveness=SUSPECT))).liveness is SUSPECT
    after = present(store.put(session("ada", generation=2)))
    assert (after.liveness, after.incarnation, after.revision) == (ONLINE, 1, 3)


def test_member_is_the_best_of_its_devices(store: Keeper) -> None:
    store.put(session("ada", "phone"), sets_profile=True)
    store.put(session("ada", "laptop"), sets_profile=True)
    assert present(store.put(session("ada", "phone", liveness=SUSPECT))).liveness is ONLINE
    assert present(store.put(session("ada", "laptop", liveness=SUSPECT))).liveness is SUSPECT


def test_profile_that_was_set_last_counts_whichever_device_changed_last(store: Keeper) -> None:
    phone = session("ada", "phone", profile=Profile("on the phone"))
    laptop = session("ada", "laptop", profile=Profile("on the laptop"))
    store.put(phone, sets_profile=True)
    assert present(store.put(laptop, sets_profile=True)).profile.name == "on the laptop"
    assert present(store.put(replace(phone, liveness=SUSPECT))).profile.name == "on the laptop"
    assert present(store.put(replace(phone, generation=2))).profile.name == "on the laptop"
    newer = replace(phone, generation=2, profile=Profile("anew"))
    assert present(store.put(newer, sets_profile=True)).profile.name == "anew"
    assert present(store.drop(newer)).profile.name == "on the laptop"


@pytest.mark.parametrize("reason", list(DepartureReason))
def test_last_drop_carries_its_reason(store: Keeper, reason: DepartureReason) -> None:
    store.put(session("ada", "phone"), sets_profile=True)
    store.put(session("ada", "laptop"), sets_profile=True)
    first, last = store.drop(session("ada", "phone"), reason), store.drop(session("ada", "laptop"), reason)
    assert written(first).reason is None
    assert (written(last).member, written(last).reason) == (None, reason)


# Fenced and idempotent


def test_late_loss_of_an_older_stream_changes_nothing(store: Keeper) -> None:
    store.put(session("ada"), sets_profile=True)
    store.put(session("ada", generation=2))
    before = store.look()
    assert store.put(session("ada", generation=1, liveness=SUSPECT)) is Refusal.FENCED
    assert store.drop(session("ada", generation=1), DepartureReason.LOST) is Refusal.FENCED
    assert store.look() == before


def test_same_generation_writes_again(store: Keeper) -> None:
    store.put(session("ada", generation=1), sets_profile=True)
    store.put(session("ada", generation=2))
    assert present(store.put(session("ada", generation=2, liveness=SUSPECT))).liveness is SUSPECT
    assert written(store.drop(session("ada", generation=2))).member is None


def test_drop_of_what_is_not_there_takes_no_revision(store: Keeper) -> None:
    store.open([])
    assert store.drop(session("ada")) is Refusal.ABSENT
    store.put(session("ada"), sets_profile=True)
    assert store.drop(session("ada", "laptop")) is Refusal.ABSENT
    assert store.drop(session("bob")) is Refusal.ABSENT
    written(store.drop(session("ada")))
    assert store.drop(session("ada")) is Refusal.ABSENT
    assert written(store.put(session("bob"), sets_profile=True)).revision == 3


def test_later_generation_does_not_bring_back_a_session_that_is_gone(store: Keeper) -> None:
    store.put(session("ada"), sets_profile=True)
    store.drop(session("ada"))
    assert store.put(session("ada", generation=2)) is Refusal.ABSENT


def test_session_of_somebody_else_is_not_dropped(store: Keeper) -> None:
    store.put(session("ada"), sets_profile=True)
    store.put(session("bob"), sets_profile=True)
    forged = replace(session("ada"), public_key=BOB)
    assert store.drop(forged) is Refusal.ABSENT
    assert len(store.look().members) == 2


# Limits


def test_full_lobby_refuses_newcomers_but_no_second_device(store: Keeper) -> None:
    for name in ("ada", "bob", "cleo"):
        written(store.put(session(name), sets_profile=True))
    assert store.put(session("dan"), sets_profile=True) is Refusal.LOBBY_FULL
    written(store.put(session("ada", "laptop"), sets_profile=True))
    store.drop(session("bob"))
    written(store.put(session("dan"), sets_profile=True))


def test_member_has_only_so_many_devices(store: Keeper) -> None:
    store.put(session("ada", "phone"), sets_profile=True)
    store.put(session("ada", "laptop", liveness=SUSPECT), sets_profile=True)
    assert store.put(session("ada", "tablet"), sets_profile=True) is Refusal.TOO_MANY_SESSIONS
    # One that is there already may change.
    written(store.put(session("ada", "phone", generation=2)))


def test_there_are_only_so_many_lobbies(store: Keeper) -> None:
    store.put(session("ada"), sets_profile=True, lobby="one")
    store.open([], "two")
    assert store.put(session("ada"), sets_profile=True, lobby="three") is Refusal.TOO_MANY_LOBBIES
    assert run(store.store.open("three", lambda change: None)) is Refusal.TOO_MANY_LOBBIES
    store.close("two")
    store.open([], "three")


def test_refused_write_takes_no_revision_and_is_told_to_nobody(store: Keeper) -> None:
    told: list[Change] = []
    store.open(told)
    for name in ("ada", "bob", "cleo", "dan"):
        store.put(session(name), sets_profile=True)
    store.put(session("ada", generation=2))
    store.put(session("ada", generation=1))
    store.drop(session("dan"))
    assert [change.revision for change in told] == [1, 2, 3, 4]


# Lobbies


def test_subscriber_is_told_every_change_before_the_writer_goes_on(store: Keeper) -> None:
    told: list[Change] = []
    stored = store.open(told)
    assert (stored.name, stored.revision, stored.members) == (LOBBY, 0, ())
    answers = [store.put(session("ada"), sets_profile=True), store.drop(session("ada"))]
    assert told == answers
    assert {change.epoch for change in told} == {stored.epoch}


def test_opening_shows_the_lobby_as_it_stands_before_the_first_change_told(store: Keeper) -> None:
    store.put(session("ada"), sets_profile=True)
    told: list[Change] = []
    stored = store.open(told)
    assert (stored.revision, [one.public_key for one in stored.members]) == (1, [ADA])
    assert told == []
    store.put(session("bob"), sets_profile=True)
    assert [change.revision for change in told] == [2]


def test_nobody_is_told_after_closing(store: Keeper) -> None:
    told: list[Change] = []
    store.open(told)
    store.close()
    store.put(session("ada"), sets_profile=True)
    assert told == []


def test_second_subscriber_is_our_callers_fault(store: Keeper) -> None:
    store.open([])
    with pytest.raises(AssertionError):
        store.open([])


def test_lobbies_do_not_touch_each_other(store: Keeper) -> None:
    told: list[Change] = []
    one = store.open(told, "one")
    two = store.open([], "two")
    store.put(session("ada"), sets_profile=True, lobby="two")
    assert told == []
    assert one.epoch != two.epoch
    assert store.drop(session("ada"), lobby="one") is Refusal.ABSENT


def test_lobby_with_members_keeps_its_history_while_closed(store: Keeper) -> None:
    epoch = store.open([]).epoch
    store.put(session("ada"), sets_profile=True)
    store.close()
    reopened = store.open([])
    assert (reopened.epoch, reopened.revision, len(reopened.members)) == (epoch, 1, 1)


def test_empty_lobby_keeps_its_history_while_open(store: Keeper) -> None:
    told: list[Change] = []
    store.open(told)
    store.put(session("ada"), sets_profile=True)
    store.drop(session("ada"))
    store.put(session("bob"), sets_profile=True)
    assert [change.revision for change in told] == [1, 2, 3]
    assert len({change.epoch for change in told}) == 1


def test_lobby_that_is_closed_and_empty_is_forgotten(store: Keeper) -> None:
    epoch = store.open([]).epoch
    store.put(session("ada"), sets_profile=True)
    store.drop(session("ada"))
    store.close()
    reopened = store.open([])
    assert reopened.epoch != epoch
    assert reopened.revision == 0


def test_lobby_that_empties_while_closed_is_forgotten(store: Keeper) -> None:
    epoch = written(store.put(session("ada"), sets_profile=True)).epoch
    store.drop(session("ada"))
    assert store.look().epoch != epoch


def test_refused_writes_leave_no_lobby_behind(store: Keeper) -> None:
    for number in range(10):
        assert store.put(session("ada", generation=2), lobby=f"no-{number}") is Refusal.ABSENT
    written(store.put(session("ada"), sets_profile=True))


def test_closing_what_is_not_open_is_harmless(store: Keeper) -> None:
    store.close("nowhere")


# A successor of this process


def test_successor_goes_on_with_the_same_history_and_everybody_suspect(store: Keeper) -> None:
    store.put(session("ada", "phone"), sets_profile=True)
    store.put(session("bob"), sets_profile=True)
    store.put(session("bob", liveness=SUSPECT))
    store.put(session("ada", "laptop"), sets_profile=True)
    successor = Keeper()
    successor.store.restore(store.store.dump())
    before, after = store.look(), successor.look()
    assert after.epoch == before.epoch
    assert [(one.public_key, one.incarnation) for one in after.members] == [
        (one.public_key, one.incarnation) for one in before.members
    ]
    assert all(one.liveness is SUSPECT for person in after.members for one in person.sessions)
    # Who was suspect already hasn't changed; a change takes one revision.
    revisions = {one.public_key: one.revision for one in after.members}
    assert after.revision == before.revision + 1
    assert revisions == {ADA: before.revision + 1, BOB: 3}


def test_successor_fences_as_its_predecessor_did(store: Keeper) -> None:
    store.put(session("ada"), sets_profile=True)
    store.put(session("ada", generation=2))
    successor = Keeper()
    successor.store.restore(store.store.dump())
    assert successor.put(session("ada", generation=1)) is Refusal.FENCED
    after = present(successor.put(session("ada", generation=3)))
    assert (after.liveness, after.incarnation) == (ONLINE, 1)


def test_successor_tells_what_changed_since_its_predecessor_stopped(store: Keeper) -> None:
    store.put(session("ada"), sets_profile=True)
    store.put(session("bob", liveness=SUSPECT), sets_profile=True)
    successor = Keeper()
    successor.store.restore(store.store.dump())
    difference = Lobby(successor.open([])).since(2)
    assert difference is not None, "everybody would have to read the whole list again"
    assert ([one.public_key for one in difference.updated], difference.left) == ([ADA], ())


def test_successor_tells_nothing_since_a_departure_that_nobody_was_told_of(store: Keeper) -> None:
    store.put(session("ada"), sets_profile=True)
    store.put(session("bob"), sets_profile=True)
    successor = Keeper()
    successor.store.restore(store.store.dump())
    successor.drop(session("bob"))
    assert Lobby(successor.open([])).since(2) is None


def test_only_lobbies_with_members_are_left_to_a_successor(store: Keeper) -> None:
    store.open([], "empty")
    store.put(session("ada"), sets_profile=True, lobby="full")
    assert [stored.name for stored in store.store.dump()] == ["full"]


# Any writes

NAMES = ("ada", "bob")
WRITES = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(["phone", "laptop", "tablet"]),
        st.integers(1, 3),
        st.sampled_from([ONLINE, SUSPECT, None]),
        st.booleans(),
    ),
    max_size=30,
)


@given(WRITES)
def test_any_writes_keep_the_promises(writes: list[tuple[str, str, int, Liveness | None, bool]]) -> None:
    store = Keeper()
    told: list[Change] = []
    stored = store.open(told)
    generations: dict[tuple[str, str], int] = {}
    incarnations: dict[str, list[int]] = {name: [] for name in NAMES}
    for name, device, generation, liveness, sets_profile in writes:
        before = len(told)
        record = session(name, device, generation=generation, liveness=liveness or ONLINE)
        there = generations.get((name, device))
        if liveness is None:
            answer = store.drop(record)
            accepted = there is not None and generation >= there
            generations = {
                one: of for one, of in generations.items() if not accepted or one != (name, device)
            }
        else:
            answer = store.put(record, sets_profile=sets_profile)
            room = sum(owner == name for owner, _ in generations) < LIMITS.sessions_per_member
            accepted = generation >= there if there is not None else generation == 1 and room
            generations |= {(name, device): generation} if accepted else {}
        assert isinstance(answer, Change) is accepted
        assert told[before:] == ([answer] if accepted else [])
        if accepted:
            after = written(answer).member
            incarnations[name].append(after.incarnation if after is not None else 0)
    assert [change.revision for change in told] == list(range(1, len(told) + 1))
    store.close()
    held = {
        (name, device): one.generation
        for person in store.look().members
        for one in person.sessions
        for name in NAMES
        for device in ("phone", "laptop", "tablet")
        if session(name, device).id == one.id and key(name) == person.public_key
    }
    assert held == generations
    assert stored.epoch == 100
    for name in NAMES:
        for earlier, later in zip(incarnations[name], incarnations[name][1:], strict=False):
            assert later in (0, earlier) if earlier else later > 0
