"""What events of the library, and the ends of errands, make of the state. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from adsum.client import (
    Back,
    Event,
    Joined,
    Left,
    MembershipEvent,
    MessageReceived,
    Overflowed,
    Phase,
    Repaired,
    RequestRefused,
    SelectionChanged,
    SelectionReason,
    SelectionState,
    Snapshotted,
    StateChanged,
    Suspect,
    Updated,
)
from adsum.console.choice import Choice, Standing, Truth, after_event
from adsum.console.errands import Errand, Leave, Ring
from adsum.console.feed import with_change, with_line
from adsum.console.inputs import (
    Facts,
    Moment,
    Outcome,
    Relisted,
    SelectEnded,
    SendEnded,
    UpdateFailed,
)
from adsum.console.layout import Pane
from adsum.console.rows import Mark
from adsum.console.state import Leaving, State
from adsum.console.talk import Message, Talk
from adsum.console.text import Line, Span, Tone, line, words
from adsum.console.wording import event_line, is_worth_a_line, member_spans, selection_line

Errands = tuple[Errand, ...]
_ENDED = (SelectionReason.LEFT, SelectionReason.LOST, SelectionReason.REMOVED, SelectionReason.SESSION_LOST)


def take_in_changes(state: State, events: Sequence[Snapshotted | MembershipEvent], moment: Moment) -> State:
    """Let the rows and the feed follow changes of the lobby, in their order."""
    feed = state.feed
    for event in events:
        if isinstance(event, Snapshotted):
            feed = with_line(feed, event_line(event), moment)
        else:
            feed = with_change(feed, event, _mark(event), moment)
    rows = state.rows.after(events, moment)
    choice = state.choice
    if choice is not None:
        row = rows.get(choice.public_key)
        if row is not None and row.member is not choice.member:
            choice = replace(choice, member=row.member)
    has_list = state.has_list or any(isinstance(event, Snapshotted) for event in events)
    return replace(state, rows=rows, feed=feed, choice=choice, has_list=has_list)


def take_in_event(state: State, event: Event, moment: Moment) -> tuple[State, Errands]:
    """Take in any other event."""
    match event:
        case SelectionChanged():
            return _selection_changed(state, event, moment)
        case MessageReceived():
            return _message_received(state, event, moment), ()
        case StateChanged(after):
            state = replace(state, facts=replace(state.facts, connection=after))
            if is_worth_a_line(event) and after.phase is not Phase.CLOSED:
                state = _told(state, event_line(event), moment)
            return state, ()
        case RequestRefused(message=message):
            state = _told(state, event_line(event), moment)
            refused = line("#", "the server refused: ", message, tone=Tone.BAD)
            return state.hinting(refused, moment.seconds), ()
        case Repaired() | Overflowed():
            return _told(state, event_line(event), moment), ()
        case Snapshotted() | Joined() | Updated() | Suspect() | Back() | Left():
            return take_in_changes(state, (event,), moment), ()


def learn_facts(state: State, facts: Facts) -> State:
    """Note what the library says about itself."""
    return state if facts == state.facts else replace(state, facts=facts)


def relist(state: State, relisted: Relisted) -> State:
    """Replace the list, and ask the library again what it holds of the selection."""
    state = replace(state, rows=state.rows.relisted(relisted.members), has_list=True)
    choice = state.choice
    if choice is None or choice.standing is not Standing.HELD:
        return state
    held = relisted.selection
    if held is not None and held.public_key == choice.public_key:
        return replace(state, choice=replace(choice, state=held.state, reason=held.reason))
    # What ended it was among what has been dropped.
    lost = replace(
        choice, standing=Standing.CLEARED, state=SelectionState.CLEARED, reason=SelectionReason.NONE
    )
    return replace(state, choice=lost)


def select_ended(state: State, ended: SelectEnded, moment: Moment) -> State:
    """Note how the question to the server ended. What it said is told by an event, unless nothing was new."""
    choice = state.choice
    if choice is None or choice.public_key != ended.public_key or choice.standing is not Standing.ASKING:
        return state
    if ended.failure:
        failed = Choice(choice.member, Standing.FAILED, moment.local, failure=ended.failure)
        state = replace(state, choice=failed)
        shown = line(
            "@", *member_spans(choice.member), f" could not be selected: {ended.failure}", tone=Tone.BAD
        )
        return _told(state, shown, moment)
    held = ended.selection
    if held is None or held.public_key != ended.public_key:
        return state
    return replace(
        state,
        choice=Choice(
            choice.member,
            Standing.HELD,
            moment.local,
            held.state,
            held.reason,
            state.facts.revision,
        ),
    )


def send_ended(state: State, ended: SendEnded, moment: Moment) -> tuple[State, Errands]:
    """Note what became of a message."""
    talk = state.talks.get(ended.recipient)
    if talk is None:
        return state, ()
    state = state.with_talk(ended.recipient, talk.learning(ended.message_id, ended.outcome, ended.words))
    if ended.outcome is not Outcome.DELIVERED:
        row = state.rows.get(ended.recipient)
        member = row.member if row is not None else state.choice.member if state.choice else None
        who: tuple[str | Span, ...] = member_spans(member) if member is not None else ("somebody",)
        state = _told(state, line("<", "to ", *who, ": ", ended.words, tone=Tone.BAD), moment)
    if state.leaving is Leaving.AFTER_SENDING and not state.is_sending:
        return replace(state, leaving=Leaving.NOW), (Leave(),)
    return state, ()


def update_failed(state: State, failed: UpdateFailed, moment: Moment) -> State:
    """Tell the person that what they said of themselves was not taken."""
    return state.hinting(line("#", failed.words, tone=Tone.BAD), moment.seconds)


def pass_time(state: State, now: float) -> State:
    """Let go what is over."""
    rows = state.rows.faded(now)
    if rows is not state.rows:
        state = replace(state, rows=rows)
    if state.hint is not None and state.hint.until <= now:
        state = replace(state, hint=None)
    return state


def _selection_changed(state: State, event: SelectionChanged, moment: Moment) -> tuple[State, Errands]:
    before = state.choice
    choice = after_event(before, event, moment.local)
    if choice is before or choice is None:
        return state, ()
    state = replace(state, choice=choice)
    is_news = before is not None and (before.state, before.reason) != (choice.state, choice.reason)
    if is_news and state.connection.phase is not Phase.CLOSED:
        state = _told(state, selection_line(event, choice.member), moment)
    if choice.standing is Standing.CLEARED and choice.reason in _ENDED and state.leaving is Leaving.NO:
        return replace(state, notice=_farewell(state, choice)), (Ring(),)
    verdict = state.verdict
    if verdict is not None and verdict.truth is Truth.CONFIRMED:
        state = replace(state, notice=None)
    return state, ()


def _farewell(state: State, choice: Choice) -> Line:
    verdict = state.verdict
    how = verdict.words if verdict is not None else ""
    colon = ":" if choice.reason is SelectionReason.SESSION_LOST else ""
    kept = "; your text is kept" if state.talk.draft.text else ""
    return line("!", *member_spans(choice.member), f"{colon} {how}{kept}", tone=Tone.BAD)


def _message_received(state: State, event: MessageReceived, moment: Moment) -> State:
    key = event.sender_key
    talk = state.talks.get(key, Talk())
    text = words(event.payload)
    message = Message(0, event.sent_at.astimezone(moment.local.tzinfo), text, Outcome.RECEIVED)
    is_open = (
        state.choice is not None and state.choice.public_key == key and state.layout.shows(Pane.MESSAGES)
    )
    talk = replace(talk.saying(message), unread=0 if is_open else talk.unread + 1)
    return _told(state.with_talk(key, talk), event_line(event), moment)


def _told(state: State, shown: Line, moment: Moment) -> State:
    return replace(state, feed=with_line(state.feed, shown, moment))


def _mark(event: MembershipEvent) -> Mark:
    match event:
        case Joined():
            return Mark.CAME
        case Left():
            return Mark.GONE
        case Suspect():
            return Mark.LOST
        case Back():
            return Mark.BACK
        case Updated():
            return Mark.CHANGED
