"""Which keys work now, and what they do: what the footer shows. Pure."""

from typing import assert_never

from adsum.console.choice import Truth
from adsum.console.layout import Pane
from adsum.console.state import FilterPrompt, HelpPage, Leaving, State, StatusPrompt


def keys_now(state: State) -> list[tuple[str, str]]:
    """Tell which keys work now and what they do, the most useful first."""
    if state.leaving is not Leaving.NO:
        return [("q", "leave at once")] if state.leaving is Leaving.AFTER_SENDING else []
    match state.prompt:
        case HelpPage():
            return [("Esc", "close"), ("↑↓", "scroll")]
        case FilterPrompt():
            return [("Enter", "keep"), ("Esc", "clear"), ("↑↓", "move")]
        case StatusPrompt():
            return [("Enter", "save"), ("Esc", "cancel"), ("↑↓", "status")]
        case None:
            pass
        case _:
            assert_never(state.prompt)
    if not state.has_list:
        return [("q", "leave"), ("?", "help")]
    match state.focus:
        case Pane.MESSAGES:
            return _keys_in_messages(state)
        case Pane.EVENTS:
            return [("↑↓", "scroll"), ("Tab", "pane"), ("Esc", "lobby"), *_keys_anywhere(state)]
        case Pane.LOBBY | Pane.SELECTION:
            return _keys_in_lobby(state)
        case _:
            assert_never(state.focus)


def _keys_in_lobby(state: State) -> list[tuple[str, str]]:
    keys = []
    if state.cursor is not None:
        keys += [("Enter", "write"), ("↑↓", "move")]
    if state.wanted:
        keys += [("Esc", "clear filter"), ("n/N", "next match")]
    elif state.notice is not None:
        keys.append(("Esc", "dismiss"))
    elif any(talk.unread for talk in state.talks.values()):
        keys.append(("n/N", "next unread"))
    return [*keys, *_keys_anywhere(state), ("Tab", "pane")]


def _keys_in_messages(state: State) -> list[tuple[str, str]]:
    verdict = state.verdict
    keys = []
    if verdict is not None and verdict.truth is Truth.RETURNED:
        keys.append(("Enter", "select again"))
    elif state.may_send and state.talk.draft.text.strip():
        keys.append(("Enter", "send"))
    keys.append(("Esc", "lobby"))
    if state.may_send and state.talk.resendable is not None:
        keys.append(("Ctrl-R", "send again"))
    return [*keys, ("↑↓", "scroll"), ("Tab", "pane"), ("Ctrl-C", "leave")]


def _keys_anywhere(state: State) -> list[tuple[str, str]]:
    keys = [("q", "leave"), ("?", "help"), ("/", "filter"), ("s", "status")]
    if state.choice is not None:
        if state.may_send and state.talk.resendable is not None:
            keys.append(("r", "send again"))
        keys.append(("x", "unselect"))
    return keys
