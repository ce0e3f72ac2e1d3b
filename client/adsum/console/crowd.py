"""What bots do and when: a plan that is the same for the same seed.

Pure: no clock and no connection. The crowd keeps who is there by its own plan; should reality differ (a
refused bot), an order that doesn't fit is ignored by whoever carries it out. The first bot, the host, enters
first and never goes, so there is always somebody to write to.
"""

import hashlib
import random
from dataclasses import dataclass
from typing import assert_never

from adsum.client import Status

HOST_NAME = "Ada"
"""The bot that is always there."""
NAMES = (
    "Björn", "Chloé", "Dmitri", "Elif", "Farid", "Grace", "Hugo", "Ingrid", "Jun", "Kwame", "Lucía", "Mehdi", "Noor", "Olga",
    "Priya", "Quentin", "Rosa", "Søren", "Tomás", "Uma", "Viktor", "Wanjiru", "Ximena", "Yuki", "Zoltán", "Amira", "Bruno",
    "Carmen", "Dara", "Esther", "Femi", "Gustav", "Hana", "Ivo", "Jasmine", "Karim", "Lena", "Mateo", "Nadia",
)  # fmt: skip
"""What the others are called."""
STATUSES = (
    (Status.AVAILABLE, ""),
    (Status.AVAILABLE, "ask me anything"),
    (Status.AVAILABLE, "☕ back at my desk"),
    (Status.AWAY, "at lunch"),
    (Status.AWAY, "walking the dog"),
    (Status.AWAY, ""),
    (Status.BUSY, "in a meeting"),
    (Status.BUSY, "🎧 writing"),
    (Status.BUSY, "on a call until three"),
)
"""What they say about themselves."""
CROWDING_SECONDS = 0.15
"""How soon one after the other they enter at the start, at the usual pace."""
PRESENT_AT_START = 0.7
"""Which part of the bots enters at the start, and about which part stays there."""
BLIP_SECONDS = (1.0, 3.0)
"""How long a short loss of the connection lasts: within the server's usual grace of 5 s."""
OUTAGE_SECONDS = (8.0, 12.0)
"""How long a long one lasts: beyond the grace, so that the others see them go."""
ECHO_CHARACTERS = 120
"""How much of a message is repeated in the answer to it."""


@dataclass(frozen=True, slots=True)
class Come:
    """Enter the lobby."""


@dataclass(frozen=True, slots=True)
class Go:
    """Leave it properly."""


@dataclass(frozen=True, slots=True)
class Change:
    """Say something else about oneself."""

    status: Status
    text: str


@dataclass(frozen=True, slots=True)
class Lose:
    """Lose the connection for a while."""

    seconds: float


Action = Come | Go | Change | Lose


@dataclass(frozen=True, slots=True)
class Step:
    """What happens next: after a delay, one bot (by its number) does something."""

    delay_seconds: float
    bot: int
    action: Action


class Crowd:
    """Plan what `count` bots do, step after step, without end."""

    def __init__(self, count: int, *, seed: int | None, pace_seconds: float, can_lose: bool) -> None:
        """Plan from a seed, or from the system's randomness.

        `can_lose` tells whether connections can be lost on purpose.
        """
        self._random = random.Random(seed)
        self._pace_seconds = pace_seconds
        self._can_lose = can_lose
        self._now = 0.0
        self._present = [False] * count
        self._lost_until = [0.0] * count
        self._entering = max(1, round(count * PRESENT_AT_START))
        self.names = _names(count, self._random)
        """What the bots are called, by their number. All are different."""

    def next_step(self) -> Step:
        """Decide what happens next."""
        entered = sum(self._present)
        if self._entering:
            self._entering -= 1
            return self._take(min(CROWDING_SECONDS, self._pace_seconds) if entered else 0.0, entered, Come())
        delay = min(self._random.expovariate(1 / self._pace_seconds), 4 * self._pace_seconds)
        bot = self._random.randrange(len(self._present))
        return self._take(delay, bot, self._choose(bot, self._now + delay))

    def _choose(self, bot: int, now: float) -> Action:
        if not self._present[bot]:
            return Come()
        if bot == 0 or self._lost_until[bot] > now:
            return self._change()
        match self._random.choices(("change", "go", "lose"), (6, 3, 3 if self._can_lose else 0))[0]:
            case "go":
                return Go()
            case "lose":
                is_short = self._random.random() < 0.6
                return Lose(round(self._random.uniform(*(BLIP_SECONDS if is_short else OUTAGE_SECONDS)), 1))
            case _:
                return self._change()

    def _change(self) -> Change:
        status, text = self._random.choice(STATUSES)
        return Change(status, text)

    def _take(self, delay: float, bot: int, action: Action) -> Step:
        self._now += delay
        match action:
            case Come():
                self._present[bot] = True
            case Go():
                self._present[bot] = False
            case Lose(seconds):
                self._lost_until[bot] = self._now + seconds
            case Change():
                pass
            case _:
                assert_never(action)
        return Step(delay, bot, action)


def answer(name: str, text: str, *, seed: int | None, bot: int) -> str:
    """Answer a message in a friendly way; the same message always in the same."""
    echo = text if len(text) <= ECHO_CHARACTERS else text[:ECHO_CHARACTERS] + "…"
    greetings = (
        f"Hello {name}! You wrote: {echo}",
        f"Thanks, {name}. I heard: {echo}",
        f"{echo}? Tell me more, {name}.",
        f"I'm only a bot, {name}, but I did get this: {echo}",
    )
    chosen = hashlib.sha256(f"{seed}/{bot}/{text}".encode("utf-8", "replace")).digest()[0] % len(greetings)
    return greetings[chosen]


def key_seed(seed: int, bot: int) -> bytes:
    """Derive the secret of a bot's key, so that the same seed gives the same members. Whoever knows the seed knows the keys."""
    return hashlib.sha256(f"adsum bot {seed}/{bot}".encode()).digest()


def _names(count: int, source: random.Random) -> tuple[str, ...]:
    pool = list(NAMES)
    source.shuffle(pool)
    names = [HOST_NAME, *pool]
    return tuple(
        names[bot] if bot < len(names) else f"{names[bot % len(names)]}-{bot // len(names) + 1}"
        for bot in range(count)
    )
