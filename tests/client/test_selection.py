"""The selection is what the server says, doubted while nobody can say it, and never made again by itself."""

from dataclasses import replace

from adsum.client import Liveness, Selection, SelectionChanged, SelectionReason, SelectionState
from adsum.client.messages import SelectionUpdate
from adsum.client.roster import Members, Roster
from adsum.client.selection import SelectionKeeper
from tests.client.model_lobby import a_member, key_of

AVAILABLE, UNAVAILABLE, CLEARED = SelectionState.AVAILABLE, SelectionState.UNAVAILABLE, SelectionState.CLEARED
NONE, SUSPECT, LEFT = SelectionReason.NONE, SelectionReason.SUSPECT, SelectionReason.LEFT
BOB, CAROL = key_of("Bob"), key_of("Carol")


class Scene:
    """Bob and Carol are there, and a keeper looks at them."""

    def __init__(self) -> None:
        self.members = Members()
        self.bob, self.carol = a_member("Bob", 5), a_member("Carol", 6)
        self.members.put(self.bob)
        self.members.put(self.carol)
        self.keeper = SelectionKeeper(Roster(self.members))

    def hear(
        self, state: SelectionState, reason: SelectionReason = NONE, key: bytes = BOB, incarnation: int = 5
    ) -> list[SelectionChanged]:
        return self.keeper.receive(SelectionUpdate(0, key, incarnation, state, reason, 9))


def test_confirmation_is_told_once() -> None:
    scene = Scene()
    assert scene.hear(AVAILABLE) == [SelectionChanged(BOB, scene.bob, AVAILABLE, NONE, None, 9)]
    assert scene.keeper.current == Selection(BOB, 5, AVAILABLE, NONE)
    assert scene.hear(AVAILABLE) == []


def test_suspect_and_back_are_told() -> None:
    scene = Scene()
    scene.hear(AVAILABLE)
    assert scene.hear(UNAVAILABLE, SUSPECT) == [
        SelectionChanged(BOB, scene.bob, UNAVAILABLE, SUSPECT, AVAILABLE, 9)
    ]
    assert scene.hear(AVAILABLE) == [SelectionChanged(BOB, scene.bob, AVAILABLE, NONE, UNAVAILABLE, 9)]


def test_gone_member_is_not_selected_any_more() -> None:
    scene = Scene()
    scene.hear(AVAILABLE)
    scene.members.drop(BOB)
    assert scene.hear(CLEARED, LEFT) == [SelectionChanged(BOB, None, CLEARED, LEFT, AVAILABLE, 9)]
    assert scene.keeper.current is None
    assert scene.hear(CLEARED, LEFT) == []


def test_selecting_somebody_else_replaces() -> None:
    scene = Scene()
    scene.hear(AVAILABLE)
    assert scene.hear(AVAILABLE, NONE, CAROL, 6) == [
        SelectionChanged(CAROL, scene.carol, AVAILABLE, NONE, AVAILABLE, 9)
    ]
    # The server's farewell to the one before says nothing about the one now.
    assert scene.hear(CLEARED, SelectionReason.BY_CLIENT) == []
    assert scene.keeper.current is not None
    assert scene.keeper.current.public_key == CAROL


def test_clearing_says_whom() -> None:
    scene = Scene()
    scene.hear(AVAILABLE)
    by_client = SelectionReason.BY_CLIENT
    assert scene.hear(CLEARED, by_client, b"", 0) == [
        SelectionChanged(BOB, scene.bob, CLEARED, by_client, AVAILABLE, 9)
    ]


def test_selecting_somebody_absent_ends_the_selection_before() -> None:
    scene = Scene()
    not_present = SelectionReason.NOT_PRESENT
    assert scene.hear(UNAVAILABLE, not_present, key_of("Nobody"), 0) == []
    scene.hear(AVAILABLE)
    (told,) = scene.hear(UNAVAILABLE, not_present, key_of("Nobody"), 0)
    assert (told.public_key, told.state, told.reason) == (BOB, CLEARED, SelectionReason.BY_CLIENT)
    assert scene.keeper.current is None


def test_lost_connection_makes_it_doubtful() -> None:
    scene = Scene()
    assert scene.keeper.lost(9) == []
    scene.hear(AVAILABLE)
    (told,) = scene.keeper.lost(9)
    assert (told.state, told.reason, told.was) == (UNAVAILABLE, SelectionReason.NOT_CONNECTED, AVAILABLE)
    assert scene.keeper.lost(9) == []


def test_resume_makes_nobody_available_without_the_servers_word() -> None:
    scene = Scene()
    scene.hear(AVAILABLE)
    scene.keeper.lost(9)
    assert scene.keeper.current == Selection(BOB, 5, UNAVAILABLE, SelectionReason.NOT_CONNECTED)
    (told,) = scene.hear(AVAILABLE)
    assert (told.state, told.was) == (AVAILABLE, UNAVAILABLE)
    assert scene.keeper.resumed(9) == []


def test_servers_word_after_a_resume_is_what_it_says() -> None:
    scene = Scene()
    scene.hear(AVAILABLE)
    scene.keeper.lost(9)
    (told,) = scene.hear(UNAVAILABLE, SUSPECT)
    assert (told.state, told.reason) == (UNAVAILABLE, SUSPECT)
    assert scene.keeper.resumed(9) == []
    assert scene.keeper.current == Selection(BOB, 5, UNAVAILABLE, SUSPECT)


def test_server_that_resumes_and_says_nothing_has_nobody_selected() -> None:
    scene = Scene()
    scene.hear(AVAILABLE)
    scene.keeper.lost(9)
    by_client = SelectionReason.BY_CLIENT
    assert scene.keeper.resumed(9) == [SelectionChanged(BOB, scene.bob, CLEARED, by_client, UNAVAILABLE, 9)]
    assert scene.keeper.current is None


def test_farewell_to_somebody_else_after_a_resume_is_no_word_about_the_selection() -> None:
    scene = Scene()
    scene.hear(AVAILABLE)
    scene.keeper.lost(9)
    assert scene.hear(CLEARED, LEFT, CAROL, 6) == []
    (told,) = scene.keeper.resumed(9)
    assert (told.public_key, told.state) == (BOB, CLEARED)


def test_list_that_loses_the_member_is_believed_at_once() -> None:
    scene = Scene()
    scene.hear(AVAILABLE)
    scene.members.drop(BOB)
    assert scene.keeper.current == Selection(BOB, 5, UNAVAILABLE, SelectionReason.NOT_PRESENT)
    # One change is one event, and that is the server's word.
    assert scene.hear(CLEARED, LEFT) == [SelectionChanged(BOB, None, CLEARED, LEFT, AVAILABLE, 9)]
    assert scene.keeper.current is None


def test_list_that_shows_a_suspect_is_believed_at_once() -> None:
    scene = Scene()
    scene.hear(AVAILABLE)
    suspect = replace(scene.bob, revision=7, liveness=Liveness.SUSPECT)
    scene.members.put(suspect)
    assert scene.keeper.current == Selection(BOB, 5, UNAVAILABLE, SUSPECT)
    assert scene.hear(UNAVAILABLE, SUSPECT) == [
        SelectionChanged(BOB, suspect, UNAVAILABLE, SUSPECT, AVAILABLE, 9)
    ]


def test_list_alone_makes_nobody_available() -> None:
    scene = Scene()
    scene.hear(AVAILABLE)
    scene.hear(UNAVAILABLE, SUSPECT)
    assert scene.keeper.current == Selection(BOB, 5, UNAVAILABLE, SUSPECT)
    scene.members.put(a_member("Bob", 8))
    assert scene.keeper.current == Selection(BOB, 5, UNAVAILABLE, SUSPECT)


def test_another_incarnation_is_somebody_else() -> None:
    scene = Scene()
    scene.hear(AVAILABLE)
    scene.members.put(a_member("Bob", 8))
    assert scene.keeper.current == Selection(BOB, 5, UNAVAILABLE, SelectionReason.NOT_PRESENT)


def test_selection_ends_with_its_session() -> None:
    scene = Scene()
    assert scene.keeper.session_lost(9) == []
    scene.hear(AVAILABLE)
    scene.keeper.lost(9)
    (told,) = scene.keeper.session_lost(9)
    assert (told.state, told.reason) == (CLEARED, SelectionReason.SESSION_LOST)
    assert scene.keeper.current is None
