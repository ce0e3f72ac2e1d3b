"""How the list of members looks."""

from datetime import UTC, datetime

import pytest

from adsum.client import Liveness, Status
from adsum.console.table import member_columns, since_words
from tests.console.people import JOINED_AT, member

NOW = datetime(2026, 5, 9, 14, 0, tzinfo=UTC)


def test_columns_are_aligned_by_what_the_terminal_shows() -> None:
    ada = member(status=Status.BUSY, status_text="in a meeting")
    wide = member("山田太郎", key=2, liveness=Liveness.SUSPECT, session_count=2)
    heading, first, second = member_columns((ada, wide), me=ada.public_key, now=NOW)
    assert heading.split() == ["NAME", "FINGERPRINT", "STATUS", "LIVENESS", "SINCE", "DEVICES"]
    assert first.split("  ")[0] == "Ada (you)"
    assert "● online" in first
    assert "? reconnecting…" in second
    # Each of the four characters takes two columns.
    assert second.index(wide.fingerprint) == first.index(ada.fingerprint) - 4


def test_since_is_a_time_today_and_a_date_before() -> None:
    assert since_words(JOINED_AT, NOW) == "12:00:00"
    assert since_words(JOINED_AT, NOW.replace(day=10)) == "2026-05-09 12:00"


def test_since_needs_to_know_the_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        since_words(JOINED_AT, NOW.replace(tzinfo=None))
