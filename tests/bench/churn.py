"""Let people come, go and change in lobbies at a rate, and measure how long it takes until everybody there has seen it.

Half of the events are updates, a quarter joins, a quarter leaves. Updates are made by members in turn, so that nobody comes near the
limit of a session's updates; joins and leaves by a quarter of the members, who take turns: whoever has been there longest leaves, and
somebody new comes on a connection that stands already. Each event has a slot of 1/rate, and happens at a random moment in it.
"""

import random
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.bench.connection import Phase
from tests.bench.events import EventLog, Kind, Latencies, latencies_by_kind
from tests.bench.lean import LeanMember, Person
from tests.bench.loop import Loop
from tests.bench.machine import Usage
from tests.bench.meter import Meter
from tests.bench.reading import LobbyReader

PATTERN = (Kind.UPDATE, Kind.UPDATE, Kind.JOIN, Kind.LEAVE)
SETTLE_SECONDS = 15.0
"""How long after the last event everybody may take to have seen it. Whatever takes longer is lost."""


@dataclass(slots=True)
class Group:
    """The lean members of one lobby."""

    reader: LobbyReader
    staying: list[LeanMember] = field(default_factory=list)
    moving: deque[LeanMember] = field(default_factory=deque)
    """Those who come and go, and are there now; the longest there first."""
    spare: deque[LeanMember] = field(default_factory=deque)
    """Connections without a member."""
    turn: int = 0

    def present(self) -> Iterable[LeanMember]:
        """Go through everybody who should be there and reads."""
        yield from (member for member in self.staying if member.is_reading)
        yield from self.moving


class Churn:
    """One run."""

    def __init__(
        self, loop: Loop, groups: list[Group], number: int, seed: int, newcomers: Iterable[Person]
    ) -> None:
        """Prepare the run with this number: no two of a crowd may have the same, or they would say the same."""
        self._loop = loop
        self._groups = groups
        self._number = number
        self._random = random.Random(seed)
        self._newcomers = iter(newcomers)
        self._logs: list[EventLog] = []
        self._lateness = Latencies()
        self._tokens = 0
        self.sent = 0
        self.starved = 0
        self.highest_resident_bytes = 0

    def run(self, rate: float, seconds: float, meter: Meter) -> tuple[Usage, Usage, float]:
        """Make events; return what was used before and after, and how long events were made."""
        plan = self._plan(rate, seconds)
        self._logs = [group.reader.start_log() for group in self._groups]
        look_at = 0.0
        before = meter.look()
        start = time.monotonic() + 0.01
        for number, (offset, kind) in enumerate(plan):
            due = start + offset
            while (now := time.monotonic()) < due:
                self._loop.turn(due - now)
            self._lateness.add(now - due)
            index = number // len(PATTERN) % len(self._groups)
            self._make(kind, self._groups[index], self._logs[index])
            # What has come meanwhile is read before the next event, however late that is.
            self._loop.turn(0)
            if now > look_at:
                look_at = now + 0.5
                self.highest_resident_bytes = max(self.highest_resident_bytes, meter.server_resident_bytes)
        made_in = time.monotonic() - start
        self._loop.run(SETTLE_SECONDS, self._is_settled, look_every=0.01)
        return before, meter.look(), made_in

    def result(self, others: Iterable[tuple[str, str, float]]) -> dict[str, object]:
        """Sum up, after the run; `others` are updates that the probes have made in the first lobby: key, token, when."""
        for public_key, token, sent_at in others:
            self._logs[0].adopt(bytes.fromhex(public_key), token, sent_at)
            self.sent += 1
        # The probes' last updates may have been made just when the crowd had seen everything of its own.
        self._loop.run(SETTLE_SECONDS, self._is_settled, look_every=0.01)
        found: dict[Kind, Latencies] = {kind: Latencies() for kind in Kind}
        everything = Latencies()
        unseen = behind = messages = 0
        for group, log in zip(self._groups, self._logs, strict=True):
            log.settle()
            arrivals = [(delta.base, delta.revision, delta.arrivals) for delta in group.reader.deltas]
            messages += sum(len(delta.arrivals) for delta in group.reader.deltas)
            for kind, latencies in latencies_by_kind(log.events, arrivals).items():
                found[kind].merge(latencies)
            unseen += len(log.unseen())
            behind += sum(member.revision < group.reader.revision for member in group.present())
            group.reader.stop_log()
        for latencies in found.values():
            everything.merge(latencies)
        return {
            "events": self.sent,
            "starved": self.starved,
            "unseen": unseen,
            "behind": behind,
            "deliveries": everything.total,
            "messages": messages,
            "latency": everything.summary(),
            "latency_by_kind": {kind.value: latencies.summary() for kind, latencies in found.items()},
            "late_p99_ms": round(self._lateness.milliseconds(0.99), 1),
            "highest_resident_bytes": self.highest_resident_bytes,
            "sent_at": [
                (event.revision, event.sent_at)
                for log in self._logs[:1]
                for event in log.events
                if event.revision
            ],
        }

    def _plan(self, rate: float, seconds: float) -> list[tuple[float, Kind]]:
        kinds: list[Kind] = []
        count = max(len(PATTERN), round(rate * seconds))
        while len(kinds) < count:
            kinds += self._random.sample(PATTERN, len(PATTERN))
        return [((number + self._random.random()) / rate, kinds[number]) for number in range(count)]

    def _make(self, kind: Kind, group: Group, log: EventLog) -> None:
        if kind is Kind.UPDATE:
            self._update(group, log)
        elif kind is Kind.LEAVE:
            self._leave(group, log)
        else:
            self._join(group, log)

    def _update(self, group: Group, log: EventLog) -> None:
        for _ in group.staying:
            member = group.staying[group.turn % len(group.staying)]
            group.turn += 1
            if member.is_live and member.is_reading:
                self._tokens += 1
                token = f"u{self._number}.{self._tokens}"
                log.update(member.person.public_key, token, time.monotonic())
                member.update(token)
                self.sent += 1
                return
        self.starved += 1

    def _leave(self, group: Group, log: EventLog) -> None:
        # Somebody who has just come may not be in yet.
        if not group.moving or not group.moving[0].is_live:
            self.starved += 1
            return
        member = group.moving.popleft()
        log.leave(member.person.public_key, time.monotonic())
        member.leave()
        group.spare.append(member)
        self.sent += 1

    def _join(self, group: Group, log: EventLog) -> None:
        if not group.spare or group.spare[0].phase is not Phase.READY:
            self.starved += 1
            return
        member = group.spare.popleft()
        member.become(next(self._newcomers))
        log.join(member.person.public_key, time.monotonic())
        member.join()
        group.moving.append(member)
        self.sent += 1

    def _is_settled(self) -> bool:
        for group, log in zip(self._groups, self._logs, strict=True):
            log.settle()
            if log.unseen():
                return False
            if any(
                member.revision < group.reader.revision or not member.is_live for member in group.present()
            ):
                return False
        return True
