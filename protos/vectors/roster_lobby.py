"""A lobby just good enough to say what a server says, in protobuf JSON, by the rules of member.proto.

Values are in proto3's canonical JSON form: 64-bit numbers as strings, bytes in base64, defaults left out.
"""

import base64
import hashlib
from dataclasses import dataclass, replace

from nacl.signing import SigningKey

from vectors.digest import member_hash

LOBBY_NAME = "roll-call"
ME = "ada"
NAMES = ["ada", "bob", "cleo", "dan", "eve"]

Json = dict[str, object]


def seed(name: str) -> bytes:
    """Name the 32 secret bytes of a person's private key."""
    return hashlib.sha256(f"adsum vectors: {name}".encode()).digest()


def raw_key(name: str) -> bytes:
    """Name a person's public key."""
    return bytes(SigningKey(seed(name)).verify_key)


def public_key(name: str) -> str:
    """Write a person's public key as protobuf JSON does."""
    return base64.b64encode(raw_key(name)).decode("ascii")


def message(**fields: object) -> Json:
    """Build a message, without the fields that stand at their defaults."""
    return {name: value for name, value in fields.items() if value not in ("", "0", 0, False, None, [])}


@dataclass(frozen=True, slots=True)
class Person:
    """Hold one member's record."""

    name: str
    incarnation: int
    revision: int
    liveness: str = "LIVENESS_ONLINE"
    shown_name: str = ""
    status: str = "STATUS_AVAILABLE"
    session_count: int = 1

    @property
    def record(self) -> Json:
        """The record as the server sends it."""
        return message(
            publicKey=public_key(self.name),
            incarnation=str(self.incarnation),
            revision=str(self.revision),
            liveness=self.liveness,
            profile={"name": self.shown_name or self.name, "status": self.status},
            joinedAt="2026-01-01T00:00:00Z",
            sessionCount=self.session_count,
        )


@dataclass(frozen=True, slots=True)
class State:
    """Hold a whole lobby as it was at one revision."""

    epoch: int
    revision: int
    people: tuple[Person, ...]
    departures: tuple[tuple[str, int, str], ...] = ()

    @property
    def digest(self) -> int:
        """The digest that proves this list."""
        return (
            sum(member_hash(raw_key(one.name), one.incarnation, one.revision) for one in self.people) % 2**64
        )

    def held(self, *, is_stale: bool = False) -> Json:
        """Describe a client that holds this list."""
        members = [
            {
                "publicKey": public_key(one.name),
                "incarnation": str(one.incarnation),
                "revision": str(one.revision),
                "liveness": one.liveness,
                "name": one.shown_name or one.name,
            }
            for one in sorted(self.people, key=lambda one: public_key(one.name))
        ]
        return {
            "epoch": str(self.epoch),
            "revision": str(self.revision),
            "digest": str(self.digest),
            "isStale": is_stale,
            "members": members,
        }

    def snapshot(self, chunk_members: int = 500) -> list[Json]:
        """Say the whole lobby, in chunks."""
        parts = [
            self.people[start : start + chunk_members] for start in range(0, len(self.people), chunk_members)
        ]
        parts = parts or [()]
        return [
            {
                "snapshot": message(
                    epoch=str(self.epoch),
                    revision=str(self.revision),
                    members=[one.record for one in part],
                    digest=str(self.digest),
                    count=len(self.people),
                    last=index == len(parts) - 1,
                    chunkIndex=index,
                    chunkCount=len(parts),
                )
            }
            for index, part in enumerate(parts)
        ]

    def delta(self, base: "State | int", **changes: object) -> Json:
        """Say what changed since a revision, with some fields of the delta replaced."""
        since = base if isinstance(base, int) else base.revision
        changed = [one for one in self.people if one.revision > since]
        fields: Json = {
            "epoch": str(self.epoch),
            "baseRevision": str(since),
            "revision": str(self.revision),
            "joined": [one.record for one in changed if one.incarnation > since],
            "updated": [one.record for one in changed if one.incarnation <= since],
            "left": [
                {"publicKey": public_key(name), "revision": str(revision), "reason": reason}
                for name, revision, reason in self.departures
                if revision > since
            ],
            "digest": str(self.digest),
            "count": len(self.people),
        }
        return {"delta": message(**(fields | changes))}

    def heartbeat(self, nonce: int, **changes: object) -> Json:
        """Say that the server lives and what the client should hold, with some fields replaced."""
        fields: Json = {
            "epoch": str(self.epoch),
            "revision": str(self.revision),
            "digest": str(self.digest),
            "count": len(self.people),
            "serverTimeUnixMillis": "1767225600000",
            "nonce": str(nonce),
        }
        return {"heartbeat": message(**(fields | changes))}

    def beat(self, echo: int = 0) -> Json:
        """Say the heartbeat of a client that holds this list."""
        return {
            "heartbeat": message(
                epoch=str(self.epoch), revision=str(self.revision), digest=str(self.digest), echo=str(echo)
            )
        }


class Lobby:
    """Make the states of one lobby, one revision after another. Each change returns the state after it."""

    def __init__(self, *names: str, epoch: int = 0xADADADADADADADAD) -> None:
        """Let these people join, in this order."""
        self.state = State(epoch, 0, ())
        for name in names:
            self.join(name)

    def join(self, name: str) -> State:
        """Let a person become present."""
        revision = self.state.revision + 1
        return self._advance(name, Person(name, revision, revision))

    def leave(self, name: str, reason: str = "DEPARTURE_REASON_LEFT") -> State:
        """Let a person go."""
        self.person(name)
        return self._advance(name, None, reason)

    def lose(self, name: str) -> State:
        """Let a person's connection be lost: suspect."""
        return self.change(name, liveness="LIVENESS_SUSPECT")

    def resume(self, name: str) -> State:
        """Let a suspect person come back."""
        return self.change(name, liveness="LIVENESS_ONLINE")

    def rename(self, name: str, shown_name: str) -> State:
        """Let a person show another name."""
        return self.change(name, shown_name=shown_name)

    def change(
        self, name: str, *, liveness: str = "", shown_name: str = "", status: str = "", session_count: int = 0
    ) -> State:
        """Change a person's record; without fields only its revision."""
        before = self.person(name)
        after = replace(
            before,
            revision=self.state.revision + 1,
            liveness=liveness or before.liveness,
            shown_name=shown_name or before.shown_name,
            status=status or before.status,
            session_count=session_count or before.session_count,
        )
        return self._advance(name, after)

    def person(self, name: str) -> Person:
        """Find a person who is present."""
        return next(one for one in self.state.people if one.name == name)

    def _advance(self, name: str, person: Person | None, reason: str = "") -> State:
        revision = self.state.revision + 1
        others = tuple(one for one in self.state.people if one.name != name)
        departures = tuple(departure for departure in self.state.departures if departure[0] != name)
        if person is None:
            self.state = State(self.state.epoch, revision, others, (*departures, (name, revision, reason)))
        else:
            self.state = State(self.state.epoch, revision, (*others, person), departures)
        return self.state
