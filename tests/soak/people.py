"""Who comes: new people all the time, and people who were here before."""

import random
from collections import Counter, deque

from tests.bench.lean import Person

REMEMBERED = 300
"""From how many of the people who were here last those are drawn who come back."""
RETURNING = 0.5


class People:
    """Draw people for the slots of one server, each for one slot at a time."""

    def __init__(self, seed: str, chance: random.Random, deeds: Counter[str], *, return_: bool) -> None:
        self._seed = seed
        self._random = chance
        self._deeds = deeds
        self._return = return_
        self._made = 0
        self._recent: deque[Person] = deque(maxlen=REMEMBERED)
        self._used: set[bytes] = set()

    def draw(self) -> Person:
        """Choose who comes."""
        person = self._one_of_before() if self._return and self._random.random() < RETURNING else None
        self._deeds["new people" if person is None else "returning people"] += 1
        person = person or self.make()
        self._used.add(person.public_key)
        return person

    def make(self) -> Person:
        """Make somebody new."""
        self._made += 1
        return Person.numbered(self._seed, self._made)

    def let_go(self, person: Person) -> None:
        """Note that somebody has gone, and may come back."""
        self._used.discard(person.public_key)
        self._recent.append(person)

    def draw_gone(self) -> bytes | None:
        """Choose the key of somebody who has gone, and may be here again."""
        return self._random.choice(self._recent).public_key if self._recent else None

    def _one_of_before(self) -> Person | None:
        if not self._recent:
            return None
        person = self._random.choice(self._recent)
        return person if person.public_key not in self._used else None
