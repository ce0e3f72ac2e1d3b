"""What a line of a client must look like: the fields that docs/events.md and docs/conformance.md promise, each of its type.

Further fields and further events are allowed, as both pages say. A line that isn't printable ASCII is a fault whatever it holds:
a terminal must never see what another person wrote.
"""

import json
import re
from collections.abc import Callable, Mapping

from adsum.contract.identity import fingerprint

Record = dict[str, object]
Check = Callable[[object], str | None]
"""Says what is wrong with a value; None if nothing is."""

MAX_NUMBER = 2**64 - 1


def fault_in_line(line: str) -> str | None:
    """Say what is wrong with a line of a client; None if nothing is."""
    if not all(" " <= character <= "~" for character in line):
        return "characters other than printable ASCII"
    try:
        record = json.loads(line)
    except ValueError as error:
        return f"no JSON: {error}"
    if not isinstance(record, dict) or not isinstance(record.get("event"), str):
        return "no object with an `event`"
    fields = EVENTS.get(record["event"])
    return None if fields is None else _fault_in_fields(record, fields)


def _fault_in_fields(record: Mapping[str, object], fields: Mapping[str, Check]) -> str | None:
    for name, check in fields.items():
        if name not in record:
            return f"`{name}` is missing"
        if fault := check(record[name]):
            return f"`{name}`: {fault}"
    return None


def _text(value: object) -> str | None:
    return None if isinstance(value, str) else f"{value!r} is no text"


def _number(value: object) -> str | None:
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:
        return f"{value!r} is no number from 0 to 2^64-1"
    return None


def _truth(value: object) -> str | None:
    return None if isinstance(value, bool) else f"{value!r} is neither true nor false"


def _seconds(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return f"{value!r} is no duration"
    return None


def _like(pattern: str) -> Check:
    expression = re.compile(pattern)

    def check(value: object) -> str | None:
        if not isinstance(value, str) or not expression.fullmatch(value):
            return f"{value!r} is not like {pattern}"
        return None

    return check


def _one_of(*words: str) -> Check:
    return lambda value: None if value in words else f"{value!r} is none of {', '.join(words)}"


def _or_null(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _texts(value: object) -> str | None:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        return f"{value!r} is no object of texts"
    return None


def _member(value: object) -> str | None:
    if not isinstance(value, dict):
        return f"{value!r} is no member"
    if fault := _fault_in_fields(value, MEMBER):
        return fault
    if value["fingerprint"] != fingerprint(bytes.fromhex(value["key"])):
        return f"{value['fingerprint']} is not the fingerprint of {value['key']}"
    return None


def _members(value: object) -> str | None:
    if not isinstance(value, list):
        return f"{value!r} is no list of members"
    if fault := next((fault for member in value if (fault := _member(member))), None):
        return fault
    keys = [member["key"] for member in value]
    return None if len(set(keys)) == len(keys) else "the same key twice"


_KEY = _like(r"[0-9a-f]{64}")
_SUM = _like(r"[0-9a-f]{16}")
_TIME = _like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_FINGERPRINT = _like(r"[a-z2-7]{4}-[a-z2-7]{4}")
_REASON = _like(r"[a-z_]*")
_PHASE = _one_of("connecting", "live", "reconnecting", "stale", "degraded", "closed")
_SELECTION = _one_of("available", "unavailable", "cleared")

MEMBER: dict[str, Check] = {
    "key": _KEY,
    "fingerprint": _FINGERPRINT,
    "name": _text,
    "status": _one_of("available", "away", "busy"),
    "status_text": _text,
    "attributes": _texts,
    "liveness": _one_of("online", "suspect"),
    "joined_at": _TIME,
    "devices": _number,
    "incarnation": _number,
    "revision": _number,
}
_ALWAYS: dict[str, Check] = {"event": _text, "time": _TIME, "lobby": _text}
_CHANGE: dict[str, Check] = {**_ALWAYS, "revision": _number, "member": _member}

EVENTS: dict[str, dict[str, Check]] = {
    "snapshot": {**_ALWAYS, "schema": _number, "revision": _number, "members": _members},
    "joined": _CHANGE,
    "updated": {**_CHANGE, "before": _member},
    "suspect": _CHANGE,
    "back": _CHANGE,
    "left": {**_CHANGE, "reason": _one_of("left", "lost", "removed")},
    "state": {
        **_ALWAYS,
        "phase": _PHASE,
        "before": _PHASE,
        "cause": _text,
        "retry_in_seconds": _or_null(_seconds),
    },
    "repaired": {
        **_ALWAYS,
        "revision": _number,
        "cause": _one_of("gap", "epoch", "digest", "requested"),
        "joined": _number,
        "updated": _number,
        "left": _number,
    },
    "refused": {**_ALWAYS, "request_id": _number, "reason": _REASON, "message": _text},
    "selection": {
        **_ALWAYS,
        "revision": _number,
        "key": _KEY,
        "state": _SELECTION,
        "reason": _REASON,
        "was": _or_null(_SELECTION),
    },
    "message": {
        **_ALWAYS,
        "delivery_id": _number,
        "sender_key": _KEY,
        "sender_fingerprint": _FINGERPRINT,
        "sender_name": _or_null(_text),
        "text": _text,
        "sent_at": _TIME,
    },
    # Of these two the page says no more than the fields: they are answers to commands.
    "sent": {
        "event": _text,
        "id": _text,
        "outcome": _one_of(
            *("delivered", "recipient_offline", "recipient_suspect", "recipient_changed", "recipient_busy"),
            *("recipient_went_offline", "unconfirmed", "rate_limited", "too_large"),
        ),
        "revision": _number,
    },
    "roster": {
        "event": _text,
        "id": _text,
        "epoch": _SUM,
        "digest": _SUM,
        "revision": _number,
        "is_stale": _truth,
        "members": _members,
    },
}
