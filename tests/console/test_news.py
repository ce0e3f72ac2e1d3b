"""What events do to the screen."""

from adsum.client import (
    ConnectionState,
    Joined,
    Overflowed,
    Phase,
    Reason,
    RepairCause,
    Repaired,
    RequestRefused,
    Selection,
    SelectionReason,
    SelectionState,
    SnapshotProgress,
    Updated,
)
from adsum.client.events import StateChanged
from adsum.console.inputs import Facts, Relisted, Stroke, TimePassed, Typed, UpdateFailed
from adsum.console.reducer import next_change
from adsum.console.rows import MARK_SECONDS
from adsum.console.state import HINT_SECONDS
from tests.console.people import member
from tests.console.performance import LIVE, ME, Performance

ADA, BOB, CID = member("Ada", key=1), member("Bob", key=2), member("Cid", key=3)


def test_cursor_stays_on_the_person_when_others_come_before() -> None:
    lobby = Performance(BOB, CID)
    lobby.press(Stroke.DOWN)
    lobby.happen(Joined(ADA))
    assert lobby.cursor_name == "Cid"


def test_cursor_stays_on_its_row_of_the_screen_in_a_long_list() -> None:
    people = [member(f"P{number:03}", key=number) for number in range(1, 200)]
    lobby = Performance(*people)
    lobby.press(*([Stroke.DOWN] * 50))
    before = lobby.screen().split("\n")
    row = next(number for number, line in enumerate(before) if line.startswith("▌"))
    lobby.happen(*(Joined(member(f"A{number}", key=300 + number)) for number in range(20)))
    lobby.depart(people[0])
    after = lobby.screen().split("\n")
    assert after[row].startswith("▌")
    assert lobby.cursor_name == "P051"


def test_cursor_prefers_others_until_it_is_moved() -> None:
    me = member("Ann", key=ME)
    lobby = Performance(me)
    assert lobby.cursor_name == "Ann"
    lobby.happen(Joined(CID))
    assert lobby.cursor_name == "Cid"
    lobby.press(Stroke.UP)
    assert lobby.cursor_name == "Ann"
    lobby.happen(Joined(BOB))
    assert lobby.cursor_name == "Ann"


def test_cursor_goes_to_the_next_when_its_person_leaves() -> None:
    lobby = Performance(ADA, BOB, CID)
    lobby.press(Stroke.DOWN)
    lobby.depart(BOB)
    assert lobby.cursor_name == "Cid"
    lobby.depart(CID)
    assert lobby.cursor_name == "Ada"
    lobby.depart(ADA)
    assert lobby.cursor_name is None


def test_renamed_person_keeps_cursor_and_selection() -> None:
    lobby = Performance(ADA, BOB)
    lobby.select(ADA)
    lobby.happen(Updated(member("Zoe", key=1), ADA))
    assert lobby.cursor_name == "Zoe"
    assert "Zoe · " in lobby.screen()


def test_change_is_marked_and_the_mark_goes_away() -> None:
    lobby = Performance(ADA)
    lobby.happen(Joined(BOB))
    assert lobby.line_with("Bob  ").lstrip().startswith("+")
    due = next_change(lobby.state, lobby.moment.seconds)
    assert due == lobby.moment.seconds + MARK_SECONDS
    lobby.wait(MARK_SECONDS)
    lobby.happen(TimePassed())
    assert lobby.line_with("Bob  ").lstrip().startswith("Bob")
    assert next_change(lobby.state, lobby.moment.seconds) is None


def test_hint_goes_away_by_itself() -> None:
    lobby = Performance(ADA)
    lobby.happen(UpdateFailed("the status text has 141 characters"))
    assert "141 characters" in lobby.screen()
    lobby.wait(HINT_SECONDS)
    lobby.happen(TimePassed())
    assert "141 characters" not in lobby.screen()


def test_reconnecting_counts_down() -> None:
    lobby = Performance(ADA)
    state = ConnectionState(Phase.RECONNECTING, "reset", lobby.moment.seconds + 3.0, 3.0)
    lobby.happen(StateChanged(state, LIVE))
    assert "reconnecting in 3 s" in lobby.screen()
    lobby.wait(1.0)
    assert "reconnecting in 2 s" in lobby.screen()
    lobby.wait(2.0)
    assert "reconnecting now" in lobby.screen()


def test_status_line_tells_the_state_of_the_list() -> None:
    lobby = Performance(ADA, columns=120, rows=30)
    lobby.happen(Facts(LIVE, 812, True, 0.0031))
    status = lobby.screen().split("\n")[0]
    assert status == " ● connected  1 person  revision 812  ✓ proved  round trip 3 ms"
    lobby.happen(Facts(ConnectionState(Phase.STALE, "the server is silent"), 812))
    assert "list may be old" in lobby.screen().split("\n")[0]
    assert "not proved" in lobby.screen().split("\n")[0]
    lobby.happen(Facts(ConnectionState(Phase.DEGRADED), 812))
    assert "degraded" in lobby.screen().split("\n")[0]


def test_large_list_is_awaited_with_its_parts() -> None:
    waiting = Performance()
    assert "connecting to localhost:7557" in waiting.screen()
    waiting.happen(Facts(ConnectionState(Phase.CONNECTING, "connection refused")))
    assert "connection refused" in waiting.screen()
    waiting.happen(Facts(ConnectionState(Phase.CONNECTING), progress=SnapshotProgress(3, 20, 1500, 10000)))
    screen = waiting.screen()
    assert "part 3 of 20, 1,500 people" in screen
    assert "━━━━─" in screen


def test_list_read_again_after_a_loss_shows_its_parts_too() -> None:
    lobby = Performance(ADA)
    lobby.happen(Facts(ConnectionState(Phase.STALE, "gap"), 7, progress=SnapshotProgress(1, 4, 500, 2000)))
    assert "part 1 of 4" in lobby.screen()


def test_message_is_told_in_the_feed_as_well() -> None:
    lobby = Performance(ADA, BOB)
    lobby.hear(BOB, "hello")
    assert "> Bob (" in lobby.line_with(": hello")


def test_dropped_events_are_made_up_for_by_the_list() -> None:
    lobby = Performance(ADA, BOB)
    lobby.select(BOB)
    lobby.happen(Overflowed(20_000), Relisted((ADA, CID), None))
    assert [lobby.state.rows.by_key[key].member.name for _, key in lobby.state.shown] == ["Ada", "Cid"]
    assert "20,000 changes came too fast" in lobby.screen()
    assert "confirmed online" not in lobby.panel()
    assert not lobby.state.may_send


def test_selection_that_was_held_through_dropped_events_is_read_again() -> None:
    lobby = Performance(ADA, BOB)
    lobby.select(BOB)
    held = Selection(BOB.public_key, BOB.incarnation, SelectionState.UNAVAILABLE, SelectionReason.SUSPECT)
    lobby.happen(Relisted((ADA, BOB), held))
    assert "waiting for them to come back" in lobby.screen()


def test_refused_request_is_told() -> None:
    lobby = Performance(ADA)
    lobby.happen(RequestRefused(3, Reason.BAD_NAME, "the name is empty"))
    assert "the server refused: the name is empty" in lobby.screen()


def test_repaired_list_is_told() -> None:
    lobby = Performance(ADA, columns=100)
    lobby.happen(Repaired(RepairCause.GAP, 1, 2, 3, 9))
    assert "the list was read again (gap)" in lobby.screen()


def test_namesakes_are_visibly_told_apart() -> None:
    lobby = Performance(ADA, member("ada", key=4), BOB)
    assert f"≠{ADA.fingerprint}" in lobby.screen()
    assert f"≠{BOB.fingerprint}" not in lobby.screen()


def test_reader_of_the_feed_is_not_moved_by_what_comes() -> None:
    lobby = Performance(*(member(f"P{number}", key=number) for number in range(1, 9)))
    for number in range(40):
        lobby.hear(member(f"P{number % 8 + 1}", key=number % 8 + 1), f"line {number}")
    lobby.press(Stroke.TAB, Stroke.PAGE_UP, Stroke.PAGE_UP)
    before = [line for line in lobby.screen().split("\n") if ": line " in line]
    lobby.hear(member("P1", key=1), "one more")
    assert [line for line in lobby.screen().split("\n") if ": line " in line] == before
    lobby.press(Typed("G"))
    assert "one more" in lobby.screen()
