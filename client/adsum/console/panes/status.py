"""The status line: how this client is connected, who one is, and whether the list is the server's. Pure.

What matters most comes first and stays longest when the line gets short.
"""

from typing import assert_never

from adsum.client import Phase
from adsum.console.canvas import Piece, Strip, cleaned, width_of
from adsum.console.inputs import Moment
from adsum.console.panes.spinner import spinner
from adsum.console.state import Leaving, State, is_waiting, seconds_to_retry
from adsum.console.text import Span, Tone
from adsum.console.wording import STATUS_WORDS, count_words, duration_words

GAP = "  "


def status_strip(state: State, width: int, moment: Moment) -> Strip:
    """Draw as much of the status as fits."""
    connection = _connection(state, moment)
    parts = [(0, connection)]
    if state.has_list:
        parts += [
            (5, _me(state)),
            (2, (Piece(count_words(state.rows.present_count, "person", "people")),)),
            (4, (Piece(f"revision {state.facts.revision:,}", "dim"),)),
            (3, _proof(state)),
            (6, _round_trip(state)),
        ]
    used = -len(GAP)
    kept: list[Strip] = []
    allowed = set()
    for rank, part in sorted(parts, key=lambda ranked: ranked[0]):
        size = len(GAP) + width_of(part)
        if part and (rank == 0 or used + size <= width - 1):
            used += size
            allowed.add(rank)
    for rank, part in parts:
        if rank in allowed:
            kept.append(part)
    strip: list[Piece] = [Piece(" ")]
    for number, part in enumerate(kept):
        strip += ([Piece(GAP)] if number else []) + list(part)
    return tuple(strip)


def connection_words(state: State, moment: Moment) -> str:
    """Tell in words how this client is connected."""
    connection = state.connection
    match connection.phase:
        case Phase.CONNECTING:
            return "connecting"
        case Phase.LIVE:
            return "connected"
        case Phase.DEGRADED:
            return "degraded: the list may be behind"
        case Phase.CLOSED:
            return "disconnected"
        case Phase.STALE:
            return f"list may be old{_progress(state)}"
        case Phase.RECONNECTING:
            seconds = seconds_to_retry(state, moment.seconds)
            return f"reconnecting in {seconds} s" if seconds else f"reconnecting now{_progress(state)}"
        case _:
            assert_never(connection.phase)


def _progress(state: State) -> str:
    progress = state.facts.progress
    return f": reading it, part {progress.chunks} of {progress.chunk_count}" if progress is not None else ""


def _connection(state: State, moment: Moment) -> Strip:
    match state.leaving:
        case Leaving.NOW:
            return (Piece(f"{spinner(moment)} leaving…", "bold yellow"),)
        case Leaving.AFTER_SENDING:
            return (Piece("… leaving when all is delivered", "bold yellow"),)
        case Leaving.NO:
            pass
    words = connection_words(state, moment)
    match state.connection.phase:
        case Phase.LIVE:
            return (Piece(f"● {words}", "bold green"),)
        case Phase.DEGRADED:
            return (Piece(f"! {words}", "bold yellow"),)
        case Phase.CLOSED:
            return (Piece(f"○ {words}", "bold red"),)
        case Phase.CONNECTING | Phase.RECONNECTING | Phase.STALE:
            sign = spinner(moment) if is_waiting(state) else "?"
            return (Piece(f"{sign} {words}", "bold yellow"),)


def _me(state: State) -> Strip:
    me = state.myself
    if me is None:
        return ()
    status = STATUS_WORDS[me.profile.status]
    return (
        Piece("you are "),
        cleaned(Span(me.name, Tone.NAME)),
        Piece(f" ({me.fingerprint})", "dim"),
        Piece(f", {status}"),
    )


def _proof(state: State) -> Strip:
    if state.connection.is_live and state.facts.is_proved:
        return (Piece("✓ proved", "green"),)
    return (Piece("- not proved", "yellow"),)


def _round_trip(state: State) -> Strip:
    seconds = state.facts.round_trip_seconds
    return () if seconds is None else (Piece(f"round trip {duration_words(seconds)}", "dim"),)
