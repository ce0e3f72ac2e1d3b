"""What is shown until the first list is there: what is waited for, and how much of it has come. Pure."""

from adsum.console.canvas import Piece, Strip, blank, cleaned, width_of
from adsum.console.inputs import Moment
from adsum.console.panes.spinner import spinner
from adsum.console.state import State
from adsum.console.text import Span

BAR = 24
"""How long a progress bar is, if there is room."""


def waiting_strips(state: State, width: int, height: int, moment: Moment) -> list[Strip]:
    """Draw the spinner, a progress bar once something has come, and why it takes so long, in the middle."""
    lines: list[Strip] = [
        (
            Piece(f"{spinner(moment)} ", "bold cyan"),
            Piece(f"connecting to {state.server}"),
        )
    ]
    progress = state.facts.progress
    if progress is not None:
        lines = [
            (
                Piece(f"{spinner(moment)} ", "bold cyan"),
                Piece(f"reading the list of {state.lobby}"),
            ),
            (Piece(f"part {progress.chunks} of {progress.chunk_count}, {progress.members:,} people"),),
            _bar(progress.chunks / max(1, progress.chunk_count), min(BAR, width - 2)),
        ]
    elif state.connection.cause:
        lines.append((cleaned(Span(state.connection.cause)),))
    above: list[Strip] = [blank(width)] * max(0, (height - len(lines)) // 2)
    return [*above, *(_centred(strip, width) for strip in lines)]


def _bar(part: float, width: int) -> Strip:
    full = max(0, min(width, round(part * width)))
    return (Piece("━" * full, "bold cyan"), Piece("─" * max(0, width - full), "dim"))


def _centred(strip: Strip, width: int) -> Strip:
    return (Piece(" " * max(0, (width - width_of(strip)) // 2)), *strip)
