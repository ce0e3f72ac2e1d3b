"""Each event as JSON: the promise of docs/events.md."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.client import (
    Back,
    ConnectionState,
    DepartureReason,
    Event,
    Joined,
    Left,
    MessageReceived,
    Overflowed,
    Phase,
    Reason,
    RepairCause,
    Repaired,
    RequestRefused,
    SelectionChanged,
    SelectionReason,
    SelectionState,
    Snapshotted,
    StateChanged,
    Suspect,
    Updated,
)
from adsum.console.records import encode, event_record, snapshot_record
from tests.console.people import JOINED_AT, NASTY_NAMES, member

DOCUMENT = Path(__file__).parents[2] / "docs/events.md"
AT = datetime(2026, 5, 9, 14, 2, 31, 204_999, tzinfo=timezone(timedelta(hours=2)))
ADA = member(attributes={"a": "b"})
ADA_RECORD = {
    "key": ADA.public_key.hex(),
    "fingerprint": ADA.fingerprint,
    "name": "Ada",
    "status": "available",
    "status_text": "",
    "attributes": {"a": "b"},
    "liveness": "online",
    "joined_at": "2026-05-09T12:00:00.000Z",
    "devices": 1,
    "incarnation": 5,
    "revision": 7,
}
CASES: list[tuple[Event, dict[str, object]]] = [
    (Snapshotted((ADA,), 7), {"event": "snapshot", "schema": 1, "revision": 7, "members": [ADA_RECORD]}),
    (Joined(ADA), {"event": "joined", "revision": 7, "member": ADA_RECORD}),
    (
        Updated(ADA, member("Bob")),
        {
            "event": "updated",
            "revision": 7,
            "member": ADA_RECORD,
            "before": ADA_RECORD | {"name": "Bob", "attributes": {}},
        },
    ),
    (Suspect(ADA), {"event": "suspect", "revision": 7, "member": ADA_RECORD}),
    (Back(ADA), {"event": "back", "revision": 7, "member": ADA_RECORD}),
    (
        Left(ADA, DepartureReason.LOST, 8),
        {"event": "left", "revision": 8, "member": ADA_RECORD, "reason": "lost"},
    ),
    (
        SelectionChanged(ADA.public_key, ADA, SelectionState.AVAILABLE, SelectionReason.NONE, None, 9),
        {
            "event": "selection",
            "revision": 9,
            "key": ADA.public_key.hex(),
            "state": "available",
            "reason": "none",
            "was": None,
        },
    ),
    (
        MessageReceived(3, ADA, ADA.public_key, b"hi\xff", JOINED_AT),
        {
            "event": "message",
            "delivery_id": 3,
            "sender_key": ADA.public_key.hex(),
            "sender_fingerprint": ADA.fingerprint,
            "sender_name": "Ada",
            "text": "hi\ufffd",
            "sent_at": "2026-05-09T12:00:00.000Z",
        },
    ),
    (
        StateChanged(ConnectionState(Phase.RECONNECTING, "lost", 12.0, 0.5), ConnectionState(Phase.LIVE)),
        {
            "event": "state",
            "phase": "reconnecting",
            "before": "live",
            "cause": "lost",
            "retry_in_seconds": 0.5,
        },
    ),
    (
        Repaired(RepairCause.EPOCH, 1, 2, 3, 9),
        {"event": "repaired", "revision": 9, "cause": "epoch", "joined": 1, "updated": 2, "left": 3},
    ),
    (
        RequestRefused(4, Reason.BAD_NAME, "no"),
        {"event": "refused", "request_id": 4, "reason": "bad_name", "message": "no"},
    ),
    (Overflowed(5), {"event": "overflowed", "dropped": 5}),
]


@pytest.mark.parametrize(("event", "facts"), CASES, ids=lambda value: type(value).__name__)
def test_event_has_exactly_the_promised_fields(event: Event, facts: dict[str, object]) -> None:
    record = json.loads(encode(event_record(event, lobby="team", at=AT)))
    assert record == {"time": "2026-05-09T12:02:31.204Z", "lobby": "team", **facts}


def test_every_event_is_tested() -> None:
    assert {type(event) for event, _ in CASES} == set(get_args(Event))


@pytest.mark.parametrize(("event", "facts"), CASES, ids=lambda value: type(value).__name__)
def test_every_event_is_documented_with_its_fields(event: Event, facts: dict[str, object]) -> None:
    rows = {
        row[1]: row[2] for row in re.finditer(r"^\| `(\w+)` \| (.*?) \|", DOCUMENT.read_text(), re.MULTILINE)
    }
    documented = re.findall(r"`(\w+)`", rows[str(facts["event"])])
    assert documented == [field for field in event_record(event, lobby="team", at=AT) if field in facts][1:]


def test_every_field_of_a_member_is_documented() -> None:
    section = DOCUMENT.read_text().split("## A member")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(ADA_RECORD)


def test_snapshot_after_an_overflow_looks_like_the_first() -> None:
    first = event_record(Snapshotted((ADA,), 7), lobby="team", at=AT)
    assert snapshot_record([ADA], lobby="team", revision=7, at=AT) == first


@pytest.mark.parametrize("name", NASTY_NAMES, ids=ascii)
def test_nasty_name_is_escaped_and_comes_back_whole(name: str) -> None:
    encoded = encode(event_record(Joined(member(name)), lobby="team", at=AT.astimezone(UTC)))
    assert encoded.isascii()
    assert encoded.isprintable()
    assert json.loads(encoded)["member"]["name"] == name


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_one_printable_line(text: str) -> None:
    encoded = encode({"text": text})
    assert encoded.isascii()
    assert encoded.isprintable()
