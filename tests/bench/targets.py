"""What the figures should be, and whether they are."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.bench.runs import Median

PROMISED_MS = 100.0
LIGHT_US, LIGHT_P99_MS = 40.0, {1_000: 40.0, 2_000: 80.0}
HEAVY_US = {200.0: 3.5, 800.0: 1.0}
HEAVY_P99_AT = {500: (), 1_000: (10.0, 25.0, 50.0, 100.0, 200.0, 500.0, 800.0), 2_000: (200.0,)}
STORM_SECONDS = {1_000: 1.2, 2_000: 2.5, 5_000: 12.0}
RESUME_PART = 0.5
"""A storm of resumes should take this part of a cold one's time."""
MORE_KIB_THAN_BARE = 6.0
IDLE_SHARE = 0.05
EMPTY_RATIO = 1.1
SLOW_P99_RATIO, SLOW_MEMORY_RATIO = 1.2, 1.25
GROWTH_RATIO = 1.15


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target: what was wanted (at most), and what is."""

    what: str
    most: float
    value: float
    unit: str

    @property
    def is_met(self) -> bool:
        """Whether it is as it should be."""
        return self.value <= self.most


def verdicts(medians: Iterable[Median]) -> list[Verdict]:
    """Judge what was measured; what was not measured has no verdict."""
    by_key = {
        (median.scene, median.server, median.members, median.rate): median.figures
        for median in medians
        if median.figures
    }
    return [
        verdict
        for (scene, server, members, rate), figures in by_key.items()
        if server == "adsumd"
        for verdict in _judge(scene, members, rate, figures, by_key.get((scene, "bare", members, rate), {}))
    ] + list(_growth(by_key))


def _judge(
    scene: str, members: int, rate: float, figures: dict[str, float], bare: dict[str, float]
) -> Iterator[Verdict]:
    where = f"{scene}, N={members:,}" + (f", {rate:g}/s" if rate else "")
    match scene:
        case "light":
            if members == 1_000:
                yield Verdict(f"{where}: CPU per delivered event", LIGHT_US, figures["us_per_delivery"], "us")
            if members in LIGHT_P99_MS:
                yield Verdict(f"{where}: p99", LIGHT_P99_MS[members], figures["p99_ms"], "ms")
        case "heavy":
            if rate in HEAVY_P99_AT.get(members, ()):
                yield Verdict(f"{where}: p99", PROMISED_MS, figures["p99_ms"], "ms")
            if members == 1_000 and rate in HEAVY_US:
                yield Verdict(
                    f"{where}: CPU per delivered event", HEAVY_US[rate], figures["us_per_delivery"], "us"
                )
        case "storm cold":
            if members in STORM_SECONDS:
                yield Verdict(where, STORM_SECONDS[members], figures["storm_seconds"], "s")
        case "storm after a cut" | "storm after a drain":
            if members in STORM_SECONDS:
                yield Verdict(where, RESUME_PART * STORM_SECONDS[members], figures["storm_seconds"], "s")
        case "idle":
            kib = figures["resident_kib_per_member"]
            if bare:
                most = bare["resident_kib_per_member"] + MORE_KIB_THAN_BARE
                yield Verdict(f"{where}: memory per member", most, kib, "KiB")
            yield Verdict(f"{where}: CPU at rest", 100 * IDLE_SHARE, 100 * figures["idle_share"], "%")
            yield Verdict(
                f"{where}: memory when all have left, of that at the start",
                EMPTY_RATIO,
                figures["resident_end_ratio"],
                "",
            )
        case "slow tenth":
            yield Verdict(
                f"{where}: p99 of the others, of that before", SLOW_P99_RATIO, figures["p99_ratio"], ""
            )
            memory = figures["resident_mib"] / figures["resident_before_mib"]
            yield Verdict(f"{where}: memory, of that before", SLOW_MEMORY_RATIO, memory, "")
        case _:
            return


def _growth(by_key: dict[tuple[str, str, int, float], dict[str, float]]) -> Iterator[Verdict]:
    for (scene, server, members, rate), large in by_key.items():
        small = by_key.get((scene, server, 500, rate))
        if server == "adsumd" and members == 2_000 and small and "us_per_delivery" in small:
            yield Verdict(
                f"{scene}, {rate:g}/s: CPU per delivered event at N=2,000, of that at N=500",
                GROWTH_RATIO,
                large["us_per_delivery"] / small["us_per_delivery"],
                "",
            )


def passing_rate(medians: Iterable[Median], members: int) -> tuple[float, bool] | None:
    """Tell the rate at which the heavy scene's p99 passes 100 ms, between the rates measured.

    Returns it, and True if it was really passed; else the highest rate measured, and False. None if nothing was measured.
    """
    points = sorted(
        (median.rate, median.figures["p99_ms"])
        for median in medians
        if (median.scene, median.server, median.members) == ("heavy", "adsumd", members)
        and "p99_ms" in median.figures
    )
    if not points:
        return None
    before = (0.0, 0.0)
    for rate, p99 in points:
        if p99 > PROMISED_MS:
            share = (PROMISED_MS - before[1]) / (p99 - before[1])
            return before[0] + share * (rate - before[0]), True
        before = (rate, p99)
    return points[-1][0], False
