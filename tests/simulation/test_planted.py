"""A planted fault is found within the stated number of seeds, and by the promise that it breaks: the simulation can find bugs."""

from concurrent.futures import Future

import pytest

from tests.simulation.faults import FAULTS
from tests.simulation.report import Outcome


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_planted_fault_is_found(name: str, planted_faults: dict[str, Future[Outcome | None]]) -> None:
    outcome = planted_faults[name].result()
    assert outcome is not None, f"not found within {FAULTS[name].seeds} seeds"
    assert outcome.broken is not None
    assert outcome.broken[0] in FAULTS[name].promises
