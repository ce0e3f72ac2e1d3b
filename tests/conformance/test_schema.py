import json
from datetime import UTC, datetime

import pytest

from adsum.client import Joined, Left, Phase, StateChanged, Updated
from adsum.client.events import ConnectionState
from adsum.client.member import DepartureReason, Member, Profile
from adsum.console.records import encode, event_record, snapshot_record
from tests.client.model_lobby import a_member as library_member
from tests.conformance.sample import EVENTS, a_member
from tests.conformance.schema import EVENTS as SCHEMAS
from tests.conformance.schema import MEMBER, fault_in_line

FIELDS = [(event, field) for event, record in EVENTS.items() for field in record if field != "event"]
WRONG: dict[str, object] = {
    "revision": -1,
    "members": [a_member(), a_member()],
    "member": a_member(key="ab"),
    "before": None,
    "time": "2026-05-09 12:02:31",
    "retry_in_seconds": "1",
    "is_stale": 0,
    "devices": True,
    "was": "nobody",
    "sender_name": 5,
    "delivery_id": 2**64,
    "schema": 1.0,
}


def _line(record: object) -> str:
    return json.dumps(record)


def test_there_is_a_sample_of_every_kind() -> None:
    assert EVENTS.keys() == SCHEMAS.keys()


@pytest.mark.parametrize("event", EVENTS)
def test_what_is_promised_has_no_fault(event: str) -> None:
    assert fault_in_line(_line(EVENTS[event])) is None
    assert fault_in_line(_line({**EVENTS[event], "a field of a later version": [1]})) is None


@pytest.mark.parametrize(("event", "field"), FIELDS)
def test_a_missing_field_is_a_fault(event: str, field: str) -> None:
    record = {name: value for name, value in EVENTS[event].items() if name != field}
    assert fault_in_line(_line(record)) == f"`{field}` is missing"


@pytest.mark.parametrize(("event", "field"), FIELDS)
def test_a_value_of_another_type_is_a_fault(event: str, field: str) -> None:
    fault = fault_in_line(_line({**EVENTS[event], field: WRONG.get(field, {"an": "object"})}))
    assert fault is not None
    assert fault.startswith(f"`{field}`")


@pytest.mark.parametrize("field", MEMBER)
def test_every_field_of_a_member_is_looked_at(field: str) -> None:
    member = a_member()
    del member[field]
    assert fault_in_line(_line({**EVENTS["joined"], "member": member})) == f"`member`: `{field}` is missing"


def test_a_fingerprint_that_is_not_the_keys_is_a_fault() -> None:
    member = a_member(fingerprint="aaaa-aaaa")
    assert "is not the fingerprint" in str(fault_in_line(_line({**EVENTS["joined"], "member": member})))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "hello",
        "[]",
        '{"event": 1}',
        '{"time": "now"}',
        '{"event": "x", "text": "\x1b"}',
        '{"event": "é"}',
    ],
)
def test_a_line_that_is_no_event_or_not_printable_ascii_is_a_fault(line: str) -> None:
    assert fault_in_line(line) is not None


def test_an_event_of_a_later_version_is_allowed() -> None:
    assert fault_in_line('{"event": "sang", "song": null}') is None


def test_what_adsum_watch_writes_has_no_fault() -> None:
    """The page that promises the fields, the program that writes them and the harness agree."""
    at = datetime.now(UTC)
    member: Member = library_member("Bob\x1b\x7f")
    changed = Member(member.public_key, 1, 2, member.liveness, Profile("Bob"), member.joined_at, 2)
    closed = ConnectionState(Phase.CLOSED, "gone")
    for event in (
        Joined(member),
        Updated(changed, member),
        Left(changed, DepartureReason.LOST, 3),
        StateChanged(closed, ConnectionState(Phase.LIVE)),
    ):
        assert fault_in_line(encode(event_record(event, lobby="lobby", at=at))) is None
    assert fault_in_line(encode(snapshot_record([member], lobby="lobby", revision=1, at=at))) is None
