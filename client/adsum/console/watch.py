"""`adsum watch`: every change of a lobby, for a person or a program, without being seen."""

import asyncio
from datetime import datetime

from adsum.client import Event, Lobby, Overflowed
from adsum.console.access import enter, find_identity
from adsum.console.commands import WatchCommand
from adsum.console.exits import Exit
from adsum.console.output import Output
from adsum.console.records import event_record, snapshot_record
from adsum.console.wording import event_line, is_worth_a_line


async def watch(command: WatchCommand, output: Output) -> int:
    """Tell every event until the time is over, the events are counted, or the session ends.

    Raises:
        AdsumError: the lobby can't be entered, or the session has ended for good.
    """
    identity = find_identity(command.access)
    async with enter(command.access, command.lobby, output, identity=identity, observer=True) as lobby:
        try:
            async with asyncio.timeout(command.for_seconds):
                await _tell_events(lobby, command, output)
        except TimeoutError:
            pass
    return Exit.FINE


async def _tell_events(lobby: Lobby, command: WatchCommand, output: Output) -> None:
    told = 0
    async for event in lobby:
        if command.json:
            _tell_record(event, lobby, output)
        elif is_worth_a_line(event):
            output.show(event_line(event), datetime.now().astimezone())
        told += 1
        if told == command.event_count:
            return


def _tell_record(event: Event, lobby: Lobby, output: Output) -> None:
    now = datetime.now().astimezone()
    output.record(event_record(event, lobby=lobby.name, at=now))
    if isinstance(event, Overflowed):
        # The changes that were dropped are told by what they led to.
        output.record(
            snapshot_record(lobby.roster.values(), lobby=lobby.name, revision=lobby.revision, at=now)
        )
