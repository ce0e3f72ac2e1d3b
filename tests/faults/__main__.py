"""Inject real faults and check every promise: `python -m tests.faults --help`."""

import argparse
import asyncio
import random
import sys
from pathlib import Path

from rich.console import Console

from tests.faults.faults import FAULTS
from tests.faults.report import show, write_histories, write_json
from tests.faults.run import run_all

PLAIN_WIDTH = 200


def main() -> int:
    """Run what the arguments ask for; 1 if a promise broke."""
    names = [fault.name for fault in FAULTS]
    told = "\n".join(f"  {fault.name:<15} {fault.what} ({fault.promises})" for fault in FAULTS)
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        epilog=f"faults:\n{told}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help="only these")
    parser.add_argument("--times", type=int, default=4, metavar="N", help="inject each so often (default: 4)")
    parser.add_argument("--seed", type=int, help="draw keys, habits, victims and moments from this")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument(
        "--histories", type=Path, metavar="FOLDER", help="write there what everybody has seen"
    )
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**6)
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    console.print(f"seed {seed}", highlight=False)
    run = asyncio.run(run_all(seed, arguments.only or names, arguments.times))
    show(console, run)
    if arguments.json is not None:
        write_json(arguments.json, run)
    if arguments.histories is not None:
        write_histories(arguments.histories, run)
    if run.violations:
        only = f" --only {' '.join(arguments.only)}" if arguments.only else ""
        console.print(
            f"again: python -m tests.faults --seed {seed} --times {arguments.times}{only}", soft_wrap=True
        )
    return 1 if run.violations else 0


if __name__ == "__main__":
    sys.exit(main())
