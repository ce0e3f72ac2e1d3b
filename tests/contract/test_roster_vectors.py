"""The client library holds, sends and reports what the vectors in roster.json expect, message by message."""

import base64
import json
from pathlib import Path

import pytest
from google.protobuf import json_format

from adsum.contract.digest import EMPTY, add, member_digest
from adsum.v1.presence_pb2 import PresenceRequest, PresenceResponse
from tests.contract.roster_driver import (
    Case,
    Driver,
    HeldMember,
    Rosters,
    by_member,
    comparable,
    held,
    in_any_order,
    reported,
)

PATH = Path(__file__).parents[2] / "protos/vectors/roster.json"
ROSTERS: Rosters = json.loads(PATH.read_text(encoding="ascii"))
ACTIONS = {"connect", "disconnect", "select", "receive"}
each_case = pytest.mark.parametrize("case", ROSTERS["cases"], ids=lambda case: case["name"])


@each_case
def test_client_holds_sends_and_reports_what_is_expected(case: Case) -> None:
    driver = Driver(ROSTERS, case)
    for number, step in enumerate(case["steps"]):
        driver.perform(step)
        where = f"step {number} of {case['name']}: {case['about']}"
        assert held(driver.session, step["holds"]) == step["holds"], where
        assert comparable(driver.sent, step) == in_any_order(step["send"]), where
        assert reported(driver.events, step["events"]) == by_member(step["events"]), where


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


def _digest(members: list[HeldMember]) -> int:
    total = EMPTY
    for member in members:
        key = base64.b64decode(member["publicKey"])
        total = add(total, member_digest(key, int(member["incarnation"]), int(member["revision"])))
    return total
