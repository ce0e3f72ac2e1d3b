"""Abuse Adsum, and see that nobody else notices: `python -m tests.abuse [--only NAME…] [--scale 1.0] [--seed N] [--json FILE]`.

Every input follows from the seed, but for what the server draws (nonces, tokens) and the order in which streams that run beside each other
get their turn. Exit code 1 if a promise was broken, or if an attack did not take place.
"""

import argparse
import asyncio
import json
import secrets
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from tests.abuse.attack import Attack
from tests.abuse.attacks import ATTACKS
from tests.abuse.battle import Outcome, field_with, fight, quiet_window
from tests.abuse.neighbourhood import Window
from tests.abuse.report import last_line, show_outcome, show_table
from tests.bench.machine import prefer, raise_descriptor_limit

POLITENESS = 5
"""How far the attacker stands back behind the server and the neighbours: they share two cores, and it is not the one to be measured."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the attacks; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.abuse", description=__doc__)
    names = [attack.name for attack in ATTACKS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--scale", type=float, default=1.0, help="how many inputs, 1 for the usual number")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="what everything follows from")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args(argv)
    if options.scale <= 0:
        parser.error("--scale must be greater than 0")
    chosen = [attack for attack in ATTACKS if not options.only or attack.name in options.only]
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    console.print(f"seed {options.seed}, scale {options.scale:g}, {len(chosen)} attacks")
    raise_descriptor_limit()
    started_at = time.monotonic()
    outcomes, noise = asyncio.run(_run(chosen, options.seed, options.scale, console))
    show_table(console, outcomes, noise)
    if options.json is not None:
        content = {
            "seed": options.seed,
            "scale": options.scale,
            "seconds": round(time.monotonic() - started_at, 1),
            "noise": {"p50_ms": noise.p50_ms, "p99_ms": noise.p99_ms},
            "attacks": [outcome.as_json() for outcome in outcomes],
        }
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    console.print(f"{time.monotonic() - started_at:.0f} s")
    print(last_line(outcomes))
    return 0 if all(outcome.has_passed for outcome in outcomes) else 1


async def _run(
    attacks: Sequence[Attack], seed: int, scale: float, console: Console
) -> tuple[list[Outcome], Window]:
    outcomes = []
    with TemporaryDirectory(prefix="adsum-abuse-") as directory:
        async with AsyncExitStack() as stack:
            main_field = await stack.enter_async_context(field_with(Path(directory) / "main"))
            prefer(POLITENESS)
            noise = await quiet_window(main_field)
            console.print(f"without an attack a neighbour's update takes {noise.p99_ms:.1f} ms (p99)")
            for attack in attacks:
                async with AsyncExitStack() as own:
                    field = main_field
                    if attack.options:
                        place = Path(directory) / attack.name
                        field = await own.enter_async_context(field_with(place, *attack.options))
                    outcome = await fight(attack, field, seed, scale, noise.p99_ms)
                outcomes.append(outcome)
                show_outcome(console, outcome)
                if outcome.tally.crashes and field is main_field:
                    break
    return outcomes, noise


if __name__ == "__main__":
    sys.exit(main())
