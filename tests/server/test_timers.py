"""Deadlines by key."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from adsum.server.timers import Timers

KEYS = st.integers(0, 5)
MOMENTS = st.integers(0, 20).map(float)


def test_deadlines_come_in_order_and_once() -> None:
    timers: Timers[str] = Timers()
    for key, when in (("late", 3.0), ("early", 1.0), ("middle", 2.0)):
        timers.set(key, when)
    assert timers.next() == 1.0
    assert list(timers.due(2.0)) == ["early", "middle"]
    assert timers.next() == 3.0
    assert list(timers.due(2.9)) == []
    assert list(timers.due(3.0)) == ["late"]
    assert timers.next() is None


def test_equal_moments_come_in_the_order_they_were_set() -> None:
    timers: Timers[str] = Timers()
    for key in "cab":
        timers.set(key, 1.0)
    assert list(timers.due(1.0)) == ["c", "a", "b"]


def test_new_deadline_replaces_the_old_one_in_both_directions() -> None:
    timers: Timers[str] = Timers()
    timers.set("later", 1.0)
    timers.set("later", 5.0)
    timers.set("sooner", 9.0)
    timers.set("sooner", 2.0)
    assert len(timers) == 2
    assert list(timers.due(4.0)) == ["sooner"]
    assert list(timers.due(100.0)) == ["later"]


def test_cancelled_deadline_never_comes() -> None:
    timers: Timers[str] = Timers()
    timers.set("key", 1.0)
    timers.cancel("key")
    timers.cancel("stranger")
    assert timers.next() is None
    assert list(timers.due(10.0)) == []


def test_deadline_cancelled_by_one_that_is_due_does_not_come() -> None:
    timers: Timers[str] = Timers()
    timers.set("first", 1.0)
    timers.set("second", 1.0)
    seen = []
    for key in timers.due(1.0):
        seen.append(key)
        timers.cancel("second")
    assert seen == ["first"]


def test_deadline_set_again_while_it_is_due_comes_in_its_time() -> None:
    timers: Timers[str] = Timers()
    timers.set("beat", 1.0)
    beats = 0
    for key in timers.due(3.5):
        beats += 1
        timers.set(key, 1.0 + beats)
    assert beats == 3
    assert timers.next() == 4.0


def test_deadlines_that_are_put_off_for_ever_take_no_room() -> None:
    timers: Timers[int] = Timers()
    for moment in range(10_000):
        for key in range(10):
            timers.set(key, moment + 5.0)
    assert len(timers) == 10
    assert len(timers._heap) < 200


class Deadlines(RuleBasedStateMachine):
    """The same as a dictionary that is searched through."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: Timers[int] = Timers()
        self.model: dict[int, float] = {}

    @rule(key=KEYS, when=MOMENTS)
    def set(self, key: int, when: float) -> None:
        self.timers.set(key, when)
        self.model[key] = when

    @rule(key=KEYS)
    def cancel(self, key: int) -> None:
        self.timers.cancel(key)
        self.model.pop(key, None)

    @rule(now=MOMENTS)
    def due(self, now: float) -> None:
        taken = list(self.timers.due(now))
        assert sorted(taken) == sorted(key for key, when in self.model.items() if when <= now)
        assert [self.model[key] for key in taken] == sorted(self.model[key] for key in taken)
        self.model = {key: when for key, when in self.model.items() if when > now}

    @invariant()
    def next_is_the_earliest(self) -> None:
        assert self.timers.next() == min(self.model.values(), default=None)
        assert len(self.timers) == len(self.model)


TestDeadlines = Deadlines.TestCase
TestDeadlines.settings = settings(max_examples=30, stateful_step_count=30)
