"""Lead the library's session through the transcripts of roster.json, and tell what it holds, sends and reports in the file's words.

The messages pass through `wire` as bytes, so this is what a stream would carry. What surrounds the transcript
(README.md in protos/vectors) is done here by `Driver`.
"""

import base64
import json
from typing import TypedDict

from google.protobuf import json_format

from adsum.client.events import (
    Back,
    Event,
    Joined,
    Left,
    MessageReceived,
    SelectionChanged,
    Snapshotted,
    Suspect,
    Updated,
)
from adsum.client.member import Profile
from adsum.client.messages import SelectionReason
from adsum.client.session import Purpose, Session, Stage
from adsum.client.settings import Settings
from adsum.client.wire import decode, encode
from adsum.contract.identity import Identity
from adsum.v1.presence_pb2 import PresenceRequest, PresenceResponse

Json = dict[str, object]


class HeldMember(TypedDict):
    """A member that a client holds."""

    publicKey: str
    incarnation: str
    revision: str
    liveness: str
    name: str


class Held(TypedDict, total=False):
    """What a client holds. Without `isStale` it isn't said whether the list can be trusted."""

    epoch: str
    revision: str
    digest: str
    isStale: bool
    members: list[HeldMember]


class Step(TypedDict, total=False):
    """One thing that happens to a client, and what follows from it."""

    connect: bool
    disconnect: bool
    select: str
    receive: Json
    holds: Held | None
    send: list[Json]
    events: list[dict[str, str]]


class Case(TypedDict):
    """One transcript."""

    name: str
    about: str
    observer: bool
    steps: list[Step]


class Me(TypedDict):
    """Who the client is."""

    name: str
    seed: str


class Rosters(TypedDict):
    """The content of roster.json."""

    lobby: str
    audience: str
    me: Me
    people: dict[str, str]
    cases: list[Case]


FREE = {"hello": {"clientNonce", "profile"}, "proof": {"signature"}, "select": {"requestId"}}
"""Fields that a client chooses."""


class Driver:
    """Lead a session of the library through a transcript, as its connection would."""

    def __init__(self, rosters: Rosters, case: Case) -> None:
        """Be offline, as the client that the file describes."""
        identity = Identity.from_seed(bytes.fromhex(rosters["me"]["seed"]))
        purpose = Purpose(rosters["lobby"], identity, rosters["audience"], case["observer"])
        self.session = Session(purpose, Profile(rosters["me"]["name"]), Settings())
        self.sent: list[Json] = []
        self.events: list[Event] = []
        self._now = 0.0

    def perform(self, step: Step) -> None:
        """Let one step happen; `sent` and `events` are then those of this step."""
        self.sent, self.events = [], []
        # Far less than any deadline.
        self._now += 0.001
        if "connect" in step:
            self.sent.append(_as_json(encode(self.session.dial(b"n" * 32, self._now))))
        elif "disconnect" in step:
            self.events.extend(self.session.lost("the transcript says so", self._now).events)
        elif "select" in step:
            self.session.outbox.select(base64.b64decode(step["select"]))
        else:
            response = decode(json_format.ParseDict(step["receive"], PresenceResponse()).SerializeToString())
            if response is not None:
                output = self.session.receive(response, self._now)
                assert output.end is None
                self.events.extend(output.events)
        while (request := self.session.take_request()) is not None:
            self.sent.append(_as_json(encode(request)))


def _as_json(request: bytes) -> Json:
    return json_format.MessageToDict(PresenceRequest.FromString(request))


def held(session: Session, expected: Held | None) -> Held | None:
    replica = session.replica
    if not replica.is_complete:
        return None
    found: Held = {
        "epoch": str(replica.epoch),
        "revision": str(replica.revision),
        "digest": str(replica.digest),
        "members": [
            {
                "publicKey": _base64(member.public_key),
                "incarnation": str(member.incarnation),
                "revision": str(member.revision),
                "liveness": f"LIVENESS_{member.liveness.name}",
                "name": member.name,
            }
            for member in sorted(replica.roster.values(), key=lambda member: _base64(member.public_key))
        ],
    }
    if expected is not None and "isStale" in expected:
        found["isStale"] = session.stage is not Stage.WELCOMED or replica.is_awaiting
    return found


def comparable(sent: list[Json], step: Step) -> list[Json]:
    """Leave out what a client is free to choose, and heartbeats without an echo beyond those listed."""
    shown: list[Json] = []
    for request in sent:
        ((kind, content),) = request.items()
        assert isinstance(content, dict)
        request = {kind: {name: value for name, value in content.items() if name not in FREE.get(kind, ())}}
        if request != _beat(step["holds"]) or request in step["send"]:
            shown.append(request)
    return in_any_order(shown)


def _beat(held: Held | None) -> Json | None:
    if held is None:
        return None
    content = {name: held[name] for name in ("epoch", "revision", "digest")}
    return {"heartbeat": {name: value for name, value in content.items() if value != "0"}}


def in_any_order(requests: list[Json]) -> list[Json]:
    return sorted(requests, key=lambda request: json.dumps(request, sort_keys=True))


def reported(events: list[Event], expected: list[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    told = [shown for event in events if (shown := _shown(event)) is not None]
    with_reason = {event["publicKey"] for event in expected if event["kind"] == "left" and "reason" in event}
    for event in told:
        if event["kind"] == "left" and event["publicKey"] not in with_reason:
            del event["reason"]
    return by_member(told)


def by_member(events: list[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    """Group events by member: their order counts for each member, not between members."""
    grouped: dict[str, list[dict[str, str]]] = {}
    for event in events:
        grouped.setdefault(event.get("publicKey", ""), []).append(event)
    return grouped


def _shown(event: Event) -> dict[str, str] | None:
    match event:
        case Snapshotted():
            return {"kind": "snapshot"}
        case Joined(member):
            return {"kind": "joined", "publicKey": _base64(member.public_key)}
        case Updated(member):
            return {"kind": "updated", "publicKey": _base64(member.public_key)}
        case Suspect(member):
            return {"kind": "suspect", "publicKey": _base64(member.public_key)}
        case Back(member):
            return {"kind": "back", "publicKey": _base64(member.public_key)}
        case Left(member, reason):
            named = f"DEPARTURE_REASON_{reason.name}"
            return {"kind": "left", "publicKey": _base64(member.public_key), "reason": named}
        case SelectionChanged():
            shown = {"kind": "selection", "publicKey": _base64(event.public_key)}
            shown["state"] = f"SELECTION_STATE_{event.state.name}"
            if event.reason is not SelectionReason.NONE:
                shown["reason"] = f"SELECTION_REASON_{event.reason.name}"
            return shown
        case MessageReceived():
            return {
                "kind": "message",
                "publicKey": _base64(event.sender_key),
                "deliveryId": str(event.delivery_id),
            }
        case _:
            # What else the library tells of itself is its own affair.
            return None


def _base64(key: bytes) -> str:
    return base64.b64encode(key).decode("ascii")
