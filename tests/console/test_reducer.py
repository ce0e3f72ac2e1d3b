"""Whatever happens, in whatever order: the state keeps its word."""

from hypothesis import given, settings
from hypothesis import strategies as st

from adsum.client import Event, Liveness, SelectionState
from adsum.console.choice import Standing, Truth
from adsum.console.errands import Errand, Send
from adsum.console.inputs import Input, Size
from adsum.console.reducer import next_change, reduce, reduce_all
from adsum.console.state import cursor_index
from tests.console.happenings import CHANGES, SIZES, STEPS
from tests.console.people import member
from tests.console.performance import Performance

ADA, BOB = member("Ada", key=1), member("Bob", key=2)


def check(lobby: Performance) -> None:
    state = lobby.state
    # The cursor is on somebody who is present and shown, or on nobody.
    if state.cursor is not None:
        assert state.rows.present(state.cursor) is not None
        assert cursor_index(state) is not None
    else:
        assert not any(state.rows.present(key) for _, key in state.shown)
    # Nobody is called online who isn't, by the server's word and by the list.
    verdict, choice = state.verdict, state.choice
    if verdict is not None and verdict.truth is Truth.CONFIRMED:
        assert choice is not None
        assert (choice.standing, choice.state) == (Standing.HELD, SelectionState.AVAILABLE)
        present = state.rows.present(choice.public_key)
        assert present is not None
        assert present.liveness is Liveness.ONLINE
        assert state.connection.is_live
    if choice is not None and state.rows.present(choice.public_key) is None:
        assert "online" not in lobby.panel()


@settings(max_examples=120, deadline=None)
@given(SIZES, STEPS)
def test_state_keeps_its_word_and_any_screen_can_be_drawn(
    size: Size, steps: list[tuple[Event | Input, float]]
) -> None:
    lobby = Performance(ADA, BOB)
    for happened, pause in steps:
        lobby.wait(pause)
        errands = len(lobby.errands)
        may_send = lobby.state.may_send
        lobby.happen(happened)
        check(lobby)
        assert may_send or not any(isinstance(errand, Send) for errand in lobby.errands[errands:])
        due = next_change(lobby.state, lobby.moment.seconds)
        assert due is None or due - lobby.moment.seconds < 1e6
    for drawn in (size, lobby.state.size):
        lines = lobby.screen(drawn.columns, drawn.rows).split("\n")
        assert len(lines) == drawn.rows


@settings(max_examples=60, deadline=None)
@given(st.lists(CHANGES, max_size=20))
def test_many_changes_at_once_show_the_same_as_one_by_one(changes: list[Event]) -> None:
    start = Performance(ADA, BOB)
    start.select(BOB)
    together, errands = reduce_all(start.state, changes, start.moment)
    alone, errands_alone = start.state, tuple[Errand, ...]()
    for change in changes:
        alone, more = reduce(alone, change, start.moment)
        errands_alone += more
    assert errands == errands_alone
    assert together.rows.by_key == alone.rows.by_key
    assert list(together.shown) == list(alone.shown)
    assert (together.feed, together.choice) == (alone.feed, alone.choice)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_what_was_read_never_changes(steps: list[tuple[Event | Input, float]]) -> None:
    lobby = Performance(ADA, BOB)
    lobby.select(ADA)
    kept, before = lobby.state, lobby.screen()
    moment = lobby.moment
    for happened, _ in steps:
        lobby.happen(happened)
    lobby.state, lobby.moment = kept, moment
    assert lobby.screen() == before
