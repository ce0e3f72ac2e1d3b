"""How long things took: until everybody knew of a loss, until everything was as before, and what neighbours noticed. Pure."""

from collections.abc import Sequence

from tests.faults.checkers import first_at
from tests.faults.history import LIVE, Diary, Findings, History, Injection

MEDIAN_SECONDS = 0.1
"""P4 and P9: a change is on everybody's screen within 100 ms, whatever happens to others: the median during a fault."""
LONGEST_SECONDS = 2.0
"""The same for the 99th percentile. A benchmark measures it; this machine is shared by a dozen processes of this run, and by others."""
BUSY_SHARE = 0.1
BUSY_FACTOR = 5.0
FEWEST_SAMPLES = 20


def percentile(values: Sequence[float], part: float) -> float | None:
    """Tell a percentile; None of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None


def suspect_seconds(history: History, injection: Injection) -> list[float]:
    """Tell how long each observer took to learn of each victim's loss."""
    found = (
        first_at(diary, key, injection.began, "suspect")
        for diary in history.neighbours
        for key in injection.victims
    )
    return [at - injection.began for at in found if at is not None and at <= injection.settled]


def gone_seconds(history: History, injection: Injection) -> list[float]:
    """Tell how long each observer saw each victim after the loss."""
    if not injection.may_go:
        return []
    found = (
        first_at(diary, key, injection.began, "left")
        for diary in history.neighbours
        for key in injection.victims
    )
    return [at - injection.began for at in found if at is not None and at <= injection.settled]


def recovery_seconds(history: History, injection: Injection) -> list[float]:
    """Tell how long it took from the end of the fault until each observer saw each victim online, and each victim held what it missed."""
    found: list[float] = []
    for key in injection.victims:
        for diary in history.neighbours:
            lost_at = first_at(diary, key, injection.began, "suspect", "left")
            if lost_at is None or lost_at > injection.settled:
                continue
            since = max(lost_at, injection.ended)
            if (at := _online_at(diary, key, lost_at)) is not None and at <= injection.settled + 1:
                found.append(max(0.0, at - injection.ended) if at >= since else 0.0)
    caught_up = (
        _caught_up_at(diary, injection)
        for diary in history.diaries
        if diary.key in injection.victims and diary.role != "commuter"
    )
    return found + [at - injection.ended for at in caught_up if at is not None]


def latencies(history: History, began: float, ended: float) -> list[float]:
    """Tell how long what a neighbour said took to each other neighbour, for what was said in a span."""
    neighbours = [diary for diary in history.diaries if diary.role == "neighbour"]
    said = {
        one.text: one.at
        for diary in neighbours
        for one in diary.seen
        if one.event == "says" and began <= one.at <= ended
    }
    found: list[float] = []
    for diary in neighbours:
        # A record comes again with each later change of it: the first time counts.
        first: dict[str, float] = {}
        for one in diary.seen:
            if one.event == "updated" and one.key != diary.key and one.text in said:
                first.setdefault(one.text, one.at)
        found += [at - said[text] for text, at in first.items()]
    return found


def check_neighbours(history: History, fault: str, findings: Findings) -> list[float]:
    """P9: check that neighbours noticed nothing of a fault but what they are told of it; return their latencies.

    On a machine on which the server or the neighbours have to wait for a core, a latency is no proof against the server: then only the
    worst is a violation.
    """
    injections = [injection for injection in history.injections if injection.fault == fault]
    spans = {(injection.began, injection.watched) for injection in injections}
    found = [seconds for began, ended in sorted(spans) for seconds in latencies(history, began, ended)]
    if not all(injection.spares_neighbours for injection in injections) or len(found) < FEWEST_SAMPLES:
        return found
    median, late = percentile(found, 0.5), percentile(found, 0.99)
    assert median is not None
    assert late is not None
    waited = max(injection.waited for injection in injections)
    allowed = BUSY_FACTOR if waited > BUSY_SHARE else 1.0
    what = f"{fault}: news among neighbours took {median * 1000:.0f} ms (median), {late * 1000:.0f} ms (p99)"
    is_fine = median <= allowed * MEDIAN_SECONDS and late <= allowed * LONGEST_SECONDS
    at = injections[0].began
    findings.that(
        "P9", is_fine, at, f"{what}; {waited:.0%} of the time a process waited for a core", "latency"
    )
    return found


def _online_at(diary: Diary, key: str, since: float) -> float | None:
    return next(
        (
            one.at
            for one in diary.seen
            if one.at >= since
            and one.key == key
            and one.event in ("back", "joined", "updated")
            and one.is_online
        ),
        None,
    )


def _caught_up_at(diary: Diary, injection: Injection) -> float | None:
    """Tell when a victim was live again, if its connection was lost, and held what the others had been told meanwhile."""
    since = injection.ended
    span = [one for one in diary.seen if injection.began <= one.at <= injection.settled + 1]
    states = [one for one in span if one.event == "state"]
    if any(one.text not in LIVE for one in states):
        back = [one.at for one in states if one.text in LIVE]
        if not back:
            return None
        since = max(since, back[-1])
    return next(
        (one.at for one in span if one.at >= since and (diary.is_brief or one.held >= injection.revision)),
        None,
    )
