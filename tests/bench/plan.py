"""What is measured, in which order: jobs, each of which yields some runs."""

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.bench import endurance, micro, scenes
from tests.bench.runs import Run
from tests.bench.stage import Setting

SCENES = ("light", "heavy", "storm", "idle", "slow", "lobbies", "messages", "micro")
LIGHT_MEMBERS = (100, 500, 1_000, 2_000)
LIGHT_RATE = 4.0
HEAVY_MEMBERS = (500, 1_000, 2_000)
HEAVY_RATES = (10.0, 25.0, 50.0, 100.0, 200.0, 500.0, 800.0)
STORM_MEMBERS = (500, 1_000, 2_000, 5_000)
IDLE_MEMBERS = (2_000,)
SLOW_MEMBERS = (1_000,)
LOBBIES_MEMBERS = (4_000,)
"""In all lobbies together,"""
LOBBY_MEMBERS = 20
"""and in each."""
MAIL_MEMBERS = (2_000,)
"""Half of them write, half are written to."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something to measure: what it is, how many runs it yields, and how to start it."""

    label: str
    runs: int
    start: Callable[[], Iterator[Run]]


def jobs(arguments: argparse.Namespace, setting: Setting) -> list[Job]:
    """List the jobs for what was asked for."""
    planned: list[Job] = []
    for scene in arguments.scenes or SCENES:
        planned += _jobs(scene, arguments, setting)
    return planned


def _jobs(scene: str, arguments: argparse.Namespace, setting: Setting) -> Iterable[Job]:
    kinds = ("adsumd",) if arguments.no_bare else ("bare", "adsumd")
    given: list[int] | None = arguments.members
    repeats = setting.repeats
    match scene:
        case "light":
            for n in given or LIGHT_MEMBERS:
                for kind in kinds:
                    yield _churn(setting, scene, n, (LIGHT_RATE,), kind)
        case "heavy":
            for n in given or HEAVY_MEMBERS:
                for kind in kinds:
                    yield _churn(setting, scene, n, tuple(arguments.rates or HEAVY_RATES), kind)
        case "storm":
            for n in given or STORM_MEMBERS:
                for kind in kinds:
                    if kind == "adsumd" or n <= scenes.BARE_STORM_MEMBERS:
                        yield Job(f"{n:,} join {kind}", repeats, _call(scenes.stormed, setting, n, kind))
                yield Job(f"{n:,} return after a cut", repeats, _call(scenes.returned_after_cut, setting, n))
                yield Job(
                    f"{n:,} return after a drain", repeats, _call(scenes.returned_after_drain, setting, n)
                )
        case "idle":
            for n in given or IDLE_MEMBERS:
                for kind in kinds:
                    yield Job(f"{n:,} at rest on {kind}", repeats, _call(endurance.rested, setting, n, kind))
        case "slow":
            for n in given or SLOW_MEMBERS:
                yield Job(f"a tenth of {n:,} stops reading", repeats, _call(endurance.slowed, setting, n))
        case "lobbies":
            for n in given or LOBBIES_MEMBERS:
                lobbies = max(1, n // LOBBY_MEMBERS)
                label = f"{lobbies} lobbies of {LOBBY_MEMBERS}"
                yield Job(label, repeats, _call(endurance.spread_out, setting, lobbies, LOBBY_MEMBERS))
        case "messages":
            for n in given or MAIL_MEMBERS:
                yield Job(f"{n // 2:,} pairs write", repeats, _call(endurance.corresponded, setting, n // 2))
        case "micro":
            yield Job("the cores", repeats, lambda: _micro(repeats))
        case _:
            raise AssertionError(f"no scene: {scene}")


def _churn(setting: Setting, scene: str, members: int, rates: tuple[float, ...], kind: str) -> Job:
    if kind == "bare":
        rates = tuple(rate for rate in rates if rate <= scenes.BARE_HIGHEST_RATE)
    label = f"{scene}, {members:,} on {kind}"
    return Job(
        label, len(rates) * setting.repeats, _call(scenes.churned, setting, scene, members, rates, kind)
    )


def _call(scene: Callable[..., Iterator[Run]], *arguments: object) -> Callable[[], Iterator[Run]]:
    return lambda: scene(*arguments)


def _micro(repeats: int) -> Iterator[Run]:
    for repeat in range(repeats):
        yield Run("micro", "cores", 0, 0.0, repeat, micro.measured())
