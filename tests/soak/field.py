"""The people of one server: slots that are filled and emptied all the time, by chance, but by a chance that can be repeated.

Whoever is present may leave, lose the stream and come back, lose it for good, or fall silent; or say something. What has been done is
counted in `deeds`.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from tests.bench.lean import Tally
from tests.bench.loop import Loop
from tests.soak.members import BareSoakMember, SoakMember, Wayward
from tests.soak.people import People
from tests.soak.plan import FieldPlan
from tests.soak.post import Post
from tests.soak.readers import ForgetfulBareReader, ForgetfulReader
from tests.soak.slots import Group, Slot, State, Steps

BRIEF_SECONDS = (5.0, 15.0)
"""How long a brief lobby lives."""
STIFFNESS = 5.0
"""How strongly the number of those present is held: a tenth too many makes an arrival impossible."""
HELD_UP_SECONDS = 1.0
"""A load that is held up for longer doesn't make up for it in a burst."""
LONGEST_TURN_SECONDS = 1.0


class Field:
    """Everybody at one server."""

    def __init__(
        self,
        loop: Loop,
        plan: FieldPlan,
        address: tuple[str, int],
        seed: str,
        report: Callable[[str, str], None],
    ) -> None:
        self.plan = plan
        self.deeds: Counter[str] = Counter()
        self.tally = Tally()
        self.is_churning = False
        self.may_fall_silent = True
        self._loop = loop
        self._address = address
        self._random = random.Random(seed)
        self._people = People(seed, self._random, self.deeds, return_=not plan.is_bare)
        self._post = Post(report, self.deeds)
        self.steps = Steps(plan, self._people, self._random, self.deeds, report)
        self._next_deed_at = 0.0
        self._lobbies = 0
        self._deeds = (self._come_or_go, self._blip, self._update, self._write, self._select)
        self._weights = (plan.movements, plan.blips, plan.updates, plan.messages, plan.selects)
        self.groups = [self._make_group(name, plan.slots, plan.guests) for name in plan.lobbies]
        self.groups += [self._make_group(None, plan.brief_slots, 0) for _ in range(plan.brief_lobbies)]
        self._slots = [slot for group in self.groups for slot in group.slots]

    # What the crowd asks for

    def turn(self, now: float) -> float:
        """Do what is due; return when to call again."""
        step_at = self.steps.turn(now) or now + LONGEST_TURN_SECONDS
        if self.steps.expects_restart:
            self._move(now)
        if not self.is_churning:
            return step_at
        if self._next_deed_at <= now:
            self._do_something(now)
        return min(self._next_deed_at, step_at)

    def start(self, now: float) -> None:
        """Churn from now on."""
        self.is_churning = True
        self._next_deed_at = now

    def fill(self) -> None:
        """Churn no more, and let everybody come whose slot is idle."""
        self.is_churning = False
        for slot in self._slots:
            if slot.state is State.IDLE:
                self.steps.arrive(slot)

    def is_full(self) -> bool:
        """Tell whether everybody is present and holds the whole list, without suspects. Whose slot is idle, comes."""
        self.fill()
        if any(slot.state is not State.PRESENT for slot in self._slots):
            return False
        return self.plan.is_bare or all(_has_whole_lists(group) for group in self.groups)

    def lists(self) -> dict[str, list[dict[str, object]]]:
        """Tell, for each lobby, the lists that members hold: one entry if all hold the same."""
        found: dict[str, dict[tuple[object, ...], dict[str, object]]] = {}
        for slot in self._slots:
            if slot.state is not State.PRESENT:
                continue
            member = slot.member
            keys = slot.group.reader.keys(member.held)
            known = (member.epoch, member.revision, member.digest, tuple(keys))
            found.setdefault(slot.group.reader.lobby, {})[known] = {
                "epoch": member.epoch,
                "revision": member.revision,
                "digest": member.digest,
                "keys": [key.hex() for key in keys],
            }
        return {lobby: list(lists.values()) for lobby, lists in found.items()}

    def tidy(self, now: float) -> None:
        """Forget who is gone, and look for messages without an outcome."""
        for group in self.groups:
            group.reader.forget(slot.member for slot in group.slots)
        for slot in self._slots:
            if isinstance(slot.member, SoakMember):
                slot.member.look_back(now)

    def dismiss(self) -> None:
        """Let everybody leave, and stay away."""
        self.is_churning = False
        for slot in self._slots:
            if slot.state is State.PRESENT:
                self.steps.leave(slot)

    def have_left(self) -> bool:
        """Tell whether nobody is present or on the way any more; then every connection is closed."""
        if any(slot.state is not State.IDLE for slot in self._slots):
            return False
        for slot in self._slots:
            slot.member.close()
        return True

    def states(self) -> Counter[str]:
        """Count the slots in each state."""
        return Counter(slot.state.value for slot in self._slots)

    # Deeds

    def _do_something(self, now: float) -> None:
        self._next_deed_at += self._random.expovariate(sum(self._weights))
        if self._next_deed_at < now - HELD_UP_SECONDS:
            self._next_deed_at = now
            self.deeds["held up"] += 1
        self._random.choices(self._deeds, self._weights)[0]()
        for group in self.groups:
            if group.is_brief and group.ends_at <= now:
                self._renew(group, now)

    def _come_or_go(self) -> None:
        taken = sum(slot.state is not State.IDLE for slot in self._slots) / len(self._slots)
        if self._random.random() < 0.5 + STIFFNESS * (self.plan.presence - taken):
            self._arrive()
        else:
            self._depart()

    def _arrive(self) -> None:
        now = time.monotonic()
        slots = [
            slot
            for slot in self._slots
            if slot.state is State.IDLE and (not slot.group.is_brief or slot.group.ends_at > now)
        ]
        if slots:
            self.steps.arrive(self._random.choice(slots))

    def _depart(self) -> None:
        slot, chance = self._draw(), self._random.random()
        if slot is None:
            return
        if chance < self.plan.leaving:
            self.steps.leave(slot)
        elif chance < self.plan.leaving + self.plan.falling_silent and self.may_fall_silent:
            self.steps.fall_silent(slot)
        else:
            self.steps.lose(slot)

    def _blip(self) -> None:
        if (slot := self._draw()) is not None:
            self.steps.blip(slot)

    def _update(self) -> None:
        if (slot := self._draw()) is not None:
            self.deeds["updates"] += 1
            slot.member.update(f"u{self.deeds['updates']}")

    def _write(self) -> None:
        if (slot := self._draw()) is not None and isinstance(slot.member, SoakMember):
            slot.member.write(self._draw_key(slot))

    def _select(self) -> None:
        if (slot := self._draw()) is not None and isinstance(slot.member, SoakMember):
            self.deeds["selects"] += 1
            slot.member.select(self._draw_key(slot))

    def _renew(self, group: Group, now: float) -> None:
        """End a brief lobby; when everybody has left, begin another."""
        for slot in group.slots:
            if slot.state is State.PRESENT:
                self.steps.leave(slot)
        if all(slot.state is State.IDLE for slot in group.slots):
            group.reader = self._make_reader(None)
            group.ends_at = now + self._random.uniform(*BRIEF_SECONDS)
            for slot in group.slots:
                slot.member.reader = group.reader
            self.deeds["brief lobbies"] += 1

    def _move(self, now: float) -> None:
        """Do what a server that stops asks for."""
        for slot in self._slots:
            moves_at = slot.member.moves_at
            if slot.state is State.PRESENT and moves_at is not None and moves_at <= now:
                self.steps.move(slot)

    # Small things

    def _draw(self) -> Slot | None:
        """Choose somebody who is present."""
        slots = [slot for slot in self._slots if slot.state is State.PRESENT]
        return self._random.choice(slots) if slots else None

    def _draw_key(self, slot: Slot) -> bytes:
        """Choose whom to write to: mostly somebody of the same lobby, at times somebody who may have gone."""
        gone = self._people.draw_gone() if self._random.random() < self.plan.writing_to_gone else None
        others = [other for other in slot.group.slots if other.state in (State.PRESENT, State.AWAY)]
        return gone or self._random.choice(others).member.person.public_key

    def _make_reader(self, name: str | None) -> ForgetfulReader:
        if name is None:
            self._lobbies += 1
            name = f"brief-{self._lobbies}"
        return ForgetfulBareReader(name) if self.plan.is_bare else ForgetfulReader(name)

    def _make_group(self, name: str | None, slots: int, others: int) -> Group:
        group = Group(self._make_reader(name), others, is_brief=name is None)
        group.slots.extend(self._make_slots(group, slots))
        return group

    def _make_slots(self, group: Group, count: int) -> Iterator[Slot]:
        for _ in range(count):
            person = self._people.make()
            place = (self._loop, self._address, person, group.reader, self.tally)
            member: Wayward = BareSoakMember(*place) if self.plan.is_bare else SoakMember(*place, self._post)
            slot = Slot(member, group)
            member.on_live = partial(self.steps.is_live, slot)
            member.on_end = partial(self.steps.has_ended, slot)
            yield slot


def _has_whole_lists(group: Group) -> bool:
    expected, revision = len(group.slots) + group.others, group.slots[0].member.revision
    return all(
        not slot.member.suspects
        and slot.member.held.bit_count() == expected
        and slot.member.revision == revision
        for slot in group.slots
    )
