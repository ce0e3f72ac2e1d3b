"""`make soak`: let people come, go, blip, cancel and vanish for a long time, and see what of them stays behind in the server.

Beside adsumd runs a bare grpc.aio server that loses as many streams in the same ways: what gRPC itself leaks at each is a figure, and isn't
taken for ours. A third server, an adsumd too, is restarted now and then. Exit code 1 if any promise broke, any figure grew, or too
little was done.

Everything found is appended to the file at once, so a soak that was killed can be judged: `--report FILE`.
"""

import argparse
import asyncio
import random
import sys
from pathlib import Path

from tests.bench import machine
from tests.bench.servers import scratch
from tests.soak.plan import Plan
from tests.soak.record import Record, Recorder
from tests.soak.report import report
from tests.soak.run import soaking
from tests.soak.watched import LEAKS


def main() -> int:
    """Soak, or tell again what a soak has found."""
    arguments = _arguments()
    if arguments.report is not None:
        return _tell(arguments.report)
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**9)
    plan = Plan(arguments.minutes, seed, tuple(arguments.plant))
    print(f"seed {plan.seed}, {plan.minutes:g} minutes, recorded in {arguments.json}", flush=True)
    machine.raise_descriptor_limit()
    machine.prefer(arguments.nice)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    with arguments.json.open("w", encoding="utf-8") as file, scratch() as directory:
        recorder = Recorder(file)
        recorder.write(
            "start",
            0.0,
            minutes=plan.minutes,
            seed=plan.seed,
            plant=plan.plant,
            facts=machine.facts(uvloop=True),
        )
        asyncio.run(_soak(plan, recorder, Path(directory)))
    return _tell(arguments.json)


async def _soak(plan: Plan, recorder: Recorder, directory: Path) -> None:
    async with soaking(plan, recorder, directory) as run:
        await run()


def _tell(file: Path) -> int:
    record = Record.read(file)
    if not record.start:
        print(f"{file} is no record of a soak", file=sys.stderr)
        return 1
    lines, holds = report(record)
    print("\n".join(lines))
    return 0 if holds else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (default: 60)")
    parser.add_argument("--seed", type=int, help="what chance starts from; a new one if not given")
    parser.add_argument(
        "--json",
        type=Path,
        default=Path("build/soak.jsonl"),
        help="the record, as lines of JSON (default: %(default)s)",
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="tell again what a record says")
    parser.add_argument(
        "--plant",
        choices=LEAKS,
        nargs="+",
        default=[],
        help="let the steady server leak, to see that it is found",
    )
    parser.add_argument("--nice", type=int, default=0, help="the priority of all processes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
