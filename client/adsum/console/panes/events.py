"""The feed of what has happened, newest last. Pure."""

from adsum.console.canvas import Piece, Strip, pieces
from adsum.console.state import State


def events_title(state: State) -> Strip:
    """Name the feed, and tell when it isn't at its end."""
    back = state.feed_scroll
    return (Piece(f"Events · {back} newer below" if back else "Events"),)


def events_strips(state: State, height: int) -> list[Strip]:
    """Draw the last entries, or those that it is scrolled back to."""
    count = len(state.feed)
    end = max(min(count, height), count - state.feed_scroll)
    seen = state.feed[max(0, end - height) : end] if height > 0 else ()
    return [(Piece(f"{entry.at:%H:%M:%S} ", "dim"), *pieces(entry.shown)) for entry in seen]
