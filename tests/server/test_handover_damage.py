"""What no server writes into a handover file: it is refused at once, and not found out later by a server that runs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from adsum.server.handover import HandoverError, take_handover, write_handover
from adsum.server.seat import hash_token
from tests.server.test_handover import HANDOVER, HELD, NOW

SURROGATE = "Ad\ud800"
UNSOUND: dict[str, dict[str, list[object]]] = {
    "lobby": {
        "name": ["", "Den", "den/1", "x" * 65, 7, SURROGATE],
        "epoch": [-1, 2**64, 1.5, True, "77"],
        "revision": [-1, 8, 2**63, 12.0],
    },
    "member": {
        "public_key": ["", "AA==", "A" * 44],
        "incarnation": [0, -1, 10, 2**64, 3.0],
        "revision": [0, -1, 2, 9, 13, 2**64, "4"],
    },
    "session": {
        "id": ["not base64!"],
        "generation": [0, -1, 2**31, 1.0],
        "joined_at_millis": [-1, 253_402_300_800_000, 2**64, None],
        "profile_revision": [-1, 5, 2**64],
    },
    "profile": {
        "name": [SURROGATE, "x" * 65, 7, None],
        "status": ["", "ASLEEP", 1],
        "status_text": [SURROGATE, "x" * 141, 7],
        "attributes": [{SURROGATE: "x"}, {"x": SURROGATE}, {"x": 7}, {"x": "y" * 1_024}],
    },
    "held": {
        "session_id": [7],
        "public_key": ["", "AA=="],
        "token": ["", "AA=="],
        "previous_token": ["AA=="],
        "newest_request_id": [-1, 2**64],
        "selected_key": ["AA=="],
        "selected_incarnation": [-1, 2**64],
    },
}
"""What no server writes, and what a successor would fail on later."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "handover.json"


@pytest.mark.parametrize(
    ("place", "field", "value"),
    [
        (place, field, value)
        for place, fields in UNSOUND.items()
        for field, values in fields.items()
        for value in values
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_no_server_writes_is_refused_and_put_aside(
    path: Path, place: str, field: str, value: object
) -> None:
    write_handover(path, HANDOVER, NOW)
    text = json.loads(path.read_text())
    (lobby,) = text["lobbies"]
    session = lobby["members"][0]["sessions"][0]
    places = {
        "lobby": lobby,
        "member": lobby["members"][0],
        "session": session,
        "profile": session["profile"],
    }
    (places | {"held": lobby["held"][0]})[place][field] = value
    path.write_text(json.dumps(text))
    with pytest.raises(HandoverError, match="damaged"):
        take_handover(path, NOW)
    assert [one.name for one in path.parent.iterdir()] == [path.name + ".bad"]


@pytest.mark.parametrize("what", ["lobbies", "members", "sessions", "held"])
def test_what_is_there_twice_is_refused(path: Path, what: str) -> None:
    write_handover(path, HANDOVER, NOW)
    text = json.loads(path.read_text())
    (lobby,) = text["lobbies"]
    places = {"lobbies": text["lobbies"], "sessions": lobby["members"][0]["sessions"]}
    twice = places.get(what) or lobby[what]
    twice.append(json.loads(json.dumps(twice[0])))
    if what == "members":
        # With a revision of its own: the key is enough.
        twice[-1]["revision"] = 12
    path.write_text(json.dumps(text))
    with pytest.raises(HandoverError, match="twice"):
        take_handover(path, NOW)


def test_hash_of_a_token_is_as_long_as_is_expected(path: Path) -> None:
    held = replace(HELD, token=hash_token(b"new"), previous_token=hash_token(b"old"))
    left = replace(HANDOVER, lobbies=((HANDOVER.lobbies[0][0], (held,)),))
    write_handover(path, left, NOW)
    assert take_handover(path, NOW) == left
