"""Healthy members in a process of their own, who live beside the attacks: `python -m tests.abuse.neighbours TARGET LOBBY COUNT`.

They change their profiles and write to each other all the time, and measure how long each change takes to be seen by each other. What must
not happen to a healthy member is counted as a complaint. Told by lines on standard input: `mark` starts a new window; `report` gives the
figures of the window; `rest` gives all lists when nothing changes any more, `live` goes on; `stranger KEY` gives what is known of
somebody else.
Each is answered by one line of JSON.
"""

import asyncio
import json
import sys
import time
from collections import Counter, defaultdict
from contextlib import AsyncExitStack
from typing import Any

from adsum.client import (
    AdsumError,
    Back,
    Event,
    Identity,
    Joined,
    Left,
    Lobby,
    Member,
    MessageReceived,
    Overflowed,
    Repaired,
    StateChanged,
    Suspect,
    Updated,
    connect,
)
from tests.integration.latency import LatencyRecorder

UPDATE_SECONDS = 0.4
"""Between two updates of one member: with four of them ten changes a second, each below its own rate limit."""
SENDS_EVERY = 5
"""So many updates to one message."""
SETTLE_SECONDS = 5.0
PAYLOADS_KEPT = 2_000
_MISHAPS = (Suspect, Back, Joined, Left)


class Neighbour:
    """One healthy member."""

    def __init__(self, street: "Street", lobby: Lobby, number: int) -> None:
        self.street = street
        self.lobby = lobby
        self.number = number
        self.key = lobby.identity.public_key
        self.seen: dict[bytes, int] = defaultdict(int)
        self.received: set[str] = set()
        self.payloads: dict[bytes, list[str]] = defaultdict(list)

    async def listen(self) -> None:
        """Take every event in."""
        async for event in self.lobby:
            self._take(event)

    def _take(self, event: Event) -> None:
        street = self.street
        match event:
            case Updated(member=member) if member.public_key in street.said:
                self._see(member, time.perf_counter())
            case MessageReceived():
                self._receive(event)
            case StateChanged() if not event.state.is_live:
                street.complain(f"the connection is {event.state.phase.value}: {event.state.cause}")
            case Repaired() | Overflowed():
                street.complain(type(event).__name__)
            case Suspect() | Back() | Joined() | Left() if event.member.public_key in street.said:
                street.complain(f"{type(event).__name__} of a healthy member")

    def _see(self, member: Member, now: float) -> None:
        said = self.street.said[member.public_key]
        number = int(member.profile.status_text or 0)
        for one in range(self.seen[member.public_key] + 1, number + 1):
            if one in said:
                self.street.latency.record("update", now - said[one])
        self.seen[member.public_key] = max(number, self.seen[member.public_key])

    def _receive(self, event: MessageReceived) -> None:
        payload = bytes(event.payload)
        if event.sender_key not in self.street.said:
            if len(self.payloads[event.sender_key]) < PAYLOADS_KEPT:
                self.payloads[event.sender_key].append(payload.hex())
            return
        text = payload.decode()
        if text in self.received:
            self.street.complain("a message came twice")
        self.received.add(text)

    async def live(self) -> None:
        """Update and send, until told to rest."""
        street, number = self.street, 0
        await asyncio.sleep(UPDATE_SECONDS * self.number / len(street.neighbours))
        while True:
            await street.lively.wait()
            number += 1
            street.said[self.key][number] = time.perf_counter()
            await self.lobby.update(status_text=str(number))
            if number % SENDS_EVERY == 0:
                await self._write(number)
            await asyncio.sleep(UPDATE_SECONDS)

    async def _write(self, number: int) -> None:
        other = self.street.neighbours[(self.number + 1) % len(self.street.neighbours)]
        text = f"{self.number}/{number}"
        self.street.sent += 1
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await self.lobby.send(other.key, text)
        except (AdsumError, TimeoutError) as error:
            self.street.complain(f"a message was not delivered: {type(error).__name__} {error}")
            return
        if text not in other.received:
            self.street.complain("a message counts as delivered and has not come")

    def list(self) -> dict[str, Any]:
        """Write down the list held."""
        lobby = self.lobby
        return {
            "epoch": lobby.epoch,
            "revision": lobby.revision,
            "digest": lobby.digest,
            "members": {member.public_key.hex(): record_of(member) for member in lobby.roster.values()},
        }


def record_of(member: Member) -> list[Any]:
    """Write a member's record so that two can be compared."""
    profile = member.profile
    return [
        member.incarnation,
        member.revision,
        int(member.liveness),
        profile.name,
        int(profile.status),
        profile.status_text,
        sorted(profile.attributes.items()),
        member.session_count,
    ]


class Street:
    """All healthy members together."""

    def __init__(self) -> None:
        self.neighbours: list[Neighbour] = []
        self.said: dict[bytes, dict[int, float]] = {}
        self.lively = asyncio.Event()
        self.lively.set()
        self.latency = LatencyRecorder()
        self.sent = 0
        self.complaints: Counter[str] = Counter()

    def complain(self, what: str) -> None:
        """Note what must not happen."""
        self.complaints[what] += 1

    def mark(self) -> dict[str, Any]:
        """Start a new window."""
        now = time.perf_counter()
        for said in self.said.values():
            # What was said before is history, unless it is still on its way.
            for number in [number for number, at in said.items() if at < now - SETTLE_SECONDS]:
                del said[number]
        self.latency = LatencyRecorder()
        self.sent = 0
        self.complaints = Counter()
        return {}

    def report(self) -> dict[str, Any]:
        """Sum up the window."""
        figures = self.latency.figures().get("update")
        unseen = sum(
            at < time.perf_counter() - SETTLE_SECONDS and number > other.seen[key]
            for key, said in self.said.items()
            for number, at in said.items()
            for other in self.neighbours
            if other.key != key
        )
        return {
            "updates": figures.count if figures else 0,
            "p50_ms": figures.p50_ms if figures else 0.0,
            "p99_ms": figures.p99_ms if figures else 0.0,
            "max_ms": figures.max_ms if figures else 0.0,
            "unseen": unseen,
            "sent": self.sent,
            "complaints": dict(self.complaints),
        }

    async def rest(self) -> dict[str, Any]:
        """Rest, wait until everybody holds the same, and give everybody's list."""
        self.lively.clear()
        ends_at = time.perf_counter() + SETTLE_SECONDS
        # A while of quiet: the rates of updates may hold one back for 0.2 s.
        quiet_since, revision = time.perf_counter(), -1
        while time.perf_counter() < min(ends_at, quiet_since + 0.6):
            held = {one.lobby.revision for one in self.neighbours}
            if len(held) > 1 or revision not in held:
                quiet_since, revision = time.perf_counter(), max(held)
            await asyncio.sleep(0.05)
        return {"lists": [one.list() for one in self.neighbours]}

    def stranger(self, key: bytes) -> dict[str, Any]:
        """Tell what each knows of somebody else, and what they have got from them."""
        return {
            "records": [
                record_of(member) if (member := one.lobby.roster.get(key)) is not None else None
                for one in self.neighbours
            ],
            "payloads": [one.payloads.pop(key, []) for one in self.neighbours],
        }


async def _answer(street: Street, line: str) -> dict[str, Any]:
    match line.split():
        case ["mark"]:
            return street.mark()
        case ["report"]:
            return street.report()
        case ["rest"]:
            return await street.rest()
        case ["live"]:
            street.lively.set()
            return {}
        case ["stranger", key]:
            return street.stranger(bytes.fromhex(key))
        case _:
            raise ValueError(f"what is {line!r}?")


async def main(target: str, lobby: str, count: int) -> None:
    """Live until standard input ends."""
    street = Street()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        for number in range(count):
            identity = Identity.generate()
            connection = connect(target, lobby=lobby, identity=identity, name=f"neighbour {number}")
            street.neighbours.append(Neighbour(street, await stack.enter_async_context(connection), number))
        running = []
        for one in street.neighbours:
            while len(one.lobby.roster) < count:
                await anext(one.lobby)
        for one in street.neighbours:
            street.said[one.key] = {}
        for one in street.neighbours:
            running += [tasks.create_task(one.listen()), tasks.create_task(one.live())]
        print(json.dumps({"keys": [one.key.hex() for one in street.neighbours]}), flush=True)
        while line := (await reader.readline()).decode():
            print(json.dumps(await _answer(street, line)), flush=True)
        for task in running:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
