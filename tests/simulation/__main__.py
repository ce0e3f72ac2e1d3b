"""`python -m tests.simulation`: run seeds, tell which promise broke in which, and what was done in all."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.faults import FAULTS, planted
from tests.simulation.report import Outcome, Report, describe_failure, run_seed


def _seeds(text: str) -> range:
    first, dots, last = text.partition("..")
    try:
        return range(int(first), int(last) + 1) if dots else range(int(first))
    except ValueError:
        raise argparse.ArgumentTypeError("a number of seeds, or a range such as 1000..1999") from None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=_seeds, default=range(200), help="how many, or a range: 1000..1999")
    parser.add_argument("--seed", type=int, help="run this one only")
    parser.add_argument("--trace", action="store_true", help="with --seed: print all that happens")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes")
    parser.add_argument("--fault", choices=sorted(FAULTS), help="plant this fault in the implementation")
    return parser.parse_args()


def _run(seed: int, fault: str | None) -> Outcome:
    with planted(fault):
        return run_seed(seed)


def _outcomes(seeds: Iterable[int], fault: str | None, jobs: int) -> Iterator[Outcome]:
    if jobs <= 1:
        yield from (_run(seed, fault) for seed in seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        numbers = list(seeds)
        yield from pool.map(_run, numbers, [fault] * len(numbers), chunksize=10)


def main() -> int:
    """Run what the arguments say; 1 if any promise broke."""
    arguments = _arguments()
    if arguments.seed is not None:
        with planted(arguments.fault):
            outcome = run_seed(arguments.seed, print if arguments.trace else None)
        report = Report()
        report.add(outcome)
        print(f"trace {outcome.trace_hash}")
    else:
        report = Report()
        for outcome in _outcomes(arguments.seeds, arguments.fault, arguments.jobs):
            report.add(outcome)
            if outcome.broken is not None:
                print(describe_failure(outcome, arguments.fault or ""), flush=True)
    if arguments.seed is not None and report.failures:
        print(describe_failure(report.failures[0], arguments.fault or ""))
    print("\n".join(report.lines()))
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
