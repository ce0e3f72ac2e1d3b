"""Events as a right client writes them, for the tests of the harness itself."""

from typing import Any

from adsum.contract.identity import fingerprint

TIME = "2026-05-09T12:02:31.204Z"
Json = dict[str, Any]


def a_member(name: str = "Bob", **different: object) -> Json:
    """Make a member as events tell it."""
    key = name.encode().ljust(32, b".")
    return {
        "key": key.hex(),
        "fingerprint": fingerprint(key),
        "name": name,
        "status": "available",
        "status_text": "",
        "attributes": {},
        "liveness": "online",
        "joined_at": TIME,
        "devices": 1,
        "incarnation": 1,
        "revision": 1,
        **different,
    }


def an_event(event: str, **fields: object) -> Json:
    """Make an event with what every event has."""
    return {"event": event, "time": TIME, "lobby": "lobby", **fields}


def a_snapshot(*members: Json) -> Json:
    """Make a first list."""
    return an_event("snapshot", schema=1, revision=1, members=list(members))


def a_state(phase: str, before: str) -> Json:
    """Make a change of the connection."""
    return an_event("state", phase=phase, before=before, cause="", retry_in_seconds=None)


EVENTS: dict[str, Json] = {
    "snapshot": a_snapshot(a_member()),
    "joined": an_event("joined", revision=2, member=a_member("Cleo")),
    "updated": an_event(
        "updated", revision=2, member=a_member(status_text="new", revision=2), before=a_member()
    ),
    "suspect": an_event("suspect", revision=2, member=a_member(liveness="suspect", revision=2)),
    "back": an_event("back", revision=3, member=a_member(revision=3)),
    "left": an_event("left", revision=2, member=a_member(), reason="left"),
    "state": a_state("live", "connecting"),
    "repaired": an_event("repaired", revision=2, cause="gap", joined=0, updated=1, left=0),
    "refused": an_event("refused", request_id=1, reason="bad_status_text", message="no"),
    "selection": an_event(
        "selection", revision=2, key=a_member()["key"], state="available", reason="none", was=None
    ),
    "message": an_event(
        "message",
        delivery_id=2**64 - 1,
        sender_key=a_member()["key"],
        sender_fingerprint=a_member()["fingerprint"],
        sender_name=None,
        text="hi",
        sent_at=TIME,
    ),
    "sent": {"event": "sent", "id": "Ann-1", "outcome": "delivered", "revision": 2},
    "roster": {
        "event": "roster",
        "id": "Ann-1",
        "epoch": "00000000000000ff",
        "digest": "ffffffffffffffff",
        "revision": 2,
        "is_stale": False,
        "members": [a_member()],
    },
}
"""One of each kind, all fields as promised."""
