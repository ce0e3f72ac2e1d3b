"""What was measured: runs, what is wrong with one, and the medians over repeats beside those of the baseline."""

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

MOST_LOAD_SHARE = 0.9
"""Where the load takes more of its core, it may be what is slow."""
MOST_LATE_MS = 50.0
"""How late the load may be with its events (p99)."""
LEAST_REACHED = 0.95
"""How much of its events a run must have made, in the time that it was given."""
DISTURBED_SHARE = 0.1
"""Where others took more of either core, a run is marked."""


class LoadFault(str):
    """A fault of the load, not of the server: the run is worthless, and proves nothing against anybody."""

    __slots__ = ()


@dataclass(slots=True)
class Run:
    """One measurement. `faults` makes it worthless; `disturbed` says that others were busy meanwhile."""

    scene: str
    server: str
    members: int
    rate: float
    repeat: int
    figures: dict[str, float]
    faults: list[str] = field(default_factory=list)
    disturbed: float = 0.0

    @property
    def key(self) -> tuple[str, str, int, float]:
        """What it is a repeat of."""
        return self.scene, self.server, self.members, self.rate


@dataclass(slots=True)
class Median:
    """The medians over repeats, and their ratio to the baseline's."""

    scene: str
    server: str
    members: int
    rate: float
    repeats: int
    figures: dict[str, float]
    ratios: dict[str, float]
    """To the baseline, for those figures that it has, too."""
    faults: list[str]
    disturbed: float


def load_faults(answer: dict[str, Any]) -> list[str]:
    """Tell what was wrong with a span of time: what the crowd saw, and the load itself."""
    faults = list(answer["faults"])
    if answer["load_share"] > MOST_LOAD_SHARE:
        faults.append(LoadFault(f"the load was the bottleneck: {answer['load_share']:.0%} of its core"))
    return faults


def disturbance(answer: dict[str, Any]) -> float:
    """Tell what share others took of either core."""
    shares: tuple[float, ...] = (
        answer["foreign_on_server_core"],
        answer["foreign_on_load_core"],
        answer["stolen_share"],
    )
    return round(max(shares), 2)


def churn_run(
    scene: str, server: str, members: int, rate: float, repeat: int, answer: dict[str, Any], idle_share: float
) -> Run:
    """Sum up a run of the churn, less what the server uses at rest."""
    deliveries = max(1, answer["deliveries"])
    cpu = max(0.0, answer["server_cpu"] - idle_share * answer["seconds"])
    figures = {
        "us_per_delivery": 1e6 * cpu / deliveries,
        "us_per_message": 1e6 * cpu / max(1, answer["messages"]),
        "messages_per_event": answer["messages"] / max(1, answer["events"]),
        "server_share": answer["server_share"],
        "load_share": answer["load_share"],
        "deliveries": float(answer["deliveries"]),
        "resident_mib": answer["highest_resident_bytes"] / 2**20,
    }
    figures |= {name: value for name, value in answer["latency"].items() if name != "count"}
    for kind, summary in answer["latency_by_kind"].items():
        figures[f"{kind}_p50_ms"] = summary["p50_ms"]
        figures[f"{kind}_p99_ms"] = summary["p99_ms"]
    faults = load_faults(answer)
    # The last events still have to arrive, but everything must have been sent in time.
    planned = answer["events"] + answer["starved"]
    if answer["events"] < LEAST_REACHED * planned:
        faults.append(LoadFault(f"only {answer['events']} of {planned} events could be made"))
    if answer["late_p99_ms"] > MOST_LATE_MS:
        faults.append(LoadFault(f"the load was late: p99 {answer['late_p99_ms']:.0f} ms"))
    if answer["unseen"] or answer["behind"]:
        faults.append(
            f"{answer['unseen']} events were never seen, {answer['behind']} members were left behind"
        )
    if answer["miscounted"]:
        faults.append(f"{answer['miscounted']} members hold a list of another length than it should have")
    return Run(scene, server, members, rate, repeat, figures, faults, disturbance(answer))


def medians(runs: Iterable[Run]) -> list[Median]:
    """Sum up repeats, in the order in which they were first measured."""
    groups: dict[tuple[str, str, int, float], list[Run]] = {}
    for run in runs:
        groups.setdefault(run.key, []).append(run)
    found = {key: _middle(repeats) for key, repeats in groups.items()}
    return [
        Median(
            *key,
            len(groups[key]),
            figures,
            _ratios(key, figures, found),
            sorted({fault for run in groups[key] for fault in run.faults}),
            max(run.disturbed for run in groups[key]),
        )
        for key, figures in found.items()
    ]


def as_json(runs: list[Run], machine: dict[str, object], options: dict[str, object]) -> dict[str, object]:
    """Lay everything out for a file."""
    return {
        "machine": machine,
        "options": options,
        "medians": [asdict(median) for median in medians(runs)],
        "runs": [asdict(run) for run in runs],
    }


def _middle(repeats: list[Run]) -> dict[str, float]:
    names = dict.fromkeys(name for run in repeats for name in run.figures)
    return {
        name: round(statistics.median(run.figures[name] for run in repeats if name in run.figures), 4)
        for name in names
    }


def _ratios(
    key: tuple[str, str, int, float],
    figures: dict[str, float],
    found: dict[tuple[str, str, int, float], dict[str, float]],
) -> dict[str, float]:
    scene, server, members, rate = key
    baseline = found.get((scene, "bare", members, rate), {})
    if server == "bare":
        return {}
    return {
        name: round(value / baseline[name], 4)
        for name, value in figures.items()
        if baseline.get(name, 0.0) > 0
    }
