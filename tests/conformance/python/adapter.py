"""The Python library as a client under test: the adapter that docs/conformance.md describes, on the library's public API.

python -m tests.conformance.python.adapter live
python -m tests.conformance.python.adapter vectors FOLDER
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adsum.client import (
    AdsumError,
    Event,
    Identity,
    InvalidProfile,
    Lobby,
    NotDelivered,
    Phase,
    Profile,
    RecipientOffline,
    Refused,
    SendOutcome,
    Settings,
    StateChanged,
    Status,
    connect,
)
from adsum.console.records import Record, encode, event_record, member_record
from adsum.console.stdin_lines import read_lines

FOR_EVER = 1e6
"""The library gives a first connection up after a while, for the person who waits; what is tested here comes back for ever."""
Command = dict[str, Any]


class Adapter:
    """Be one client: commands come in by `obey`, events go out as lines."""

    def __init__(self, lobby: Lobby) -> None:
        self._lobby = lobby
        self._status = {status.name.lower(): status for status in Status}
        self._closed: StateChanged | None = None

    async def tell(self) -> None:
        """Write every event, until the client has left or was lost for good."""
        try:
            async for event in self._lobby:
                self._write_event(event)
        except AdsumError as error:
            if self._closed is not None:
                record = event_record(self._closed, lobby=self._lobby.name, at=datetime.now(UTC))
                reason = f"{error.reason.name}: " if isinstance(error, Refused) else ""
                write({**record, "cause": f"{reason}{error}"})
            raise

    def _write_event(self, event: Event) -> None:
        if isinstance(event, StateChanged) and event.state.phase is Phase.CLOSED:
            # Why, is raised by the iteration's end.
            self._closed = event
        else:
            write(event_record(event, lobby=self._lobby.name, at=datetime.now(UTC)))

    def _answer(self, record: Record) -> None:
        """Write what a command asked for, after the events that led to it.

        The library's answers and roster may be ahead of the events that `tell` has been woken for but hasn't taken yet.
        """
        while (event := self._take()) is not None:
            self._write_event(event)
        write(record)

    def _take(self) -> Event | None:
        """Take an event that is there already. Awaiting it would let more happen in between, so this takes one step and no more."""
        step = self._lobby.__anext__()
        try:
            step.send(None)
        except StopIteration as taken:
            event: Event = taken.value
            return event
        except (StopAsyncIteration, AdsumError):
            # The end, which `tell` is told as well.
            return None
        finally:
            step.close()
        return None

    async def obey(self, command: Command) -> None:
        """Do what a command says, and write what comes of it."""
        match command["command"]:
            case "update":
                await self._lobby.update(
                    name=command["name"],
                    status=self._status[command["status"]],
                    status_text=command["status_text"],
                    attributes={},
                )
            case "select":
                await self._select(bytes.fromhex(command["key"]))
            case "send":
                await self._send(command)
            case "roster":
                roster = self._roster()
                self._answer({"event": "roster", "id": command["id"], **roster})
            case _:
                print(f"ignored: {command['command']}", file=sys.stderr)

    async def _select(self, key: bytes) -> None:
        was = self._lobby.selection
        try:
            await self._lobby.select(key or None)
        except RecipientOffline as error:
            # Nothing is selected, so the library has no event for it: it raises.
            self._answer(
                {
                    "event": "selection",
                    "time": moment(),
                    "lobby": self._lobby.name,
                    "revision": error.revision,
                    "key": key.hex(),
                    "state": "unavailable",
                    "reason": "not_present",
                    "was": None if was is None else was.state.name.lower(),
                }
            )

    async def _send(self, command: Command) -> None:
        try:
            receipt = await self._lobby.send(bytes.fromhex(command["key"]), command["text"])
            outcome, revision = SendOutcome.DELIVERED, receipt.revision
        except NotDelivered as error:
            outcome, revision = error.outcome, error.revision
        self._answer(
            {"event": "sent", "id": command["id"], "outcome": outcome.name.lower(), "revision": revision}
        )

    def _roster(self) -> Record:
        lobby = self._lobby
        return {
            "epoch": f"{lobby.epoch:016x}",
            "digest": f"{lobby.digest:016x}",
            "revision": lobby.revision,
            "is_stale": not lobby.state.is_live,
            "members": [member_record(member) for member in lobby.roster.values()],
        }


async def live() -> int:
    """Be a client for as long as stdin says so; return the exit code."""
    lines = read_lines(sys.stdin.fileno())
    first = json.loads(await anext(lines))
    try:
        connection = connect(
            first["target"],
            lobby=first["lobby"],
            identity=Identity.from_seed(bytes.fromhex(first["seed"])),
            profile=Profile(first["name"]),
            observer=first["observer"],
            settings=Settings(first_connect_seconds=FOR_EVER),
        )
    except InvalidProfile as error:
        # The library refuses what the server would, before it dials.
        write({**closed_record(first["lobby"]), "cause": f"BAD_NAME: {error}"})
        return 1
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(quietly(connection.__aenter__()))
        # The lobby is there as soon as it is being entered, and tells what happens meanwhile.
        await asyncio.sleep(0)
        lobby = connection.lobby
        assert lobby is not None
        adapter = Adapter(lobby)
        telling = tasks.create_task(quietly(adapter.tell()))
        obeying = tasks.create_task(read_commands(adapter, lines, tasks))
        # Either the commands are at their end, which is a leave, or the client was lost for good.
        await asyncio.wait((telling, obeying), return_when=asyncio.FIRST_COMPLETED)
        is_lost = telling.done()
        obeying.cancel()
        await lobby.leave()
    return 1 if is_lost else 0


async def read_commands(adapter: Adapter, lines: AsyncIterator[str], tasks: asyncio.TaskGroup) -> None:
    """Obey line after line, until there are no more or one says Leave."""
    async for line in lines:
        command = json.loads(line)
        if command["command"] == "leave":
            return
        # What waits for the server doesn't hold up the next command; each begins before the next is read.
        tasks.create_task(quietly(adapter.obey(command)))
        await asyncio.sleep(0)


async def quietly(step: Coroutine[object, object, object]) -> None:
    """Do something whose failure is told elsewhere: by `closed`, or by nothing but stderr."""
    try:
        await step
    except AdsumError as error:
        print(repr(error), file=sys.stderr)


def closed_record(lobby: str) -> Record:
    """Tell the end of a client that has never dialled."""
    return {
        "event": "state",
        "time": moment(),
        "lobby": lobby,
        "phase": "closed",
        "before": "connecting",
        "cause": "",
        "retry_in_seconds": None,
    }


def moment() -> str:
    """Tell the time as the events do."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write(record: Record) -> None:
    """Write a line, at once."""
    print(encode(record), flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["live"]:
        sys.exit(asyncio.run(live()))
    elif len(sys.argv) == 3 and sys.argv[1] == "vectors":
        # Only here: it brings pytest with it, and a client should start fast.
        from tests.conformance.python.vectors import run_vectors

        run_vectors(Path(sys.argv[2]))
    else:
        sys.exit(__doc__)
