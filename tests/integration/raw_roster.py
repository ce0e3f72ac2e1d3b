"""A client's copy of a lobby, kept by the rules that are written at `Delta` in member.proto and by nothing else.

It shares no code with the client library, the server or the contract, so that a mistake of theirs isn't repeated here. Over one
connection a correct server never makes a client resync: whatever would, raises BrokenPromiseError.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256

from adsum.v1.member_pb2 import LIVENESS_ONLINE, LIVENESS_SUSPECT, Delta, Member, Snapshot
from adsum.v1.presence_pb2 import ServerHeartbeat
from tests.integration.promises import promised

_CHUNK_MEMBERS = 500
# "About 64 KiB": a chunk is closed by the record that would pass it, and has fields of its own.
_CHUNK_BYTES = 66 * 1024


@lru_cache(maxsize=100_000)
def member_hash(public_key: bytes, incarnation: int, revision: int) -> int:
    """Hash one member as Delta.digest says."""
    content = b"adsum/1" + len(public_key).to_bytes(4, "big") + public_key
    content += incarnation.to_bytes(8, "big") + revision.to_bytes(8, "big")
    return int.from_bytes(sha256(content).digest()[:8], "big")


@dataclass(slots=True)
class RawRoster:
    """Hold what one stream has been told. `is_complete` is False until the first snapshot's last chunk."""

    members: dict[bytes, Member] = field(default_factory=dict)
    epoch: int = 0
    revision: int = 0
    digest: int = 0
    is_complete: bool = False
    is_resyncing: bool = False
    _chunks: list[Snapshot] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The members' names, sorted."""
        return sorted(member.profile.name for member in self.members.values())

    @property
    def online(self) -> list[str]:
        """The names of those who can be reached, sorted."""
        found = (member for member in self.members.values() if member.liveness == LIVENESS_ONLINE)
        return sorted(member.profile.name for member in found)

    def copy(self) -> "RawRoster":
        """Make a list that holds the same and changes by itself."""
        return RawRoster(dict(self.members), self.epoch, self.revision, self.digest, is_complete=True)

    def is_suspect(self, public_key: bytes) -> bool:
        """Tell whether the member is here, but can't be reached."""
        member = self.members.get(public_key)
        return member is not None and member.liveness == LIVENESS_SUSPECT

    def is_online(self, public_key: bytes) -> bool:
        """Tell whether the member is here and can be reached."""
        member = self.members.get(public_key)
        return member is not None and member.liveness == LIVENESS_ONLINE

    def take_snapshot(self, chunk: Snapshot) -> None:
        """Take one chunk; the last one replaces the roster."""
        if chunk.chunk_index == 0:
            self._chunks.clear()
        first = self._chunks[0] if self._chunks else chunk
        expected = (
            len(self._chunks),
            first.chunk_count,
            first.epoch,
            first.revision,
            first.digest,
            first.count,
        )
        got = (chunk.chunk_index, chunk.chunk_count, chunk.epoch, chunk.revision, chunk.digest, chunk.count)
        promised(
            "P1", got == expected, f"a chunk of the snapshot doesn't fit the others: {got} for {expected}"
        )
        size = chunk.ByteSize()
        promised("P9", len(chunk.members) <= _CHUNK_MEMBERS, f"a chunk has {len(chunk.members)} members")
        promised("P9", size <= _CHUNK_BYTES, f"a chunk has {size} bytes")
        self._chunks.append(chunk)
        promised(
            "P1", chunk.last == (len(self._chunks) == chunk.chunk_count), "`last` is not on the last chunk"
        )
        if chunk.last:
            self._replace()

    def take_delta(self, delta: Delta) -> None:
        """Apply what changed."""
        promised("P1", not self._chunks, "a delta came between the chunks of a snapshot")
        if self.is_resyncing:
            return
        promised("P1", self.is_complete, "a delta came before the snapshot")
        promised("P2", delta.epoch == self.epoch, "a delta of another epoch came without a snapshot")
        promised("P2", delta.revision > self.revision, f"{delta.revision} came again, after {self.revision}")
        promised(
            "P2", delta.base_revision == self.revision, f"a gap: {delta.base_revision} after {self.revision}"
        )
        keys = [member.public_key for member in (*delta.joined, *delta.updated)]
        keys += [departure.public_key for departure in delta.left]
        promised("P2", len(keys) == len(set(keys)), "a member stands twice in one delta")
        revisions = [member.revision for member in (*delta.joined, *delta.updated)]
        revisions += [departure.revision for departure in delta.left]
        promised(
            "P2",
            all(delta.base_revision < revision <= delta.revision for revision in revisions)
            and len(revisions) == len(set(revisions)),
            f"the revisions {revisions} aren't from ({delta.base_revision}, {delta.revision}], each once",
        )
        for member in delta.joined:
            before = self.members.get(member.public_key)
            promised(
                "P2",
                before is None or before.incarnation != member.incarnation,
                f"{member.profile.name} joined twice",
            )
        for member in delta.updated:
            before = self.members.get(member.public_key)
            promised(
                "P3",
                before is not None and before.incarnation == member.incarnation,
                f"{member.profile.name} is said to be updated and was never told",
            )
        for member in (*delta.joined, *delta.updated):
            self._put(member)
        for departure in delta.left:
            self._remove(departure.public_key)
        self.revision = delta.revision
        self._prove(delta.digest, delta.count)

    def take_heartbeat(self, beat: ServerHeartbeat) -> None:
        """Compare a heartbeat with what is held: it is written right after the delta that it describes."""
        if self.is_resyncing or not self.is_complete:
            return
        said, held = (beat.epoch, beat.revision), (self.epoch, self.revision)
        promised("P3", said == held, f"a heartbeat is about {said}, and the stream stands at {held}")
        self._prove(beat.digest, beat.count)

    def recomputed_digest(self) -> int:
        """Compute the digest from the members alone, without the running sum."""
        hashes = (
            member_hash(member.public_key, member.incarnation, member.revision)
            for member in self.members.values()
        )
        return sum(hashes) % 2**64

    def _replace(self) -> None:
        last = self._chunks[-1]
        promised(
            "P2",
            last.epoch != self.epoch or last.revision >= self.revision,
            f"a snapshot goes back from {self.revision} to {last.revision}",
        )
        members = [member for chunk in self._chunks for member in chunk.members]
        self._chunks.clear()
        self.members.clear()
        self.digest = 0
        for member in members:
            promised("P1", member.public_key not in self.members, "a member stands twice in a snapshot")
            self._put(member)
        self.epoch, self.revision = last.epoch, last.revision
        self.is_complete, self.is_resyncing = True, False
        self._prove(last.digest, last.count)

    def _put(self, member: Member) -> None:
        promised(
            "contract",
            member.liveness in (LIVENESS_ONLINE, LIVENESS_SUSPECT)
            and member.profile.name
            and member.profile.status,
            f"an incomplete record: {member}",
        )
        self._remove(member.public_key)
        self.members[member.public_key] = member
        self.digest += member_hash(member.public_key, member.incarnation, member.revision)
        self.digest %= 2**64

    def _remove(self, public_key: bytes) -> None:
        member = self.members.pop(public_key, None)
        if member is not None:
            self.digest -= member_hash(public_key, member.incarnation, member.revision)
            self.digest %= 2**64

    def _prove(self, digest: int, count: int) -> None:
        promised("P3", len(self.members) == count, f"{len(self.members)} members are held, {count} are told")
        promised("P3", self.digest == digest, f"at revision {self.revision} the digests differ")
