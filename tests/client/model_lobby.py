"""A lobby as a server would keep it, small and slow and obviously right, that tells itself in the library's messages."""

from dataclasses import replace
from datetime import UTC, datetime

from adsum.client.member import DepartureReason, Liveness, Member, Profile
from adsum.client.messages import Delta, Departure, ServerHeartbeat, Snapshot
from adsum.contract.digest import add, member_digest

JOINED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def key_of(name: str) -> bytes:
    """Make a public key that shows whose it is."""
    return name.encode().ljust(32, b".")


def a_member(name: str, incarnation: int = 1, revision: int = 1) -> Member:
    """Make an online member."""
    return Member(key_of(name), incarnation, revision, Liveness.ONLINE, Profile(name), JOINED_AT, 1)


class ModelLobby:
    """Keep members and departures; `members` is what every roster must come to."""

    def __init__(self, *names: str, epoch: int = 7) -> None:
        self.epoch = epoch
        self.revision = 0
        self.members: dict[bytes, Member] = {}
        self.departures: dict[bytes, Departure] = {}
        for name in names:
            self.join(key_of(name), name)

    @property
    def digest(self) -> int:
        total = 0
        for member in self.members.values():
            total = add(total, member_digest(member.public_key, member.incarnation, member.revision))
        return total

    def join(self, key: bytes, name: str) -> None:
        self.revision += 1
        self.departures.pop(key, None)
        revision = self.revision
        self.members[key] = Member(key, revision, revision, Liveness.ONLINE, Profile(name), JOINED_AT, 1)

    def rename(self, key: bytes, name: str) -> None:
        self.revision += 1
        self.members[key] = replace(self.members[key], revision=self.revision, profile=Profile(name))

    def become(self, key: bytes, liveness: Liveness) -> None:
        self.revision += 1
        self.members[key] = replace(self.members[key], revision=self.revision, liveness=liveness)

    def touch(self, key: bytes) -> None:
        """Give the member a new revision, and change nothing that shows."""
        self.revision += 1
        self.members[key] = replace(self.members[key], revision=self.revision)

    def leave(self, key: bytes, reason: DepartureReason = DepartureReason.LEFT) -> None:
        self.revision += 1
        del self.members[key]
        self.departures[key] = Departure(key, self.revision, reason)

    def snapshot(self, chunk_members: int = 500) -> list[Snapshot]:
        members = tuple(self.members.values())
        chunks = [members[start : start + chunk_members] for start in range(0, len(members), chunk_members)]
        chunks = chunks or [()]
        return [
            Snapshot(
                epoch=self.epoch,
                revision=self.revision,
                members=chunk,
                digest=self.digest,
                count=len(members),
                last=index == len(chunks) - 1,
                chunk_index=index,
                chunk_count=len(chunks),
            )
            for index, chunk in enumerate(chunks)
        ]

    def since(self, base: int) -> Delta:
        changed = [member for member in self.members.values() if member.revision > base]
        return Delta(
            epoch=self.epoch,
            base_revision=base,
            revision=self.revision,
            joined=tuple(member for member in changed if member.incarnation > base),
            updated=tuple(member for member in changed if member.incarnation <= base),
            left=tuple(gone for gone in self.departures.values() if gone.revision > base),
            digest=self.digest,
            count=len(self.members),
        )

    def heartbeat(
        self, nonce: int = 1, *, degraded: bool = False, round_trip_micros: int = 0
    ) -> ServerHeartbeat:
        return ServerHeartbeat(
            epoch=self.epoch,
            revision=self.revision,
            digest=self.digest,
            count=len(self.members),
            server_time_unix_millis=0,
            nonce=nonce,
            round_trip_micros=round_trip_micros,
            degraded=degraded,
        )
