"""When the screen may be drawn."""

from hypothesis import given
from hypothesis import strategies as st

from adsum.console.cadence import Cadence


def test_first_change_is_drawn_at_once() -> None:
    assert Cadence(0.0).delay(0.0, for_key=False) == 0.0


def test_key_is_drawn_at_once_amid_a_stream_of_changes() -> None:
    cadence = Cadence(0.0)
    now = 0.0
    for _ in range(100):
        now += cadence.delay(now, for_key=False)
        cadence.drawn(now)
    assert cadence.delay(now, for_key=True) == 0.0
    cadence.drawn(now)
    assert cadence.delay(now + 0.001, for_key=True) == 0.0


def test_changes_wait_no_longer_than_a_tenth_of_a_second() -> None:
    cadence = Cadence(0.0)
    cadence.drawn(0.0)
    assert cadence.delay(0.0, for_key=False) < 0.1


@given(st.lists(st.tuples(st.floats(0, 0.2), st.booleans()), max_size=200))
def test_never_more_than_nineteen_in_any_second(asked: list[tuple[float, bool]]) -> None:
    cadence = Cadence(0.0)
    now, drawn = 0.0, []
    for pause, for_key in asked:
        now += pause
        now += cadence.delay(now, for_key=for_key)
        cadence.drawn(now)
        drawn.append(now)
    assert all(sum(start <= at < start + 1.0 for at in drawn) <= 19 for start in drawn)
