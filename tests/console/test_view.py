"""What the screen looks like in named situations, as the text files in `screens`.

After a change that is meant, they are written again with: WRITE_SCREENS=1 make test ARGS="-k test_view"
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adsum.client import (
    Back,
    ConnectionState,
    DepartureReason,
    Joined,
    Liveness,
    Phase,
    SelectionReason,
    SelectionState,
    SnapshotProgress,
    Status,
    Suspect,
    Updated,
)
from adsum.client.events import StateChanged
from adsum.console.inputs import Facts, Outcome, Size, Stroke, TimePassed, Typed
from adsum.console.view import render
from tests.console.people import NASTY_NAMES, member
from tests.console.performance import LIVE, ME, Performance, selection_changed

SCREENS = Path(__file__).parent / "screens"
WRITES = bool(os.environ.get("WRITE_SCREENS"))
MYSELF = member("Ann", key=ME)
ADA = member("Ada Lovelace", key=1, status_text="ask me anything")
TWIN = member("ada lovelace", key=2, status=Status.AWAY)
BOB = member("Bob", key=3, status=Status.BUSY, status_text="🎧 writing", session_count=2)
KANJI = member("漢字かな", key=4)
LOST = member("Eve", key=5)
PEOPLE = (MYSELF, ADA, TWIN, BOB, KANJI, LOST)
SITUATIONS: dict[str, Callable[[], Performance]] = {}


def situation(make: Callable[[], Performance]) -> Callable[[], Performance]:
    SITUATIONS[make.__name__] = make
    return make


def in_lobby(columns: int = 80, rows: int = 24) -> Performance:
    return Performance(*PEOPLE, columns=columns, rows=rows)


@situation
def connecting() -> Performance:
    play = Performance()
    play.happen(Facts(ConnectionState(Phase.CONNECTING, "connection refused")))
    return play


@situation
def reading_a_large_list() -> Performance:
    play = Performance()
    play.happen(Facts(ConnectionState(Phase.CONNECTING), progress=SnapshotProgress(7, 20, 3500, 10_000)))
    return play


@situation
def lively_lobby() -> Performance:
    play = in_lobby(100, 30)
    play.go_to(BOB)
    play.happen(
        Joined(member("Carl", key=6)),
        Suspect(replace(LOST, liveness=Liveness.SUSPECT)),
        Updated(replace(ADA, profile=replace(ADA.profile, status=Status.AWAY)), ADA),
    )
    play.depart(KANJI)
    play.hear(TWIN, "are you the other one?")
    return play


@situation
def conversation() -> Performance:
    play = in_lobby(120, 34)
    play.select(ADA)
    for text, outcome, words in (
        ("hello", Outcome.DELIVERED, "in 12 ms"),
        ("are you there?", Outcome.UNDELIVERED, "recipient went offline"),
        (
            "I wonder whether a somewhat longer message is broken well",
            Outcome.UNCONFIRMED,
            "it may not have been read",
        ),
        ("and now?", Outcome.SENDING, ""),
    ):
        play.type(text)
        play.press(Stroke.ENTER)
        if outcome is not Outcome.SENDING:
            play.answer_sends(outcome, words)
    play.hear(ADA, "yes, I am: 漢字 👩\u200d👩\u200d👧")
    play.hear(BOB, "psst")
    play.type("good, then")
    return play


@situation
def selected_lost_the_connection() -> Performance:
    play = in_lobby()
    play.select(ADA)
    play.type("lunch?")
    suspect = replace(ADA, liveness=Liveness.SUSPECT)
    play.happen(
        Suspect(suspect),
        selection_changed(suspect, state=SelectionState.UNAVAILABLE, reason=SelectionReason.SUSPECT),
    )
    return play


@situation
def selected_left() -> Performance:
    play = in_lobby()
    play.select(ADA)
    play.type("lunch?")
    play.wait(31)
    play.depart(ADA)
    play.wait(5)
    play.happen(TimePassed())
    return play


@situation
def selected_is_back() -> Performance:
    play = selected_left()
    play.happen(Joined(ADA))
    return play


@situation
def text_is_not_sent() -> Performance:
    play = selected_left()
    play.press(Stroke.ENTER)
    return play


@situation
def reconnecting() -> Performance:
    play = in_lobby()
    play.select(BOB)
    lost = ConnectionState(Phase.RECONNECTING, "connection reset", play.moment.seconds + 3, 3.0)
    play.happen(
        StateChanged(lost, LIVE),
        selection_changed(BOB, state=SelectionState.UNAVAILABLE, reason=SelectionReason.NOT_CONNECTED),
    )
    return play


@situation
def list_may_be_old() -> Performance:
    play = in_lobby()
    play.happen(Facts(ConnectionState(Phase.STALE, "the server is silent"), 812))
    return play


@situation
def hostile_names() -> Performance:
    people = [member(name, key=10 + number, status_text=name) for number, name in enumerate(NASTY_NAMES)]
    play = Performance(MYSELF, *people, columns=100, rows=34)
    play.select(people[0])
    play.hear(people[0], "\x1b[2J\x1b[31mbang\x1b]0;title\x07")
    play.press(Stroke.ESCAPE)
    return play


@situation
def crowd() -> Performance:
    play = in_lobby(80, 20)
    for number in range(37):
        play.happen(Joined(member(f"Guest {number}", key=100 + number)))
    for number in range(12):
        play.happen(Back(member(f"Guest {number}", key=100 + number)))
    play.depart(BOB, DepartureReason.LOST)
    return play


@situation
def small_lobby() -> Performance:
    return in_lobby(40, 10)


@situation
def small_conversation() -> Performance:
    play = in_lobby(40, 10)
    play.select(ADA)
    play.type("a text that is longer than the line is wide")
    return play


@situation
def small_farewell() -> Performance:
    play = small_conversation()
    play.depart(ADA)
    return play


@situation
def help_page() -> Performance:
    play = in_lobby()
    play.press(Typed("?"))
    return play


@situation
def filtering() -> Performance:
    play = in_lobby()
    play.type("/ada")
    return play


@situation
def own_status() -> Performance:
    play = in_lobby()
    play.type("s")
    play.press(Stroke.TAB)
    play.type("at lunch")
    return play


@situation
def nobody_fits() -> Performance:
    play = in_lobby(80, 16)
    play.type("/zzz")
    return play


@situation
def thousand_on_a_large_screen() -> Performance:
    people = [member(f"Person {number:04}", key=number) for number in range(1, 1001)]
    play = Performance(MYSELF, *people, columns=250, rows=80)
    play.press(*[Stroke.PAGE_DOWN] * 7)
    play.press(Stroke.ENTER)
    return play


@pytest.mark.parametrize("name", SITUATIONS)
def test_screen_is_as_it_was_approved(name: str) -> None:
    shown = SITUATIONS[name]().screen() + "\n"
    path = SCREENS / f"{name}.txt"
    if WRITES:
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8"), f"{name}: if that is meant, write the screens again"


def test_no_screen_is_left_over() -> None:
    assert {path.stem for path in SCREENS.iterdir()} == set(SITUATIONS)


@pytest.mark.parametrize("name", SITUATIONS)
@pytest.mark.parametrize(
    "size", [Size(1, 1), Size(20, 5), Size(40, 10), Size(81, 25), Size(250, 80)], ids=str
)
def test_situation_can_be_drawn_at_any_size(name: str, size: Size) -> None:
    play = SITUATIONS[name]()
    frame = render(play.state, size, play.moment)
    assert len(frame.strips) == size.rows


def test_signs_say_without_colour_what_colours_say() -> None:
    play = lively_lobby()
    suspect, leaving = play.line_with("Eve  "), play.line_with("漢字かな  ")
    assert "? reconnecting…" in suspect
    assert "○ left" in leaving
    assert play.line_with("Bob  ").startswith("│▌") or play.line_with("Bob  ").startswith("┃▌")
