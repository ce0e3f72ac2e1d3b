"""`adsum join`: be in a lobby. In line mode, until the full-screen console is there."""

import sys
from collections.abc import AsyncGenerator

from adsum.client import Identity, Lobby, Profile
from adsum.console.access import enter, find_identity, find_name
from adsum.console.commands import Access, JoinCommand
from adsum.console.conversation import Conversation
from adsum.console.exits import Exit
from adsum.console.output import Output
from adsum.console.stdin_lines import read_lines
from adsum.console.text import line, plain
from adsum.console.wording import member_spans


async def join(command: JoinCommand, output: Output) -> int:
    """Be in the lobby as the user until they leave.

    Raises:
        AdsumError: the lobby can't be entered, or the session has ended for good; as a group in the second
        case.
    """
    return await converse(command.access, command.lobby, find_identity(command.access), output)


async def converse(access: Access, lobby: str, identity: Identity, output: Output) -> int:
    """Be in a lobby as somebody; see `join`."""
    async with enter(
        access, lobby, output, identity=identity, profile=Profile(name=find_name(access))
    ) as entered:
        output.say(
            f"you are {find_name(access)} ({identity.fingerprint}) in {lobby} at {access.server}; /help, /quit"
        )
        # A person who ends their typing on a terminal means to leave; a pipe that has no more to say doesn't.
        await Conversation(entered, output).run(_typed(entered, output), leave_at_end=sys.stdin.isatty())
    return Exit.FINE


def _typed(lobby: Lobby, output: Output) -> AsyncGenerator[str, None]:
    if output.is_rich and sys.stdin.isatty():
        from adsum.console.prompt import prompt_lines

        return prompt_lines(lambda: prompt_words(lobby))
    return read_lines(sys.stdin.fileno())


def prompt_words(lobby: Lobby) -> str:
    """Tell before the cursor to whom the typed text will go."""
    selection = lobby.selection
    member = lobby.roster.get(selection.public_key) if selection is not None else None
    return plain(line("", "to ", *member_spans(member), "> ")) if member is not None else "> "
