"""What keys do in the lobby, and everywhere."""

import pytest

from adsum.client import Joined, Status
from adsum.console.errands import Interrupt, Leave, Repaint, Select, Send, Suspend, Update
from adsum.console.inputs import Key, Outcome, Pasted, Size, Stroke, Typed
from adsum.console.keys_now import keys_now
from adsum.console.layout import Pane
from adsum.console.state import HelpPage
from tests.console.people import member
from tests.console.performance import ME, Performance

PEOPLE = [member(f"P{number:02}", key=number) for number in range(1, 41)]
MYSELF = member("Me", key=ME)


@pytest.fixture
def lobby() -> Performance:
    """Stand in a lobby of forty, on the first."""
    return Performance(*PEOPLE)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ((Stroke.DOWN,), "P02"),
        ((Typed("j"), Typed("j"), Typed("k")), "P02"),
        ((Stroke.UP,), "P01"),
        ((Typed("G"),), "P40"),
        ((Typed("G"), Stroke.DOWN), "P40"),
        ((Stroke.END, Typed("g")), "P01"),
        ((Stroke.PAGE_DOWN, Stroke.PAGE_UP), "P01"),
    ],
)
def test_cursor_moves(lobby: Performance, keys: tuple[Key, ...], expected: str) -> None:
    lobby.press(*keys)
    assert lobby.cursor_name == expected


def test_page_keeps_one_row_in_sight(lobby: Performance) -> None:
    last_seen = [line for line in lobby.screen().split("\n") if " P" in line][-1]
    lobby.press(Stroke.PAGE_DOWN)
    assert lobby.cursor_name is not None
    assert lobby.cursor_name in last_seen


def test_cursor_steps_over_who_is_just_leaving(lobby: Performance) -> None:
    lobby.depart(PEOPLE[1])
    lobby.press(Stroke.DOWN)
    assert lobby.cursor_name == "P03"


def test_filter_shows_only_who_fits_and_escape_ends_it(lobby: Performance) -> None:
    lobby.type("/p1")
    assert lobby.state.has_prompt_row
    lobby.press(Stroke.ENTER)
    assert [lobby.state.rows.by_key[key].member.name for _, key in lobby.state.shown] == [
        f"P{number}" for number in range(10, 20)
    ]
    assert lobby.cursor_name == "P10"
    lobby.press(Stroke.ESCAPE)
    assert len(lobby.state.shown) == 40
    assert lobby.cursor_name == "P10"


def test_next_match_goes_round_and_round(lobby: Performance) -> None:
    lobby.type("/p3")
    lobby.press(Stroke.ENTER)
    lobby.type("N")
    assert lobby.cursor_name == "P39"
    lobby.type("n")
    assert lobby.cursor_name == "P30"


def test_next_without_a_filter_is_the_next_who_wrote(lobby: Performance) -> None:
    lobby.hear(PEOPLE[7], "hello")
    lobby.hear(PEOPLE[3], "hello")
    lobby.type("n")
    assert lobby.cursor_name == "P04"
    lobby.type("n")
    assert lobby.cursor_name == "P08"


def test_enter_selects_and_leads_to_writing(lobby: Performance) -> None:
    lobby.press(Stroke.DOWN, Stroke.ENTER)
    assert lobby.errands == [Select(PEOPLE[1].public_key)]
    assert lobby.state.focus is Pane.MESSAGES


def test_enter_on_who_is_selected_already_only_leads_there(lobby: Performance) -> None:
    lobby.select(PEOPLE[1])
    lobby.press(Stroke.ESCAPE, Stroke.ENTER)
    assert lobby.errands == [Select(PEOPLE[1].public_key)]
    assert lobby.state.focus is Pane.MESSAGES


def test_enter_on_oneself_selects_nobody() -> None:
    lobby = Performance(MYSELF)
    lobby.press(Stroke.ENTER)
    assert lobby.errands == []
    assert "that is you" in lobby.screen()


def test_enter_does_not_select_who_slid_under_the_cursor(lobby: Performance) -> None:
    lobby.depart(PEOPLE[0])
    assert lobby.cursor_name == "P02"
    lobby.press(Stroke.ENTER)
    assert lobby.errands == []
    assert "has just gone: Enter again for P02" in lobby.screen()
    lobby.press(Stroke.ENTER)
    assert lobby.errands == [Select(PEOPLE[1].public_key)]


def test_tab_goes_round_the_panes(lobby: Performance) -> None:
    lobby.press(Stroke.TAB)
    assert lobby.state.focus is Pane.EVENTS
    lobby.press(Stroke.TAB)
    assert lobby.state.focus is Pane.LOBBY
    lobby.select(PEOPLE[0])
    lobby.press(Stroke.TAB)
    assert lobby.state.focus is Pane.EVENTS
    lobby.press(Stroke.BACK_TAB, Stroke.BACK_TAB)
    assert lobby.state.focus is Pane.LOBBY


def test_letters_are_text_where_one_writes(lobby: Performance) -> None:
    lobby.select(PEOPLE[0])
    lobby.type("quit? jk/ngG")
    assert lobby.state.talk.draft.text == "quit? jk/ngG"
    assert lobby.errands == [Select(PEOPLE[0].public_key)]


def test_paste_is_never_a_command(lobby: Performance) -> None:
    lobby.press(Pasted("q"), Pasted("/x"))
    assert lobby.errands == []
    assert not lobby.state.has_prompt_row


def test_status_is_chosen_and_its_text_typed() -> None:
    lobby = Performance(member("Me", key=ME, status_text="old"))
    lobby.type("s")
    lobby.press(Stroke.TAB, Stroke.ERASE_LINE)
    lobby.type("at lunch")
    assert "[away]" in lobby.screen()
    lobby.press(Stroke.ENTER)
    assert lobby.errands == [Update(Status.AWAY, "at lunch")]


def test_escape_leaves_the_status_as_it_was() -> None:
    lobby = Performance(MYSELF)
    lobby.type("s")
    lobby.press(Stroke.DOWN, Stroke.ESCAPE)
    assert lobby.errands == []
    assert lobby.state.prompt is None


def test_help_opens_scrolls_and_closes(lobby: Performance) -> None:
    lobby.type("?")
    assert "select the person and write to them" in lobby.screen()
    lobby.type("G")
    assert "adsum join team --server localhost:7557" in lobby.screen()
    lobby.press(Stroke.UP)
    assert isinstance(lobby.state.prompt, HelpPage)
    lobby.type("q")
    assert lobby.state.prompt is None
    assert lobby.errands == []


@pytest.mark.parametrize(
    ("key", "errand"),
    [
        (Typed("q"), Leave()),
        (Stroke.INTERRUPT, Interrupt()),
        (Stroke.HANG_UP, Interrupt()),
        (Stroke.REPAINT, Repaint()),
        (Stroke.SUSPEND, Suspend()),
    ],
)
def test_key_has_its_errand(lobby: Performance, key: Key, errand: object) -> None:
    lobby.press(key)
    assert lobby.errands == [errand]


def test_leaving_waits_for_messages_unless_asked_again(lobby: Performance) -> None:
    lobby.select(PEOPLE[0])
    lobby.type("bye")
    lobby.press(Stroke.ENTER, Stroke.ESCAPE, Typed("q"))
    assert isinstance(lobby.errands[-1], Send)
    assert "leaving when all is delivered" in lobby.screen()
    lobby.answer_sends(Outcome.DELIVERED)
    assert lobby.errands[-1] == Leave()


def test_second_q_leaves_at_once(lobby: Performance) -> None:
    lobby.select(PEOPLE[0])
    lobby.type("bye")
    lobby.press(Stroke.ENTER, Stroke.ESCAPE, Typed("q"), Typed("q"))
    assert lobby.errands[-1] == Leave()


def test_one_may_leave_before_the_list_has_come() -> None:
    waiting = Performance()
    waiting.press(Stroke.ENTER, Typed("j"), Typed("q"))
    assert waiting.errands == [Leave()]


def test_footer_tells_only_keys_that_work_now(lobby: Performance) -> None:
    def told() -> dict[str, str]:
        return dict(keys_now(lobby.state))

    assert told()["Enter"] == "write"
    assert "r" not in told()
    lobby.select(PEOPLE[0])
    assert "Enter" not in told()
    lobby.type("hi")
    assert told()["Enter"] == "send"
    lobby.press(Stroke.ENTER)
    lobby.answer_sends(Outcome.UNDELIVERED, "recipient went offline")
    assert told()["Ctrl-R"] == "send again"
    lobby.depart(PEOPLE[0])
    assert "Enter" not in told()
    lobby.happen(Joined(PEOPLE[0]))
    assert told()["Enter"] == "select again"
    lobby.press(Stroke.ESCAPE)
    lobby.type("/nobody")
    assert told()["Esc"] == "clear"
    lobby.press(Stroke.ENTER)
    assert "Enter" not in told()


def test_small_screen_moves_through_everybody() -> None:
    lobby = Performance(*PEOPLE, columns=40, rows=10)
    seen = {lobby.cursor_name}
    for _ in PEOPLE:
        lobby.press(Stroke.DOWN)
        assert lobby.cursor_name is not None
        assert lobby.cursor_name in lobby.screen()
        seen.add(lobby.cursor_name)
    assert len(seen) == 40
    assert lobby.state.size == Size(40, 10)
