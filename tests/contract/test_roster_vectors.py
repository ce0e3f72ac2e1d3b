"""The client library holds, sends and reports what the vectors in roster.json expect, message by message.

The messages pass through `wire` as bytes, so this is what a stream would carry. What surrounds the transcript
(README.md in protos/vectors) is done here by `Driver`.
"""

import base64
import json
from pathlib import Path
from typing import TypedDict

import pytest
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
from adsum.contract.digest import EMPTY, add, member_digest
from adsum.contract.identity import Identity
from adsum.v1.presence_pb2 import PresenceRequest, PresenceResponse

PATH = Path(__file__).parents[2] / "protos/vectors/roster.json"
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


ROSTERS: Rosters = json.loads(PATH.read_text(encoding="ascii"))
FREE = {"hello": {"clientNonce", "profile"}, "proof": {"signature"}, "select": {"requestId"}}
"""Fields that a client chooses."""
ACTIONS = {"connect", "disconnect", "select", "receive"}
each_case = pytest.mark.parametrize("case", ROSTERS["cases"], ids=lambda case: case["name"])


class Driver:
    """Lead a session of the library through a transcript, as its connection would."""

    def __init__(self, case: Case) -> None:
        """Be offline."""
        identity = Identity.from_seed(bytes.fromhex(ROSTERS["me"]["seed"]))
        purpose = Purpose(ROSTERS["lobby"], identity, ROSTERS["audience"], case["observer"])
        self.session = Session(purpose, Profile(ROSTERS["me"]["name"]), Settings())
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


@each_case
def test_client_holds_sends_and_reports_what_is_expected(case: Case) -> None:
    driver = Driver(case)
    for number, step in enumerate(case["steps"]):
        driver.perform(step)
        where = f"step {number} of {case['name']}: {case['about']}"
        assert _held(driver.session, step["holds"]) == step["holds"], where
        assert _comparable(driver.sent, step) == _sorted(step["send"]), where
        assert _reported(driver.events, step["events"]) == _in_order(step["events"]), where


@each_case
def test_messages_are_canonical(case: Case) -> None:
    for step in case["steps"]:
        if "receive" in step:
            message = json_format.ParseDict(step["receive"], PresenceResponse())
            assert json_format.MessageToDict(message) == step["receive"]
        for request in step["send"]:
            assert json_format.MessageToDict(json_format.ParseDict(request, PresenceRequest())) == request


@each_case
def test_transcript_is_sound(case: Case) -> None:
    keys = set(ROSTERS["people"].values())
    assert len(keys) == 5
    for step in case["steps"]:
        assert len(ACTIONS & step.keys()) == 1
        assert {event["publicKey"] for event in step["events"] if "publicKey" in event} <= keys
        if step["holds"] is not None:
            members = step["holds"]["members"]
            assert step["holds"]["digest"] == str(_digest(members))
            assert {member["publicKey"] for member in members} <= keys
    assert case["steps"][0]["connect"]
    last = case["steps"][-1]["holds"]
    assert last is not None
    assert not last.get("isStale")


def test_every_request_and_event_of_the_roster_rules_occurs() -> None:
    steps = [step for case in ROSTERS["cases"] for step in case["steps"]]
    assert {next(iter(request)) for step in steps for request in step["send"]} == {
        "hello",
        "proof",
        "heartbeat",
        "resync",
        "ack",
        "select",
    }
    assert {event["kind"] for step in steps for event in step["events"]} == {
        "snapshot",
        "joined",
        "updated",
        "suspect",
        "back",
        "left",
        "selection",
        "message",
    }
    resyncs = [request for step in steps for request in step["send"] if "resync" in request]
    for reason in ("GAP", "EPOCH", "DIGEST"):
        assert {"resync": {"reason": f"RESYNC_REASON_{reason}"}} in resyncs


def _as_json(request: bytes) -> Json:
    return json_format.MessageToDict(PresenceRequest.FromString(request))


def _digest(members: list[HeldMember]) -> int:
    total = EMPTY
    for member in members:
        key = base64.b64decode(member["publicKey"])
        total = add(total, member_digest(key, int(member["incarnation"]), int(member["revision"])))
    return total


def _held(session: Session, expected: Held | None) -> Held | None:
    replica = session.replica
    if not replica.is_complete:
        return None
    held: Held = {
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
        held["isStale"] = session.stage is not Stage.WELCOMED or replica.is_awaiting
    return held


def _comparable(sent: list[Json], step: Step) -> list[Json]:
    """Leave out what a client is free to choose, and heartbeats without an echo beyond those listed."""
    shown: list[Json] = []
    for request in sent:
        ((kind, content),) = request.items()
        assert isinstance(content, dict)
        request = {kind: {name: value for name, value in content.items() if name not in FREE.get(kind, ())}}
        if request != _beat(step["holds"]) or request in step["send"]:
            shown.append(request)
    return _sorted(shown)


def _beat(held: Held | None) -> Json | None:
    if held is None:
        return None
    content = {name: held[name] for name in ("epoch", "revision", "digest")}
    return {"heartbeat": {name: value for name, value in content.items() if value != "0"}}


def _sorted(requests: list[Json]) -> list[Json]:
    return sorted(requests, key=lambda request: json.dumps(request, sort_keys=True))


def _reported(events: list[Event], expected: list[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    reported = [shown for event in events if (shown := _shown(event)) is not None]
    with_reason = {event["publicKey"] for event in expected if event["kind"] == "left" and "reason" in event}
    for event in reported:
        if event["kind"] == "left" and event["publicKey"] not in with_reason:
            del event["reason"]
    return _in_order(reported)


def _in_order(events: list[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
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
