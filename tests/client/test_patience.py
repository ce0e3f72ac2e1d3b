"""A server is waited for as long as it deserves, and no longer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.client import Settings
from adsum.client.patience import STALLED_SECONDS, End, Patience
from tests.client.patient import patient

SETTINGS = Settings()


@pytest.fixture
def patience() -> Patience:
    """Make the patience with a server that said Welcome at second 100."""
    patience = Patience(SETTINGS, 98.0)
    patience.heard(100.0)
    patience.welcome(heartbeat_seconds=5.0, lease_seconds=12.0)
    return patience


def test_handshake_has_its_time() -> None:
    patience = Patience(SETTINGS, 100.0)
    assert patience.deadline(100.0) == 105.0
    patience.heard(104.0)
    # Words don't extend it.
    assert patience.deadline(104.0) == 105.0
    assert patience.judge(104.9) is None
    assert patience.judge(105.0) == End("no answer within 5 s")


def test_silence_is_doubted_and_then_given_up(patience: Patience) -> None:
    assert patience.deadline(100.0) == 109.0
    assert not patience.is_silent(108.9)
    assert patience.is_silent(109.0)
    assert patience.judge(109.0) is None
    assert patience.deadline(109.0) == 112.0
    assert patience.judge(112.0) == End("nothing heard for 12 s")


def test_every_word_starts_the_silence_anew(patience: Patience) -> None:
    patience.heard(108.0)
    assert not patience.is_silent(116.9)
    assert patience.judge(119.9) is None
    assert patience.deadline(119.9) == 120.0


def test_process_that_was_stopped_listens_once_more(patience: Patience) -> None:
    assert patience.judge(500.0) is None
    assert patience.deadline(500.0) == 500.0 + STALLED_SECONDS
    assert patience.judge(500.0 + STALLED_SECONDS) == End("nothing heard for 12 s")


def test_promised_list_has_its_time(patience: Patience) -> None:
    patience.expect_list(100.0)
    for second in range(100, 130):
        patience.heard(float(second))
        assert patience.judge(float(second)) is None
    # Asking again doesn't extend it.
    patience.expect_list(129.0)
    assert patience.judge(130.0) == End("no list within 30 s", is_violation=True)


def test_list_that_came_is_waited_for_no_more(patience: Patience) -> None:
    patience.expect_list(100.0)
    patience.got_list()
    patience.heard(130.0)
    assert patience.judge(130.0) is None


def test_draining_server_is_left_when_it_said(patience: Patience) -> None:
    patience.move_at = 103.0
    assert patience.deadline(100.0) == 103.0
    assert patience.judge(102.9) is None
    assert patience.judge(103.0) == End("the server is stopping", is_planned=True)


@patient
@given(st.lists(st.floats(0, 20), max_size=40), st.booleans())
def test_deadline_is_when_the_judgement_changes(gaps: list[float], welcomed: bool) -> None:
    now = 100.0
    patience = Patience(SETTINGS, now)
    if welcomed:
        patience.welcome(5.0, 12.0)
    for gap in gaps:
        deadline = patience.deadline(now)
        assert deadline > now
        before = (patience.judge(now), patience.is_silent(now))
        if now + gap < deadline:
            now += gap
            assert (patience.judge(now), patience.is_silent(now)) == before
            patience.heard(now)
        else:
            now = deadline
            assert (patience.judge(now), patience.is_silent(now)) != before
            if patience.judge(now) is not None:
                return
