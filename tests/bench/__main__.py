"""`make bench`: what Adsum costs and how fast it is, beside a bare grpc.aio server, measured in the same run.

A real server has one core, the load the other: a crowd of lean members, each on a connection of its own, and twenty real clients
whose lists are checked. A run whose load was the bottleneck, or that saw anything wrong, says so, and the exit code is 1.

Columns: `us/event` is the server's CPU for each event delivered to one member, less what it uses at rest; `x bare` the ratio to the
baseline; `others` what share of our cores other programs took meanwhile: where that is high, the figures mean little.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from tests.bench import machine, quick
from tests.bench.plan import SCENES, Job, jobs
from tests.bench.report import bar, show
from tests.bench.runs import Run, medians
from tests.bench.servers import scratch
from tests.bench.stage import Setting
from tests.bench.targets import verdicts

FILE_COLUMNS = 150
"""How wide a table may be in a file."""


def main() -> int:
    """Read the options, measure, and show."""
    arguments = _arguments()
    console = Console(stderr=True)
    machine.raise_descriptor_limit()
    machine.prefer(arguments.nice)
    server_core, load_core = machine.cores()
    uvloop = not arguments.no_uvloop
    with scratch() as directory:
        setting = Setting(
            server_core, load_core, Path(directory), arguments.seconds, arguments.repeats, uvloop
        )
        if arguments.quick or arguments.record:
            return _run_quick(setting, console, record=arguments.record)
        return _run(arguments, setting, console)


def _run(arguments: argparse.Namespace, setting: Setting, console: Console) -> int:
    planned = jobs(arguments, setting)
    facts = machine.facts(uvloop=setting.uvloop)
    runs: list[Run] = []
    with bar(console, planned) as progress:
        for job in planned:
            progress.start(job)
            for run in _runs_of(job):
                runs.append(run)
                progress.advance(run)
                # Written again after each run: a long measurement that is ended early has not been in vain.
                if arguments.json:
                    _write(arguments.json, runs, facts, arguments)
    middle = medians(runs)
    out = Console()
    # Nothing is cut short where nobody looks at a terminal.
    show(out if out.is_terminal else Console(width=FILE_COLUMNS), middle, verdicts(middle))
    return 1 if any(run.faults for run in runs) else 0


def _runs_of(job: Job) -> Iterator[Run]:
    """Measure; what breaks is a fault of this job, and the next one goes on."""
    try:
        yield from job.start()
    except (RuntimeError, OSError, KeyError, subprocess.SubprocessError) as error:
        yield Run(job.label, "adsumd", 0, 0.0, 0, {}, [f"could not be measured: {error}"])


def _run_quick(setting: Setting, console: Console, *, record: bool) -> int:
    if record:
        look = quick.measured(setting)
        wrong = look.faults
        if not wrong:
            quick.write_record(look.ratios, machine.facts(uvloop=setting.uvloop))
    else:
        known = quick.read_record()
        look, wrong = quick.compared(setting, known)
        for name, ratio in look.ratios.items():
            console.print(f"{name:<34} {ratio:8.3f}  on record {known.get(name, 0.0):8.3f}", highlight=False)
        for fault in set(look.faults) - set(wrong):
            console.print(f"not judged, others took {look.disturbed:.0%} of a core: {fault}", highlight=False)
    for fault in wrong:
        console.print(f"[red]{fault}[/]", highlight=False)
    return 1 if wrong else 0


def _write(path: Path, runs: list[Run], facts: dict[str, object], arguments: argparse.Namespace) -> None:
    middle = medians(runs)
    content = {
        "machine": facts,
        "options": {"seconds": arguments.seconds, "repeats": arguments.repeats, "nice": arguments.nice},
        "medians": [asdict(median) for median in middle],
        "targets": [asdict(verdict) | {"is_met": verdict.is_met} for verdict in verdicts(middle)],
        "runs": [asdict(run) for run in runs],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=f"of {', '.join(SCENES)}; default: all")
    parser.add_argument(
        "--members", type=int, nargs="+", metavar="N", help="in all, instead of each scene's own"
    )
    parser.add_argument("--rates", type=float, nargs="+", metavar="RATE", help="events a second, in heavy")
    parser.add_argument(
        "--repeats", type=int, default=3, metavar="N", help="medians are over so many (default: 3)"
    )
    parser.add_argument(
        "--seconds", type=float, default=10.0, metavar="S", help="how long a rate is kept up (default: 10)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    parser.add_argument("--quick", action="store_true", help="compare a few ratios with those on record")
    parser.add_argument("--record", action="store_true", help="measure these ratios and put them on record")
    parser.add_argument("--no-uvloop", action="store_true", help="run both servers on asyncio's own loop")
    parser.add_argument("--no-bare", action="store_true", help="leave the baseline out")
    parser.add_argument(
        "--nice", type=int, default=0, metavar="N", help="priority of servers and load; below 0 needs rights"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.scenes) - set(SCENES):
        parser.error(f"no scene: {', '.join(sorted(unknown))}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
