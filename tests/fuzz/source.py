"""The bytes of an input, read as decisions: so an input is a small program, and each of its bytes means something.

What is missing at the end reads as 0, so any bytes are an input, and a shorter one does less.
"""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

INTERESTING = (0, 1, 2, 127, 128, 2**31 - 1, 2**31, 2**32 - 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1)
"""Numbers at whose edges something may break."""
PIECES = (
    "a", "Ada", " ", "\u0301", "\u0327", "e\u0301", "\u200d", "\u200b", "\u202e", "\x00", "\x1b[31m", "\n",
    "\ufe0f", "\U0001f469", "\U0001f3fd", "\u1100\u1161", "\u1000\u103b", "\u3164", "\ufffd", "\U0010ffff",
    "\u0958", "\u1f82", "\u212b", "\u5b57", "\u00df", "\u0130", "adsum", ".", "-", "localhost", ":7557", "[::1]",
)  # fmt: skip
"""Of what texts are made: plain, stacked, joined, invisible, refused, wide, and such as change when they are normalised or folded."""


class Source:
    """Read an input from its start."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_empty(self) -> bool:
        """Whether everything has been read."""
        return self._at >= len(self._data)

    def byte(self) -> int:
        """Read a number below 256."""
        if self._at >= len(self._data):
            return 0
        self._at += 1
        return self._data[self._at - 1]

    def below(self, count: int) -> int:
        """Read a number below `count`, which is at most 256."""
        return self.byte() % count

    def flag(self) -> bool:
        """Read a decision."""
        return bool(self.byte() & 1)

    def choice(self, items: Sequence[T]) -> T:
        """Read one of some things."""
        return items[self.byte() % len(items)]

    def take(self, count: int) -> bytes:
        """Read so many bytes as they are, fewer at the end."""
        taken = self._data[self._at : self._at + count]
        self._at += len(taken)
        return taken

    def blob(self) -> bytes:
        """Read bytes with their length (two bytes, big endian) before them."""
        return self.take(self.byte() << 8 | self.byte())

    def rest(self) -> bytes:
        """Read all that is left."""
        return self.take(len(self._data))

    def number(self) -> int:
        """Read a number of 64 bits: a small one, one at an edge, or any."""
        kind = self.byte()
        if kind < 128:
            return kind
        if kind < 240:
            return INTERESTING[kind % len(INTERESTING)]
        return int.from_bytes(self.take(8), "big")

    def text(self) -> str:
        """Read a text: some pieces, each of them once or very often."""
        parts = []
        for _ in range(self.below(8)):
            kind = self.byte()
            piece = PIECES[kind % len(PIECES)] if kind < 224 else self.take(4).decode("utf-8", "replace")
            times = self.byte()
            parts.append(piece * (1 if times < 200 else (times - 199) ** 2))
        return "".join(parts)


def blob(content: bytes) -> bytes:
    """Write bytes as `Source.blob` reads them."""
    return len(content).to_bytes(2, "big") + content
