"""The committed inputs find mistakes: with each of these planted, at least one of them fails."""

import pytest

from tests.fuzz.targets import TARGETS, inputs
from tests.simulation.faults import planted

FOUND = {
    "server_core": (
        "tombstone-dropped",
        "digest-keeps-who-is-gone",
        "heartbeat-before-the-delta",
        "suspect-counted-as-online",
        "grace-never-ends",
        "another-incarnation-after-a-resume",
        "selection-not-cleared",
        "result-told-twice",
        "result-lost-with-the-stream",
        "result-before-the-delta",
        "seat-never-given-up",
        "line-never-taken-away",
    ),
    "client_core": (
        "client-keeps-who-is-gone",
        "client-tells-no-updates",
        "client-trusts-a-lost-connection",
        "client-shows-a-message-twice",
    ),
}
"""Faults of the simulation that lie in a core, and that a few small inputs are enough for."""


@pytest.mark.parametrize(
    ("name", "fault"), [(name, fault) for name, faults in FOUND.items() for fault in faults]
)
def test_planted_fault_is_found(name: str, fault: str) -> None:
    with planted(fault):
        assert any(_fails(name, file.read_bytes()) for file in inputs(name))


def _fails(name: str, data: bytes) -> bool:
    try:
        TARGETS[name].run(data)
    except Exception:  # noqa: BLE001  # a planted mistake may show itself in any way
        return True
    return False
