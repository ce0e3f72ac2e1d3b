"""One run from a seed, what came of it, and how it is told."""

import gc
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from unittest.mock import patch

from google.protobuf.message import DecodeError

from adsum.client import connection
from adsum.server import desk, wire
from adsum.v1 import presence_pb2 as pb
from tests.model.promises import PROMISES
from tests.simulation.loop import START_SECONDS
from tests.simulation.script import live
from tests.simulation.world import World


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one seed. `broken` is the first promise that was found broken, and how; None if none was."""

    seed: int
    broken: tuple[str, str] | None
    trace_hash: str
    counts: Counter[str]
    checks: Counter[str]


def run_seed(seed: int, log: Callable[[str], None] | None = None) -> Outcome:
    """Run the world of a seed."""
    world = World(seed, log)
    # A collection in the middle would only cost time: a world is small, and over soon.
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        with _drawn(world):
            try:
                live(world)
            finally:
                world.close()
    finally:
        if was_collecting:
            gc.enable()
    counts = Counter(world.observatory.counts)
    counts["steps"] = world.kernel.steps
    counts["virtual seconds"] = int(world.kernel.now - START_SECONDS)
    broken = world.checks.broken[0] if world.checks.broken else None
    return Outcome(seed, broken, world.trace_hash, counts, world.checks.counts)


@contextmanager
def _drawn(world: World) -> Iterator[None]:
    """Let the shells draw from the seed, keep off the disk's own time, and be silent."""
    secrets = world.secrets
    with ExitStack() as stack:
        stack.enter_context(patch.object(connection, "os", SimpleNamespace(urandom=secrets.randbytes)))
        stack.enter_context(patch.object(connection, "random", SimpleNamespace(random=secrets.random)))
        stack.enter_context(patch.object(wire, "SNAPSHOT_CHUNK_MEMBERS", world.chunk_members))
        stack.enter_context(patch.object(desk, "FORGET_SECONDS", world.forget_seconds))
        stack.enter_context(patch("os.fsync", lambda _: None))
        log = logging.getLogger("adsum.server")
        before = log.level
        log.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            log.setLevel(before)


@dataclass(slots=True)
class Report:
    """Add up outcomes."""

    outcomes: int = 0
    failures: list[Outcome] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Take one in."""
        self.outcomes += 1
        self.counts.update(outcome.counts)
        self.checks.update(outcome.checks)
        if outcome.broken is not None:
            self.failures.append(outcome)

    def lines(self) -> Iterator[str]:
        """Tell everything that was counted."""
        yield f"{self.outcomes} seeds, {len(self.failures)} failed"
        yield f"{self.counts['virtual seconds'] / 3600:.1f} virtual hours, {self.counts['steps']} steps"
        told = ("steps", "virtual seconds")
        yield ", ".join(
            f"{number} {what}" for what, number in sorted(self.counts.items()) if what not in told
        )
        yield "checked: " + ", ".join(f"{promise} {self.checks[promise]}" for promise in PROMISES)


def describe_failure(outcome: Outcome, fault: str = "") -> str:
    """Tell what broke, and how to see it again."""
    assert outcome.broken is not None
    promise, what = outcome.broken
    again = f"python -m tests.simulation --seed {outcome.seed} --trace" + (
        f" --fault {fault}" if fault else ""
    )
    return f"seed {outcome.seed}: {promise} ({PROMISES[promise]}): {what}\n  again: {again}"


def describe(what: str, item: object) -> str:
    """Put what goes over the network in a line."""
    if isinstance(item, bytes):
        kind = pb.PresenceRequest if what == "up" else pb.PresenceResponse
        try:
            return " ".join(str(kind.FromString(item)).split())[:300]
        except DecodeError:
            return item.hex()[:300]
    return str(item) if what == "down" else "reset"
