"""The selection's panel: who is chosen, what is true of them, and what can be done. Pure."""

from adsum.console.canvas import Piece, Strip, cleaned, width_of
from adsum.console.choice import Truth
from adsum.console.inputs import Moment
from adsum.console.panes.spinner import spinner
from adsum.console.state import State
from adsum.console.text import Span, Tone

NOBODY = "nobody is selected"
ADVICE = "Enter on a person selects them, and you can write"


def selection_strips(state: State, width: int, height: int, moment: Moment) -> list[Strip]:
    """Say it in one line if that is wide enough and in two otherwise; what there is no room for goes last."""
    choice, verdict = state.choice, state.verdict
    if choice is None or verdict is None:
        return [(Piece(NOBODY, "dim"),), (Piece(ADVICE, "dim"),)]
    tone = verdict.tone.value
    sign = spinner(moment) if verdict.truth is Truth.ASKING else verdict.sign
    who: Strip = (
        Piece(f"{sign} ", f"bold {tone}"),
        cleaned(Span(choice.member.name, Tone.NAME)),
        Piece(f" · {choice.member.fingerprint}", "dim"),
    )
    truth = Piece(verdict.words, f"bold {tone}" if verdict.truth is not Truth.ASKING else tone)
    advice = _advice(state)
    whole: Strip = (*who, Piece(" · ", "dim"), truth)
    if width_of(whole) <= width or height < 2:
        # In a single line the truth comes first: it must not be cut off.
        return [whole, advice] if height >= 2 else [(*who[:1], truth, Piece(" · "), *who[1:])]
    return [who, (truth,), advice]


def _advice(state: State) -> Strip:
    verdict = state.verdict
    assert verdict is not None
    words = verdict.advice
    if verdict.truth is Truth.CONFIRMED:
        resendable = state.talk.resendable is not None
        words = "an undelivered message can be sent again" if resendable else "what you send will reach them"
    elif verdict.truth is Truth.RETURNED and state.talk.draft.text:
        words = f"{verdict.advice}; your text is kept"
    elif not state.talk.draft.text and verdict.truth is not Truth.RETURNED:
        words = ""
    return (Piece(words, "dim"),)
