"""Processes to run seeds in, for a process that may have used gRPC: so they are not forked from it. They give way to everything else."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.simulation.faults import FAULTS, planted
from tests.simulation.report import Outcome, run_seed


def seed_pool() -> ProcessPoolExecutor:
    """Make a pool with a process for each core."""
    return ProcessPoolExecutor(
        os.cpu_count() or 1, mp_context=get_context("spawn"), initializer=os.nice, initargs=(10,)
    )


def first_failure(name: str) -> Outcome | None:
    """Plant a fault and run as many seeds as it may need; tell the first in which it was found."""
    for seed in range(FAULTS[name].seeds):
        with planted(name):
            outcome = run_seed(seed)
        if outcome.broken is not None:
            return outcome
    return None
