"""People in a process of their own, to be killed, stopped and cut off: `python -m tests.faults.people`, told what to do by JSON lines.

Each person is a client of the library, and does what people do: says something new, writes to somebody, selects somebody; a commuter
also leaves and comes back, again and again. Whatever a person is told or does is written down at once, as a line of JSON with the moment
by the clock that all processes of this machine share. The events themselves are those of docs/events.md.

    {"do": "join", "name": …, "seed": …, "target": …, "lobby": …, "every": seconds between two things done, "commutes": …,
     "brief": whether changes are checked here and only counted}
    {"do": "leave", "name": …}      {"do": "act"}      {"do": "rest"}      {"do": "roster"}

The end of standard input lets everybody leave. `rest` is answered when every message has its result, `roster` by the list of each.
"""

import asyncio
import json
import random
import sys
import time
from datetime import UTC, datetime
from typing import Any

from adsum.client import (
    AdsumError,
    Closed,
    Event,
    Identity,
    Lobby,
    Member,
    NotDelivered,
    Phase,
    Settings,
    StateChanged,
    connect,
)
from adsum.console.records import encode, event_record
from adsum.console.stdin_lines import read_lines
from tests.conformance.mirror import Mirror
from tests.faults.history import CHANGES

FOR_EVER = 1e6
"""The library gives a first connection up after a while, for the person who waits. Here everybody comes back for ever."""
MOST_UNDER_WAY = 8
"""How many messages of one person may wait for their result: whoever is cut off doesn't heap up more."""
STAYS_SECONDS = (1.5, 4.0)
"""How long a commuter stays, and how long they are away: drawn from this range."""
AWAY_SECONDS = (0.5, 2.0)


class Person:
    """Be one client, and write down everything."""

    def __init__(self, crew: "Crew", command: dict[str, Any]) -> None:
        self.name: str = command["name"]
        self.lobby: Lobby | None = None
        self.under_way = 0
        self._crew = crew
        self._command = command
        self._identity = Identity.from_seed(bytes.fromhex(command["seed"]))
        self._chance = random.Random(command["seed"])
        self._said = 0
        self._is_leaving = False
        self._mirror = Mirror()
        self.changes = 0
        self.faults: list[str] = []

    def note(self, event: str, **facts: object) -> None:
        """Write something down."""
        held = self.lobby.revision if self.lobby is not None else 0
        _write({"who": self.name, "at": time.monotonic(), "held": held, "event": event, **facts})

    async def live(self) -> None:
        """Be in the lobby until told to leave."""
        while not self._is_leaving:
            self.lobby = None
            self._mirror = Mirror()
            self.note("dials")
            try:
                async with connect(
                    self._command["target"],
                    lobby=self._command["lobby"],
                    identity=self._identity,
                    name=self.name,
                    insecure=True,
                    settings=Settings(first_connect_seconds=FOR_EVER),
                ) as lobby:
                    await self._stay(lobby)
            except AdsumError as error:
                self.note("lost", why=repr(error))
                return
            if not self._command["commutes"]:
                return
            await asyncio.sleep(self._chance.uniform(*AWAY_SECONDS))
            await self._crew.acting.wait()

    async def leave(self) -> None:
        """Leave for good."""
        self._is_leaving = True
        if self.lobby is not None:
            self.note("leaves")
            await self.lobby.leave()

    async def _stay(self, lobby: Lobby) -> None:
        self.lobby = lobby
        async with asyncio.TaskGroup() as tasks:
            habits = [tasks.create_task(self._act(lobby, tasks))]
            if self._command["commutes"]:
                habits.append(tasks.create_task(self._go_home(lobby)))
            async for event in lobby:
                self._note_event(lobby, event)
            for habit in habits:
                habit.cancel()

    def _note_event(self, lobby: Lobby, event: Event) -> None:
        if isinstance(event, StateChanged) and event.state.phase is Phase.CLOSED:
            # They have left, which is written down as such; what the selection is then, comes after it.
            return
        record = event_record(event, lobby=lobby.name, at=datetime.now(UTC))
        if self._command["brief"]:
            if fault := self._mirror.take(record):
                self.faults.append(fault)
            if record["event"] in CHANGES:
                self.changes += 1
                return
        _write({"who": self.name, "at": time.monotonic(), "held": lobby.revision, **record})

    async def _go_home(self, lobby: Lobby) -> None:
        await asyncio.sleep(self._chance.uniform(*STAYS_SECONDS))
        await self._crew.acting.wait()
        self.note("leaves")
        await lobby.leave()

    async def _act(self, lobby: Lobby, tasks: asyncio.TaskGroup) -> None:
        try:
            await self._be_busy(lobby, tasks)
        except Closed:
            # They have left meanwhile.
            return

    async def _be_busy(self, lobby: Lobby, tasks: asyncio.TaskGroup) -> None:
        chance = self._chance
        while True:
            await asyncio.sleep(self._command["every"] * chance.uniform(0.5, 1.5))
            await self._crew.acting.wait()
            others = [
                member for member in lobby.roster.values() if member.public_key != self._identity.public_key
            ]
            what = chance.random()
            if what < 0.5:
                self._said += 1
                text = f"{self.name}/{self._said}"
                self.note("says", text=text)
                await lobby.update(status_text=text)
            elif others and what < 0.85 and self.under_way < MOST_UNDER_WAY:
                tasks.create_task(self._send(lobby, chance.choice(others), by_key=chance.random() < 0.5))
            elif others and what >= 0.85:
                tasks.create_task(self._select(lobby, chance.choice(others) if what < 0.98 else None))

    async def _send(self, lobby: Lobby, member: Member, *, by_key: bool) -> None:
        self._said += 1
        self.under_way += 1
        # The moment makes it unique also among the lives of a person who is killed and comes back.
        id = f"{self.name}/{self._said}/{time.monotonic_ns()}"
        self.note("sends", id=id, to=member.public_key.hex())
        outcome, revision = "delivered", 0
        try:
            revision = (await lobby.send(member.public_key if by_key else member, id)).revision
        except NotDelivered as error:
            outcome, revision = error.outcome.name.lower(), error.revision
        except AdsumError as error:
            outcome = type(error).__name__.lower()
        finally:
            self.under_way -= 1
            self._crew.answered.set()
        shown = lobby.roster.get(member.public_key)
        liveness = "absent" if shown is None else shown.liveness.name.lower()
        self.note(
            "sent", id=id, to=member.public_key.hex(), outcome=outcome, revision=revision, shown=liveness
        )

    async def _select(self, lobby: Lobby, member: Member | None) -> None:
        key = "" if member is None else member.public_key.hex()
        self.note("selects", key=key)
        try:
            answer = "cleared" if member is None else (await lobby.select(member)).state.name.lower()
            await lobby.select(None) if member is None else None
        except AdsumError as error:
            answer = type(error).__name__.lower()
        self.note("selected", key=key, answer=answer)


class Crew:
    """Hold the people of this process."""

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.acting = asyncio.Event()
        self.answered = asyncio.Event()

    async def obey(self, command: dict[str, Any], tasks: asyncio.TaskGroup) -> None:
        """Do what a line says."""
        match command["do"]:
            case "join":
                person = self.people[command["name"]] = Person(self, command)
                tasks.create_task(person.live())
            case "leave":
                tasks.create_task(self.people.pop(command["name"]).leave())
            case "act":
                self.acting.set()
            case "rest":
                self.acting.clear()
                tasks.create_task(self._rest())
            case "roster":
                for person in self.people.values():
                    if person.lobby is not None:
                        person.note(
                            "roster", **_list_of(person.lobby), changes=person.changes, faults=person.faults
                        )
                        person.changes, person.faults = 0, []
            case _:
                raise ValueError(command)

    async def _rest(self) -> None:
        while any(person.under_way for person in self.people.values()):
            self.answered.clear()
            await self.answered.wait()
        _write({"who": "", "at": time.monotonic(), "event": "rests"})


def _list_of(lobby: Lobby) -> dict[str, object]:
    return {
        "epoch": lobby.epoch,
        "digest": lobby.digest,
        "is_proved": lobby.is_proved,
        "phase": lobby.state.phase.value,
        "selection": None if lobby.selection is None else _selection_of(lobby),
        "members": {
            key.hex(): [one.incarnation, one.revision, one.liveness.name.lower(), one.profile.status_text]
            for key, one in lobby.roster.items()
        },
    }


def _selection_of(lobby: Lobby) -> list[object]:
    assert lobby.selection is not None
    return [lobby.selection.public_key.hex(), lobby.selection.incarnation, lobby.selection.state.name.lower()]


async def main() -> None:
    """Obey until there are no more commands, then let everybody leave."""
    crew = Crew()
    _write({"who": "", "at": time.monotonic(), "event": "ready"})
    async with asyncio.TaskGroup() as tasks:
        async for line in read_lines(sys.stdin.fileno()):
            await crew.obey(json.loads(line), tasks)
        crew.acting.set()
        for person in crew.people.values():
            tasks.create_task(person.leave())


def _write(record: dict[str, object]) -> None:
    print(encode(record), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
