"""Whatever lies where a predecessor's handover is expected, a server starts: with all of it, or with nothing (P10).

An input is the file as it is, or a sound file with some values changed. What is accepted must be of use: lobbies are opened from it,
sessions adopted, and lists written.
"""

import json
from collections.abc import Iterator
from typing import Any, TypeAlias

from adsum.contract.limits import Limits
from adsum.server.desk import Desk
from adsum.server.effects import Drop, Put
from adsum.server.handover import Handover, HandoverError
from adsum.server.history import Change, StoredLobby
from adsum.server.liveness import OwnHealth
from adsum.server.lobby import Lobby
from adsum.server.memory_store import MemoryStore
from adsum.server.seat import HeldSession
from adsum.server.spread import Spread
from adsum.server.wire import PRESENCE_ENVELOPE, LobbyCodec
from tests.fuzz.files import MemoryFile, take, written
from tests.fuzz.source import Source
from tests.server.builders import ADA, BOB, EPOCH, LOBBY, member, run, session

# What json has.
_Json: TypeAlias = Any

LIMITS = Limits()
HELD = HeldSession(session("ada").id, ADA, b"t" * 32, b"p" * 32, 7, BOB, 5)
SOUND = Handover(((StoredLobby(LOBBY, EPOCH, 12, (member("ada", 3, 4), member("bob", 5, 9))), (HELD,)),))
ODD: tuple[_Json, ...] = (
    None, True, -1, 0, 2**64, 10**400, 1.5, float("inf"), float("nan"), "", "\ud800", "\x00", "x" * 3_000, "AA==", "é", [], {}, [[]],
    {"": ""}, "ONLINE", "AVAILABLE", "2", [0] * 50,
)  # fmt: skip


def target(data: bytes) -> None:
    """Start a server beside the file that the input is."""
    source = Source(data)
    content = source.rest() if source.byte() & 1 else _changed(source)
    file = MemoryFile(content)
    try:
        left = take(file)
    except HandoverError:
        assert file.moved_to == "handover.json.bad", "a damaged file is still in the way"
        assert not file.is_removed
        return
    assert file.is_removed, "a file serves once"
    assert left is not None
    _start(left)


def _start(left: Handover) -> None:
    """Do what a successor does."""
    store = MemoryStore(LIMITS, lambda: 1)
    store.restore(stored for stored, _ in left.lobbies)
    for before, held in left.lobbies:
        changes: list[Change] = []
        opened = run(store.open(before.name, changes.append))
        assert isinstance(opened, StoredLobby)
        lobby = Lobby(opened)
        codec = LobbyCodec(lobby)
        desk = Desk(lobby, LIMITS, OwnHealth(LIMITS), Spread(1), 0.0)
        assert codec.responses(None, PRESENCE_ENVELOPE)
        queue = list(desk.adopt(held, 0.0))
        while queue:
            effect = queue.pop(0)
            match effect:
                case Drop(one, reason):
                    answer = run(store.drop(before.name, one.id, one.public_key, one.generation, reason))
                case Put(one, sets_profile):
                    answer = run(store.put(before.name, one, sets_profile=sets_profile))
                case _:
                    continue
            for change in changes:
                desk.fold(change, 0.0)
            changes.clear()
            queue += desk.stored(effect, answer, 0.0)
        assert codec.responses(None, PRESENCE_ENVELOPE)
        assert codec.responses(lobby.floor, PRESENCE_ENVELOPE)
        desk.bequeath()
        run(store.close(before.name))


def _changed(source: Source) -> bytes:
    """Change some values of a sound file, wherever they are."""
    content: _Json = json.loads(written(SOUND))
    for _ in range(1 + source.below(3)):
        at, key = _place(content, source)
        match source.below(4):
            case 0:
                del at[key]
            case 1 if isinstance(at, list):
                at.append(_copy(at[key]))
            case 2:
                at[key] = source.choice(_leaves(content, []))
            case _:
                at[key] = _copy(source.choice(ODD))
        if not content:
            break
    return json.dumps(content).encode()


def _copy(value: _Json) -> _Json:
    return json.loads(json.dumps(value))


def _place(content: _Json, source: Source) -> tuple[_Json, _Json]:
    at = content
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = source.choice(keys)
        inner = at[key]
        if not isinstance(inner, dict | list) or not inner or source.byte() < 25:
            return at, key
        at = inner


def _leaves(content: _Json, found: list[_Json]) -> list[_Json]:
    if isinstance(content, dict | list):
        for inner in content.values() if isinstance(content, dict) else content:
            _leaves(inner, found)
    else:
        found.append(content)
    return found or [0]


def seeds() -> Iterator[bytes]:
    """Take a sound file, and each of its values changed."""
    yield b"\x01" + written(SOUND)
    yield b"\x01" + written(Handover(()))
    yield b"\x01" + b"[" * 500
    for number in range(30):
        yield bytes([0, number % 3, *range(number, number + 12)])
