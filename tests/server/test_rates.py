"""Token buckets: how often for long, and how often at once."""

from hypothesis import given
from hypothesis import strategies as st

from adsum.server.rates import Bucket

PAUSES = st.lists(st.floats(0, 3), max_size=60)


def test_full_bucket_gives_its_burst_at_once_and_no_more() -> None:
    bucket = Bucket.full(5, 10, now=100.0)
    assert [bucket.take(100.0) for _ in range(11)] == [True] * 10 + [False]


def test_tokens_come_back_at_the_rate() -> None:
    bucket = Bucket.full(4, 2, now=0.0)
    assert bucket.take(0.0)
    assert bucket.take(0.0)
    assert not bucket.take(0.2)
    assert bucket.take(0.25)
    assert not bucket.take(0.25)


def test_rest_fills_no_more_than_the_burst() -> None:
    bucket = Bucket.full(5, 3, now=0.0)
    assert [bucket.take(3600.0) for _ in range(4)] == [True, True, True, False]


def test_next_token_is_there_when_it_was_promised() -> None:
    bucket = Bucket.full(4, 1, now=10.0)
    assert bucket.next_at(10.0) == 10.0
    assert bucket.take(10.0)
    promised = bucket.next_at(10.0)
    assert promised == 10.25
    assert not bucket.take(promised - 0.01)
    assert bucket.next_at(promised - 0.01) > promised - 0.01
    assert bucket.take(promised)


def test_clock_that_steps_back_neither_drains_nor_fills() -> None:
    bucket = Bucket.full(1, 2, now=100.0)
    assert bucket.take(100.0)
    assert bucket.take(40.0)
    assert not bucket.take(41.0)
    assert not bucket.take(100.0)
    assert bucket.take(101.0)


@given(st.floats(0.5, 20), st.integers(1, 10), PAUSES)
def test_no_stretch_of_time_gives_more_than_burst_and_rate(
    rate: float, burst: int, pauses: list[float]
) -> None:
    bucket = Bucket.full(rate, burst, now=0.0)
    now = 0.0
    taken: list[float] = []
    for pause in pauses:
        now += pause
        taken += [now for _ in range(3) if bucket.take(now)]
    for index, first in enumerate(taken):
        for later in range(index, len(taken)):
            assert later - index + 1 <= burst + rate * (taken[later] - first) + 1e-6


@given(st.floats(0.5, 20), st.integers(1, 10), PAUSES)
def test_whoever_keeps_to_the_rate_is_never_refused(rate: float, burst: int, pauses: list[float]) -> None:
    bucket = Bucket.full(rate, burst, now=0.0)
    now = 0.0
    for pause in pauses:
        now += pause + 1 / rate + 1e-9
        assert bucket.take(now)
