"""The worlds of the simulation run beside the rest of the suite: they need the processor, and the rest mostly waits."""

from concurrent.futures import Future, ProcessPoolExecutor

import pytest

from tests.simulation.faults import FAULTS
from tests.simulation.pool import first_failure, seed_pool
from tests.simulation.report import Outcome, run_seed

SEEDS = 200
_pools: list[ProcessPoolExecutor] = []
_worlds: list[Future[Outcome]] = []
_planted: dict[str, Future[Outcome | None]] = {}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start what the tests that were chosen will ask for."""
    modules = {item.path.name for item in session.items}
    if session.config.option.collectonly or not modules & {"test_simulation.py", "test_planted.py"}:
        return
    pool = seed_pool()
    _pools.append(pool)
    if "test_simulation.py" in modules:
        _worlds.extend(pool.submit(run_seed, seed) for seed in range(SEEDS))
    if "test_planted.py" in modules:
        _planted.update({name: pool.submit(first_failure, name) for name in FAULTS})


def pytest_sessionfinish() -> None:
    """Wait for nothing that nobody asks for any more."""
    for pool in _pools:
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def worlds() -> list[Future[Outcome]]:
    """Give what became of the worlds, in the order of their seeds."""
    return _worlds


@pytest.fixture(scope="session")
def planted_faults() -> dict[str, Future[Outcome | None]]:
    """Give the first failure that each planted fault caused, by its name."""
    return _planted
