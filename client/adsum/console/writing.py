"""Selecting somebody and writing to them. Pure.

A text leaves only for somebody whom the server confirms at that moment; otherwise it is kept, and the person
is told why. Nobody is selected but by a key of the person, and never somebody whom the key didn't mean.
"""

from dataclasses import replace

from adsum.client import Member
from adsum.console.choice import Choice, Standing, Truth
from adsum.console.editor import Editor
from adsum.console.errands import Errand, Leave, Select, Send
from adsum.console.inputs import Moment, Outcome
from adsum.console.layout import Pane
from adsum.console.state import Leaving, State
from adsum.console.talk import Message
from adsum.console.text import Tone, line
from adsum.console.wording import count_words, member_spans

Errands = tuple[Errand, ...]


def choose(state: State, moment: Moment) -> tuple[State, Errands]:
    """Go to write to whom the cursor is on, and select them unless they are."""
    member = state.rows.present(state.cursor)
    if member is None:
        return state, ()
    if member.public_key == state.me:
        return state.hinting(line("@", "that is you", tone=Tone.WARNING), moment.seconds), ()
    gone = state.rows.get(state.displaced)
    if gone is not None and not gone.is_present:
        shown = line(
            "@",
            *member_spans(gone.member),
            " has just gone: Enter again for ",
            *member_spans(member),
            tone=Tone.WARNING,
        )
        state = state.hinting(shown, moment.seconds)
        return replace(state, displaced=None), ()
    choice = state.choice
    state = replace(state, focus=Pane.MESSAGES, talk_scroll=0, notice=None, hint=None)
    if choice is not None and choice.is_wanted and choice.public_key == member.public_key:
        return state, ()
    return _ask(state, member, moment)


def _ask(state: State, member: Member, moment: Moment) -> tuple[State, Errands]:
    choice = Choice(member, Standing.ASKING, moment.local)
    return replace(state, choice=choice, notice=None, hint=None), (Select(member.public_key),)


def unselect(state: State) -> tuple[State, Errands]:
    """Select nobody."""
    if state.choice is None:
        return state, ()
    focus = Pane.LOBBY if state.focus is Pane.MESSAGES else state.focus
    return replace(state, choice=None, notice=None, hint=None, focus=focus, talk_scroll=0), (Select(None),)


def say(state: State, moment: Moment) -> tuple[State, Errands]:
    """Send what was written if it can be received; select somebody again who is back; else keep it, and say why."""
    verdict, choice = state.verdict, state.choice
    if verdict is None or choice is None:
        return state, ()
    text = state.talk.draft.text.strip()
    member = state.rows.present(choice.public_key)
    if verdict.truth is Truth.RETURNED and member is not None:
        return _ask(state, member, moment)
    if not text:
        return state, ()
    if verdict.truth is not Truth.CONFIRMED or member is None:
        return _not_sent(state, moment), ()
    state = state.with_talk(choice.public_key, replace(state.talk, draft=Editor()))
    return _send(replace(state, hint=None), text, moment)


def send_again(state: State, moment: Moment) -> tuple[State, Errands]:
    """Send the oldest message that did not arrive once more, if it can be received now."""
    message = state.talk.resendable
    if state.choice is None or message is None:
        return state, ()
    if not state.may_send:
        return _not_sent(state, moment), ()
    state = state.with_talk(state.choice.public_key, state.talk.without(message.message_id))
    return _send(replace(state, hint=None), message.text, moment)


def _send(state: State, text: str, moment: Moment) -> tuple[State, Errands]:
    assert state.choice is not None
    member = state.rows.present(state.choice.public_key)
    assert member is not None
    message = Message(state.next_message, moment.local, text, Outcome.SENDING)
    state = state.with_talk(member.public_key, state.talk.saying(message))
    state = replace(state, next_message=state.next_message + 1, talk_scroll=0)
    return state, (Send(message.message_id, member, text),)


def _not_sent(state: State, moment: Moment) -> State:
    assert state.choice is not None
    assert state.verdict is not None
    words = f": {state.verdict.words}; your text is kept"
    shown = line("<", "not sent to ", *member_spans(state.choice.member), words, tone=Tone.BAD)
    return state.hinting(shown, moment.seconds)


def leave(state: State, moment: Moment) -> tuple[State, Errands]:
    """Leave, but not before it is known what became of every message."""
    if not state.is_sending:
        return replace(state, leaving=Leaving.NOW, hint=None), (Leave(),)
    count = sum(
        message.outcome is Outcome.SENDING for talk in state.talks.values() for message in talk.messages
    )
    waiting = f"leaving as soon as {count_words(count, 'message', 'messages')} arrived; q leaves at once"
    state = state.hinting(line("#", waiting, tone=Tone.WARNING), moment.seconds)
    return replace(state, leaving=Leaving.AFTER_SENDING), ()
