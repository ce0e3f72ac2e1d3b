"""The conversation with the person chosen: what was said, with what became of it, and the line to write on. Pure."""

from functools import lru_cache

from adsum.console.canvas import Piece, Strip, blank, cleaned, clusters, width_of, wrapped
from adsum.console.editor import Editor
from adsum.console.inputs import Moment, Outcome
from adsum.console.layout import Pane
from adsum.console.panes.spinner import spinner
from adsum.console.state import State
from adsum.console.talk import Message
from adsum.console.text import Span, Tone

PROMPT = "> "
_OUTCOMES = {
    Outcome.RECEIVED: ("", ""),
    Outcome.SENDING: (" sending…", "dim"),
    Outcome.DELIVERED: ("✓ delivered", "green"),
    Outcome.UNDELIVERED: ("✗ ", "bold red"),
    Outcome.UNCONFIRMED: ("? not confirmed: ", "bold yellow"),
}
"""The sign and the words of each outcome, and their style."""


def messages_title(state: State) -> Strip:
    """Tell with whom one talks."""
    if state.choice is None:
        return (Piece("Messages"),)
    return (Piece("Messages with "), cleaned(Span(state.choice.member.name)))


def messages_strips(state: State, width: int, height: int, moment: Moment) -> list[Strip]:
    """Draw the end of the conversation, or what it is scrolled back to, above the line to write on."""
    choice = state.choice
    if choice is None:
        return []
    room = height - 1
    name = cleaned(Span(choice.member.name)).text
    wanted = room + state.talk_scroll
    lines: list[Strip] = []
    for message in reversed(state.talk.messages):
        if len(lines) >= wanted:
            break
        sign = spinner(moment) if message.outcome is Outcome.SENDING else ""
        lines[:0] = _message_strips(message, name, width, sign)
    # Scrolled further back than there is anything, it stands at the beginning.
    end = max(min(len(lines), room), len(lines) - state.talk_scroll)
    seen = lines[max(0, end - room) : end] if room > 0 else []
    if not state.talk.messages and room > 0:
        seen = [(Piece("nothing was said yet", "dim"),)]
    above: list[Strip] = [blank(width)] * max(0, room - len(seen))
    return [*above, *seen, _draft(state, width)]


def talk_height(state: State, width: int) -> int:
    """Tell how many lines the whole conversation takes."""
    choice = state.choice
    if choice is None:
        return 0
    name = cleaned(Span(choice.member.name)).text
    return sum(len(_message_strips(message, name, width, "…")) for message in state.talk.messages)


def input_strip(editor: Editor, width: int, *, is_in_use: bool) -> Strip:
    """Draw a text that is being typed, with its cursor if it is in use, around which it is scrolled."""
    before = cleaned(Span(editor.text[: editor.cursor])).text
    under = cleaned(Span(editor.text[editor.cursor : editor.cursor + 1])).text or " "
    after = cleaned(Span(editor.text[editor.cursor + 1 :])).text
    if not is_in_use:
        return (Piece(before + under + after, "dim"),)
    room = max(0, width - width_of((Piece(under),)))
    if width_of((Piece(before),)) > room:
        before = "…" + _end_of(before, room - 1)
    return (Piece(before), Piece(under, "reverse"), Piece(after))


def _draft(state: State, width: int) -> Strip:
    is_in_use = state.focus is Pane.MESSAGES and state.prompt is None
    style = "bold" if is_in_use else "dim"
    rest = width - len(PROMPT)
    draft = state.talk.draft
    if not draft.text and not is_in_use:
        return (Piece(PROMPT, style), Piece("Enter on their row, or Tab, to write", "dim"))
    return (Piece(PROMPT, style), *input_strip(draft, rest, is_in_use=is_in_use))


@lru_cache(maxsize=1024)
def _message_strips(message: Message, name: str, width: int, sign: str) -> tuple[Strip, ...]:
    is_theirs = message.outcome is Outcome.RECEIVED
    who = Piece(name if is_theirs else "you", "bold" if is_theirs else "bold cyan")
    head: Strip = (Piece(f"{message.at:%H:%M:%S} ", "dim"), who, Piece(": "))
    text = cleaned(Span(message.text, Tone.PLAIN)).text
    tail = _outcome(message, sign)
    indent = "  "
    first_width = width - width_of(head)
    if first_width >= max(12, width // 3):
        # The first line is shorter by who says it.
        first, *rest = wrapped(text, first_width) or ("",)
        remaining = text[len(first) :].lstrip(" ") if rest else ""
        more = wrapped(remaining, max(1, width - len(indent))) if remaining else ()
        strips: list[Strip] = [(*head, Piece(first))]
    else:
        strips = [head]
        more = wrapped(text, max(1, width - len(indent)))
    strips += [(Piece(indent + part),) for part in more]
    if not tail:
        return tuple(strips)
    if width_of(strips[-1]) + 2 + width_of(tail) <= width:
        strips[-1] = (*strips[-1], Piece("  "), *tail)
    else:
        strips.append((Piece(indent), *tail))
    return tuple(strips)


def _outcome(message: Message, sign: str) -> Strip:
    words, style = _OUTCOMES[message.outcome]
    if not words:
        return ()
    if message.outcome is Outcome.SENDING:
        return (Piece(sign + words, style),)
    if message.outcome is Outcome.DELIVERED and message.words:
        return (Piece(words, style), Piece(f" {message.words}", "dim"))
    return (Piece(words + message.words, style),)


def _end_of(text: str, width: int) -> str:
    kept: list[str] = []
    for cluster in reversed(clusters(text)):
        width -= width_of((Piece(cluster),))
        if width < 0:
            break
        kept.append(cluster)
    return "".join(reversed(kept))
