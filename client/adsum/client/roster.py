"""The list of members that an application reads: ordered by name, with its digest always at hand. Pure.

`Members` is the list itself: it keeps a dictionary, an order and a digest in step with every change. `Roster`
is the view of it that an application gets, which can only be read. Neither knows the rules by which the list
follows the server: that is `replica`.

Invariant: `Members.digest` is the sum over exactly the members held.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce

from adsum.client.member import Member
from adsum.contract.digest import EMPTY, add, member_digest, remove


class Members:
    """Hold members by public key, in order, with their digest. Each change costs one hash and a place in the order."""

    def __init__(self) -> None:
        """Start empty."""
        self.by_key: dict[bytes, Member] = {}
        self.order: list[tuple[str, bytes]] = []
        self.digest = EMPTY
        # What each member adds to the digest, so that it needn't be computed again to take it out.
        self._hashes: dict[bytes, int] = {}

    def put(self, member: Member) -> Member | None:
        """Put the member in place of the one with its key, and return that one."""
        key = member.public_key
        before = self.by_key.get(key)
        if before is None:
            insort(self.order, _place(member))
        else:
            self.digest = remove(self.digest, self._hashes[key])
            if before.profile.name != member.profile.name:
                self._take_from_order(before)
                insort(self.order, _place(member))
        self.by_key[key] = member
        hashed = self._hashes[key] = hash_of(member)
        self.digest = add(self.digest, hashed)
        return before

    def drop(self, public_key: bytes) -> Member | None:
        """Take the member with that key out and return it; None if there is none."""
        member = self.by_key.pop(public_key, None)
        if member is not None:
            self._take_from_order(member)
            self.digest = remove(self.digest, self._hashes.pop(public_key))
        return member

    def replace(self, members: Mapping[bytes, Member], hashes: Mapping[bytes, int]) -> None:
        """Hold these members instead, whose hashes the caller has computed by `hash_of`."""
        self.by_key.clear()
        self.by_key.update(members)
        self.order[:] = sorted(_place(member) for member in members.values())
        self._hashes = dict(hashes)
        self.digest = reduce(add, hashes.values(), EMPTY)

    def _take_from_order(self, member: Member) -> None:
        del self.order[bisect_left(self.order, _place(member))]


class Roster(Mapping[bytes, Member]):
    """Read the members of a lobby by public key, in the order of their names.

    It is a live view: it changes while the application waits for anything, and is always the library's newest
    list. Iterating takes a picture first, so changes don't disturb a loop. The order is by name without
    regard to case, then by key.
    """

    def __init__(self, members: Members) -> None:
        """Show these members."""
        self._members = members

    def __getitem__(self, public_key: bytes) -> Member:
        """Get the member with that key."""
        return self._members.by_key[public_key]

    def __len__(self) -> int:
        """Count the members."""
        return len(self._members.by_key)

    def __contains__(self, public_key: object) -> bool:
        """Tell whether a member with that key is there."""
        return public_key in self._members.by_key

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over a picture of the keys, in order."""
        return iter([key for _, key in self._members.order])

    def __repr__(self) -> str:
        """Count the members: a list of thousands helps nobody."""
        return f"<Roster of {len(self)}>"

    def by_name(self, name: str) -> list[Member]:
        """Find the members who claim that name, without regard to case, ordered by key. Names are not unique."""
        folded = name.casefold()
        by_key, order = self._members.by_key, self._members.order
        start = bisect_left(order, (folded, b""))
        found = []
        for index in range(start, len(order)):
            if order[index][0] != folded:
                break
            found.append(by_key[order[index][1]])
        return found

    def find(self, text: str) -> list[Member]:
        """Find the members that a person means by a full key in hexadecimal, a fingerprint, or an exact name.

        The first of these that fits anyone decides; more than one member means that the person must be asked.
        Somebody can claim a name that looks like another's fingerprint: the fingerprint wins.
        """
        text = text.strip()
        try:
            key = bytes.fromhex(text)
        except ValueError:
            key = b""
        if key in self._members.by_key:
            return [self._members.by_key[key]]
        if len(text) == _FINGERPRINT_LENGTH and text[4] == "-":
            folded = text.lower()
            if found := [member for member in self.values() if member.fingerprint == folded]:
                return found
        named = self.by_name(text)
        return [member for member in named if member.name == text] or named


_FINGERPRINT_LENGTH = 9


def digest_of(members: Iterable[Member]) -> int:
    """Sum up the digest of members from nothing."""
    total = EMPTY
    for member in members:
        total = add(total, hash_of(member))
    return total


def _place(member: Member) -> tuple[str, bytes]:
    return member.profile.name.casefold(), member.public_key


def hash_of(member: Member) -> int:
    """Tell what a member adds to the digest."""
    return member_digest(member.public_key, member.incarnation, member.revision)
