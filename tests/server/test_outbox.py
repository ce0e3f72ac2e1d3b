"""What a stream is owed, and in which order it gets it."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.server.history import Change, StoredLobby
from adsum.server.lobby import Lobby
from adsum.server.member import DepartureReason, Liveness, Profile
from adsum.server.messages import (
    Delivery,
    Select,
    SelectionReason,
    SelectionState,
    SelectionUpdate,
    SendOutcome,
    SendResult,
    Welcome,
)
from adsum.server.outbox import MAILBOX_CAPACITY, DeltaOwed, HeartbeatOwed, Outbox, Owed, SnapshotOwed
from adsum.server.selection import Selection
from tests.server.builders import ADA, BOB, CLEO, EPOCH, LOBBY, key, member

WELCOME = Welcome(bytes(16), bytes(32), 1, resumed=False)
BEAT, SNAPSHOT = HeartbeatOwed(), SnapshotOwed()
ONLINE, SUSPECT = Liveness.ONLINE, Liveness.SUSPECT


def result(request_id: int, revision: int = 0) -> SendResult:
    """Make some mail."""
    return SendResult(request_id, SendOutcome.RECIPIENT_OFFLINE, revision)


class Scene:
    """A lobby with ada in it at revision 1, and a stream that has been sent it."""

    def __init__(self) -> None:
        self.lobby = Lobby(StoredLobby(LOBBY, EPOCH, 0, ()))
        self.come("ada")
        self.outbox = Outbox()
        self.outbox.welcome(WELCOME, None)
        self.take()

    def come(self, name: str, liveness: Liveness = ONLINE) -> None:
        """Somebody comes, is lost or is back on their connection; no wave yet."""
        revision = self.lobby.revision + 1
        before = self.lobby.member(key(name))
        after = member(name, before.incarnation if before else revision, revision, liveness=liveness)
        self.lobby.apply(Change(LOBBY, EPOCH, revision, key(name), bytes(16), after), 0.0)

    def go(self, name: str) -> None:
        """Somebody goes; no wave yet."""
        change = Change(
            LOBBY, EPOCH, self.lobby.revision + 1, key(name), bytes(16), None, DepartureReason.LEFT
        )
        self.lobby.apply(change, 0.0)

    def take(self) -> list[Owed]:
        """Take everything."""
        return list(iter(lambda: self.outbox.take(self.lobby), None))

    def select(self, name: str, request_id: int = 1) -> None:
        """Ask to select somebody."""
        assert self.outbox.post_select(Select(request_id, key(name)))

    def selected(self, name: str) -> None:
        """Have selected somebody, and been told."""
        self.select(name)
        self.take()


def states(owed: list[Owed]) -> list[tuple[int, SelectionState]]:
    """Pick what is told of a selection."""
    return [(one.request_id, one.state) for one in owed if isinstance(one, SelectionUpdate)]


# The list


def test_welcome_comes_first_then_the_whole_lobby_then_mail() -> None:
    scene = Scene()
    outbox = Outbox()
    outbox.post(result(1))
    outbox.post_heartbeat()
    outbox.welcome(WELCOME, None)
    scene.outbox = outbox
    assert scene.take() == [WELCOME, SNAPSHOT, result(1), BEAT]
    assert outbox.sent == 1


def test_client_that_holds_a_revision_gets_what_it_missed() -> None:
    scene = Scene()
    scene.come("bob")
    scene.outbox = Outbox()
    scene.outbox.welcome(WELCOME, 1)
    assert scene.take() == [WELCOME, DeltaOwed(1)]


def test_client_that_holds_the_newest_revision_gets_no_list() -> None:
    scene = Scene()
    scene.outbox = Outbox()
    scene.outbox.welcome(WELCOME, 1)
    assert scene.take() == [WELCOME]


def test_client_whose_revision_can_not_be_served_gets_the_whole() -> None:
    scene = Scene()
    scene.come("bob")
    scene.go("bob")
    scene.lobby.forget(1.0, 0)
    for holds in (1, 2, 7):
        scene.outbox = Outbox()
        scene.outbox.welcome(WELCOME, holds)
        assert scene.take() == [WELCOME, SNAPSHOT]


def test_stream_at_rest_is_owed_nothing() -> None:
    scene = Scene()
    assert scene.take() == []
    scene.outbox.start_wave()
    assert scene.take() == []


def test_change_waits_for_its_wave() -> None:
    scene = Scene()
    scene.come("bob")
    assert scene.take() == []
    scene.outbox.start_wave()
    assert scene.take() == [DeltaOwed(1)]
    assert scene.take() == []


def test_wave_that_found_nothing_gives_no_leave_for_later() -> None:
    scene = Scene()
    scene.outbox.start_wave()
    scene.take()
    scene.come("bob")
    assert scene.take() == []


def test_slow_reader_gets_one_merged_delta_from_where_it_stood() -> None:
    scene = Scene()
    for name in ("bob", "cleo", "dan"):
        scene.come(name)
        scene.outbox.start_wave()
    scene.go("cleo")
    scene.outbox.start_wave()
    assert scene.take() == [DeltaOwed(1)]
    assert scene.outbox.sent == 5


def test_slow_reader_that_stands_below_the_floor_gets_the_whole() -> None:
    scene = Scene()
    scene.come("bob")
    scene.go("bob")
    scene.lobby.forget(1.0, 0)
    assert scene.take() == [SNAPSHOT]
    assert scene.outbox.sent == 3


def test_snapshot_that_was_asked_for_comes_though_nothing_has_changed() -> None:
    scene = Scene()
    scene.outbox.owe_snapshot()
    assert scene.take() == [SNAPSHOT]
    assert scene.take() == []


# Mail and heartbeats


def test_mail_is_taken_in_the_order_it_was_posted() -> None:
    scene = Scene()
    delivery = Delivery(5, BOB, 1, b"hello", 0)
    for mail in (result(2), delivery, result(1)):
        assert scene.outbox.post(mail)
    assert scene.take() == [result(2), delivery, result(1)]


def test_mail_does_not_wait_for_a_wave_nor_carry_the_delta_with_it() -> None:
    scene = Scene()
    scene.come("bob")
    scene.outbox.post(result(1, revision=1), revision=1)
    assert scene.take() == [result(1, revision=1)]


def test_mail_that_speaks_of_a_revision_goes_after_the_delta_up_to_it() -> None:
    scene = Scene()
    scene.come("bob")
    scene.go("bob")
    scene.outbox.post(result(1, revision=3), revision=3)
    assert scene.take() == [DeltaOwed(1), result(1, revision=3)]


def test_mail_behind_other_mail_goes_after_its_delta_too() -> None:
    scene = Scene()
    scene.outbox.post(result(1))
    scene.come("bob")
    scene.outbox.post(result(2, revision=2), revision=2)
    assert scene.take() == [result(1), DeltaOwed(1), result(2, revision=2)]


def test_mail_goes_after_the_snapshot_that_is_owed() -> None:
    scene = Scene()
    scene.outbox.post(result(1))
    scene.outbox.owe_snapshot()
    assert scene.take() == [SNAPSHOT, result(1)]


def test_heartbeat_describes_what_the_client_then_holds() -> None:
    scene = Scene()
    scene.come("bob")
    scene.outbox.post_heartbeat()
    assert scene.take() == [DeltaOwed(1), BEAT]
    assert scene.outbox.sent == scene.lobby.revision


def test_heartbeats_that_wait_are_one() -> None:
    scene = Scene()
    for _ in range(5):
        scene.outbox.post_heartbeat()
    assert scene.take() == [BEAT]


def test_heartbeat_is_not_taken_before_a_change_that_came_since() -> None:
    scene = Scene()
    scene.outbox.post(result(1))
    scene.outbox.post_heartbeat()
    assert scene.outbox.take(scene.lobby) == result(1)
    scene.come("bob")
    assert scene.take() == [DeltaOwed(1), BEAT]


def test_full_mailbox_says_so_and_keeps_what_it_has() -> None:
    scene = Scene()
    posted = [scene.outbox.post(result(number)) for number in range(MAILBOX_CAPACITY + 2)]
    assert posted == [True] * MAILBOX_CAPACITY + [False, False]
    assert not scene.outbox.post_select(Select(1, ADA))
    scene.outbox.post_heartbeat()
    assert scene.take() == [*(result(number) for number in range(MAILBOX_CAPACITY)), BEAT]
    assert scene.outbox.post(result(1))


# The selection


def test_select_is_answered_with_its_request_id() -> None:
    scene = Scene()
    scene.select("ada", request_id=9)
    assert scene.take() == [SelectionUpdate(9, ADA, 1, SelectionState.AVAILABLE, SelectionReason.NONE, 1)]


def test_select_is_answered_by_the_lobby_that_the_client_then_holds() -> None:
    scene = Scene()
    scene.come("bob")
    scene.select("bob")
    assert scene.take() == [
        DeltaOwed(1),
        SelectionUpdate(1, BOB, 2, SelectionState.AVAILABLE, SelectionReason.NONE, 2),
    ]


def test_member_that_goes_while_a_select_waits_is_never_confirmed() -> None:
    scene = Scene()
    scene.come("bob")
    scene.select("bob", request_id=4)
    scene.go("bob")
    owed = scene.take()
    assert owed[0] == DeltaOwed(1)
    assert states(owed) == [(4, SelectionState.UNAVAILABLE)]


def test_change_between_two_selects_does_not_mix_their_answers() -> None:
    scene = Scene()
    scene.come("bob")
    scene.select("ada", request_id=1)
    scene.select("bob", request_id=2)
    assert scene.outbox.take(scene.lobby) == DeltaOwed(1)
    assert states([scene.outbox.take(scene.lobby) or BEAT]) == [(1, SelectionState.AVAILABLE)]
    scene.go("ada")
    # The first is cleared by this, before the second is answered; afterwards nobody follows ada any more.
    owed = scene.take()
    assert owed[0] == DeltaOwed(2)
    assert states(owed) == [(0, SelectionState.CLEARED), (2, SelectionState.AVAILABLE)]


def test_selects_sent_at_once_are_answered_in_order_and_the_last_counts() -> None:
    scene = Scene()
    scene.come("bob")
    for request_id, name in ((1, "ada"), (2, "bob"), (3, "nobody"), (4, "bob")):
        scene.select(name, request_id)
    assert states(scene.take()) == [
        (1, SelectionState.AVAILABLE),
        (2, SelectionState.AVAILABLE),
        (3, SelectionState.UNAVAILABLE),
        (4, SelectionState.AVAILABLE),
    ]
    scene.go("ada")
    scene.come("bob", SUSPECT)
    scene.outbox.start_wave()
    assert states(scene.take()) == [(0, SelectionState.UNAVAILABLE)]


def test_clearing_stops_the_following() -> None:
    scene = Scene()
    scene.come("bob")
    scene.selected("bob")
    scene.outbox.post_select(Select(5, b""))
    assert states(scene.take()) == [(5, SelectionState.CLEARED)]
    scene.go("bob")
    scene.outbox.start_wave()
    assert scene.take() == [DeltaOwed(2)]


def test_change_of_the_selected_is_the_next_message_after_the_delta_that_shows_it() -> None:
    scene = Scene()
    scene.come("bob")
    scene.selected("bob")
    scene.outbox.post(result(1))
    scene.outbox.post_heartbeat()
    scene.come("bob", SUSPECT)
    scene.outbox.start_wave()
    owed = scene.take()
    assert owed[0] == DeltaOwed(2)
    assert states(owed[1:2]) == [(0, SelectionState.UNAVAILABLE)]
    assert owed[2:] == [result(1), BEAT]


def test_what_is_told_of_the_selected_is_what_the_delta_showed_not_what_came_after() -> None:
    scene = Scene()
    scene.come("bob")
    scene.selected("bob")
    scene.come("bob", SUSPECT)
    scene.outbox.start_wave()
    assert scene.outbox.take(scene.lobby) == DeltaOwed(2)
    scene.go("bob")
    # The client holds bob as suspect now, and is told so; his leaving comes with its own delta.
    update = scene.outbox.take(scene.lobby)
    assert update == SelectionUpdate(0, BOB, 2, SelectionState.UNAVAILABLE, SelectionReason.SUSPECT, 3)
    scene.outbox.start_wave()
    owed = scene.take()
    assert owed[0] == DeltaOwed(3)
    assert states(owed) == [(0, SelectionState.CLEARED)]


def test_snapshot_that_shows_a_change_of_the_selected_is_followed_by_it() -> None:
    scene = Scene()
    scene.come("bob")
    scene.selected("bob")
    scene.come("bob", SUSPECT)
    scene.outbox.owe_snapshot()
    owed = scene.take()
    assert owed[0] == SNAPSHOT
    assert states(owed) == [(0, SelectionState.UNAVAILABLE)]


def test_blip_within_one_delta_changes_nothing_that_was_told() -> None:
    scene = Scene()
    scene.come("bob")
    scene.selected("bob")
    scene.come("bob", SUSPECT)
    scene.come("bob", ONLINE)
    scene.outbox.start_wave()
    assert scene.take() == [DeltaOwed(2)]


def test_selected_who_left_and_came_back_within_one_delta_is_cleared() -> None:
    scene = Scene()
    scene.come("bob")
    scene.selected("bob")
    scene.go("bob")
    scene.come("bob")
    scene.outbox.start_wave()
    owed = scene.take()
    assert owed[0] == DeltaOwed(2)
    assert states(owed) == [(0, SelectionState.CLEARED)]
    scene.come("bob", SUSPECT)
    scene.outbox.start_wave()
    assert states(scene.take()) == []


def test_selection_is_told_again_after_the_first_list_of_a_new_stream() -> None:
    scene = Scene()
    for holds, listed in ((None, [WELCOME, SNAPSHOT]), (1, [WELCOME])):
        scene.outbox = Outbox()
        scene.outbox.selection = Selection(ADA, 1, told=None)
        scene.outbox.post(result(1))
        scene.outbox.welcome(WELCOME, holds)
        owed = scene.take()
        assert owed[: len(listed)] == listed
        assert states([owed[len(listed)]]) == [(0, SelectionState.AVAILABLE)]
        assert owed[len(listed) + 1 :] == [result(1)]


def test_selected_is_compared_in_the_delta_that_a_resumed_stream_gets_first() -> None:
    scene = Scene()
    scene.come("bob")
    scene.outbox = Outbox()
    scene.outbox.selection = Selection(BOB, 2, told=None)
    scene.go("bob")
    scene.outbox.welcome(WELCOME, 2)
    owed = scene.take()
    assert owed[:2] == [WELCOME, DeltaOwed(2)]
    assert states(owed) == [(0, SelectionState.CLEARED)]


# Any order

STEPS = st.lists(
    st.sampled_from(
        ["come", "doubt", "go", "wave", "mail", "beat", "select", "snapshot", "take", "drain", "direct"]
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_nothing_is_told_ahead_of_the_list_or_out_of_order(steps: list[str]) -> None:
    scene = Scene()
    holds = scene.lobby.revision
    posted: list[int] = []
    taken: list[int] = []

    def check(owed: Owed) -> None:
        nonlocal holds
        match owed:
            case DeltaOwed(base):
                assert base == holds
                assert base < scene.lobby.revision
                holds = scene.lobby.revision
            case SnapshotOwed():
                holds = scene.lobby.revision
            case HeartbeatOwed():
                assert holds == scene.lobby.revision
            case SelectionUpdate():
                assert owed.revision <= holds
                taken.extend([owed.request_id] * (owed.request_id > 0))
            case SendResult():
                assert owed.revision <= holds
                taken.append(owed.request_id)
            case _:
                raise AssertionError(owed)

    for step in [*steps, "drain"]:
        match step:
            case "come" | "doubt":
                scene.come("bob", ONLINE if step == "come" else SUSPECT)
            case "go" if scene.lobby.member(BOB) is not None:
                scene.go("bob")
            case "wave":
                scene.outbox.start_wave()
            case "mail":
                posted.append(len(posted) + 1)
                scene.outbox.post(result(len(posted), scene.lobby.revision), scene.lobby.revision)
            case "select":
                posted.append(len(posted) + 1)
                scene.select("bob", len(posted))
            case "beat":
                scene.outbox.post_heartbeat()
            case "snapshot":
                scene.outbox.owe_snapshot()
            case "direct":
                base = scene.outbox.take_delta(scene.lobby.floor, scene.lobby.revision)
                if base is not None:
                    check(DeltaOwed(base))
            case "take":
                if (owed := scene.outbox.take(scene.lobby)) is not None:
                    check(owed)
            case "drain":
                scene.outbox.start_wave()
                for owed in scene.take():
                    check(owed)
                assert holds == scene.lobby.revision
    assert taken == posted


def test_profile_of_the_selected_may_change_without_a_word() -> None:
    scene = Scene()
    scene.come("cleo")
    scene.selected("cleo")
    after = member("cleo", 2, 3, profile=Profile("cleo", status_text="new"))
    scene.lobby.apply(Change(LOBBY, EPOCH, 3, CLEO, bytes(16), after), 0.0)
    scene.outbox.start_wave()
    assert scene.take() == [DeltaOwed(2)]


def test_delta_that_is_all_that_is_owed_is_taken_directly() -> None:
    scene = Scene()
    assert scene.outbox.take_delta(scene.lobby.floor, scene.lobby.revision) is None
    scene.come("bob")
    assert scene.outbox.take_delta(scene.lobby.floor, scene.lobby.revision) == 1
    scene.outbox.start_wave()
    assert scene.take() == []


OWING: dict[str, Callable[[Scene], object]] = {
    "mail": lambda scene: scene.outbox.post(result(1)),
    "heartbeat": lambda scene: scene.outbox.post_heartbeat(),
    "snapshot": lambda scene: scene.outbox.owe_snapshot(),
    "welcome": lambda scene: scene.outbox.welcome(WELCOME, 1),
    "answer": lambda scene: scene.select("ada"),
    "selection": lambda scene: scene.selected("ada"),
}


@pytest.mark.parametrize("owe", OWING.values(), ids=OWING)
def test_delta_is_not_taken_directly_where_more_is_owed(owe: Callable[[Scene], object]) -> None:
    scene = Scene()
    owe(scene)
    scene.come("bob")
    assert scene.outbox.take_delta(scene.lobby.floor, scene.lobby.revision) is None


def test_who_stands_below_the_floor_is_owed_no_delta() -> None:
    assert Scene().outbox.take_delta(2, 3) is None


def test_end_of_a_selection_is_told_before_the_next_delta() -> None:
    scene = Scene()
    scene.come("bob")
    scene.selected("bob")
    scene.go("bob")
    scene.outbox.start_wave()
    assert isinstance(scene.outbox.take(scene.lobby), DeltaOwed)
    scene.come("cleo")
    assert scene.outbox.take_delta(scene.lobby.floor, scene.lobby.revision) is None
    assert isinstance(scene.outbox.take(scene.lobby), SelectionUpdate)
