"""What a stopping server leaves for its successor: lobbies, sessions and tokens, in a file.

A planned restart of a single node keeps everybody: the successor goes on with the same epochs and revisions, and each client resumes
its session. The file is JSON, readable by its owner only (it holds names and hashes of tokens, no secrets), written as a whole or not at
all, and removed when it is read: it serves once. One that is too old or damaged is put aside, and the server starts empty.

Damaged is whatever no server writes down: a successor takes for granted that names and texts can be sent, that numbers fit into
messages, and that a lobby's history is one. The rules for names are not asked again: a successor that knows fewer characters, or stricter
rules, would turn everybody away because of one.
"""

import base64
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from adsum.contract.identity import KEY_BYTES
from adsum.contract.limits import (
    ATTRIBUTES_BYTES,
    LARGEST_NUMBER,
    LOBBY_PATTERN,
    NAME_CODE_POINTS,
    STATUS_TEXT_CODE_POINTS,
)
from adsum.server.history import StoredLobby
from adsum.server.member import Liveness, Member, Profile, Session, Status
from adsum.server.seat import HeldSession

FORMAT = "adsum-handover-1"
"""Names the format. A file of another is not read."""
STALE_SECONDS = 300.0
"""A file that is older says nothing about who is here: every client has given its session up by then."""
_TOKEN_BYTES = 32
"""What `hash_token` makes of a token."""
_LARGEST_UINT64 = 2**64 - 1
_LARGEST_REVISION = 2**63 - 1
"""No lobby gets there, and from there on there is room for a successor's own."""
_LARGEST_GENERATION = LARGEST_NUMBER // 2
"""Likewise."""
_END_OF_TIME_MILLIS = 253_402_300_800_000
"""The year 10,000: a Timestamp ends before it."""


class HandoverError(Exception):
    """The file can't be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Handover:
    """Everything that a successor needs, for each lobby."""

    lobbies: tuple[tuple[StoredLobby, tuple[HeldSession, ...]], ...]


def write_handover(path: Path, handover: Handover, unix_seconds: float) -> None:
    """Write the file in place of any that is there.

    Raises:
        OSError: it can't be written.
    """
    content = {
        "format": FORMAT,
        "written_at": unix_seconds,
        "lobbies": [_lobby_to_json(stored, held) for stored, held in handover.lobbies],
    }
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def take_handover(path: Path, unix_seconds: float) -> Handover | None:
    """Read the file and remove it; None if there is none.

    Raises:
        HandoverError: it is unreadable, damaged, of another format or too old. It is moved aside, to the same name with
            `.bad`, if it can be.
    """
    try:
        encoded = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HandoverError(f"{path} can't be read: {error}") from error
    try:
        content = json.loads(encoded)
        if content["format"] != FORMAT:
            raise HandoverError(f"{path} has the format {content['format']!r}, not {FORMAT!r}")
        age = unix_seconds - float(content["written_at"])
        if not -STALE_SECONDS <= age <= STALE_SECONDS:
            raise HandoverError(f"{path} is {age:.0f} s old")
        handover = Handover(_lobbies_from_json(content["lobbies"]))
    except HandoverError:
        _put_aside(path)
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        _put_aside(path)
        raise HandoverError(f"{path} is damaged: {error!r}") from error
    path.unlink(missing_ok=True)
    return handover


def _put_aside(path: Path) -> None:
    try:
        path.replace(path.with_name(path.name + ".bad"))
    except OSError:
        # It is read again at the next start, and refused again.
        return


_Json: TypeAlias = dict[str, object]
# What json returns. It is checked where it is used: whatever doesn't fit raises, and the file is damaged.
_Read: TypeAlias = Any


def _lobby_to_json(stored: StoredLobby, held: tuple[HeldSession, ...]) -> _Json:
    return {
        "name": stored.name,
        "epoch": stored.epoch,
        "revision": stored.revision,
        "members": [
            {
                "public_key": _to_text(member.public_key),
                "incarnation": member.incarnation,
                "revision": member.revision,
                "sessions": [_session_to_json(session) for session in member.sessions],
            }
            for member in stored.members
        ],
        "held": [
            {
                "session_id": _to_text(one.session_id),
                "public_key": _to_text(one.public_key),
                "token": _to_text(one.token),
                "previous_token": _to_text(one.previous_token),
                "newest_request_id": one.newest_request_id,
                "selected_key": _to_text(one.selected_key),
                "selected_incarnation": one.selected_incarnation,
            }
            for one in held
        ],
    }


def _session_to_json(session: Session) -> _Json:
    return {
        "id": _to_text(session.id),
        "generation": session.generation,
        "liveness": session.liveness.name,
        "joined_at_millis": session.joined_at_millis,
        "profile_revision": session.profile_revision,
        "profile": {
            "name": session.profile.name,
            "status": session.profile.status.name,
            "status_text": session.profile.status_text,
            "attributes": dict(session.profile.attributes),
        },
    }


def _lobbies_from_json(content: _Read) -> tuple[tuple[StoredLobby, tuple[HeldSession, ...]], ...]:
    lobbies = tuple(_lobby_from_json(lobby) for lobby in content)
    _refuse_twice("lobby", (stored.name for stored, _ in lobbies))
    return lobbies


def _lobby_from_json(content: _Read) -> tuple[StoredLobby, tuple[HeldSession, ...]]:
    name = _string(content["name"])
    if LOBBY_PATTERN.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no lobby's name")
    epoch = _number(content["epoch"], 0, _LARGEST_UINT64)
    revision = _number(content["revision"], 0, _LARGEST_REVISION)
    members = tuple(_member_from_json(member, revision) for member in content["members"])
    held = tuple(_held_from_json(one) for one in content["held"])
    _refuse_twice("member", (member.public_key for member in members))
    _refuse_twice("revision", (member.revision for member in members))
    _refuse_twice("session", (session.id for member in members for session in member.sessions))
    _refuse_twice("held session", (one.session_id for one in held))
    return StoredLobby(name, epoch, revision, members), held


def _held_from_json(content: _Read) -> HeldSession:
    return HeldSession(
        session_id=_from_text(content["session_id"]),
        public_key=_sized(content["public_key"], KEY_BYTES),
        token=_sized(content["token"], _TOKEN_BYTES),
        previous_token=_sized(content["previous_token"], 0, _TOKEN_BYTES),
        newest_request_id=_number(content["newest_request_id"], 0, _LARGEST_UINT64),
        selected_key=_sized(content["selected_key"], 0, KEY_BYTES),
        selected_incarnation=_number(content["selected_incarnation"], 0, _LARGEST_UINT64),
    )


def _member_from_json(content: _Read, lobby_revision: int) -> Member:
    public_key = _sized(content["public_key"], KEY_BYTES)
    revision = _number(content["revision"], 1, lobby_revision)
    incarnation = _number(content["incarnation"], 1, revision)
    sessions = tuple(
        Session(
            id=_from_text(session["id"]),
            public_key=public_key,
            generation=_number(session["generation"], 1, _LARGEST_GENERATION),
            liveness=Liveness[session["liveness"]],
            profile=_profile_from_json(session["profile"]),
            joined_at_millis=_number(session["joined_at_millis"], 0, _END_OF_TIME_MILLIS - 1),
            incarnation=incarnation,
            profile_revision=_number(session["profile_revision"], 0, revision),
        )
        for session in content["sessions"]
    )
    if not sessions:
        raise ValueError("a member without sessions")
    return Member(public_key, incarnation, revision, sessions)


def _profile_from_json(content: _Read) -> Profile:
    attributes = tuple(sorted((_string(key), _string(value)) for key, value in content["attributes"].items()))
    if sum(len((key + value).encode()) for key, value in attributes) > ATTRIBUTES_BYTES:
        raise ValueError(f"attributes of more than {ATTRIBUTES_BYTES} bytes")
    return Profile(
        _string(content["name"], NAME_CODE_POINTS),
        Status[content["status"]],
        _string(content["status_text"], STATUS_TEXT_CODE_POINTS),
        attributes,
    )


def _number(content: _Read, least: int, most: int) -> int:
    # Exactly that type: True is an int, too.
    if type(content) is not int or not least <= content <= most:
        raise ValueError(f"{content!r} is no whole number from {least} to {most}")
    return content


def _string(content: _Read, most_code_points: int = 1_024) -> str:
    if not isinstance(content, str) or len(content) > most_code_points:
        raise ValueError(f"no text of at most {most_code_points} code points")
    # JSON can write half a surrogate pair, which no message can carry.
    content.encode()
    return content


def _sized(content: _Read, *sizes: int) -> bytes:
    decoded = _from_text(content)
    if len(decoded) not in sizes:
        raise ValueError(f"{len(decoded)} bytes, where there should be {' or '.join(map(str, sizes))}")
    return decoded


def _refuse_twice(what: str, names: Iterable[object]) -> None:
    seen: set[object] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the same {what} twice")
        seen.add(name)


def _to_text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _from_text(content: str) -> bytes:
    return base64.b64decode(content, validate=True)
