"""One attack from its beginning to its verdict: what was there before, what it did, and what is left of it."""

import asyncio
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from tests.abuse.aftermath import REST_SECONDS, Field, compare, open_to_others, rest
from tests.abuse.attack import Attack, Ground
from tests.abuse.neighbourhood import Window, neighbourhood
from tests.abuse.tally import Tally
from tests.abuse.watching import LogWindow, Watch
from tests.integration.admin_client import admin_of
from tests.integration.adsumd import running_adsumd
from tests.integration.promises import BrokenPromiseError

LATENCY_BOUND_MS = 100.0
"""Within which a change is seen, also beside an attack (P4, P9)."""
NOISE_SECONDS = 6.0
LONGEST_SECONDS = 150.0
"""How long an attack may take before it counts as hung."""
LEFT_MIB = 24.0
"""What may stay after an attack: an allocator's slack, and gRPC's own small leak for each cancelled call."""
LOG_BYTES_PER_SECOND = 100_000
"""What may be logged: 20 lines a second for each kind of event, and a few kinds."""
FEWEST_UPDATES = 20
BUSY_SHARE = 0.25
"""Of an attack's time: a server that had no core for longer shows the machine's latency, not its own."""


@dataclass(slots=True)
class Outcome:
    """What came of one attack."""

    attack: Attack
    tally: Tally
    seconds: float = 0.0
    window: Window | None = None
    log: LogWindow = field(default_factory=LogWindow)
    before_mib: float = 0.0
    peak_mib: float = 0.0
    after_mib: float = 0.0
    second_mib: float = 0.0
    """What a second attack added, if the first left too much."""
    server_cpu_seconds: float = 0.0
    server_waited_seconds: float = 0.0
    """How long the server was ready to run and got no core: what is the machine's fault, or the attacker's own CPU."""
    faults: list[str] = field(default_factory=list)
    """Broken promises beside wrong answers, each with its name."""
    notes: list[str] = field(default_factory=list)

    @property
    def waited_share(self) -> float:
        """For which part of the attack the server was ready to run and had no core."""
        return self.server_waited_seconds / self.seconds if self.seconds else 0.0

    @property
    def has_passed(self) -> bool:
        """Whether every promise was kept."""
        return not (self.faults or self.tally.wrong or self.tally.crashes or self.log.exceptions)

    def as_json(self) -> dict[str, Any]:
        """Write it down."""
        return {
            "name": self.attack.name,
            "promises": self.attack.promises,
            "what": self.attack.what,
            "passed": self.has_passed,
            "inputs": self.tally.inputs,
            "answers": dict(self.tally.answers.most_common()),
            "figures": self.tally.figures,
            "crashes": self.tally.crashes,
            "wrong_answers": self.tally.wrong,
            "examples": self.tally.examples,
            "exceptions_logged": len(self.log.exceptions),
            "exceptions": dict(Counter(self.log.exceptions).most_common(10)),
            "log_events": dict(self.log.events),
            "log_lines_of_others": self.log.foreign,
            "seconds": round(self.seconds, 2),
            "server_cpu_seconds": round(self.server_cpu_seconds, 2),
            "server_waited_seconds": round(self.server_waited_seconds, 2),
            "resident_mib": {"before": self.before_mib, "peak": self.peak_mib, "after": self.after_mib},
            "neighbours": asdict(self.window) if self.window else None,
            "faults": self.faults,
            "notes": self.notes,
        }


@asynccontextmanager
async def field_with(directory: Path, *options: str) -> AsyncIterator[Field]:
    """Run a server and its neighbours as long as the block runs."""
    place = directory / "server"
    place.mkdir(parents=True)
    async with (
        _complaints_are_counted(),
        running_adsumd(place, "--log-format", "json", "--handover-file", "none", *options) as server,
        neighbourhood(directory, server.address) as neighbours,
        admin_of(server.admin_address) as admin,
    ):
        (log,) = place.glob("*.log")
        yield Field(server, neighbours, Watch(server.pid, log), admin, directory)


@asynccontextmanager
async def _complaints_are_counted() -> AsyncIterator[None]:
    """Let what stands in a server's log pass at its end: each attack has been told of its own already."""
    try:
        yield
    except BrokenPromiseError as error:
        if "wrote into its log" not in str(error):
            raise


async def fight(attack: Attack, on: Field, seed: int, scale: float, noise_p99_ms: float) -> Outcome:
    """Run one attack, let it rest, and judge what it has left."""
    tally = Tally()
    outcome = Outcome(attack, tally)
    random = Random(f"{seed}/{attack.name}")
    ground = Ground(on.server, on.neighbours, on.admin, random, scale, tally, on.directory)
    watch = on.watch
    watch.new_log()
    outcome.before_mib, files = watch.resident_mib, watch.open_files
    cpu, waited = watch.cpu_seconds, watch.waited_seconds
    await on.neighbours.mark()
    started_at = time.perf_counter()
    async with watch.sampling():
        outcome.faults += await _attack(attack, ground)
    outcome.seconds = time.perf_counter() - started_at
    if not watch.is_alive:
        tally.crashes += 1
        outcome.faults.append("P9: the server has died")
        outcome.log = watch.new_log()
        return outcome
    outcome.server_cpu_seconds = watch.cpu_seconds - cpu
    outcome.server_waited_seconds = watch.waited_seconds - waited
    outcome.window = await on.neighbours.report()
    outcome.peak_mib = watch.peak_bytes / (1 << 20)
    outcome.faults += await rest(on, files)
    outcome.after_mib = watch.resident_mib
    if outcome.after_mib - outcome.before_mib > LEFT_MIB:
        outcome.second_mib = tally.figures["MiB more at a second time"] = await _grows_again(
            attack, on, ground
        )
    outcome.faults += await compare(on)
    outcome.faults += await open_to_others(on, ground.random)
    outcome.log = watch.new_log()
    if outcome.window.p99_ms >= LATENCY_BOUND_MS:
        # The machine may have become busy in the meantime.
        noise_p99_ms = max(noise_p99_ms, (await quiet_window(on)).p99_ms)
    _judge(outcome, scale, noise_p99_ms)
    if stderr := on.neighbours.said_on_stderr:
        outcome.faults.append(f"P9: the neighbours' library wrote: {stderr[:300]!r}")
    return outcome


async def _attack(attack: Attack, ground: Ground) -> list[str]:
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            await attack.run(ground)
    except TimeoutError:
        return [f"P9: the attack hangs after {ground.tally.inputs} inputs"]
    except Exception as error:  # noqa: BLE001
        # Whatever it is, the other attacks go on, and this one has not been withstood.
        return [f"P9: the attack was cut short: {one}" for one in _leaves(error)]
    finally:
        ground.hang_up()
    return []


async def _grows_again(attack: Attack, on: Field, ground: Ground) -> float:
    """Attack a second time, and tell what that adds: a heap that has grown once is used again, and only a leak grows again."""
    before, files = on.watch.resident_mib, on.watch.open_files
    await _attack(attack, replace(ground, tally=Tally(), wires=[]))
    await rest(on, files)
    return on.watch.resident_mib - before


def _leaves(error: Exception) -> list[str]:
    """Tell what is in a group of exceptions, and where each came from."""
    if isinstance(error, ExceptionGroup):
        return [line for one in error.exceptions for line in _leaves(one)]
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" ({Path(frame.filename).name}:{frame.lineno})" for frame in last)
    return [f"{type(error).__name__}: {error}{where}"]


def _judge(outcome: Outcome, scale: float, noise_p99_ms: float) -> None:
    attack, tally, window, faults = outcome.attack, outcome.tally, outcome.window, outcome.faults
    # A smaller scale may round an attack's rounds down by nearly half.
    least = attack.minimum if scale >= 1 else max(1, int(attack.minimum * scale / 2))
    if tally.inputs < least:
        faults.append(f"harness: only {tally.inputs} inputs were tried, not {least}: no attack took place")
    if outcome.peak_mib - outcome.before_mib > attack.peak_mib:
        faults.append(
            f"P9: memory grew from {outcome.before_mib:.0f} to {outcome.peak_mib:.0f} MiB, more than {attack.peak_mib:g}"
        )
    if outcome.second_mib > LEFT_MIB:
        first = outcome.after_mib - outcome.before_mib
        faults.append(
            f"P9: {first:.0f} MiB are not given back, and at a second time {outcome.second_mib:.0f} more"
        )
    if outcome.log.size > LOG_BYTES_PER_SECOND * (outcome.seconds + REST_SECONDS):
        faults.append(f"P9: {outcome.log.size} bytes were logged")
    if window is None:
        return
    faults += [f"P5/P8: {times} x at the neighbours: {what}" for what, times in window.complaints.items()]
    if window.unseen:
        faults.append(f"P3: {window.unseen} updates were not seen by a neighbour")
    if window.updates < FEWEST_UPDATES:
        outcome.notes.append(f"only {window.updates} updates were measured")
    if window.p99_ms >= LATENCY_BOUND_MS:
        fault = (
            f"P4: a neighbour's update takes {window.p99_ms:.0f} ms (p99), {noise_p99_ms:.0f} ms without an attack;"
            f" of {outcome.seconds:.1f} s the server had no core for {outcome.server_waited_seconds:.1f} s"
        )
        # On a machine that is as slow without an attack, or whose cores are others', nothing can be said about the attack.
        is_busy = noise_p99_ms >= LATENCY_BOUND_MS / 2 or outcome.waited_share > BUSY_SHARE
        is_attack = attack.is_aimed_at_server and not is_busy
        (faults if is_attack else outcome.notes).append(fault)


async def quiet_window(on: Field) -> Window:
    """Measure the neighbours while nobody attacks them."""
    await on.neighbours.mark()
    await asyncio.sleep(NOISE_SECONDS)
    return await on.neighbours.report()
