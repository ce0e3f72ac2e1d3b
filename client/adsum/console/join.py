"""`adsum join`: be in a lobby, on the full screen where there is one, and in line mode elsewhere."""

import sys

from adsum.client import Identity, Profile
from adsum.console.access import enter, find_identity, find_name, prepare
from adsum.console.commands import Access, JoinCommand
from adsum.console.conversation import Conversation
from adsum.console.exits import Exit
from adsum.console.output import Output
from adsum.console.stdin_lines import read_lines


async def join(command: JoinCommand, output: Output) -> int:
    """Be in the lobby as the user until they leave.

    Raises:
        AdsumError: the lobby can't be entered, or the session has ended for good; as a group in the second
        case.
    """
    return await converse(command.access, command.lobby, find_identity(command.access), output)


async def converse(access: Access, lobby: str, identity: Identity, output: Output) -> int:
    """Be in a lobby as somebody; see `join`."""
    profile = Profile(name=find_name(access))
    if output.is_rich:
        # Nobody else needs the machinery of a screen.
        from adsum.console.fullscreen import be_there, fits_terminal

        if fits_terminal():
            connection = prepare(access, lobby, identity=identity, profile=profile)
            return await be_there(connection, identity, lobby, access.server)
    async with enter(access, lobby, output, identity=identity, profile=profile) as entered:
        output.say(
            f"you are {find_name(access)} ({identity.fingerprint}) in {lobby} at {access.server}; /help, /quit"
        )
        # A person who ends their typing on a terminal means to leave; a pipe that has no more to say doesn't.
        await Conversation(entered, output).run(
            read_lines(sys.stdin.fileno()), leave_at_end=sys.stdin.isatty()
        )
    return Exit.FINE
