"""Fuzz the decoders and the state machines: `python -m tests.fuzz TARGET|all --minutes M`; --help lists the rest.

Needs atheris (`make fuzz` has an environment with it), but for `--minimise` and `--repeat`. Exits with 1 if anything was found.
"""

import argparse
import dataclasses
import importlib.util
import json
import random
import sys
from pathlib import Path

from tests.fuzz.minimise import minimise
from tests.fuzz.run import Figures, fuzz
from tests.fuzz.targets import TARGETS, Target
from tests.model.promises import PROMISES


def main() -> int:
    """Do what the command line says."""
    arguments = _parser().parse_args()
    targets = list(TARGETS.values()) if arguments.target == "all" else [TARGETS[arguments.target]]
    if arguments.repeat is not None:
        targets[0].run(arguments.repeat.read_bytes())
        print("All is well.")
        return 0
    if arguments.minimise:
        for target in targets:
            done = minimise(target, arguments.corpus)
            print(
                f"{target.name}: {done.files} of {done.candidates} inputs, {done.bytes} bytes,"
                f" {done.arcs} of {done.arcs_of_all} steps"
            )
        return 0
    if importlib.util.find_spec("atheris") is None:
        print("There is no atheris in this environment. `make fuzz` makes one that has it.", file=sys.stderr)
        return 2
    return _fuzz(targets, arguments)


def _fuzz(targets: list[Target], arguments: argparse.Namespace) -> int:
    seed = arguments.seed or random.SystemRandom().randrange(1, 2**31)
    print(f"Seed {seed}, {arguments.minutes:g} minutes for {len(targets)} targets.")
    seconds = arguments.minutes * 60 / sum(target.weight for target in targets)
    results: list[Figures] = []
    for target in targets:
        log = arguments.corpus.parent / "logs" / f"{target.name}.log"
        figures = fuzz(target, target.weight * seconds, seed, arguments.corpus, arguments.findings, log)
        results.append(figures)
        print(
            f"{target.name:12} {figures.executions:>9} executions, {figures.per_second:7.0f}/s,"
            f" {figures.edges:5} edges ({figures.edges - figures.edges_at_start:+}), {figures.corpus:5} inputs,"
            f" {figures.findings} findings ({target.promises})",
            flush=True,
        )
        for fault in figures.faults:
            print(f"    {fault}", flush=True)
    if arguments.json is not None:
        arguments.json.write_text(
            json.dumps([dataclasses.asdict(one) for one in results], indent=1), encoding="utf-8"
        )
    faults = sum(bool(one.faults) for one in results)
    print(
        f"{sum(one.executions for one in results)} executions, {sum(one.findings for one in results)} findings."
    )
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    promises = ", ".join(f"{name} {words}" for name, words in PROMISES.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, epilog=f"The promises: {promises}."
    )
    parser.add_argument("target", choices=["all", *TARGETS])
    parser.add_argument("--minutes", type=float, default=8.0, help="for all targets together (default: 8)")
    parser.add_argument(
        "--seed", type=int, default=0, help="of libFuzzer; the same corpus and seed give about the same run"
    )
    parser.add_argument(
        "--corpus", type=Path, default=Path("build/fuzz/corpus"), help="where new inputs go, and come from"
    )
    parser.add_argument(
        "--findings", type=Path, default=Path("build/fuzz/findings"), help="where failures go"
    )
    parser.add_argument(
        "--minimise", action="store_true", help="choose the committed corpus anew, from all inputs there are"
    )
    parser.add_argument(
        "--repeat", type=Path, metavar="FILE", help="run the target on one input, and let it fail"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    return parser


if __name__ == "__main__":
    sys.exit(main())
