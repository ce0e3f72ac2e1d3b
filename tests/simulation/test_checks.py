"""A world is judged when the server's words have come, and not while they are on the way."""

from collections.abc import Callable, Iterator
from unittest.mock import patch

import pytest

from adsum.client.selection import SelectionKeeper
from tests.simulation.checks import check_quiet, is_quiet
from tests.simulation.client import Device, Program
from tests.simulation.world import World

STEP_SECONDS = 0.01
MOST_STEPS = 2000


class Company:
    """Two people in one lobby, the first of whom has selected the second."""

    def __init__(self) -> None:
        self.world = world = World(1)
        world.start_server()
        world.run(0.5)
        self.ann, self.bob = world.devices[:2]
        for device in (self.ann, self.bob):
            device.lobby, device.observes = "den", False
            device.path.delay_seconds, device.path.jitter_seconds = 0.02, 0.0
            world.start(device)
        self.pass_until(lambda: is_quiet(world))
        self.of(self.ann).select(self.bob.identity.public_key)
        self.pass_until(lambda: self.shows_bob(self.ann))

    def of(self, device: Device) -> Program:
        """Tell what runs on a device."""
        assert device.program is not None
        return device.program

    def shows_bob(self, device: Device) -> bool:
        """Tell whether a device shows that Bob is selected and can be written to."""
        lobby = self.of(device).lobby
        selection = lobby.selection if lobby is not None else None
        return (
            selection is not None
            and selection.public_key == self.bob.identity.public_key
            and selection.is_available
        )

    def copy(self) -> Device:
        """Start a copy of Ann's client beside it, which goes on with her session; what the server says reaches it slowly."""
        device = self.world.spare(self.ann)
        assert device is not None
        original = self.of(self.ann)
        original.was_duplicated = True
        device.path.narrow_seconds = 0.1
        self.world.start(device, original.credentials).was_duplicated = True
        return device

    def pass_until(self, happens: Callable[[], bool]) -> None:
        """Let time pass until something is so, and judge the world whenever it is quiet."""
        world = self.world
        for _ in range(MOST_STEPS):
            if is_quiet(world):
                check_quiet(world)
            assert world.checks.broken == []
            if happens():
                return
            world.run(STEP_SECONDS)
        raise AssertionError("it doesn't happen")


@pytest.fixture
def company() -> Iterator[Company]:
    company = Company()
    yield company
    company.world.close()


def test_who_resumes_a_selection_is_judged_when_the_word_about_it_has_come(company: Company) -> None:
    copy = company.copy()
    company.pass_until(lambda: company.shows_bob(copy))
    company.pass_until(lambda: is_quiet(company.world))


def test_who_selected_somebody_who_is_back_is_judged_when_the_word_about_it_has_come(
    company: Company,
) -> None:
    company.ann.path.narrow_seconds = 0.1
    company.world.cut(company.bob, 0.0, 0.0)
    company.pass_until(lambda: not company.shows_bob(company.ann))
    company.pass_until(lambda: company.shows_bob(company.ann))
    company.pass_until(lambda: is_quiet(company.world))


def test_a_word_about_the_selection_that_never_comes_is_missed(company: Company) -> None:
    with patch.object(SelectionKeeper, "receive", lambda *_: []):
        copy = company.copy()
        with pytest.raises(AssertionError):
            company.pass_until(lambda: False)
    name = company.of(copy).process.name
    assert company.world.checks.broken == [("P7", f"{name} shows another selection than the server's")]
