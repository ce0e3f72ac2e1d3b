"""What a soak does: how many people, how often what happens, and when it is looked at. All of it follows from the arguments."""

import math
from dataclasses import asdict, dataclass
from typing import Any

TOMBSTONE_SECONDS = 300.0
"""How long the server remembers who has gone, with the default grace."""
SETTLING_SECONDS = 60.0
"""How long after the first tombstones are forgotten their number has settled."""
SHORT_TOMBSTONES = 200
"""How many departures a lobby remembers in a run too short for the time to bound them."""
SHORTEST_WARM_UP_SECONDS = 60.0
WARM_UP_PART = 0.2
SAMPLE_SECONDS = 15.0
SHORT_SAMPLE_SECONDS = 5.0
"""In a run of a few minutes."""
SHORT_MINUTES = 15.0
ROLL_CALLS = 20
SHORTEST_ROLL_CALL_SECONDS = 75.0
LONGEST_ROLL_CALL_SECONDS = 240.0
LIVES = 10
SHORTEST_LIFE_SECONDS = 110.0


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """Say how many people are at one server, and what they do. Rates are deeds a second."""

    name: str
    lobbies: tuple[str, ...]
    slots: int
    """Lean members in each lobby."""
    guests: int
    """Clients of the library in each lobby."""
    movements: float
    """Arrivals and departures together."""
    blips: float
    updates: float
    messages: float
    selects: float
    brief_lobbies: int = 0
    brief_slots: int = 0
    is_bare: bool = False
    presence: float = 0.75
    """Which part of the slots is to be taken: what a server holds would vary too much otherwise to show a drift."""
    leaving: float = 0.7
    """Which part of the departures is a Leave; the others are streams lost for good."""
    falling_silent: float = 0.03
    writing_to_gone: float = 0.15
    reconnecting: float = 0.5
    """Which part of those who have gone close their connection."""

    @property
    def members(self) -> int:
        """How many there are when everybody is there."""
        return len(self.lobbies) * (self.slots + self.guests) + self.brief_lobbies * self.brief_slots

    def to_json(self) -> dict[str, Any]:
        """Make what `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "FieldPlan":
        """Read what `to_json` made."""
        return cls(**content | {"lobbies": tuple(content["lobbies"])})


@dataclass(frozen=True, slots=True)
class Plan:
    """Say what a soak of so many minutes does."""

    minutes: float
    seed: int
    plant: tuple[str, ...] = ()
    """The leaks that the steady server is given."""

    @property
    def seconds(self) -> float:
        """How long people churn and figures are sampled."""
        return self.minutes * 60

    @property
    def is_short(self) -> bool:
        """Whether tombstones must be bounded by number, or they would grow until the end."""
        return self.seconds * (1 - WARM_UP_PART) < TOMBSTONE_SECONDS + SETTLING_SECONDS + 60

    @property
    def options(self) -> tuple[str, ...]:
        """What adsumd is started with, beside its addresses."""
        return ("--tombstones-per-lobby", str(SHORT_TOMBSTONES)) if self.is_short else ()

    @property
    def warm_up_seconds(self) -> float:
        """From when figures are judged."""
        least = SHORTEST_WARM_UP_SECONDS if self.is_short else TOMBSTONE_SECONDS + SETTLING_SECONDS
        return max(least, WARM_UP_PART * self.seconds)

    @property
    def sample_seconds(self) -> float:
        """From one look to the next."""
        return SHORT_SAMPLE_SECONDS if self.minutes < SHORT_MINUTES else SAMPLE_SECONDS

    @property
    def roll_call_seconds(self) -> float:
        """From one roll call to the next."""
        return min(LONGEST_ROLL_CALL_SECONDS, max(SHORTEST_ROLL_CALL_SECONDS, self.seconds / ROLL_CALLS))

    @property
    def life_seconds(self) -> float:
        """How long the server lives that is restarted; it is done at the roll call after."""
        return max(SHORTEST_LIFE_SECONDS, self.seconds / LIVES)

    @property
    def steady(self) -> FieldPlan:
        """Who is at the server that runs all the time."""
        return FieldPlan(
            "steady",
            lobbies=("soak-a", "soak-b", "soak-c"),
            slots=30,
            guests=8,
            movements=23.0,
            blips=3.0,
            updates=5.0,
            messages=4.0,
            selects=3.0,
            brief_lobbies=2,
            brief_slots=4,
        )

    @property
    def restarted(self) -> FieldPlan:
        """Who is at the server that is restarted: a quarter of the load, of the same kind."""
        return FieldPlan(
            "restarted",
            lobbies=("soak-r",),
            slots=24,
            guests=6,
            movements=5.8,
            blips=0.8,
            updates=1.2,
            messages=1.0,
            selects=0.8,
        )

    @property
    def bare(self) -> FieldPlan:
        """Who is at the baseline: as many streams as at the steady server, lost as often in the same ways."""
        steady = self.steady
        return FieldPlan(
            "bare",
            lobbies=("bare",),
            slots=steady.members,
            guests=0,
            movements=steady.movements,
            blips=steady.blips,
            updates=0.0,
            messages=0.0,
            selects=0.0,
            is_bare=True,
        )

    def least(self) -> dict[str, int]:
        """Say how much must have been done at the steady server at least, or the soak has proved nothing."""
        seconds = self.seconds * 0.5
        steady = self.steady
        departures = steady.movements / 2 * seconds
        lost = departures * (1 - steady.leaving) + steady.blips * seconds
        return {
            "joins": math.floor(steady.movements / 2 * seconds * 0.7),
            "leaves": math.floor(departures * steady.leaving * 0.7),
            **{way: math.floor(lost / 4 * 0.6) for way in ("cancel", "reset", "half close", "close")},
            "silence": math.floor(departures * steady.falling_silent * 0.4),
            "resumes": math.floor(steady.blips * seconds * 0.6),
            "updates": math.floor(steady.updates * seconds * 0.6),
            "messages": math.floor(steady.messages * seconds * 0.6),
            "outcome delivered": math.floor(steady.messages * seconds * 0.3),
            "selects": math.floor(steady.selects * seconds * 0.6),
            "brief lobbies": math.floor(seconds / 30),
            "returning people": math.floor(steady.movements / 2 * seconds * 0.2),
            "new people": math.floor(steady.movements / 2 * seconds * 0.2),
        }
