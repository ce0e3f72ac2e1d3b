"""What the figures of a soak mean: which of them are flat.

- A count (tasks, timers, descriptors, tombstones, objects ...) is flat if its drift over the time that is judged is under 3 % of its level
  or under one, or if the interval of its slope (99 %) includes zero, or if it falls.
- Memory is counted by lost stream, beside the baseline: grpc.aio keeps some of each by itself. It is flat by the same rule, or if
  adsumd keeps no more than the baseline does: the interval of its slope begins below the end of the baseline's.
- At roll calls everybody is there: what depends only on who is there must then be the same each time, exactly; of descriptors, the
  fewest of the later calls may be no more than the fewest of the earlier ones.
- In the end nobody is there: nothing of anybody may be left.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from adsum.contract.limits import Limits
from tests.soak.plan import Plan
from tests.soak.record import Record, lost
from tests.soak.slope import Slope, theil_sen

FLAT_PART = 0.03
UNSTEADY_PART = 0.1
"""By how much the number of streams may drift: figures follow it, and a leak could hide behind people who become fewer."""
COUNTS = (
    *("tasks", "fds", "threads", "loop_timers", "timers", "timer_heap", "tombstones", "graves"),
    *("first_incarnations", "records", "lobbies", "shelves", "streams", "seats", "keys", "lines"),
    *("mail", "parcels", "effects", "addresses", "waiting", "objects", "uncollectable"),
)
MEMORY = ("rss_bytes", "heap_bytes", "blocks")
"""`heap_bytes` is what malloc has given out; `blocks` are Python's own small pieces of memory."""
SAME_AT_ROLL_CALLS = ("tasks", "streams", "seats", "keys", "lines", "lobbies", "members")
CLOSED_LATER = "fds"
"""gRPC closes a descriptor some time after its stream has ended: a roll call may count one more, but not more and more."""
NOTHING_LEFT = (
    *("streams", "seats", "keys", "lines", "lobbies", "shelves", "timers", "tombstones", "members"),
    *("parcels", "mail", "effects", "waiting", "watchers", "writes", "pins"),
)
RESULTS_KEPT = Limits().results_kept
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one figure. `why` tells by which part of the rule it is flat, or that it grows."""

    figure: str
    per_hour: Slope | None
    is_flat: bool
    why: str
    per_loss: Slope | None = None
    baseline_per_loss: Slope | None = None
    drift: float = 0.0


def findings(record: Record, since: float) -> Iterator[Finding]:
    """Judge every figure of the steady server."""
    for figure in COUNTS:
        points = record.series("steady", figure, "churn", since)
        if points:
            yield judge_count(figure, [(at, value) for at, value, _ in points])
    for figure in MEMORY:
        yield judge_memory(
            figure,
            record.series("steady", figure, "churn", since),
            record.series("bare", figure, "churn", since),
        )


def judge_count(figure: str, points: list[tuple[float, float]]) -> Finding:
    """Judge a figure that should stay where it is."""
    slope = theil_sen([at for at, _ in points], [value for _, value in points])
    if slope is None:
        return Finding(figure, None, False, f"{len(points)} samples are too few")
    drift = slope.slope * (points[-1][0] - points[0][0])
    why = _why_flat(slope, drift)
    return Finding(figure, slope.scaled(HOUR), bool(why), why or "GROWS", drift=drift)


def judge_memory(
    figure: str, ours: list[tuple[float, float, int]], bare: list[tuple[float, float, int]]
) -> Finding:
    """Judge memory beside the baseline's."""
    plain = judge_count(figure, [(at, value) for at, value, _ in ours])
    per_loss = theil_sen([count for *_, count in ours], [value for _, value, _ in ours])
    baseline = theil_sen([count for *_, count in bare], [value for _, value, _ in bare])
    is_flat, why = plain.is_flat, plain.why
    if not is_flat and per_loss is not None and baseline is not None and per_loss.low <= baseline.high:
        is_flat, why = True, "no more than the baseline"
    return Finding(figure, plain.per_hour, is_flat, why, per_loss, baseline, plain.drift)


def _why_flat(slope: Slope, drift: float) -> str:
    if drift <= 0:
        return "does not grow"
    if drift < 1.0:
        return "under one"
    if drift < FLAT_PART * slope.level:
        return f"under {FLAT_PART:.0%}"
    return "within the noise" if slope.includes_zero else ""


def excesses(record: Record) -> list[str]:
    """Name what was more than it can be, at any look, whoever comes and goes."""
    faults = []
    for sample in record.samples:
        steady = sample["servers"]["steady"]
        bounds = {
            # Kept for members who came back over their own tombstone.
            "first_incarnations": steady["members"],
            # Encoded records are thinned out when they are more.
            "records": 2 * steady["members"] + 65 * steady["lobbies"] + 1,
            # Of its last messages each session keeps the results. Those who stay for an hour have more and more of them, up to this.
            "results": RESULTS_KEPT * steady["seats"],
            "uncollectable": 0,
        }
        faults += [
            f"P9: {steady[name]} {name} at {sample['at']:.0f} s, where at most {most} can be"
            for name, most in bounds.items()
            if steady[name] > most
        ]
    return faults


def roll_call_faults(record: Record) -> list[str]:
    """Name every figure that was not the same at all roll calls but the first, which may still find something to be made."""
    looks = [sample["servers"]["steady"] for sample in record.samples if sample["phase"] == "roll call"][1:]
    faults = []
    for figure in SAME_AT_ROLL_CALLS:
        values = [look[figure] for look in looks]
        if len(set(values)) > 1:
            faults.append(f"P9: {figure} at the roll calls were {values}")
    values = [look[CLOSED_LATER] for look in looks]
    half = len(values) // 2
    if half and min(values[half:]) > min(values[:half]):
        faults.append(f"P9: {CLOSED_LATER} at the roll calls were {values}")
    return faults


def leftovers(record: Record) -> list[str]:
    """Name everything that is left of people who have all gone."""
    faults = []
    for sample in record.samples:
        if sample["phase"] == "empty":
            steady = sample["servers"]["steady"]
            faults += [f"P9: {steady[name]} {name} are left" for name in NOTHING_LEFT if steady[name]]
    before = next((one for one in record.samples if one["phase"] == "before"), None)
    after = next((one for one in record.samples if one["phase"] == "empty"), None)
    if before is not None and after is not None:
        first, last = before["servers"]["steady"]["tasks"], after["servers"]["steady"]["tasks"]
        if last > first:
            faults.append(f"P9: {last} tasks are left, of {first} before anybody came")
    return faults


def unsteady(record: Record, since: float) -> list[str]:
    """Tell if there were not as many streams in the end as in the beginning, at either server."""
    faults = []
    for server, figure in (("steady", "streams"), ("bare", "tasks")):
        points = record.series(server, figure, "churn", since)
        slope = theil_sen([at for at, *_ in points], [value for _, value, _ in points])
        if (
            slope is not None
            and abs(slope.slope) * (points[-1][0] - points[0][0]) > UNSTEADY_PART * slope.level
        ):
            faults.append(f"the load was not steady: {figure} of {server} drifted from {slope.level:.0f}")
    return faults


def shortcomings(record: Record, plan: Plan) -> list[str]:
    """Name everything that was done too seldom for the soak to have proved anything."""
    done = record.deeds.get("steady", {})
    faults = [
        f"too few: {done.get(name, 0)} {name}, at least {least} were wanted"
        for name, least in plan.least().items()
        if done.get(name, 0) < least
    ]
    steady, bare = lost(done), lost(record.deeds.get("bare", {}))
    if not 0.8 * steady <= bare <= 1.25 * steady:
        faults.append(f"the baseline lost {bare} streams and adsumd {steady}: they can't be compared")
    if record.guest_deeds["reset"] == 0 or record.guest_deeds["outcome delivered"] == 0:
        faults.append("too few: the guests were not reset, or delivered nothing")
    if len(record.roll_calls) < 2:
        faults.append(f"too few: {len(record.roll_calls)} roll calls")
    if not record.restarts:
        faults.append("too few: no restart")
    return faults
