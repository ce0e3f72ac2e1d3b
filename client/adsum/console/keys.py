"""What each key does. Pure.

What takes the keys, from the top: leaving, the help, what is being typed above the footer, and then the pane
in use. In the conversation every character is text, so its commands are control keys; Escape always leads one
step back.
"""

from dataclasses import replace
from typing import assert_never

from adsum.client import Status
from adsum.console.cursor import move_cursor, next_match
from adsum.console.editor import Editor, edit, editing
from adsum.console.errands import (
    Errand,
    Interrupt,
    Leave,
    Repaint,
    Suspend,
    Update,
)
from adsum.console.inputs import Key, Moment, Stroke, Typed
from adsum.console.layout import Pane
from adsum.console.state import (
    FilterPrompt,
    HelpPage,
    Leaving,
    Prompt,
    State,
    StatusPrompt,
    list_height,
)
from adsum.console.writing import choose, leave, say, send_again, unselect

Errands = tuple[Errand, ...]
STATUS_ORDER = (Status.AVAILABLE, Status.AWAY, Status.BUSY)
SCROLL_PAGE = 5
"""How many lines PgUp and PgDn scroll a conversation, the feed or the help."""


def press(state: State, key: Key, moment: Moment) -> tuple[State, Errands]:
    """Do what a key does."""
    match key:
        case Stroke.INTERRUPT | Stroke.HANG_UP:
            return state, (Interrupt(),)
        case Stroke.REPAINT:
            return state, (Repaint(),)
        case Stroke.SUSPEND:
            return state, (Suspend(),)
        case _:
            pass
    if state.leaving is not Leaving.NO:
        return _leave_at_once(state, key)
    match state.prompt:
        case HelpPage(top):
            return _press_in_help(state, top, key), ()
        case FilterPrompt(editor):
            return _press_in_filter(state, editor, key), ()
        case StatusPrompt(status, editor):
            return _press_in_status(state, status, editor, key)
        case None:
            pass
        case _:
            assert_never(state.prompt)
    if not state.has_list:
        return _press_while_connecting(state, key)
    match state.focus:
        case Pane.MESSAGES:
            return _press_in_messages(state, key, moment)
        case Pane.EVENTS:
            return _press_in_events(state, key, moment)
        case Pane.LOBBY | Pane.SELECTION:
            return _press_in_lobby(state, key, moment)
        case _:
            assert_never(state.focus)


def _leave_at_once(state: State, key: Key) -> tuple[State, Errands]:
    if key == Typed("q") and state.leaving is Leaving.AFTER_SENDING:
        return replace(state, leaving=Leaving.NOW), (Leave(),)
    return state, ()


def _press_while_connecting(state: State, key: Key) -> tuple[State, Errands]:
    match key:
        case Typed("q"):
            return replace(state, leaving=Leaving.NOW), (Leave(),)
        case Typed("?"):
            return replace(state, prompt=HelpPage()), ()
        case _:
            return state, ()


def _press_in_help(state: State, top: int, key: Key) -> State:
    step = _scroll_step(key)
    if step is not None:
        return replace(state, prompt=HelpPage(max(0, top - step)))
    match key:
        case Stroke.ESCAPE | Stroke.ENTER | Typed("?" | "q"):
            return replace(state, prompt=None)
        case _:
            return state


def _press_in_filter(state: State, editor: Editor, key: Key) -> State:
    match key:
        case Stroke.ENTER:
            return replace(state, prompt=None)
        case Stroke.ESCAPE:
            return replace(state, prompt=None, wanted="")
        case Stroke.UP:
            return move_cursor(state, -1)
        case Stroke.DOWN:
            return move_cursor(state, +1)
        case _:
            pass
    edited = edit(editor, key)
    return state if edited is None else replace(state, prompt=FilterPrompt(edited), wanted=edited.text)


def _press_in_status(state: State, status: Status, editor: Editor, key: Key) -> tuple[State, Errands]:
    match key:
        case Stroke.ENTER:
            return replace(state, prompt=None), (Update(status, editor.text.strip()),)
        case Stroke.ESCAPE:
            return replace(state, prompt=None), ()
        case Stroke.TAB | Stroke.DOWN:
            return replace(state, prompt=StatusPrompt(_next_status(status, +1), editor)), ()
        case Stroke.BACK_TAB | Stroke.UP:
            return replace(state, prompt=StatusPrompt(_next_status(status, -1), editor)), ()
        case _:
            pass
    edited = edit(editor, key)
    return (state if edited is None else replace(state, prompt=StatusPrompt(status, edited))), ()


def _press_in_lobby(state: State, key: Key, moment: Moment) -> tuple[State, Errands]:
    match key:
        case Stroke.UP | Typed("k"):
            return move_cursor(state, -1), ()
        case Stroke.DOWN | Typed("j"):
            return move_cursor(state, +1), ()
        case Stroke.PAGE_UP:
            return move_cursor(state, -max(1, list_height(state.layout) - 1)), ()
        case Stroke.PAGE_DOWN:
            return move_cursor(state, max(1, list_height(state.layout) - 1)), ()
        case Stroke.HOME | Typed("g"):
            return move_cursor(state, -len(state.shown)), ()
        case Stroke.END | Typed("G"):
            return move_cursor(state, len(state.shown)), ()
        case Typed("n"):
            return next_match(state, +1), ()
        case Typed("N"):
            return next_match(state, -1), ()
        case Stroke.ENTER:
            return choose(state, moment)
        case Stroke.ESCAPE if state.wanted:
            return replace(state, wanted=""), ()
        case Stroke.ESCAPE:
            return replace(state, notice=None, hint=None), ()
        case _:
            return _press_anywhere(state, key, moment)


def _press_in_events(state: State, key: Key, moment: Moment) -> tuple[State, Errands]:
    step = _scroll_step(key)
    if step is not None:
        scroll = max(0, min(state.feed_scroll + step, len(state.feed) - 1))
        return replace(state, feed_scroll=scroll), ()
    if key is Stroke.ESCAPE:
        return replace(state, focus=Pane.LOBBY, feed_scroll=0), ()
    return _press_anywhere(state, key, moment)


def _press_in_messages(state: State, key: Key, moment: Moment) -> tuple[State, Errands]:
    match key:
        case Stroke.ESCAPE:
            return replace(state, focus=Pane.LOBBY, talk_scroll=0, hint=None), ()
        case Stroke.TAB | Stroke.BACK_TAB:
            return _turn(state, -1 if key is Stroke.BACK_TAB else +1), ()
        case Stroke.ENTER:
            return say(state, moment)
        case Stroke.RESEND:
            return send_again(state, moment)
        case Stroke.UP | Stroke.DOWN | Stroke.PAGE_UP | Stroke.PAGE_DOWN:
            return replace(state, talk_scroll=max(0, state.talk_scroll + (_scroll_step(key) or 0))), ()
        case _:
            pass
    edited = edit(state.talk.draft, key)
    if edited is None or state.choice is None:
        return state, ()
    talk = replace(state.talk, draft=edited)
    return replace(state.with_talk(state.choice.public_key, talk), talk_scroll=0), ()


def _press_anywhere(state: State, key: Key, moment: Moment) -> tuple[State, Errands]:
    """Do what works in every pane in which nothing is typed."""
    match key:
        case Typed("/"):
            return replace(state, prompt=FilterPrompt(editing(state.wanted)), focus=Pane.LOBBY), ()
        case Typed("s"):
            return replace(state, prompt=_status_prompt(state)), ()
        case Typed("?"):
            return replace(state, prompt=HelpPage()), ()
        case Typed("r") | Stroke.RESEND:
            return send_again(state, moment)
        case Typed("x"):
            return unselect(state)
        case Typed("q"):
            return leave(state, moment)
        case Stroke.TAB:
            return _turn(state, +1), ()
        case Stroke.BACK_TAB:
            return _turn(state, -1), ()
        case _:
            return state, ()


def _scroll_step(key: Key) -> int | None:
    """Tell how far back a key scrolls what grows at its end; None if it doesn't scroll."""
    match key:
        case Stroke.UP | Typed("k"):
            return 1
        case Stroke.DOWN | Typed("j"):
            return -1
        case Stroke.PAGE_UP:
            return SCROLL_PAGE
        case Stroke.PAGE_DOWN:
            return -SCROLL_PAGE
        case Stroke.HOME | Typed("g"):
            return 1_000_000
        case Stroke.END | Typed("G"):
            return -1_000_000
        case _:
            return None


def _turn(state: State, direction: int) -> State:
    """Go to the next pane. Without a conversation there is none to go to."""
    panes = [Pane.LOBBY, Pane.MESSAGES, Pane.EVENTS] if state.choice else [Pane.LOBBY, Pane.EVENTS]
    index = panes.index(state.focus) if state.focus in panes else 0
    return replace(state, focus=panes[(index + direction) % len(panes)], feed_scroll=0, talk_scroll=0)


def _status_prompt(state: State) -> Prompt | None:
    me = state.myself
    if me is None:
        return None
    return StatusPrompt(me.profile.status, editing(me.profile.status_text))


def _next_status(status: Status, step: int) -> Status:
    return STATUS_ORDER[(STATUS_ORDER.index(status) + step) % len(STATUS_ORDER)]
