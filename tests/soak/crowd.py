"""The process of all lean members, told what to do by lines of JSON; between lines everybody goes on. Each line is answered by one.

Not the crowd of the benchmark: that one does one thing at a time and measures it, this one does everything all the time.
"""

import argparse
import gc
import json
import os
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from tests.bench.loop import READ, Loop
from tests.bench.machine import raise_descriptor_limit
from tests.soak.field import Field
from tests.soak.plan import FieldPlan

TIDY_SECONDS = 20.0
VIOLATIONS_KEPT = 200
_PROMISE_OF_FAULT = {
    "gaps": ("P2", "deltas that left a gap"),
    "wrong_counts": ("P3", "lists of another length than the server's"),
    "wrong_beats": ("P3", "heartbeats that told of another list"),
    "not_resumed": ("P6", "sessions that could not be resumed within the grace"),
    "errors": ("contract", "requests refused"),
}


class Crowd:
    """All fields, and what can be asked of them."""

    def __init__(self) -> None:
        self._loop = Loop()
        self._fields: dict[str, Field] = {}
        self._violations: list[tuple[str, str, str]] = []
        self._violation_count: Counter[str] = Counter()
        self._told: Counter[tuple[str, str]] = Counter()
        self._tidy_at = 0.0
        self._call_at = 0.0
        self.is_over = False

    def prepare(self, *, plan: dict[str, Any], address: str, seed: str) -> dict[str, Any]:
        """Make a field's people. Nobody connects yet."""
        content = FieldPlan.from_json(plan)
        host, _, port = address.rpartition(":")

        def report(promise: str, what: str) -> None:
            self._report(content.name, promise, what)

        self._fields[content.name] = Field(self._loop, content, (host, int(port)), seed, report)
        return {}

    def churn(self) -> dict[str, Any]:
        """Let people come and go from now on."""
        now = time.monotonic()
        for one in self._fields.values():
            one.start(now)
            one.may_fall_silent = True
        self._call_at = now
        return {}

    def calm(self) -> dict[str, Any]:
        """Let nobody fall silent any more: a roll call is near, and silence takes long."""
        for one in self._fields.values():
            one.may_fall_silent = False
        return {}

    def gather(self, *, seconds: float) -> dict[str, Any]:
        """Let everybody come, and wait until everybody sees everybody."""
        for one in self._fields.values():
            one.fill()
        self._call_at = 0.0
        full = self._run(seconds, lambda: all(one.is_full() for one in self._fields.values()))
        return {
            "full": full,
            "lists": {name: one.lists() for name, one in self._fields.items() if not one.plan.is_bare},
            "states": {name: dict(one.states()) for name, one in self._fields.items()},
        }

    def expect_restart(self, *, field: str, expected: bool) -> dict[str, Any]:
        """Let the members of a field come back by themselves when their server stops."""
        self._fields[field].steps.expects_restart = expected
        return {}

    def dismiss(self, *, seconds: float) -> dict[str, Any]:
        """Let everybody leave and close every connection."""
        for one in self._fields.values():
            one.dismiss()
        self._call_at = 0.0
        return {
            "have_left": self._run(seconds, lambda: all(one.have_left() for one in self._fields.values()))
        }

    def counts(self) -> dict[str, Any]:
        """Tell what has been done so far, and what was wrong since this was asked last."""
        self._compare_tallies()
        violations, self._violations = self._violations, []
        lateness = {name: one.steps.latest for name, one in self._fields.items()}
        for one in self._fields.values():
            one.steps.latest = 0.0
        return {
            "deeds": {name: dict(one.deeds) for name, one in self._fields.items()},
            "messages_read": {name: one.tally.messages for name, one in self._fields.items()},
            "states": {name: dict(one.states()) for name, one in self._fields.items()},
            "late_seconds": max(lateness.values(), default=0.0),
            "violations": violations,
            "violation_count": dict(self._violation_count),
        }

    def _report(self, field: str, promise: str, what: str) -> None:
        self._violation_count[promise] += 1
        if len(self._violations) < VIOLATIONS_KEPT:
            self._violations.append((field, promise, what))

    def _compare_tallies(self) -> None:
        for name, one in self._fields.items():
            # The baseline promises nothing; its members are there to be lost.
            if one.plan.is_bare:
                continue
            for fault, (promise, what) in _PROMISE_OF_FAULT.items():
                count = getattr(one.tally, fault)
                if more := count - self._told[name, fault]:
                    self._told[name, fault] = count
                    self._report(name, promise, f"{more} {what}")

    def _turn(self, longest: float) -> None:
        now = time.monotonic()
        if now >= self._call_at:
            self._call_at = min([one.turn(now) for one in self._fields.values()], default=now + longest)
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_SECONDS
            for one in self._fields.values():
                one.tidy(now)
        if any(one.steps.expects_restart for one in self._fields.values()):
            self._call_at = min(self._call_at, now + 0.02)
        self._loop.turn(min(longest, max(0.0, self._call_at - time.monotonic())))
        # What has just been read may have planned something sooner.
        self._call_at = min(self._call_at, now + 0.05)

    def _run(self, seconds: float, is_over: Callable[[], bool]) -> bool:
        ends_at = time.monotonic() + seconds
        look_at = 0.0
        while (now := time.monotonic()) < ends_at:
            if now >= look_at:
                if is_over():
                    return True
                look_at = now + 0.05
            self._turn(0.05)
        return is_over()

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do what a line asks for."""
        action: Callable[..., dict[str, Any]] = getattr(self, command.pop("do"))
        return action(**command)

    def serve(self) -> None:
        """Take commands until their end."""
        lines: deque[str] = deque()
        rest = b""

        def read(_: int) -> None:
            nonlocal rest
            content = os.read(0, 65_536)
            self.is_over = not content
            *whole, rest = (rest + content).split(b"\n")
            lines.extend(line.decode() for line in whole)

        self._loop.register(0, read, READ)
        while not self.is_over:
            while lines:
                answer = self.answer(json.loads(lines.popleft()))
                sys.stdout.write(json.dumps(answer) + "\n")
                sys.stdout.flush()
            self._turn(0.25)


def main() -> None:
    """Be the crowd's process."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    raise_descriptor_limit()
    gc.freeze()
    Crowd().serve()


if __name__ == "__main__":
    main()
