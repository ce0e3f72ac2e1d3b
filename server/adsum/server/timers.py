"""Deadlines by key, for cores that are told the time."""

import heapq
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Timers(Generic[Key]):
    """Keep at most one deadline for each key. Setting, cancelling and taking what is due cost O(log n).

    A deadline that is replaced or cancelled stays in the heap until it surfaces; the heap is rebuilt when most of it is stale.
    """

    __slots__ = ("_heap", "_serial", "_when")

    def __init__(self) -> None:
        self._when: dict[Key, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._serial = 0

    def __len__(self) -> int:
        """Count the keys that have a deadline."""
        return len(self._when)

    def set(self, key: Key, when: float) -> None:
        """Give a key a deadline in place of any that it has."""
        # The serial number orders equal moments by age and keeps the heap from comparing keys.
        self._serial += 1
        self._when[key] = (when, self._serial)
        heapq.heappush(self._heap, (when, self._serial, key))
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self._when):
            self._heap = [(moment, serial, key) for key, (moment, serial) in self._when.items()]
            heapq.heapify(self._heap)

    def cancel(self, key: Key) -> None:
        """Take a key's deadline away, if it has one."""
        self._when.pop(key, None)

    def when(self, key: Key) -> float | None:
        """Tell a key's deadline, or None."""
        deadline = self._when.get(key)
        return deadline[0] if deadline is not None else None

    def next(self) -> float | None:
        """Tell the earliest deadline, or None."""
        while self._heap:
            when, serial, key = self._heap[0]
            if self._when.get(key) == (when, serial):
                return when
            heapq.heappop(self._heap)
        return None

    def due(self, now: float) -> Iterator[Key]:
        """Take out the keys whose deadline has come, the earliest first. They may be set again while this runs."""
        while (when := self.next()) is not None and when <= now:
            _, _, key = heapq.heappop(self._heap)
            del self._when[key]
            yield key
