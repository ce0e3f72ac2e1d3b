"""The feed of events."""

from adsum.client import Joined, Left, MembershipEvent
from adsum.client.member import DepartureReason
from adsum.console.feed import CROWD_COUNT, MAX_ENTRIES, Feed, with_change, with_line
from adsum.console.inputs import Moment
from adsum.console.rows import Mark
from adsum.console.text import line, plain
from tests.console.people import member
from tests.console.performance import STARTED_AT


def at(seconds: float) -> Moment:
    return Moment(seconds, STARTED_AT)


def joined(number: int) -> MembershipEvent:
    return Joined(member(f"P{number}", key=number))


def left(number: int) -> MembershipEvent:
    return Left(member(f"P{number}", key=number), DepartureReason.LEFT)


def told(feed: Feed) -> list[str]:
    return [plain(entry.shown) for entry in feed]


def test_few_changes_have_a_line_each() -> None:
    feed = with_change((), joined(1), Mark.CAME, at(0))
    feed = with_change(feed, left(2), Mark.GONE, at(0.1))
    assert [text[:4] for text in told(feed)] == ["+ P1", "- P2"]


def test_many_at_once_are_told_in_one_line() -> None:
    feed: Feed = ()
    for number in range(37):
        feed = with_change(feed, joined(number), Mark.CAME, at(number * 0.01))
    for number in range(12):
        feed = with_change(feed, left(number), Mark.GONE, at(0.5))
    assert told(feed) == ["± 37 people came, 12 left"]


def test_changes_far_apart_are_never_a_crowd() -> None:
    feed: Feed = ()
    for number in range(CROWD_COUNT * 2):
        feed = with_change(feed, joined(number), Mark.CAME, at(number * 3.0))
    assert len(feed) == CROWD_COUNT * 2


def test_line_of_its_own_is_never_merged() -> None:
    feed: Feed = ()
    for number in range(CROWD_COUNT - 1):
        feed = with_change(feed, joined(number), Mark.CAME, at(0))
    feed = with_line(feed, line("@", "selected"), at(0))
    feed = with_change(feed, joined(50), Mark.CAME, at(0))
    assert len(feed) == CROWD_COUNT + 1


def test_crowd_of_those_who_left_alone_has_a_noun() -> None:
    feed: Feed = ()
    for number in range(CROWD_COUNT):
        feed = with_change(feed, left(number), Mark.GONE, at(0))
    assert told(feed) == [f"± {CROWD_COUNT} people left"]


def test_feed_is_bounded() -> None:
    feed: Feed = ()
    for number in range(MAX_ENTRIES + 10):
        feed = with_line(feed, line("", str(number)), at(number))
    assert len(feed) == MAX_ENTRIES
    assert told(feed)[-1] == str(MAX_ENTRIES + 9)
