"""What a stopping server leaves for its successor: written as a whole, read once, refused if it can't be trusted."""

import json
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adsum.contract.limits import LOBBY_PATTERN
from adsum.server.handover import STALE_SECONDS, Handover, HandoverError, take_handover, write_handover
from adsum.server.history import StoredLobby
from adsum.server.member import Liveness, Member, Profile, Session, Status
from adsum.server.memory_store import MemoryStore
from adsum.server.messages import Leave, Select, Send
from adsum.server.seat import HeldSession
from tests.server.builders import (
    ADA,
    BOB,
    EPOCH,
    LIMITS,
    LOBBY,
    Device,
    Room,
    member,
    session,
    update,
)

NOW = 1_700_000_000.0
HELD = HeldSession(session("ada").id, ADA, b"t" * 32, b"p" * 32, 7, BOB, 3)
HANDOVER = Handover(((StoredLobby(LOBBY, EPOCH, 12, (member("ada", 3, 4), member("bob", 5, 9))), (HELD,)),))

U64 = st.integers(0, 2**64 - 1)
KEYS = st.binary(min_size=32, max_size=32)
PROFILES = st.builds(
    Profile,
    st.text(min_size=1, max_size=8),
    st.sampled_from(Status),
    st.text(max_size=8),
    st.dictionaries(st.text(min_size=1, max_size=4), st.text(max_size=4), max_size=3).map(
        lambda attributes: tuple(sorted(attributes.items()))
    ),
)


@st.composite
def lobbies(draw: st.DrawFn) -> StoredLobby:
    """Make any lobby that can have come about: each member has a revision of its own, and each session an id."""
    revisions = draw(st.lists(st.integers(1, 2**63 - 1), unique=True, max_size=3))
    ids = iter(draw(st.lists(st.binary(min_size=16, max_size=16), unique=True, min_size=6, max_size=6)))
    keys = draw(st.lists(KEYS, unique=True, min_size=3, max_size=3))
    members = []
    for public_key, revision in zip(keys, revisions, strict=False):
        incarnation = draw(st.integers(1, revision))
        sessions = [
            Session(
                id=next(ids),
                public_key=public_key,
                generation=draw(st.integers(1, 2**31 - 1)),
                liveness=draw(st.sampled_from(Liveness)),
                profile=draw(PROFILES),
                joined_at_millis=draw(st.integers(0, 253_402_300_799_999)),
                incarnation=incarnation,
                profile_revision=draw(st.integers(incarnation, revision)),
            )
            for _ in range(draw(st.integers(1, 2)))
        ]
        members.append(Member(public_key, incarnation, revision, tuple(sessions)))
    revision = draw(st.integers(max(revisions, default=0), 2**63 - 1))
    return StoredLobby(
        draw(st.from_regex(LOBBY_PATTERN, fullmatch=True)), draw(U64), revision, tuple(members)
    )


HELD_SESSIONS = st.builds(
    HeldSession,
    st.binary(max_size=16),
    KEYS,
    KEYS,
    st.one_of(st.just(b""), KEYS),
    U64,
    st.one_of(st.just(b""), KEYS),
    U64,
)
HANDOVERS = st.builds(
    Handover,
    st.lists(
        st.tuples(
            lobbies(),
            st.lists(HELD_SESSIONS, unique_by=lambda one: one.session_id, max_size=2).map(tuple),
        ),
        unique_by=lambda one: one[0].name,
        max_size=2,
    ).map(tuple),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "handover.json"


def content_of(path: Path) -> dict[str, object]:
    """Read the file as it is."""
    content = json.loads(path.read_text())
    assert isinstance(content, dict)
    return content


def test_successor_reads_what_was_written(path: Path) -> None:
    write_handover(path, HANDOVER, NOW)
    assert take_handover(path, NOW + 3) == HANDOVER


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(handover=HANDOVERS)
def test_anything_that_a_server_holds_survives(path: Path, handover: Handover) -> None:
    write_handover(path, handover, NOW)
    assert take_handover(path, NOW) == handover


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=40))
def test_lobby_of_any_history_survives(path: Path, steps: list[tuple[int, int]]) -> None:
    room, devices = Room(), list[Device]()
    for what, which in steps:
        device = devices[which % len(devices)] if devices else None
        if device is None or what == 0:
            devices.append(room.join("abcdefgh"[which]))
            continue
        match what:
            case 1:
                room.lose(device)
            case 2:
                room.blip(device)
            case 3:
                room.say(device, update("é" * 64, "x" * 140, which))
            case 4:
                room.say(device, Select(which, devices[0].public_key))
            case 5:
                room.say(device, Send(which + 1, devices[0].public_key, b"hello", 0))
            case 6:
                room.say(device, Leave())
                devices.remove(device)
            case _:
                room.wait(which)
        devices = [one for one in devices if one.session_id in room.stored_sessions]
    for _ in range(2):
        left = Handover(tuple((stored, tuple(room.desk.bequeath())) for stored in room.store.dump()))
        write_handover(path, left, NOW)
        assert take_handover(path, NOW) == left
        # What a successor makes of it can be handed on again.
        store = MemoryStore(LIMITS, lambda: EPOCH)
        store.restore(stored for stored, _ in left.lobbies)
        room = Room(store=store)
        for _, held in left.lobbies:
            room.adopt(held)


def test_file_serves_once(path: Path) -> None:
    write_handover(path, HANDOVER, NOW)
    take_handover(path, NOW)
    assert take_handover(path, NOW) is None
    assert list(path.parent.iterdir()) == []


def test_no_file_is_no_handover(path: Path) -> None:
    assert take_handover(path, NOW) is None


def test_file_is_its_owners_alone(path: Path) -> None:
    write_handover(path, HANDOVER, NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0


def test_newer_file_replaces_the_older_and_nothing_else_is_left(path: Path) -> None:
    write_handover(path, Handover(()), NOW)
    write_handover(path, HANDOVER, NOW)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert take_handover(path, NOW) == HANDOVER


def test_directory_in_place_of_the_file_is_left_alone(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(OSError):
        write_handover(path, HANDOVER, NOW)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("age", [STALE_SECONDS + 1, -STALE_SECONDS - 1, 1e9])
def test_file_of_another_time_is_refused_and_put_aside(path: Path, age: float) -> None:
    write_handover(path, HANDOVER, NOW)
    with pytest.raises(HandoverError, match="old"):
        take_handover(path, NOW + age)
    assert [one.name for one in path.parent.iterdir()] == [path.name + ".bad"]


@pytest.mark.parametrize("age", [-STALE_SECONDS + 1, 0, STALE_SECONDS - 1])
def test_file_of_a_moment_ago_is_taken_though_the_clock_was_set(path: Path, age: float) -> None:
    write_handover(path, HANDOVER, NOW)
    assert take_handover(path, NOW + age) == HANDOVER


@pytest.mark.parametrize(
    "change",
    [
        {"format": "adsum-handover-2"},
        {"format": None},
        {"written_at": "yesterday"},
        {"written_at": None},
        {"written_at": float("nan")},
        {"written_at": float("inf")},
        {"lobbies": None},
        {"lobbies": 7},
        {"lobbies": [7]},
        {"lobbies": {"name": "x"}},
        {"lobbies": [{"name": "x"}]},
        {"lobbies": [{"name": "x", "epoch": float("inf"), "revision": 1, "members": [], "held": []}]},
        {"lobbies": [{"name": "x", "epoch": 1, "revision": "one", "members": [], "held": []}]},
        {"lobbies": [{"name": "x", "epoch": 1, "revision": 1, "members": [{}], "held": []}]},
        {"lobbies": [{"name": "x", "epoch": 1, "revision": 1, "members": [], "held": [{"session_id": "ü"}]}]},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_damaged_file_is_refused_and_put_aside(path: Path, change: dict[str, object]) -> None:
    write_handover(path, HANDOVER, NOW)
    path.write_text(json.dumps(content_of(path) | change))
    with pytest.raises(HandoverError):
        take_handover(path, NOW)
    assert [one.name for one in path.parent.iterdir()] == [path.name + ".bad"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sessions", []),
        ("sessions", None),
        ("public_key", "not base64!"),
        ("public_key", 7),
        ("incarnation", []),
        ("revision", {}),
    ],
)
def test_damaged_member_is_refused(path: Path, field: str, value: object) -> None:
    write_handover(path, HANDOVER, NOW)
    text = json.loads(path.read_text())
    text["lobbies"][0]["members"][0][field] = value
    path.write_text(json.dumps(text))
    with pytest.raises(HandoverError):
        take_handover(path, NOW)


@pytest.mark.parametrize(
    ("field", "value"),
    [("liveness", "GONE"), ("profile", {}), ("profile", []), ("id", None), ("generation", "x")],
)
def test_damaged_session_is_refused(path: Path, field: str, value: object) -> None:
    write_handover(path, HANDOVER, NOW)
    text = json.loads(path.read_text())
    text["lobbies"][0]["members"][0]["sessions"][0][field] = value
    path.write_text(json.dumps(text))
    with pytest.raises(HandoverError):
        take_handover(path, NOW)


@pytest.mark.parametrize("attributes", [[], None, "text", 7])
def test_damaged_attributes_are_refused(path: Path, attributes: object) -> None:
    write_handover(path, HANDOVER, NOW)
    text = json.loads(path.read_text())
    text["lobbies"][0]["members"][0]["sessions"][0]["profile"]["attributes"] = attributes
    path.write_text(json.dumps(text))
    with pytest.raises(HandoverError):
        take_handover(path, NOW)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b'"text"',
        b"null",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"format": "adsum-handover-1"}',
    ],
    ids=lambda content: repr(content[:16]),
)
def test_file_that_is_something_else_is_refused_and_put_aside(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(HandoverError):
        take_handover(path, NOW)
    assert [one.name for one in path.parent.iterdir()] == [path.name + ".bad"]


def test_file_cut_anywhere_is_refused(path: Path) -> None:
    write_handover(path, HANDOVER, NOW)
    whole = path.read_bytes()
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(HandoverError):
            take_handover(path, NOW)


def test_file_that_can_not_be_read_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(HandoverError):
        take_handover(path, NOW)


def test_message_of_a_refusal_names_the_file(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("{")
    with pytest.raises(HandoverError, match=r"handover\.json"):
        take_handover(path, NOW)


def test_no_token_is_left_in_the_file(path: Path) -> None:
    # What a desk hands on is a hash already; nothing else may find its way in.
    write_handover(path, HANDOVER, NOW)
    lobbies = content_of(path)["lobbies"]
    assert isinstance(lobbies, list)
    assert set(lobbies[0]["held"][0]) == {
        "session_id",
        "public_key",
        "token",
        "previous_token",
        "newest_request_id",
        "selected_key",
        "selected_incarnation",
    }
