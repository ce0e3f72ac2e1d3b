"""The front door of the full screen's logic: a state and what happened make the next state, and errands to run.

Pure. `reduce` takes one input, `reduce_all` many: changes of the lobby that follow each other are taken in
together there, which costs less, and shows the same list. `next_change` tells when time alone changes what is
shown.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

from adsum.client import Back, Event, Joined, Left, Snapshotted, Suspect, Updated
from adsum.console import news
from adsum.console.errands import Errand
from adsum.console.inputs import (
    Facts,
    Input,
    Moment,
    Pasted,
    Relisted,
    Resized,
    SelectEnded,
    SendEnded,
    Stroke,
    TimePassed,
    Typed,
    UpdateFailed,
)
from adsum.console.keys import press
from adsum.console.layout import Pane
from adsum.console.panes.help import help_top
from adsum.console.panes.messages import talk_height
from adsum.console.state import SPINNER_SECONDS, HelpPage, State, is_waiting, seconds_to_retry, settle


def reduce(state: State, happened: Event | Input, moment: Moment) -> tuple[State, tuple[Errand, ...]]:
    """Take in one thing that has happened."""
    return reduce_all(state, (happened,), moment)


def reduce_all(
    state: State, happened: Iterable[Event | Input], moment: Moment
) -> tuple[State, tuple[Errand, ...]]:
    """Take in what has happened, in its order."""
    errands: list[Errand] = []
    for are_changes, inputs in groupby(happened, key=_is_change):
        if are_changes:
            changes = [change for change in inputs if isinstance(change, Change)]
            state = settle(news.take_in_changes(state, changes, moment), state)
            continue
        for each in inputs:
            before = state
            state, more = _step(state, each, moment)
            state = _within_bounds(settle(state, before))
            errands += more
    return state, tuple(errands)


def next_change(state: State, now: float) -> float | None:
    """Tell when what is shown changes though nothing happens; None for never."""
    moments = []
    if (end := state.rows.next_end) is not None:
        moments.append(end)
    if state.hint is not None:
        moments.append(state.hint.until)
    retry_at, seconds = state.connection.retry_at, seconds_to_retry(state, now)
    if retry_at is not None and seconds:
        moments.append(retry_at - (seconds - 1))
    if is_waiting(state):
        moments.append((int(now / SPINNER_SECONDS) + 1) * SPINNER_SECONDS)
    return min(moments, default=None)


Change = Snapshotted | Joined | Updated | Suspect | Back | Left


def _within_bounds(state: State) -> State:
    """Scroll nothing further than there is something to see."""
    layout = state.layout
    if isinstance(state.prompt, HelpPage) and state.prompt.top:
        body = layout.body
        top = help_top(state, body.width - 1, state.prompt.top, body.height)
        if top != state.prompt.top:
            state = replace(state, prompt=HelpPage(top))
    if state.talk_scroll:
        inner = layout.inner(Pane.MESSAGES)
        most = max(0, talk_height(state, inner.width) - max(1, inner.height - 1))
        if state.talk_scroll > most:
            state = replace(state, talk_scroll=most)
    if state.feed_scroll:
        most = max(0, len(state.feed) - layout.inner(Pane.EVENTS).height)
        if state.feed_scroll > most:
            state = replace(state, feed_scroll=most)
    return state


def _is_change(happened: Event | Input) -> bool:
    return isinstance(happened, Change)


def _step(state: State, happened: Event | Input, moment: Moment) -> tuple[State, tuple[Errand, ...]]:
    match happened:
        case Stroke() | Typed() | Pasted():
            return press(state, happened, moment)
        case Resized(size):
            return (state if size == state.size else replace(state, size=size)), ()
        case Facts():
            return news.learn_facts(state, happened), ()
        case Relisted():
            return news.relist(state, happened), ()
        case SelectEnded():
            return news.select_ended(state, happened, moment), ()
        case SendEnded():
            return news.send_ended(state, happened, moment)
        case UpdateFailed():
            return news.update_failed(state, happened, moment), ()
        case TimePassed():
            return news.pass_time(state, moment.seconds), ()
        case _:
            return news.take_in_event(state, happened, moment)
