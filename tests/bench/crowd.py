"""The crowd: thousands of lean members in one process, on the load's core. It is told what to do by lines of JSON.

Each command is answered by one line. Between commands everybody goes on to read and to answer heartbeats.
"""

import argparse
import gc
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from tests.bench.bare import BareMember, BareReader
from tests.bench.churn import Churn, Group
from tests.bench.connection import Phase
from tests.bench.lean import LeanMember, Person, Tally
from tests.bench.loop import READ, Loop
from tests.bench.machine import Usage, raise_descriptor_limit
from tests.bench.mail import Mail
from tests.bench.meter import Meter
from tests.bench.reading import LobbyReader

DIAL_SECONDS = 60.0
QUIET_SECONDS = 3.0


class Crowd:
    """Everybody, and what can be asked of them."""

    def __init__(self, kind: str, process_ids: list[int], on_cores: list[int]) -> None:
        self._is_bare = kind == "bare"
        self._meter = Meter([process_ids[0], os.getpid(), *process_ids[1:]], on_cores)
        self._loop = Loop()
        self._tally = Tally()
        self._groups: list[Group] = []
        self._numbers = count()
        self._churns = count()
        self._last_messages = 0
        self._quiet_since = 0.0
        self._newcomers: deque[Person] = deque()
        self._seed = ""
        self._others = 0
        self._churn: Churn | None = None
        self._address = ("127.0.0.1", 0)

    @property
    def _members(self) -> Iterator[LeanMember]:
        for group in self._groups:
            yield from group.staying
            yield from group.moving

    def prepare(
        self, *, address: str, lobbies: int, members: int, spare: int = 0, others: int = 0, seed: str = "0"
    ) -> dict[str, Any]:
        """Make so many members in each of so many lobbies, a quarter of them for coming and going. Nobody connects yet.

        `others` is how many there will be in each lobby beside them.
        """
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))
        self._seed = seed
        self._others = others
        for number in range(lobbies):
            name = f"bench-{number}"
            group = Group(BareReader(name) if self._is_bare else LobbyReader(name))
            made = [self._make(group.reader) for _ in range(members)]
            group.moving.extend(made[: members // 4])
            group.staying.extend(made[members // 4 :])
            group.spare.extend(self._make(group.reader) for _ in range(spare))
            self._groups.append(group)
        # Everything so far is for good.
        gc.collect()
        gc.freeze()
        return {}

    def connect(self, *, seconds: float, resume: bool = False, quiet: bool = False) -> dict[str, Any]:
        """Let everybody dial and join at once; wait until each has a list of all."""
        everybody = list(self._members)
        for group in self._groups:
            group.reader.complete.clear()
            group.reader.goal = 0 if quiet else len(group.staying) + len(group.moving) + self._others
        before = self._meter.look()
        for member in everybody:
            member.joins_at_once = True
            if isinstance(member, BareMember):
                member.is_quiet = quiet
            if not resume:
                member.become(member.person)
            member.dial(self._address)
        self._loop.run(seconds, lambda: self._all_are_in(quiet=quiet) or self._nothing_comes())
        has_all = self._all_are_in(quiet=quiet)
        after = self._meter.look()
        spares = [member for group in self._groups for member in group.spare if member.phase is Phase.CLOSED]
        for group in self._groups:
            group.reader.goal = 0
        for member in spares:
            if isinstance(member, BareMember):
                member.is_quiet = False
            member.dial(self._address)
        self._loop.run(DIAL_SECONDS, lambda: all(member.phase is Phase.READY for member in spares))
        for member in everybody:
            if isinstance(member, BareMember):
                member.is_quiet = False
        complete = sum(len(group.reader.complete) for group in self._groups)
        return self._figures(before, after) | {
            "members": len(everybody),
            "has_all": has_all,
            "complete": complete,
            "resumed": self._tally.resumed,
        }

    def rest(self, *, seconds: float) -> dict[str, Any]:
        """Do nothing but answer heartbeats."""
        before = self._meter.look()
        self._loop.run(seconds)
        return self._figures(before, self._meter.look()) | {"beats": self._tally.beats}

    def churn(self, *, rate: float, seconds: float, seed: int) -> dict[str, Any]:
        """Let people come, go and change."""
        wanted = int(rate * seconds / 4) + 8
        while len(self._newcomers) < wanted:
            self._newcomers.append(Person.numbered(self._seed, next(self._numbers)))
        newcomers = (self._newcomers.popleft() for _ in count())
        churn = Churn(self._loop, self._groups, next(self._churns), seed, newcomers)
        before, after, made_in = churn.run(rate, seconds, self._meter)
        self._churn = churn
        return self._figures(before, after) | {"made_in": made_in}

    def result(self, *, others: list[tuple[str, str, float]]) -> dict[str, Any]:
        """Sum up the last churn."""
        assert self._churn is not None
        return self._churn.result(others) | {"miscounted": 0 if self._is_bare else self._miscounted()}

    def cut(self) -> dict[str, Any]:
        """Cut every member's connection, with a reset."""
        for member in self._members:
            member.close(abruptly=True)
        return {}

    def move(self, *, seconds: float) -> dict[str, Any]:
        """Do what a server that stops asks for: everybody goes when told to, and says nothing."""

        def have_all_gone() -> bool:
            now = time.monotonic()
            for member in self._members:
                if member.moves_at is not None and member.moves_at <= now:
                    member.close()
            return all(member.phase is Phase.CLOSED for member in self._members)

        have_gone = self._loop.run(seconds, have_all_gone)
        return {"have_gone": have_gone, "told": self._tally.draining}

    def follow(self, *, server: int, address: str) -> dict[str, Any]:
        """Take another server for the one that is measured."""
        self._meter.process_ids[0] = server
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))
        return {}

    def leave(self, *, seconds: float) -> dict[str, Any]:
        """Let everybody leave, and close every connection."""
        everybody = list(self._members)
        for member in everybody:
            member.leave()
        have_left = self._loop.run(
            seconds, lambda: all(member.phase is not Phase.OPEN for member in everybody)
        )
        for group in self._groups:
            for member in (*group.staying, *group.moving, *group.spare):
                member.close()
        return {"have_left": have_left, "faults": self._tally.faults()}

    def pause(self, *, part: float) -> dict[str, Any]:
        """Let a part of everybody read nothing any more."""
        for group in self._groups:
            for member in group.staying[: round(part * (len(group.staying) + len(group.moving)))]:
                member.pause_reading()
        return {}

    def unpause(self, *, seconds: float) -> dict[str, Any]:
        """Let everybody read again, and whoever was given up come back; wait until all have the same list."""
        paused = [member for group in self._groups for member in group.staying if not member.is_reading]
        for member in paused:
            member.resume_reading()
        # What waits in the sockets is read first; the end of the stream is behind it.
        self._loop.run(2.0)
        given_up = [member for member in paused if member.phase is not Phase.OPEN]
        for member in given_up:
            member.close()
            member.become(member.person)
            member.joins_at_once = True
            member.dial(self._address)
        have_all = self._loop.run(seconds, self._hold_the_same, look_every=0.05)
        return {"given_up": len(given_up), "have_all": have_all}

    def mail(self, *, seconds: float) -> dict[str, Any]:
        """Let pairs of the first lobby write to each other: as fast as it goes, then at half of that."""
        people = [*self._groups[0].staying, *self._groups[0].moving]
        half = len(people) // 2
        mail = Mail(self._loop, list(zip(people[:half], people[half : 2 * half], strict=True)))
        before = self._meter.look()
        saturated = mail.saturate(seconds)
        between = self._meter.look()
        paced = mail.pace(saturated["per_second"] / 2, seconds)
        after = self._meter.look()
        return {
            "pairs": half,
            "saturated": saturated | self._figures(before, between),
            "paced": paced | self._figures(between, after),
        }

    def _miscounted(self) -> int:
        """Count the members whose list has another length than it should have, unless some have stopped reading."""
        return sum(
            member.held.bit_count() != len(group.staying) + len(group.moving) + self._others
            for group in self._groups
            if all(member.is_reading for member in group.staying)
            for member in (*group.staying, *group.moving)
        )

    def _hold_the_same(self) -> bool:
        return all(
            member.is_live and member.held == group.staying[0].held and not member.suspects
            for group in self._groups
            for member in (*group.staying, *group.moving)
        )

    def _all_are_in(self, *, quiet: bool) -> bool:
        if quiet:
            return all(member.is_live for member in self._members)
        return all(
            len(group.reader.complete) == len(group.staying) + len(group.moving) for group in self._groups
        )

    def _nothing_comes(self) -> bool:
        """Tell whether there is nothing to wait for any more: some have been refused, and for the others nothing happens."""
        now = time.monotonic()
        if self._tally.messages != self._last_messages:
            self._last_messages, self._quiet_since = self._tally.messages, now
        return bool(self._tally.endings) and now - self._quiet_since > QUIET_SECONDS

    def _make(self, reader: LobbyReader) -> LeanMember:
        person = Person.numbered(self._seed, next(self._numbers))
        kind = BareMember if self._is_bare else LeanMember
        return kind(self._loop, self._address, person, reader, self._tally)

    def _figures(self, before: Usage, after: Usage) -> dict[str, Any]:
        """Tell what a span of time has cost, and what went wrong in it."""
        return self._meter.figures(before, after) | {
            "tally": {"messages": self._tally.messages, "bytes": self._tally.bytes},
            "faults": self._tally.faults(),
        }

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do what a line asks for."""
        what = command.pop("do")
        self._tally.__init__()  # type: ignore[misc]
        action: Callable[..., dict[str, Any]] = getattr(self, what)
        return action(**command)

    def serve(self) -> None:
        """Take commands until their end."""
        lines: deque[str] = deque()
        rest = b""
        is_over = False

        def read(_: int) -> None:
            nonlocal rest, is_over
            content = os.read(0, 65_536)
            is_over = not content
            *whole, rest = (rest + content).split(b"\n")
            lines.extend(line.decode() for line in whole)

        self._loop.register(0, read, READ)
        while not is_over:
            while lines:
                answer = self.answer(json.loads(lines.popleft()))
                sys.stdout.write(json.dumps(answer) + "\n")
                sys.stdout.flush()
            self._loop.turn(1.0)


def main() -> None:
    """Be the crowd's process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["adsumd", "bare"])
    parser.add_argument("--processes", type=int, nargs="+", help="the server's, then others that make load")
    parser.add_argument("--cores", type=int, nargs=2)
    arguments = parser.parse_args()
    raise_descriptor_limit()
    # Nothing here makes circles that matter, and a collection would stop the clock of a thousand arrivals.
    gc.disable()
    Crowd(arguments.kind, arguments.processes, arguments.cores).serve()


if __name__ == "__main__":
    main()
