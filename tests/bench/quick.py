"""`make bench-quick`: a minute's look at whether anything has become much slower.

Everything is a ratio to what the baseline costs on the same machine in the same minute, and compared with the ratio on record. A machine
that runs a suite is no measuring instrument: a figure fails when it is twice as bad, and still is when it is measured again and once
more. Where others took a good part of the cores each time, no figure is judged, and that is said; what is wrong with what the server did
is a failure everywhere.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench import micro
from tests.bench.runs import DISTURBED_SHARE, LoadFault, disturbance, load_faults
from tests.bench.stage import Setting, staged

RECORD = Path(__file__).with_name("recorded.json")
WORST = 2.0
"""How many times the ratio on record a figure may be."""
MEMBERS = 300
LIGHT_RATE, HEAVY_RATE = 20.0, 200.0
SECONDS = 3.0
BARE_RATE = 10.0
REST_SECONDS = 4.0
ATTEMPTS = 3
MICRO_FIGURES = (
    "apply one change",
    "encode one change",
    "since, 100 back",
    "change the roster by one",
    "handshake, the server's part",
)


@dataclass(frozen=True, slots=True)
class Look:
    """Ratios to the baseline by name, what was wrong, and what share of a core others took."""

    ratios: dict[str, float]
    faults: list[str]
    disturbed: float


def measured(setting: Setting) -> Look:
    """Measure once."""
    faults: list[str] = []
    with staged(setting, "bare", MEMBERS) as stage:
        bare_storm = stage.connect()
        stage.rest(0.5)
        bare = stage.churn("light", MEMBERS, BARE_RATE, 0, seconds=SECONDS)
        bare_us, bare_p50 = bare.figures["us_per_delivery"], max(0.1, bare.figures["p50_ms"])
        bare_kib = (stage.server.resident_bytes - stage.server.resident_at_start) / 1024 / MEMBERS
        faults += bare.faults
    with staged(setting, "adsumd", MEMBERS, spare=60) as stage:
        storm = stage.connect()
        kib = (stage.server.resident_bytes - stage.server.resident_at_start) / 1024 / MEMBERS
        faults += load_faults(storm) + ([] if storm["has_all"] else ["not everybody was let in"])
        # No probe beats beside the crowd's, but for twenty.
        rest = stage.rest(REST_SECONDS)
        light = stage.churn("light", MEMBERS, LIGHT_RATE, 0, seconds=SECONDS)
        heavy = stage.churn("heavy", MEMBERS, HEAVY_RATE, 0, seconds=SECONDS)
        faults += light.faults + heavy.faults
    ratios = {
        "light: CPU per delivered event": light.figures["us_per_delivery"] / bare_us,
        "light: median latency": light.figures["p50_ms"] / bare_p50,
        "heavy: CPU per delivered event": heavy.figures["us_per_delivery"] / bare_us,
        "heavy: median latency": heavy.figures["p50_ms"] / bare_p50,
        "storm: CPU": storm["server_cpu"] / bare_storm["server_cpu"],
        "storm: time": storm["seconds"] / bare_storm["seconds"],
        "memory per member": kib / bare_kib,
        "at rest: CPU per heartbeat": 1e6 * rest["server_cpu"] / max(1, rest["beats"]) / bare_us,
    }
    figures = micro.measured()
    ratios |= {name: figures[name] / figures[micro.UNIT] for name in MICRO_FIGURES}
    disturbed = max(bare.disturbed, light.disturbed, heavy.disturbed, disturbance(storm), disturbance(rest))
    return Look({name: round(ratio, 3) for name, ratio in ratios.items()}, faults, disturbed)


def worse(ratios: dict[str, float], record: dict[str, float]) -> Iterator[str]:
    """Name the figures that are too bad."""
    for name, ratio in ratios.items():
        if name in record and ratio > WORST * record[name]:
            yield name


def compared(setting: Setting, record: dict[str, float]) -> tuple[Look, list[str]]:
    """Measure, and measure again what is too bad or could not be measured; the best counts. Returns that, and what is wrong."""
    looks: list[Look] = []
    while len(looks) < ATTEMPTS:
        looks.append(measured(setting))
        ratios = {name: min(look.ratios[name] for look in looks) for name in looks[0].ratios}
        if any(not look.faults for look in looks) and not list(worse(ratios, record)):
            break
    return judged(looks, ratios, record)


def judged(looks: list[Look], ratios: dict[str, float], record: dict[str, float]) -> tuple[Look, list[str]]:
    """Sum up some looks: what the server did wrong in any of them, and what was too slow in all, if that can be told."""
    wrong = sorted({fault for look in looks for fault in look.faults if not isinstance(fault, LoadFault)})
    slow = [
        f"{name}: {ratios[name]:g} x the baseline's, on record are {record[name]:g}"
        for name in worse(ratios, record)
    ]
    if all(look.faults for look in looks):
        slow += [fault for fault in looks[-1].faults if isinstance(fault, LoadFault)]
    disturbed = min(look.disturbed for look in looks)
    return Look(ratios, slow, disturbed), wrong + (slow if disturbed <= DISTURBED_SHARE else [])


def read_record() -> dict[str, float]:
    """Read the ratios on record."""
    ratios: dict[str, float] = json.loads(RECORD.read_text(encoding="utf-8"))["ratios"]
    return ratios


def write_record(ratios: dict[str, float], machine: dict[str, object]) -> None:
    """Put ratios on record."""
    content = {"machine": machine, "ratios": ratios}
    RECORD.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
