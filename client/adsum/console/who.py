"""`adsum who`: who is in a lobby at this moment, without being seen."""

from datetime import datetime
from itertools import islice

from adsum.client import Lobby
from adsum.console.access import enter, find_identity
from adsum.console.commands import WhoCommand
from adsum.console.exits import Exit
from adsum.console.output import Output
from adsum.console.records import list_record
from adsum.console.wording import count_words


async def who(command: WhoCommand, output: Output) -> int:
    """Show the list once.

    Raises:
        AdsumError: the lobby can't be entered.
    """
    identity = find_identity(command.access)
    async with enter(command.access, command.lobby, output, identity=identity, observer=True) as lobby:
        now = datetime.now().astimezone()
        if command.json:
            output.record(list_record(lobby, at=now))
        else:
            show_list(lobby, output, now)
    return Exit.FINE


def show_list(lobby: Lobby, output: Output, now: datetime, *, most: int | None = None) -> None:
    """Show the members of a lobby, at most so many, and how many there are."""
    if not lobby.roster:
        output.say(f"nobody is in {lobby.name}")
        return
    output.members(islice(lobby.roster.values(), most), me=lobby.identity.public_key, now=now)
    hidden = len(lobby.roster) - most if most is not None else 0
    more = f", {hidden:,} of them not shown (/who)" if hidden > 0 else ""
    output.say(f"{count_words(len(lobby.roster), 'person', 'people')} in {lobby.name}{more}")
