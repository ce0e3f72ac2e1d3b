"""A file in memory, where the code under test wants a path to one: inputs come by the million."""

import json
from pathlib import Path
from typing import cast

from adsum.server.handover import FORMAT, Handover, _lobby_to_json, take_handover

UNIX_SECONDS = 1_700_000_000.0


class MemoryFile:
    """What `take_handover` uses of a path."""

    def __init__(self, content: bytes, name: str = "handover.json") -> None:
        self.name = name
        self.content = content
        self.moved_to: str | None = None
        self.is_removed = False

    def read_bytes(self) -> bytes:
        return self.content

    def unlink(self, *, missing_ok: bool) -> None:
        self.is_removed = True

    def with_name(self, name: str) -> "MemoryFile":
        return MemoryFile(self.content, name)

    def replace(self, other: "MemoryFile") -> None:
        self.moved_to = other.name

    def __str__(self) -> str:
        return self.name


def take(file: MemoryFile) -> Handover | None:
    """Take what a predecessor left in a file."""
    # It has what is used of a path.
    return take_handover(cast(Path, file), UNIX_SECONDS)


def written(handover: Handover) -> bytes:
    """Write what a stopping server leaves, without a disk."""
    lobbies = [_lobby_to_json(stored, held) for stored, held in handover.lobbies]
    return json.dumps({"format": FORMAT, "written_at": UNIX_SECONDS, "lobbies": lobbies}).encode()


def through_a_file(handover: Handover) -> Handover:
    """Leave something, and take it over."""
    taken = take(MemoryFile(written(handover)))
    assert taken == handover, "P10: what is taken over is not what was left"
    return taken
