"""The page behind `?`: every key, every sign, and how others can join. Pure."""

from adsum.console.canvas import Piece, Strip, cleaned, wrapped
from adsum.console.state import State
from adsum.console.text import Span

KEYS = (
    ("In the lobby", ""),
    ("↑ ↓  j k", "move; the cursor stays on the person, whatever comes and goes"),
    ("PgUp PgDn  g G", "move by a page, to the first, to the last"),
    ("/", "filter by name, fingerprint or status; Esc clears it"),
    ("n N", "the next match, the one before; without a filter the next who wrote to you"),
    ("Enter", "select the person and write to them"),
    ("In the conversation", ""),
    ("Enter", "send; select again who was gone and is back"),
    ("Ctrl-R", "send an undelivered message again (r elsewhere)"),
    ("↑ ↓  PgUp PgDn", "scroll back; Ctrl-A Ctrl-E Ctrl-U Ctrl-W edit the line"),
    ("Esc", "back to the lobby; the text is kept"),
    ("Anywhere", ""),
    ("Tab", "the next pane; Shift-Tab the one before"),
    ("s", "say how you are: available, away, busy, and a text"),
    ("x", "select nobody"),
    ("Ctrl-L", "draw everything again"),
    ("Ctrl-Z", "suspend; fg comes back"),
    ("q  Ctrl-C", "leave: the others see it at once"),
)
SIGNS = (
    ("Signs at a row", ""),
    ("+  -  *", "just came, is leaving, has just changed"),
    ("?  !", "has just lost the connection, is just back"),
    ("@", "is selected"),
    (">2", "has written two messages that you haven't read"),
    ("≠", "somebody else has the same name: compare the fingerprints"),
    ("✓ proved", "at the top: the server's digest of this very list is the same as yours"),
)
WIDTH = 17
"""The column of keys."""


def help_strips(state: State, width: int) -> list[Strip]:
    """Draw the whole page, however long."""
    strips: list[Strip] = []
    for name, what in (*KEYS, *SIGNS):
        if not what:
            strips += [(), (Piece(name, "bold"),)]
            continue
        room = width - WIDTH - 1
        first, *rest = wrapped(what, max(8, room)) or ("",)
        strips.append((Piece(f" {name}".ljust(WIDTH), "bold cyan"), Piece(first)))
        strips += [(Piece(" " * WIDTH), Piece(line)) for line in rest]
    strips += [(), (Piece("From another terminal", "bold"),)]
    command = cleaned(Span(f"adsum join {state.lobby} --server {state.server}")).text
    strips += [(Piece(f" {part}", "cyan"),) for part in wrapped(command, max(8, width - 1))]
    return strips[1:]


def help_top(state: State, width: int, top: int, height: int) -> int:
    """Tell from which line on the page is shown, so that it never ends above the foot of the screen."""
    return max(0, min(top, len(help_strips(state, width)) - height))
