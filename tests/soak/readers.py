"""Readers that can run for ever: they forget the people that nobody's list holds any more.

A reader of the benchmark gives everybody it has ever seen a bit of their own. In an hour of new people these integers would have tens of
thousands of bits, and the load would leak faster than any server.
"""

from collections.abc import Iterable

from tests.bench.bare import BareReader
from tests.bench.lean import LeanMember
from tests.bench.reading import LobbyReader


class ForgetfulReader(LobbyReader):
    """Read what the members of one lobby are sent, and use the bits of those who have gone again."""

    def __init__(self, lobby: str) -> None:
        super().__init__(lobby)
        self._free: list[int] = []
        self._used = 0

    def bit(self, public_key: bytes) -> int:
        """Tell a member's bit."""
        bit = self._bits.get(public_key)
        if bit is None:
            if self._free:
                bit = self._free.pop()
            else:
                bit = 1 << self._used
                self._used += 1
            self._bits[public_key] = bit
        return bit

    def known(self, public_key: bytes) -> int:
        """Tell a member's bit, 0 if there is none: then nobody holds them."""
        return self._bits.get(public_key, 0)

    def keys(self, held: int) -> list[bytes]:
        """Name the members of a list, sorted."""
        return sorted(key for key, bit in self._bits.items() if bit & held)

    def forget(self, members: Iterable[LeanMember]) -> None:
        """Forget whoever none of these members holds, and everything that was read; all of it can be read again."""
        held = 0
        for member in members:
            held |= member.held | member.suspects | member._pending | member._pending_suspects
        gone = [key for key, bit in self._bits.items() if not bit & held]
        for key in gone:
            self._free.append(self._bits.pop(key))
        # These hold bits that may mean somebody else from now on.
        self._forget_readings()
        self._records.clear()
        self._departures.clear()
        self._runs.clear()


class ForgetfulBareReader(ForgetfulReader, BareReader):
    """The same for what the baseline tells."""
