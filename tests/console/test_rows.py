"""The rows of the lobby's table."""

from hypothesis import given, settings
from hypothesis import strategies as st

from adsum.client import Back, Joined, Left, MembershipEvent, Snapshotted, Suspect, Updated
from adsum.client.member import DepartureReason, Status
from adsum.console.inputs import Moment
from adsum.console.rows import MARK_SECONDS, Mark, Rows, place_of
from tests.console.people import member, public_key
from tests.console.performance import STARTED_AT

ADA, BOB, EVE = member("Ada", key=1), member("Bob", key=2), member("eve", key=3)


def at(seconds: float) -> Moment:
    return Moment(seconds, STARTED_AT)


def rows_of(*events: Snapshotted | MembershipEvent, now: float = 0.0) -> Rows:
    return Rows().after(events, at(now))


def names(rows: Rows) -> list[str]:
    return [rows.by_key[key].member.name for _, key in rows.order]


def test_rows_are_ordered_as_the_roster_is() -> None:
    assert names(rows_of(Joined(EVE), Joined(BOB), Joined(ADA))) == ["Ada", "Bob", "eve"]


def test_first_list_is_not_news() -> None:
    rows = rows_of(Snapshotted((ADA, BOB)))
    assert not rows.ends
    assert rows.present_count == 2


def test_change_is_marked_for_a_moment() -> None:
    rows = rows_of(Joined(ADA))
    assert rows.by_key[ADA.public_key].mark is Mark.CAME
    assert rows.faded(MARK_SECONDS - 0.1) is rows
    assert rows.faded(MARK_SECONDS).by_key[ADA.public_key].mark is None


def test_who_goes_is_seen_going_and_then_vanishes() -> None:
    rows = rows_of(Snapshotted((ADA, BOB)), Left(ADA, DepartureReason.LOST))
    row = rows.by_key[ADA.public_key]
    assert (row.is_present, row.mark, row.gone_at) == (False, Mark.GONE, STARTED_AT)
    assert rows.present_count == 1
    assert rows.present(ADA.public_key) is None
    assert names(rows.faded(MARK_SECONDS)) == ["Bob"]


def test_who_comes_back_while_seen_going_is_there_again() -> None:
    rows = rows_of(Snapshotted((ADA,)), Left(ADA, DepartureReason.LEFT), Joined(ADA))
    assert rows.by_key[ADA.public_key].is_present
    assert rows.present_count == 1
    assert names(rows.faded(MARK_SECONDS)) == ["Ada"]


def test_new_name_is_a_new_place() -> None:
    renamed = member("Zoe", key=1)
    rows = rows_of(Snapshotted((ADA, BOB)), Updated(renamed, ADA))
    assert names(rows) == ["Bob", "Zoe"]
    assert rows.by_key[ADA.public_key].mark is Mark.CHANGED


def test_namesakes_are_known_by_what_a_person_sees() -> None:
    twin = member("ａda", key=4)  # a full-width letter
    rows = rows_of(Snapshotted((ADA, twin, BOB)))
    assert rows.has_namesake(ADA)
    assert rows.has_namesake(twin)
    assert not rows.has_namesake(BOB)
    assert not rows.after([Left(twin, DepartureReason.LEFT)], at(0)).has_namesake(ADA)


def test_filter_looks_at_name_fingerprint_and_status() -> None:
    busy = member("Cid", key=5, status=Status.BUSY, status_text="in a Meeting")
    rows = rows_of(Snapshotted((ADA, BOB, busy)))
    assert rows.matching("") is rows.order
    assert rows.matching("AD") == [place_of(ADA)]
    assert rows.matching(BOB.fingerprint) == [place_of(BOB)]
    assert rows.matching("busy meet") == [place_of(busy)]
    assert rows.matching("nobody") == []


PEOPLE = st.builds(member, st.sampled_from(["Ada", "ada", "Bob", "漢", "Ａda"]), key=st.integers(1, 6))
EVENTS: st.SearchStrategy[Snapshotted | MembershipEvent] = st.one_of(
    PEOPLE.map(Joined),
    PEOPLE.map(Suspect),
    PEOPLE.map(Back),
    PEOPLE.map(lambda one: Updated(one, one)),
    PEOPLE.map(lambda one: Left(one, DepartureReason.LEFT)),
    st.lists(PEOPLE, max_size=4, unique_by=lambda one: one.public_key).map(
        lambda some: Snapshotted(tuple(some))
    ),
)


@settings(max_examples=50)
@given(st.lists(st.tuples(EVENTS, st.floats(0, 2)), max_size=30))
def test_order_counts_and_ends_always_fit_the_rows(
    steps: list[tuple[Snapshotted | MembershipEvent, float]],
) -> None:
    rows, now = Rows(), 0.0
    for event, pause in steps:
        now += pause
        rows = rows.after([event], at(now)).faded(now)
        assert list(rows.order) == sorted(place_of(row.member) for row in rows.by_key.values())
        present = [row for row in rows.by_key.values() if row.is_present]
        assert rows.present_count == len(present) == sum(rows.name_counts.values())
        assert rows.ends.keys() <= rows.by_key.keys()
        assert all(key in rows.ends for key, row in rows.by_key.items() if not row.is_present)
    assert all(row.is_present and row.mark is None for row in rows.faded(now + MARK_SECONDS).by_key.values())


@settings(max_examples=50)
@given(st.lists(EVENTS, max_size=30))
def test_many_changes_at_once_are_the_same_as_one_by_one(events: list[Snapshotted | MembershipEvent]) -> None:
    together = Rows().after(events, at(0))
    alone = Rows()
    for event in events:
        alone = alone.after([event], at(0))
    assert (together.by_key, list(together.order), together.name_counts, together.ends) == (
        alone.by_key,
        list(alone.order),
        alone.name_counts,
        alone.ends,
    )


def test_member_that_nobody_knows_leaves_without_a_trace() -> None:
    assert rows_of(Left(ADA, DepartureReason.LEFT)).by_key == {}
    assert Rows().present(public_key(1)) is None
