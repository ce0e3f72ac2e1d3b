"""What somebody is told about the person they have selected."""

from dataclasses import replace

import pytest

from adsum.server.history import Change, StoredLobby
from adsum.server.lobby import Lobby
from adsum.server.member import DepartureReason, Liveness
from adsum.server.messages import SelectionReason, SelectionState, SelectionUpdate
from adsum.server.selection import Selection, follow, select
from tests.server.builders import ADA, BOB, EPOCH, LOBBY, key, member

AVAILABLE, UNAVAILABLE, CLEARED = SelectionState.AVAILABLE, SelectionState.UNAVAILABLE, SelectionState.CLEARED
ONLINE, SUSPECT = Liveness.ONLINE, Liveness.SUSPECT


class Scene:
    """A lobby with ada in it, at revision 5 and in incarnation 3."""

    def __init__(self, liveness: Liveness = ONLINE) -> None:
        self.lobby = Lobby(StoredLobby(LOBBY, EPOCH, 5, (member("ada", 3, 5, liveness=liveness),)))

    def become(self, liveness: Liveness) -> None:
        """Ada's connection is lost, or she is back on it."""
        incarnation = self.lobby.revision + 1
        if (before := self.lobby.member(ADA)) is not None:
            incarnation = before.incarnation
        after = member("ada", incarnation, self.lobby.revision + 1, liveness=liveness)
        self.lobby.apply(Change(LOBBY, EPOCH, after.revision, ADA, bytes(16), after), 0.0)

    def go(self, reason: DepartureReason = DepartureReason.LEFT) -> None:
        """Ada goes."""
        self.lobby.apply(Change(LOBBY, EPOCH, self.lobby.revision + 1, ADA, bytes(16), None, reason), 0.0)


def chosen(scene: Scene) -> Selection:
    """Select ada."""
    selection, _ = select(scene.lobby, ADA, request_id=1)
    assert selection is not None
    return selection


def test_online_member_is_confirmed() -> None:
    scene = Scene()
    selection, update = select(scene.lobby, ADA, request_id=9)
    assert update == SelectionUpdate(9, ADA, 3, AVAILABLE, SelectionReason.NONE, 5)
    assert selection == Selection(ADA, 3, AVAILABLE)


def test_suspect_member_is_selected_but_unavailable() -> None:
    scene = Scene(SUSPECT)
    selection, update = select(scene.lobby, ADA, request_id=9)
    assert (update.state, update.reason, update.incarnation) == (UNAVAILABLE, SelectionReason.SUSPECT, 3)
    assert selection is not None


def test_absent_member_is_not_selected() -> None:
    selection, update = select(Scene().lobby, BOB, request_id=9)
    assert update == SelectionUpdate(9, BOB, 0, UNAVAILABLE, SelectionReason.NOT_PRESENT, 5)
    assert selection is None


def test_member_that_has_gone_is_not_selected() -> None:
    scene = Scene()
    scene.go()
    selection, update = select(scene.lobby, ADA, request_id=9)
    assert (update.state, update.reason) == (UNAVAILABLE, SelectionReason.NOT_PRESENT)
    assert selection is None


def test_empty_key_clears() -> None:
    selection, update = select(Scene().lobby, b"", request_id=9)
    assert update == SelectionUpdate(9, b"", 0, CLEARED, SelectionReason.BY_CLIENT, 5)
    assert selection is None


def test_nothing_is_told_while_nothing_changes() -> None:
    scene = Scene()
    selection = chosen(scene)
    scene.become(ONLINE)
    kept, update = follow(selection, scene.lobby)
    assert update is None
    assert kept == selection


def test_loss_and_return_are_told_once_each() -> None:
    scene = Scene()
    selection = chosen(scene)
    scene.become(SUSPECT)
    suspect, update = follow(selection, scene.lobby)
    assert update == SelectionUpdate(0, ADA, 3, UNAVAILABLE, SelectionReason.SUSPECT, 6)
    assert follow(suspect, scene.lobby)[1] is None
    scene.become(ONLINE)
    back, update = follow(suspect, scene.lobby)
    assert update == SelectionUpdate(0, ADA, 3, AVAILABLE, SelectionReason.NONE, 7)
    assert follow(back, scene.lobby)[1] is None


@pytest.mark.parametrize(
    ("departure", "reason"),
    [
        (DepartureReason.LEFT, SelectionReason.LEFT),
        (DepartureReason.LOST, SelectionReason.LOST),
        (DepartureReason.REMOVED, SelectionReason.REMOVED),
    ],
)
def test_departure_clears_with_its_reason(departure: DepartureReason, reason: SelectionReason) -> None:
    scene = Scene()
    selection = chosen(scene)
    scene.go(departure)
    _, update = follow(selection, scene.lobby)
    assert update == SelectionUpdate(0, ADA, 3, CLEARED, reason, 6)


def test_cleared_selection_stays_cleared_when_the_member_comes_back() -> None:
    scene = Scene()
    selection = chosen(scene)
    scene.go()
    kept, _ = follow(selection, scene.lobby)
    scene.become(ONLINE)
    assert follow(kept, scene.lobby)[1] is None


def test_member_that_came_back_unseen_is_another_one() -> None:
    scene = Scene()
    selection = chosen(scene)
    scene.go()
    scene.become(ONLINE)
    kept, update = follow(selection, scene.lobby)
    assert update is not None
    assert (update.state, update.incarnation) == (CLEARED, 3)
    assert follow(kept, scene.lobby)[1] is None


def test_departure_that_has_been_forgotten_still_clears() -> None:
    scene = Scene()
    selection = chosen(scene)
    scene.go()
    scene.lobby.forget(1.0, 0)
    _, update = follow(selection, scene.lobby)
    assert update is not None
    assert update.state is CLEARED


@pytest.mark.parametrize("liveness", [ONLINE, SUSPECT])
def test_what_may_have_been_lost_is_told_again(liveness: Liveness) -> None:
    scene = Scene(liveness)
    _, update = follow(Selection(ADA, 3, told=None), scene.lobby)
    assert update is not None
    assert update.state is (AVAILABLE if liveness is ONLINE else UNAVAILABLE)


def test_clearing_that_may_have_been_lost_is_told_again() -> None:
    scene = Scene()
    selection = chosen(scene)
    scene.go()
    # It must still be known what was selected, or nobody could be told.
    kept, _ = follow(selection, scene.lobby)
    _, update = follow(replace(kept, told=None), scene.lobby)
    assert update is not None
    assert update.state is CLEARED


def test_others_do_not_matter() -> None:
    scene = Scene()
    selection = chosen(scene)
    scene.lobby.apply(Change(LOBBY, EPOCH, 6, key("bob"), bytes(16), member("bob", 6, 6)), 0.0)
    assert follow(selection, scene.lobby)[1] is None
