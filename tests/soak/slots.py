"""Slots, and the steps that a member in a slot makes: come, lose the stream and come back, fall silent, leave.

A slot is a place for one lean member. Each step has its time; what was planned for an earlier round of a slot is dropped. Streams that end
although nobody ended them, and lists that don't come, are broken promises.
"""

import heapq
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from tests.bench.connection import Phase
from tests.soak.members import Wayward
from tests.soak.people import People
from tests.soak.plan import FieldPlan
from tests.soak.readers import ForgetfulReader

GRACE_SECONDS = 5.0
"""How long the server waits, by default, for whoever has lost their stream."""
LATE_SECONDS = 0.5
"""Who comes back so little before the end of the grace may find it over: the load or the machine was slow."""
LONGEST_BLIP_SECONDS = 3.0
SILENT_SECONDS = 19.0
"""How long a silent member is left alone: it is gone after 17 s."""
ARRIVAL_SECONDS = 10.0
RETRY_SECONDS = 0.2
LOSSES = ("cancel", "reset", "half close", "close")
"""The ways to lose a stream at once. Beside these there is silence."""


class State(Enum):
    """Where a slot stands."""

    IDLE = "idle"
    ARRIVING = "arriving"
    PRESENT = "present"
    AWAY = "away"
    SILENT = "silent"
    LEAVING = "leaving"


@dataclass(slots=True)
class Group:
    """The slots of one lobby. A brief lobby ends now and then, and the group goes on in another."""

    reader: ForgetfulReader
    others: int
    slots: list["Slot"] = field(default_factory=list)
    is_brief: bool = False
    ends_at: float = 0.0


@dataclass(slots=True, eq=False)
class Slot:
    """A place for one member. `round` counts its states."""

    member: Wayward
    group: Group
    state: State = State.IDLE
    round: int = 0
    lost_at: float = 0.0


class Steps:
    """Make the steps of a field's slots, at once or when they are due."""

    def __init__(
        self,
        plan: FieldPlan,
        people: People,
        chance: random.Random,
        deeds: Counter[str],
        report: Callable[[str, str], None],
    ) -> None:
        self.expects_restart = False
        """Whether streams may end by themselves: their server is being restarted."""
        self.latest = 0.0
        """How late a step was at most, in seconds: the load's own slowness."""
        self._plan = plan
        self._people = people
        self._random = chance
        self._deeds = deeds
        self._report = report
        self._planned: list[tuple[float, int, Slot, int, Callable[[Slot], None]]] = []
        self._serial = 0

    def turn(self, now: float) -> float | None:
        """Make the steps that are due; return when the next one is."""
        while self._planned and self._planned[0][0] <= now:
            due, _, slot, number, step = heapq.heappop(self._planned)
            self.latest = max(self.latest, now - due)
            if slot.round == number:
                step(slot)
        return self._planned[0][0] if self._planned else None

    def arrive(self, slot: Slot) -> None:
        """Let somebody come."""
        slot.member.become(self._people.draw())
        self._come(slot, resume=False)

    def leave(self, slot: Slot) -> None:
        """Let a member leave."""
        self._deeds["leaves"] += 1
        self._enter(slot, State.LEAVING)
        self._later(slot, ARRIVAL_SECONDS, self._give_up_leaving)
        slot.member.leave()

    def fall_silent(self, slot: Slot) -> None:
        """Let a member say and read nothing any more."""
        self._deeds["silence"] += 1
        slot.member.pause_reading()
        slot.member.is_live = False
        self._enter(slot, State.SILENT)
        self._later(slot, SILENT_SECONDS, self._end_silence)

    def lose(self, slot: Slot) -> None:
        """Let a member lose its stream, and never come back to its session."""
        self._deeds["lost for good"] += 1
        self._cut(slot)
        self._vacate(slot)

    def blip(self, slot: Slot) -> None:
        """Let a member lose its stream, and come back within the grace."""
        self._cut(slot)
        self._enter(slot, State.AWAY)
        self._later(slot, self._random.uniform(0.0, LONGEST_BLIP_SECONDS), self._come_back)

    def move(self, slot: Slot) -> None:
        """Let a member go because its server stops, and come back to the next."""
        slot.member.close()
        slot.member.is_live = False
        self._enter(slot, State.AWAY)
        self._later(slot, RETRY_SECONDS, self._come_back)

    def is_live(self, slot: Slot) -> None:
        """Take note that a member holds a list."""
        # A list comes again after a resync, too.
        if slot.state is State.ARRIVING:
            self._enter(slot, State.PRESENT)

    def has_ended(self, slot: Slot) -> None:
        """Take note that a stream or connection has ended."""
        match slot.state:
            case State.LEAVING:
                self._vacate(slot)
            case State.SILENT | State.IDLE | State.AWAY:
                # It was lost anyway.
                pass
            case State.ARRIVING | State.PRESENT if self.expects_restart:
                self.move(slot)
            case _:
                self._report("P5", f"the stream of a {slot.state.value} member ended: {slot.member.ending}")
                self._vacate(slot)

    def _come(self, slot: Slot, *, resume: bool) -> None:
        self._enter(slot, State.ARRIVING)
        self._deeds["resumes" if resume else "joins"] += 1
        self._later(slot, ARRIVAL_SECONDS, self._give_up)
        slot.member.arrive(resume=resume)

    def _come_back(self, slot: Slot) -> None:
        is_late = time.monotonic() - slot.lost_at > GRACE_SECONDS - LATE_SECONDS
        if self._plan.is_bare:
            # The baseline knows no sessions, and confuses two streams of one person.
            slot.member.become(self._people.make())
        elif is_late and not self.expects_restart:
            self._deeds["came back too late"] += 1
            slot.member.become(slot.member.person)
        self._come(slot, resume=True)

    def _give_up(self, slot: Slot) -> None:
        self._report("P1", f"somebody had no list after {ARRIVAL_SECONDS:g} s")
        slot.member.drop(abruptly=True)
        self._vacate(slot)

    def _give_up_leaving(self, slot: Slot) -> None:
        self._report("P9", f"a stream did not end {ARRIVAL_SECONDS:g} s after Leave")
        slot.member.drop(abruptly=True)
        self._vacate(slot)

    def _end_silence(self, slot: Slot) -> None:
        slot.member.drop(abruptly=True)
        self._vacate(slot)

    def _cut(self, slot: Slot) -> None:
        way = self._random.choice(LOSSES)
        self._deeds[way] += 1
        slot.lost_at = time.monotonic()
        match way:
            case "cancel":
                slot.member.cancel()
            case "half close":
                slot.member.half_close()
            case _:
                slot.member.drop(abruptly=way == "reset")

    def _vacate(self, slot: Slot) -> None:
        member = slot.member
        # The others go on with another stream on the same connection.
        if member.phase is Phase.OPEN or self._random.random() < self._plan.reconnecting:
            member.drop(abruptly=False)
        self._people.let_go(member.person)
        self._enter(slot, State.IDLE)

    def _enter(self, slot: Slot, state: State) -> None:
        slot.state = state
        slot.round += 1

    def _later(self, slot: Slot, seconds: float, step: Callable[[Slot], None]) -> None:
        self._serial += 1
        heapq.heappush(self._planned, (time.monotonic() + seconds, self._serial, slot, slot.round, step))
