"""What a soak says in the end: what was done, what each checker found, and which figures grow."""

from collections import Counter
from collections.abc import Iterator

from tests.integration.promises import PROMISES
from tests.soak.plan import Plan
from tests.soak.record import LOSS_WAYS, Record, lost
from tests.soak.slope import Slope
from tests.soak.verdict import (
    MEMORY,
    Finding,
    excesses,
    findings,
    leftovers,
    roll_call_faults,
    shortcomings,
    unsteady,
)

KIB, MIB = 1024.0, float(2**20)
CHECKERS = {
    "P1": "each first list holds its own member, within 10 s",
    "P2": "each delta of the lean members starts where the list stands; the library repairs no gap",
    "P3": "every list equals AdminService's at each roll call; heartbeats and digests agree; divergences 0",
    "P5": "nobody is suspect or left over at a roll call; no stream ends by itself",
    "P6": "whoever comes back within the grace resumes",
    "P7": "answers to Select agree with the list at their revision",
    "P8": "one outcome for each message, agreeing with the list; delivered once",
    "P9": "figures are flat; nothing is left of anybody in the end; the log is clean",
    "P10": "restarts change no incarnation and end no history",
    "contract": "no request is refused",
}


def report(record: Record) -> tuple[list[str], bool]:
    """Write the report; tell whether everything held."""
    plan = Plan(record.start["minutes"], record.start["seed"], tuple(record.start["plant"]))
    judged = list(findings(record, plan.warm_up_seconds))
    faults = [f"the figure {one.figure} is not flat" for one in judged if not one.is_flat]
    faults += roll_call_faults(record) + leftovers(record) + excesses(record) + _divergences(record)
    faults += shortcomings(record, Plan(min(plan.minutes, record.seconds / 60), plan.seed))
    broken = Counter(one["promise"] for one in record.violations)
    faults += unsteady(record, plan.warm_up_seconds)
    if not record.end:
        faults.append("the soak has not come to its end; what there is, is judged")
    lines = [
        *_head(record, plan),
        "",
        *_deeds(record),
        "",
        *_lives(record),
        "",
        *_table(judged, record, plan),
        "",
        *_promises(broken, faults),
    ]
    lines += [
        f"{one['at']:8.1f} s  {one['where']}: {one['promise']}: {one['what']}"
        for one in record.violations[:20]
    ]
    lines += [f"FAULT  {fault}" for fault in faults]
    holds = not faults and not broken
    return [*lines, "", "everything held" if holds else "NOT everything held"], holds


def _head(record: Record, plan: Plan) -> Iterator[str]:
    start = record.start
    facts = ", ".join(f"{name} {value}" for name, value in start["facts"].items())
    yield f"soak of {plan.minutes:g} minutes, seed {plan.seed}, {record.seconds:.0f} s of it recorded"
    yield facts
    tombstones = (
        "at most 200 tombstones for each lobby, so that their number settles in so short a run"
        if plan.is_short
        else "the default options"
    )
    yield (
        f"steady: {plan.steady.members} members, never restarted, {tombstones}; restarted: "
        f"{plan.restarted.members} members, a new life every {plan.life_seconds:.0f} s or so; "
        f"bare: {plan.bare.members} streams"
    )
    if plan.plant:
        yield f"A LEAK IS PLANTED: {', '.join(plan.plant)}"
    if record.end:
        yield f"CPU of all processes together: {record.end['cpu_share']:.0%} of a core; stalls {record.end['stalls']}"


def _deeds(record: Record) -> Iterator[str]:
    # People come and go only between roll calls and restarts.
    still = sum(one["seconds"] for one in record.roll_calls + record.restarts)
    seconds = max(1.0, record.seconds - still)
    for name, deeds in record.deeds.items():
        gone = deeds.get("leaves", 0) + deeds.get("lost for good", 0) + deeds.get("silence", 0)
        rate = (deeds.get("joins", 0) + gone) / seconds
        yield (
            f"{name}: {rate:.1f} joins and leaves a second, {60 * lost(deeds) / seconds:.0f} lost streams a minute "
            f"({', '.join(f'{deeds.get(way, 0)} {way}' for way in LOSS_WAYS)})"
        )
        rest = {key: count for key, count in sorted(deeds.items()) if key not in LOSS_WAYS}
        yield "    " + ", ".join(f"{count} {key}" for key, count in rest.items())
    yield f"guests: {', '.join(f'{count} {key}' for key, count in sorted(record.guest_deeds.items()))}"
    calls = record.roll_calls
    yield (
        f"{len(calls)} roll calls ({sum(one['lists'] for one in calls)} distinct lists of lean members and "
        f"{sum(one['guests'] for one in calls)} of guests compared with the server's), "
        f"the longest {max((one['seconds'] for one in calls), default=0):g} s"
    )
    late = max((sample["late_seconds"] for sample in record.samples), default=0.0)
    yield f"the load was late by at most {late:.2f} s"


def _lives(record: Record) -> Iterator[str]:
    yield f"{len(record.restarts)} restarts; each life of the restarted server at its end (slopes are per life, and not judged):"
    yield f"  {'at s':>8} {'members':>8} {'down s':>7} {'RSS MiB':>8} {'heap MiB':>9} {'objects':>8} {'fds':>5} {'tasks':>6}"
    for one in record.restarts:
        last = one["last"]
        yield (
            f"  {one['at']:8.0f} {one['members']:8} {one['down']:7.2f} {last['rss_bytes'] / MIB:8.1f} "
            f"{last['heap_bytes'] / MIB:9.1f} {last['objects']:8} {last['fds']:5} {last['tasks']:6}"
        )


def _table(judged: list[Finding], record: Record, plan: Plan) -> Iterator[str]:
    samples = judged[0].per_hour.samples if judged and judged[0].per_hour else 0
    yield (
        f"the steady server after {plan.warm_up_seconds:.0f} s of warm-up: {samples} samples during churn, "
        "slopes by Theil and Sen with their 99 % intervals"
    )
    yield f"  {'figure':<20} {'level':>12} {'slope / hour':>14} {'from':>12} {'to':>12} {'drift':>8}  verdict"
    for one in judged:
        if one.per_hour is None:
            yield f"  {one.figure:<20} {one.why}"
            continue
        unit, name = (MIB, one.figure.replace("bytes", "MiB")) if "bytes" in one.figure else (1.0, one.figure)
        hourly = one.per_hour
        part = one.drift / hourly.level if hourly.level else 0.0
        yield (
            f"  {name:<20} {hourly.level / unit:12,.1f} {hourly.slope / unit:14,.2f} {hourly.low / unit:12,.2f} "
            f"{hourly.high / unit:12,.2f} {part:8.1%}  {'flat: ' if one.is_flat else ''}{one.why}"
        )
    yield "memory for each stream lost (cancel, reset, half close, close, silence), beside gRPC without Adsum:"
    for one in judged:
        if one.figure in MEMORY:
            yield f"  {one.figure:<12} adsumd {_by_loss(one, one.per_loss)}   bare {_by_loss(one, one.baseline_per_loss)}"
    last = record.samples[-1]["load"] if record.samples else {}
    if last:
        yield (
            f"the load itself: crowd {last['crowd_rss_bytes'] / MIB:.0f} MiB, guests {last['guests_rss_bytes'] / MIB:.0f} MiB; "
            f"CPU seconds by process {last['by_process']}"
        )


def _by_loss(finding: Finding, slope: Slope | None) -> str:
    if slope is None:
        return "too few samples"
    unit, name = (KIB, "KiB") if "bytes" in finding.figure else (1.0, "")
    return f"{slope.slope / unit:8.3f} {name} ({slope.low / unit:.3f} … {slope.high / unit:.3f})"


def _promises(broken: Counter[str], faults: list[str]) -> Iterator[str]:
    for promise, checker in CHECKERS.items():
        count = broken[promise] + sum(fault.startswith(f"{promise}:") for fault in faults)
        if promise == "P9":
            count += sum("is not flat" in fault for fault in faults)
        state = "held" if not count else f"BROKEN {count} times"
        yield f"{promise:<9}{PROMISES[promise]:<48} {state:<16} {checker}"


def _divergences(record: Record) -> list[str]:
    names = ("steady", "restarted")
    counts = [sample["servers"][name]["divergences"] for sample in record.samples for name in names]
    worst = max(counts, default=0)
    return [f"P3: {worst} clients held another list than the server's"] if worst else []
