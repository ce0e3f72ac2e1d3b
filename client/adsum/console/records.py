"""What each event is called by a program: one event, one JSON object.

Pure. `docs/events.md` is the promise made here: within schema 1 a field is never renamed, removed or given
another meaning; events and fields may be added. Texts stand in a record as they came; `encode` escapes
everything but printable ASCII, so no control byte reaches a terminal and every JSON parser gives the text
back.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import assert_never

from adsum.client import (
    Back,
    Event,
    Joined,
    Left,
    Lobby,
    Member,
    MessageReceived,
    Overflowed,
    Repaired,
    RequestRefused,
    SelectionChanged,
    Snapshotted,
    StateChanged,
    Suspect,
    Updated,
    fingerprint,
)
from adsum.console.text import words

SCHEMA = 1
"""The version of the records, named in each snapshot. It changes only when a promise of `docs/events.md` is broken."""

Record = dict[str, object]
"""A JSON object: strings, numbers, booleans, None, and lists and objects of them."""


def event_record(event: Event, *, lobby: str, at: datetime) -> Record:
    """Tell an event as a JSON object. `at` is when this client saw it."""
    return {"event": _kind(event), "time": _time(at), "lobby": lobby, **_facts(event)}


def snapshot_record(members: Iterable[Member], *, lobby: str, revision: int, at: datetime) -> Record:
    """Tell the whole list: the first record of a watch, and the one after changes could not be told one by one."""
    return {"event": "snapshot", "time": _time(at), "lobby": lobby, **_snapshot(members, revision)}


def list_record(lobby: Lobby, *, at: datetime) -> Record:
    """Tell the list of `adsum who`: the snapshot, and the proof that it is the server's."""
    record = snapshot_record(lobby.roster.values(), lobby=lobby.name, revision=lobby.revision, at=at)
    return {
        **record,
        "epoch": f"{lobby.epoch:016x}",
        "digest": f"{lobby.digest:016x}",
        "is_proved": lobby.is_proved,
    }


def member_record(member: Member) -> Record:
    """Tell all that is known of a member."""
    return {
        "key": member.public_key.hex(),
        "fingerprint": member.fingerprint,
        "name": member.name,
        "status": member.profile.status.name.lower(),
        "status_text": member.profile.status_text,
        "attributes": dict(member.profile.attributes),
        "liveness": member.liveness.name.lower(),
        "joined_at": _time(member.joined_at),
        "devices": member.session_count,
        "incarnation": member.incarnation,
        "revision": member.revision,
    }


def encode(record: Record) -> str:
    """Write a record in one line of ASCII. DEL, which JSON leaves alone, is escaped as well."""
    return json.dumps(record, ensure_ascii=True).replace("\x7f", "\\u007f")


def _kind(event: Event) -> str:
    match event:
        case Snapshotted():
            return "snapshot"
        case SelectionChanged():
            return "selection"
        case MessageReceived():
            return "message"
        case StateChanged():
            return "state"
        case RequestRefused():
            return "refused"
        case Joined() | Updated() | Suspect() | Back() | Left() | Repaired() | Overflowed():
            return type(event).__name__.lower()
        case _:
            assert_never(event)


def _facts(event: Event) -> Record:
    match event:
        case Snapshotted():
            return _snapshot(event.members, event.revision)
        case Joined() | Suspect() | Back():
            return {"revision": event.revision, "member": member_record(event.member)}
        case Updated():
            return {
                "revision": event.revision,
                "member": member_record(event.member),
                "before": member_record(event.before),
            }
        case Left():
            return {
                "revision": event.revision,
                "member": member_record(event.member),
                "reason": event.reason.name.lower(),
            }
        case SelectionChanged():
            return {
                "revision": event.revision,
                "key": event.public_key.hex(),
                "state": event.state.name.lower(),
                "reason": event.reason.name.lower(),
                "was": event.was.name.lower() if event.was is not None else None,
            }
        case MessageReceived():
            return {
                "delivery_id": event.delivery_id,
                "sender_key": event.sender_key.hex(),
                "sender_fingerprint": fingerprint(event.sender_key),
                "sender_name": event.sender.name if event.sender is not None else None,
                "text": words(event.payload),
                "sent_at": _time(event.sent_at),
            }
        case StateChanged():
            return {
                "phase": event.state.phase.name.lower(),
                "before": event.before.phase.name.lower(),
                "cause": event.state.cause,
                "retry_in_seconds": event.state.retry_in_seconds,
            }
        case Repaired():
            return {
                "revision": event.revision,
                "cause": event.cause.value,
                "joined": event.joined,
                "updated": event.updated,
                "left": event.left,
            }
        case Overflowed():
            return {"dropped": event.dropped}
        case RequestRefused():
            return {
                "request_id": event.request_id,
                "reason": event.reason.name.lower(),
                "message": event.message,
            }
        case _:
            assert_never(event)


def _snapshot(members: Iterable[Member], revision: int) -> Record:
    return {"schema": SCHEMA, "revision": revision, "members": [member_record(member) for member in members]}


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
