"""What a stopping server leaves for its successor: lobbies, sessions and tokens, in a file.

A planned restart of a single node keeps everybody: the successor goes on with the same epochs and revisions, and each client resumes
its session. The file is JSON, readable by its owner only (it holds names and hashes of tokens, no secrets), written as a whole or not at
all, and removed when it is read: it serves once. One that is too old or damaged is put aside, and the server starts empty.
"""

import base64
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from adsum.server.history import StoredLobby
from adsum.server.member import Liveness, Member, Profile, Session, Status
from adsum.server.seat import HeldSession

FORMAT = "adsum-handover-1"
"""Names the format. A file of another is not read."""
STALE_SECONDS = 300.0
"""A file that is older says nothing about who is here: every client has given its session up by then."""


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
        handover = Handover(tuple(_lobby_from_json(lobby) for lobby in content["lobbies"]))
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
# What json returns. It is checked by being used: whatever doesn't fit raises, and the file is damaged.
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


def _lobby_from_json(content: _Read) -> tuple[StoredLobby, tuple[HeldSession, ...]]:
    stored = StoredLobby(
        str(content["name"]),
        int(content["epoch"]),
        int(content["revision"]),
        tuple(_member_from_json(member) for member in content["members"]),
    )
    held = tuple(
        HeldSession(
            session_id=_from_text(one["session_id"]),
            public_key=_from_text(one["public_key"]),
            token=_from_text(one["token"]),
            previous_token=_from_text(one["previous_token"]),
            newest_request_id=int(one["newest_request_id"]),
            selected_key=_from_text(one["selected_key"]),
            selected_incarnation=int(one["selected_incarnation"]),
        )
        for one in content["held"]
    )
    return stored, held


def _member_from_json(content: _Read) -> Member:
    public_key = _from_text(content["public_key"])
    incarnation = int(content["incarnation"])
    sessions = tuple(
        Session(
            id=_from_text(session["id"]),
            public_key=public_key,
            generation=int(session["generation"]),
            liveness=Liveness[session["liveness"]],
            profile=Profile(
                str(session["profile"]["name"]),
                Status[session["profile"]["status"]],
                str(session["profile"]["status_text"]),
                tuple(
                    sorted((str(key), str(value)) for key, value in session["profile"]["attributes"].items())
                ),
            ),
            joined_at_millis=int(session["joined_at_millis"]),
            incarnation=incarnation,
            profile_revision=int(session["profile_revision"]),
        )
        for session in content["sessions"]
    )
    if not sessions:
        raise ValueError("a member without sessions")
    return Member(public_key, incarnation, int(content["revision"]), sessions)


def _to_text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _from_text(content: str) -> bytes:
    return base64.b64decode(content, validate=True)
