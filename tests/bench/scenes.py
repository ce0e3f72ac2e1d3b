"""The scenes in which a lobby churns or fills: light, heavy, storm. Each yields its runs as they are done."""

import time
from collections.abc import Iterator
from typing import Any

from tests.bench.runs import Run, disturbance, load_faults
from tests.bench.servers import Server
from tests.bench.stage import CONNECT_SECONDS, Setting, Stage, free_address, staged

SPARE_SECONDS = 0.7
"""How long a connection rests between two members, so that its last stream has really ended."""
BARE_STORM_SECONDS = 90.0
BARE_STORM_MEMBERS = 1_000
"""The largest storm that the baseline is asked for: it sends a message for each pair of members."""
BARE_HIGHEST_RATE = 10.0
"""The highest rate that the baseline is asked for."""
CUT_SECONDS = 1.0
"""How long after a cut everybody comes back: all are suspect by then, and nobody is gone."""
DRAIN_SECONDS = 2.0


def churned(setting: Setting, scene: str, members: int, rates: tuple[float, ...], kind: str) -> Iterator[Run]:
    """Let one lobby of so many churn at one rate after the other."""
    if not rates:
        return
    for repeat in range(setting.repeats):
        spare = 8 + int(max(rates) / 4 * SPARE_SECONDS)
        with staged(setting, kind, members, spare=spare) as stage:
            stage.let_in(quiet=kind == "bare")
            stage.rest()
            for rate in rates:
                yield stage.churn(scene, members, rate, repeat)


def stormed(setting: Setting, members: int, kind: str) -> Iterator[Run]:
    """Let so many connect, prove their key, join and see all the others, all at once."""
    for repeat in range(setting.repeats):
        with staged(setting, kind, members) as stage:
            answer = stage.connect(seconds=BARE_STORM_SECONDS if kind == "bare" else CONNECT_SECONDS)
            yield _storm_run("storm cold", members, repeat, answer, stage)


def returned_after_cut(setting: Setting, members: int) -> Iterator[Run]:
    """Cut every connection of the crowd at once, and let everybody resume at once."""
    for repeat in range(setting.repeats):
        with staged(setting, "adsumd", members) as stage:
            stage.let_in()
            stage.rest(1.0)
            stage.crowd.ask("cut")
            stage.rest(CUT_SECONDS)
            answer = stage.connect(resume=True)
            yield _resume_run("storm after a cut", members, repeat, answer, stage)


def returned_after_drain(setting: Setting, members: int) -> Iterator[Run]:
    """Stop the server as an operator does, start its successor, and let everybody resume at once.

    The time counts from the first connection to the successor. Without probes: they would come back by themselves, at
    moments of their own.
    """
    for repeat in range(setting.repeats):
        handover_file = setting.directory / f"handover-{time.monotonic_ns()}"
        listen = free_address()
        options = ("--drain-seconds", f"{DRAIN_SECONDS:g}")
        with staged(
            setting, "adsumd", members, probes=0, handover_file=handover_file, listen=listen, options=options
        ) as stage:
            stage.let_in()
            stage.rest(1.0)
            stage.crowd.tell("move", seconds=10 * DRAIN_SECONDS)
            stage.server.terminate()
            moved = stage.crowd.hear()
            stage.server.wait()
            successor = Server.adsumd(
                setting.server_core,
                setting.directory,
                *options,
                uvloop=setting.uvloop,
                handover_file=handover_file,
                listen=listen,
            )
            with successor:
                stage.replace_server(successor)
                answer = stage.connect(resume=True)
                run = _resume_run("storm after a drain", members, repeat, answer, stage)
                if moved["told"] < members:
                    run.faults.append(f"only {moved['told']} were told to move")
                yield run


def _resume_run(scene: str, members: int, repeat: int, answer: dict[str, Any], stage: Stage) -> Run:
    run = _storm_run(scene, members, repeat, answer, stage)
    if answer["resumed"] < members:
        run.faults.append(f"only {answer['resumed']} of {members} resumed")
    return run


def _storm_run(scene: str, members: int, repeat: int, answer: dict[str, Any], stage: Stage) -> Run:
    server = stage.server
    figures = {
        "storm_seconds": answer["seconds"],
        "server_cpu_seconds": answer["server_cpu"],
        "load_share": answer["load_share"],
        "mib": answer["tally"]["bytes"] / 2**20,
        "resident_kib_per_member": (server.resident_bytes - server.resident_at_start) / 1024 / members,
    }
    faults = load_faults(answer) + stage.check()
    if not answer["has_all"]:
        faults.append(f"only {answer['complete']} of {members} had seen everybody at the end")
    return Run(scene, server.kind, members, 0.0, repeat, figures, faults, disturbance(answer))
