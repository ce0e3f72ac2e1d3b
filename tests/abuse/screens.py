"""Programs that show what strangers write, in terminals of their own; and a check that nothing of it got through as anything but text."""

import re
import sys
import unicodedata
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.integration.adsum_program import Home
from tests.integration.terminal import Terminal, in_terminal

COMMANDS: dict[str, tuple[str, ...]] = {
    "full screen": ("join",),
    "lines": ("join", "--plain"),
    "watch": ("watch",),
    "watch --json": ("watch", "--json"),
}
"""The ways in which the console shows a lobby."""
# What the console itself writes: colours, the cursor, a line's rest; the modes of the screen, the cursor, pasting, wrapping, whole frames;
# a saved cursor and the keypad. No title, no link, no clipboard, no question but where the cursor is.
_OWN_SEQUENCES = re.compile(
    rb"\x1b\[[\d;]*[mHfGXJKABCDd]|\x1b\[\?(?:1|7|12|25|1000|1002|1003|1004|1006|1015|1049|2004|2026)[hl]|\x1b\[6n|\x1b[78=>]"
)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINER = "\u200d"
_SHOWN = 3


def forbidden_in(written: bytes) -> list[str]:
    """Tell what a program wrote that neither is text nor was meant by itself."""
    rest = _OWN_SEQUENCES.sub(b"", written)
    found = [
        f"{match.group()!r} in {rest[max(0, match.start() - 20) : match.end() + 20]!r}"
        for match in _CONTROL.finditer(rest)
    ]
    try:
        text = rest.decode("utf-8")
    except UnicodeDecodeError as error:
        return [*found[:_SHOWN], f"no UTF-8: {rest[max(0, error.start - 20) : error.end + 20]!r}"]
    found += [
        f"U+{ord(character):04X} in {text[max(0, index - 10) : index + 10]!r}"
        for index, character in enumerate(text)
        if character not in "\r\n\t" + _JOINER
        and unicodedata.category(character) in _INVISIBLE_CATEGORIES
        # Found above already.
        and ord(character) >= 0x80
    ]
    return found[:_SHOWN]


@asynccontextmanager
async def consoles(directory: Path, server: str, lobby: str) -> AsyncIterator[dict[str, Terminal]]:
    """Run the console in every way, each in a terminal of its own, as long as the block runs."""
    home = Home(directory, server)
    async with AsyncExitStack() as stack:
        terminals = {}
        for number, (name, words) in enumerate(COMMANDS.items()):
            command, *options = words
            naming = ("--name", f"viewer {number}") if command == "join" else ()
            terminals[name] = await stack.enter_async_context(
                in_terminal(
                    (sys.executable, "-m", "adsum.console", command, lobby, *options, *naming),
                    home.environment(f"viewer-{number}", LANG="C.UTF-8", LC_ALL="C.UTF-8"),
                )
            )
        yield terminals
