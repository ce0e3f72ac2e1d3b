"""The full screen against a real server, in a real terminal."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from adsum.client import DepartureReason, Identity, Left, MessageReceived, Profile, connect
from adsum.contract.limits import Limits
from tests.integration.adsum_program import Home, signal_code
from tests.integration.adsumd import running_adsumd
from tests.integration.local_server import LocalServer, local_server
from tests.integration.terminal import in_terminal
from tests.integration.tmux import WHY_NOT, Tmux, command_line, in_tmux, is_installed

in_tmux_only = pytest.mark.skipif(not is_installed(), reason=WHY_NOT)
LIMITS = Limits(grace_seconds=2.0)
"""Long enough to see on the screen that somebody is waited for, on a busy machine too."""
ENTER_SCREEN, LEAVE_SCREEN, SHOW_CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"
CRASH = """
import asyncio
from adsum.console.terminal import Terminal
from adsum.console.canvas import Frame, Piece, fit

async def main():
    with Terminal(lambda keys: None) as terminal:
        size = terminal.size
        terminal.draw(Frame((fit((Piece("drawn"),), size.columns),) * size.rows, size.columns))
        raise RuntimeError("a mistake of ours")

asyncio.run(main())
"""


@pytest_asyncio.fixture
async def server() -> AsyncIterator[LocalServer]:
    """Run a server with a short grace."""
    async with local_server(LIMITS) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, server: LocalServer) -> Home:
    """Give the files of people who use that server."""
    return Home(tmp_path, server.address)


@pytest_asyncio.fixture
async def terminal(home: Home, tmp_path: Path) -> AsyncIterator[Tmux]:
    """Give a shell in a terminal of 100 x 30."""
    async with in_tmux(tmp_path, home.environment("ann")) as running:
        yield running


def adsum_words(*words: str) -> list[str]:
    return [sys.executable, "-m", "adsum.console", *words]


async def join(terminal: Tmux) -> None:
    await terminal.type(command_line(adsum_words("join", "team", "--name", "Ann")))
    await terminal.press("Enter")
    await terminal.shows("● connected", "Ann (you)", "✓ proved")


@in_tmux_only
async def test_selected_person_is_killed_and_comes_back_and_gets_the_text_that_was_kept(
    home: Home, server: LocalServer, terminal: Tmux
) -> None:
    async with connect(server.address, lobby="team", identity=Identity.generate(), name="Aaron"):
        async with home.running("join", "team", "--name", "Bob", key="bob") as bob:
            await bob.line("connected")
            mode_before = await terminal.mode()
            await join(terminal)
            await terminal.type("/bo")
            await terminal.shows("1 fit bo", but_not="Aaron  ")
            await terminal.press("Enter", "Enter")
            await terminal.shows("Messages with Bob", "confirmed online (revision")
            await terminal.type("hello")
            await terminal.press("Enter")
            await bob.line("> Ann", ": hello")
            await terminal.shows("you: hello  ✓ delivered")
            await terminal.type("shall we have lunch")
            bob.signal(signal.SIGKILL)
            await terminal.shows("connection lost, waiting for them to come back", but_not="! Bob")
            await terminal.press("Enter")
            await terminal.shows("not sent to Bob", "> shall we have lunch")
        # The grace is over.
        await terminal.shows(
            "! Bob (", "lost the connection for good", "your text is kept", "> shall we have lunch"
        )
        await terminal.type(" today?")
        async with home.running("join", "team", "--name", "Bob", key="bob") as bob:
            await terminal.shows("they are in the list: Enter selects them again")
            await terminal.press("Enter")
            await terminal.shows("confirmed online (revision", but_not="! Bob")
            await terminal.press("Enter")
            await bob.line("> Ann", ": shall we have lunch today?")
            await terminal.shows("you: shall we have lunch today?  ✓ delivered", but_not="> shall")
            await terminal.press("Escape", "q")
            await bob.line("- Ann", "left")
            await terminal.shows("$ ", but_not="Lobby team")
            assert await terminal.mode() == mode_before
            assert await terminal.flag("alternate_on") == "0"
            assert await terminal.flag("cursor_flag") == "1"


@in_tmux_only
async def test_message_of_another_is_marked_until_one_goes_there_and_a_closed_terminal_leaves(
    server: LocalServer, terminal: Tmux
) -> None:
    async with connect(
        server.address, lobby="team", identity=Identity.generate(), profile=Profile("漢字👩\u200d👩\u200d👧")
    ) as other:
        await join(terminal)
        (ann,) = other.roster.by_name("Ann")
        await other.send(ann, "are you there?")
        await terminal.shows(">1 漢字")
        await terminal.type("n")
        await terminal.press("Enter")
        await terminal.shows("are you there?", "confirmed online", but_not=">1")
        await terminal.type("here 漢字")
        await terminal.press("Enter")
        async for event in other:
            if isinstance(event, MessageReceived):
                assert event.text == "here 漢字"
                await terminal.end()
            if isinstance(event, Left):
                assert event.reason is DepartureReason.LEFT
                break


@in_tmux_only
async def test_own_status_is_said_and_any_size_is_drawn_whole(server: LocalServer, terminal: Tmux) -> None:
    async with connect(server.address, lobby="team", identity=Identity.generate(), name="Zoe"):
        await join(terminal)
        await terminal.type("s")
        await terminal.press("Tab")
        await terminal.type("at lunch")
        await terminal.press("Enter")
        await terminal.shows("(you)", "away: at lunch", "you are Ann", ", away")
        for columns, rows in ((40, 10), (250, 80), (20, 4), (118, 18), (60, 12)):
            await terminal.resize(columns, rows)
            screen = await terminal.shows("● connected", but_not="$")
            lines = screen.split("\n")
            assert lines[0].startswith(" ● connected"), screen
            if rows >= 10:
                await terminal.shows("Ann (you)", "Zoe", "Enter write")


@in_tmux_only
async def test_suspended_program_gives_the_terminal_back_and_comes_back_itself(terminal: Tmux) -> None:
    before = await terminal.mode()
    await join(terminal)
    during = await terminal.mode()
    assert during != before
    await terminal.press("C-z")
    await terminal.shows("Stopped", but_not="Lobby team")
    assert await terminal.flag("alternate_on") == "0"
    assert await terminal.mode() == before
    await terminal.type("fg")
    await terminal.press("Enter")
    await terminal.shows("Lobby team", "● connected")
    assert await terminal.mode() == during
    await terminal.press("?")
    await terminal.shows("In the lobby")
    await terminal.press("Escape")
    await terminal.press("C-c")
    await terminal.shows("$ ", but_not="Lobby team")
    assert await terminal.mode() == before


@in_tmux_only
async def test_server_that_goes_and_comes_back_is_told_at_the_top(tmp_path: Path) -> None:
    async with running_adsumd(tmp_path) as first:
        home = Home(tmp_path, first.address)
        async with in_tmux(tmp_path, home.environment("ann")) as terminal:
            await join(terminal)
            await first.kill()
            await terminal.shows("reconnecting", "· was online", "- not proved")
            async with running_adsumd(tmp_path, listen=first.address):
                await terminal.shows("● connected", "● online", "✓ proved", "the list was read again")


async def test_sigterm_leaves_the_terminal_as_it_was_and_the_lobby_properly(
    home: Home, server: LocalServer
) -> None:
    async with connect(server.address, lobby="team", identity=Identity.generate(), name="Zoe") as other:
        words = adsum_words("join", "team", "--name", "Ann")
        async with in_terminal(words, home.environment("ann")) as terminal:
            await terminal.shows("connected", "Ann")
            assert terminal.mode != terminal.mode_before
            terminal.process.terminate()
            await terminal.shows(LEAVE_SCREEN.decode())
            assert await terminal.ended() == signal_code(signal.SIGTERM)
            assert terminal.mode == terminal.mode_before
            *_, after = terminal.written.partition(LEAVE_SCREEN)
            assert ENTER_SCREEN not in after
            assert terminal.written.rindex(SHOW_CURSOR) > terminal.written.rindex(b"\x1b[?25l")
        async for event in other:
            if isinstance(event, Left):
                assert event.reason is DepartureReason.LEFT
                break


async def test_crash_leaves_the_terminal_as_it_was_and_tells_of_itself(home: Home) -> None:
    async with in_terminal([sys.executable, "-c", CRASH], home.environment("ann")) as terminal:
        await terminal.shows("drawn", LEAVE_SCREEN.decode(), "a mistake of ours")
        assert await terminal.ended() == 1
        assert terminal.mode == terminal.mode_before


async def test_refusal_is_told_after_the_screen_is_left(tmp_path: Path) -> None:
    async with local_server(LIMITS, audiences=("elsewhere.example",)) as server:
        words = adsum_words("join", "team", "--name", "Ann")
        async with in_terminal(words, Home(tmp_path, server.address).environment("ann")) as terminal:
            await terminal.shows(ENTER_SCREEN.decode(), LEAVE_SCREEN.decode(), "adsum: ")
            assert await terminal.ended() == 3
            assert terminal.mode == terminal.mode_before


async def test_one_who_does_not_want_to_wait_is_let_out(tmp_path: Path) -> None:
    words = adsum_words("join", "team", "--server", "127.0.0.1:1")
    async with in_terminal(words, Home(tmp_path).environment("ann")) as terminal:
        await terminal.shows("connecting to 127.0.0.1:1")
        terminal.type("q")
        assert await terminal.ended() == 0
        assert terminal.mode == terminal.mode_before


async def test_screen_at_rest_is_not_drawn_again_and_has_no_colours_that_nobody_wants(tmp_path: Path) -> None:
    # No heartbeat comes while we look: each tells a new round trip, which is shown.
    calm = Limits(heartbeat_seconds=60.0, lease_seconds=180.0)
    async with local_server(calm) as server:
        environment = Home(tmp_path, server.address).environment("ann", NO_COLOR="1")
        async with in_terminal(adsum_words("join", "team", "--name", "Ann"), environment) as terminal:
            await terminal.shows("✓ proved")
            await asyncio.sleep(0.3)
            written = len(terminal.written)
            await asyncio.sleep(1.2)
            assert len(terminal.written) == written
            assert not re.search(rb"\x1b\[[\d;]*3\dm", terminal.written)
