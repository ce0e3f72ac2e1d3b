"""A planted fault is found within the stated number of seeds, and by the promise that it breaks: the simulation can find bugs."""

import pytest

from tests.simulation.faults import FAULTS, planted
from tests.simulation.pool import seed_pool
from tests.simulation.report import Outcome, run_seed


def first_failure(name: str) -> Outcome | None:
    for seed in range(FAULTS[name].seeds):
        with planted(name):
            outcome = run_seed(seed)
        if outcome.broken is not None:
            return outcome
    return None


@pytest.fixture(scope="module")
def found() -> dict[str, Outcome | None]:
    with seed_pool() as pool:
        return dict(zip(FAULTS, pool.map(first_failure, FAULTS), strict=True))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_planted_fault_is_found(name: str, found: dict[str, Outcome | None]) -> None:
    outcome = found[name]
    assert outcome is not None, f"not found within {FAULTS[name].seeds} seeds"
    assert outcome.broken is not None
    assert outcome.broken[0] in FAULTS[name].promises
