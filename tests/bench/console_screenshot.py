"""Make the screenshot in the README: the real program's screen, from what really happens in a lobby of bots.

`make screenshot` runs it. A server and some bots are started, somebody joins them, selects one, writes, and is
answered; then Rich's own export writes what the screen shows.
"""

import asyncio
import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from adsum.client import Identity, Profile, connect
from adsum.console.children import child
from adsum.console.crowd import HOST_NAME
from adsum.console.inputs import Key, Size, Stroke, Typed
from adsum.console.stage import Stage, now
from adsum.console.state import State
from adsum.console.talk import Talk
from adsum.console.view import render
from tests.integration.adsumd import running_adsumd

SIZE = Size(132, 29)
SEED = 11
"""The bots, and what they do, are the same each time; only when it happens isn't."""
PATIENCE_SECONDS = 30.0
"""How long anything may take."""
EVENTS = 8
"""How much must have happened."""
TITLE = "adsum join team"
THEME = TerminalTheme(
    (22, 24, 29),
    (214, 217, 224),
    [(40, 44, 52), (235, 98, 104), (126, 199, 120), (226, 185, 95), (97, 155, 240), (200, 125, 220), (86, 182, 194), (214, 217, 224)],
    [(92, 99, 112), (240, 113, 120), (152, 216, 146), (240, 205, 120), (120, 175, 255), (215, 150, 235), (110, 205, 215), (255, 255, 255)],
)  # fmt: skip


class Visitor:
    """Be in the lobby as the program is, without a terminal."""

    def __init__(self, stage: Stage, changed: asyncio.Event) -> None:
        self._stage = stage
        self._changed = changed

    def press(self, *keys: Key) -> None:
        """Press keys."""
        self._stage.take_in(*keys)

    def type(self, text: str) -> None:
        """Type a text."""
        self.press(*(Typed(character) for character in text))

    async def until(self, is_so: Callable[[State], bool]) -> None:
        """Wait until the screen's state is as it should be."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                self._changed.clear()
                self._stage.catch_up()
                self._stage.look(None)
                if is_so(self._stage.state):
                    return
                try:
                    async with asyncio.timeout(0.2):
                        await self._changed.wait()
                except TimeoutError:
                    continue


async def visit(visitor: Visitor) -> None:
    """Do what makes a lively picture."""
    await visitor.until(lambda state: state.rows.present_count >= 12)
    visitor.type(f"/{HOST_NAME.lower()}")
    visitor.press(Stroke.ENTER, Stroke.ENTER)
    await visitor.until(lambda state: state.may_send)
    visitor.type("Good morning! Is the build green?")
    visitor.press(Stroke.ENTER)
    await visitor.until(lambda state: _heard(state) == 1)
    visitor.type("Great. Shall we have lunch at one, all of us?")
    visitor.press(Stroke.ENTER)
    await visitor.until(lambda state: _heard(state) == 2)
    visitor.press(Stroke.ESCAPE, Stroke.ESCAPE)
    # Until somebody has lost the connection while others come and go.
    await visitor.until(lambda state: _has_suspect(state) and len(state.feed) > EVENTS)
    visitor.press(Stroke.TAB)
    visitor.type("See you then")


def _has_suspect(state: State) -> bool:
    return any(row.is_present and not row.member.is_available for row in state.rows.by_key.values())


def _heard(state: State) -> int:
    talk = state.talk if state.choice is not None else Talk()
    return sum(message.message_id == 0 for message in talk.messages)


async def photograph() -> str:
    """Start everything, visit, and draw the picture."""
    with tempfile.TemporaryDirectory(prefix="adsum-screenshot-") as name:
        folder = Path(name)
        async with running_adsumd(folder) as server:
            words = [
                *(sys.executable, "-m", "adsum.console", "bots", "team", "--server", server.address),
                *("--count", "18", "--seed", str(SEED), "--pace", "0.7", "--until-stdin-closes"),
            ]
            async with child(words, log=folder / "bots.log"):
                return await _be_there(server.address)


async def _be_there(address: str) -> str:
    identity = Identity.from_seed(b"the person on the screenshot    ")
    changed = asyncio.Event()
    async with connect(address, lobby="team", identity=identity, profile=Profile("Grace")) as lobby:
        state = State("team", address, identity.public_key, SIZE)
        stage = Stage(state, changed.set, lambda _: None)
        async with asyncio.TaskGroup() as group:
            playing = group.create_task(stage.play(lobby))
            await visit(Visitor(stage, changed))
            stage.catch_up()
            playing.cancel()
            return picture(stage.state)


def picture(state: State) -> str:
    """Draw the state as SVG, by Rich."""
    console = Console(
        record=True,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        width=SIZE.columns,
        height=SIZE.rows,
        legacy_windows=False,
    )
    console.print(render(state, SIZE, now()), end="")
    return console.export_svg(title=TITLE, theme=THEME)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(asyncio.run(photograph()), encoding="utf-8")
