"""The scenes that ask what the others don't: rest, slow readers, many lobbies, direct messages."""

from collections.abc import Iterator

from tests.bench.runs import Run, disturbance, load_faults
from tests.bench.stage import PROBES, Setting, staged

IDLE_SECONDS = 10.0
LEAVE_SECONDS = 60.0
EMPTY_SECONDS = 8.0
"""How long after everybody has left the memory is looked at: long enough for connections to be cleared away."""
SLOW_RATE = 50.0
SLOW_SECONDS = 30.0
SLOW_PART = 0.1
RETURN_SECONDS = 30.0
LOBBIES_RATE = 200.0
"""Events a second in all lobbies together."""
MAIL_OPTIONS = ("--sends-per-second", "1000", "--send-burst", "1000", "--requests-per-second", "10000")
"""What is measured is the server, not its limits."""


def rested(setting: Setting, members: int, kind: str) -> Iterator[Run]:
    """Let so many be there and do nothing; then let everybody leave."""
    for repeat in range(setting.repeats):
        with staged(setting, kind, members, probes=0) as stage:
            stage.let_in(quiet=kind == "bare")
            stage.rest(2.0)
            at_rest = stage.server.resident_bytes
            answer = stage.rest(IDLE_SECONDS)
            left = stage.crowd.ask("leave", seconds=LEAVE_SECONDS)
            stage.crowd.ask("rest", seconds=EMPTY_SECONDS)
            start, end = stage.server.resident_at_start, stage.server.resident_bytes
            figures = {
                "idle_share": answer["server_share"],
                "beats_per_second": answer["beats"] / answer["seconds"],
                "resident_kib_per_member": (at_rest - start) / 1024 / members,
                "resident_start_mib": start / 2**20,
                "resident_full_mib": at_rest / 2**20,
                "resident_end_mib": end / 2**20,
                "resident_end_ratio": end / start,
            }
            faults = load_faults(answer) + left["faults"] + stage.check()
            if not left["have_left"]:
                faults.append("not everybody could leave")
            yield Run("idle", kind, members, 0.0, repeat, figures, faults, disturbance(answer))


def slowed(setting: Setting, members: int) -> Iterator[Run]:
    """Let a tenth stop reading, and measure what the others notice."""
    for repeat in range(setting.repeats):
        with staged(setting, "adsumd", members, spare=8 + int(SLOW_RATE / 4)) as stage:
            stage.let_in()
            stage.rest()
            before = stage.churn("slow tenth", members, SLOW_RATE, repeat)
            resident = stage.server.resident_bytes
            stage.crowd.ask("pause", part=SLOW_PART)
            run = stage.churn("slow tenth", members, SLOW_RATE, repeat, seconds=SLOW_SECONDS)
            # Some are given up meanwhile, as they should be: that isn't a fault of this scene.
            run.faults = [fault for fault in run.faults if "streams ended" not in fault] + before.faults
            returned = stage.crowd.ask("unpause", seconds=RETURN_SECONDS)
            run.figures |= {
                "p99_before_ms": before.figures["p99_ms"],
                "p99_ratio": run.figures["p99_ms"] / max(1.0, before.figures["p99_ms"]),
                "resident_before_mib": resident / 2**20,
                "resident_after_mib": stage.server.resident_bytes / 2**20,
                "given_up": returned["given_up"],
            }
            if not returned["have_all"]:
                run.faults.append("not everybody had the same list again in the end")
            run.faults += stage.check()
            yield run


def spread_out(setting: Setting, lobbies: int, members: int) -> Iterator[Run]:
    """Let many small lobbies churn. Without probes: each lobby would need its own."""
    for repeat in range(setting.repeats):
        with staged(setting, "adsumd", members, lobbies=lobbies, spare=3, probes=0) as stage:
            stage.let_in()
            stage.rest()
            yield stage.churn("many lobbies", lobbies * members, LOBBIES_RATE, repeat)


def corresponded(setting: Setting, pairs: int) -> Iterator[Run]:
    """Let pairs in one lobby write to each other."""
    for repeat in range(setting.repeats):
        with staged(setting, "adsumd", 2 * pairs, options=MAIL_OPTIONS, probes=PROBES) as stage:
            stage.let_in()
            stage.rest()
            answer = stage.crowd.ask("mail", seconds=setting.seconds)
            saturated, paced = answer["saturated"], answer["paced"]
            figures = {
                "deliveries_per_second": saturated["per_second"],
                "server_share": saturated["server_share"],
                "load_share": saturated["load_share"],
                "us_per_delivery": 1e6 * paced["server_cpu"] / max(1, paced["deliveries"]),
                "paced_per_second": paced["made"],
                "p50_ms": paced["latency"]["p50_ms"],
                "p99_ms": paced["latency"]["p99_ms"],
            }
            faults = load_faults(saturated) + load_faults(paced) + stage.check()
            if lost := saturated["unconfirmed"] + paced["unconfirmed"]:
                faults.append(f"{lost} messages were never confirmed")
            yield Run("messages", "adsumd", 2 * pairs, 0.0, repeat, figures, faults, disturbance(paced))
