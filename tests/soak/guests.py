"""Clients of the library in the soak: each computes the digest of its list, and keeps a second list made of nothing but events.

Some stay for the whole soak, some leave and come back, some are connected through a relay that resets them now and then. A
repaired list is a broken promise here: nobody misses a change, and nobody's history ends.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from types import TracebackType

from adsum.client import (
    AdsumError,
    Event,
    Identity,
    Joined,
    Left,
    Lobby,
    MessageReceived,
    NotDelivered,
    Overflowed,
    RepairCause,
    Repaired,
    Settings,
    connect,
)
from adsum.client.roster import digest_of
from tests.integration.admin_client import Admin
from tests.integration.followers import Follower
from tests.integration.promises import BrokenPromiseError
from tests.integration.relay import Relay

DEED_SECONDS = 0.4
"""From one deed of a party to the next, on average."""
OUTCOME_SECONDS = 30.0
PATIENT = Settings(connect_seconds=20.0, first_connect_seconds=40.0)
RELAYED = 2
"""How many guests of each lobby are connected through the relay."""
_PROMISE_OF_REPAIR = {RepairCause.DIGEST: "P3", RepairCause.GAP: "P2", RepairCause.EPOCH: "P10"}
_DEEDS = ("update", "write", "select", "change places", "reset")
_WEIGHTS = (6.0, 6.0, 4.0, 1.5, 1.0)


class Guest(Follower):
    """Be one client. Unlike a follower of a short test it doesn't keep every event."""

    def __init__(self, name: str, identity: Identity, hear: Callable[["Guest", Event], None]) -> None:
        super().__init__(name, identity)
        self._hear = hear

    async def follow(self, lobby: Lobby) -> None:
        """Read every event until the end."""
        self._lobby = lobby
        self.entered.set()
        async for event in lobby:
            self._hear(self, event)
            if not isinstance(event, Left) or event.member.public_key in self.members:
                self._apply(event)
            self._news.set()


class Party:
    """The guests of one server. Use as `async with`; they leave at the end."""

    def __init__(
        self,
        name: str,
        target: str,
        relay: Relay,
        lobbies: dict[str, int],
        seed: str,
        report: Callable[[str, str, str], None],
    ) -> None:
        self.deeds: Counter[str] = Counter()
        self._name = name
        self._target = target
        self._relay = relay
        self._lobbies = lobbies
        self._random = random.Random(seed)
        self._report = report
        self._guests: list[Guest] = []
        self._places: dict[Guest, tuple[str, str]] = {}
        self._received: Counter[str] = Counter()
        self._delivered: dict[str, Guest] = {}
        self._tokens = 0
        self._people = 0
        self._may_act = asyncio.Event()
        self._acting: set[asyncio.Task[None]] = set()
        self._tasks = asyncio.TaskGroup()
        self._host: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Party":
        await self._tasks.__aenter__()
        async with asyncio.TaskGroup() as joins:
            for lobby, count in self._lobbies.items():
                for number in range(count):
                    target = self._relay.address if number < RELAYED else self._target
                    joins.create_task(self._join(lobby, target, self._draw_identity()))
        self._host = self._tasks.create_task(self._entertain())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._host is not None:
            self._host.cancel()
        for task in self._acting:
            task.cancel()
        async with asyncio.TaskGroup() as leaving:
            for guest in self._guests:
                if guest.error is None and guest.entered.is_set():
                    leaving.create_task(guest.lobby.leave())
        await self._tasks.__aexit__(None, None, None)

    @property
    def size(self) -> int:
        """How many guests there are."""
        return len(self._guests)

    def go_on(self) -> None:
        """Let them do things."""
        self._may_act.set()

    async def hold(self) -> None:
        """Let them do nothing more, and wait until what they have begun is over."""
        self._may_act.clear()
        if self._acting:
            await asyncio.wait(self._acting)

    async def agrees(self, admin: Admin) -> int:
        """Check that every guest's list is the server's, and that its messages have arrived; returns how many lists were compared."""
        for guest in self._guests:
            if guest.error is not None:
                continue
            try:
                await guest.agrees(admin)
                lobby = guest.lobby
                if digest_of(lobby.roster.values()) != lobby.digest:
                    self._tell("P3", f"{guest.name}'s digest is not that of its roster")
            except BrokenPromiseError as error:
                self._tell(error.promise, str(error))
        for token, recipient in self._delivered.items():
            if recipient in self._guests and self._received[token] != 1:
                self._tell("P8", f"a delivered message was told {self._received[token]} times")
        self._delivered.clear()
        self._received.clear()
        return len(self._guests)

    async def are_live(self, seconds: float) -> None:
        """Wait until every guest is connected and sees nobody suspect."""
        for guest in self._guests:
            try:
                await guest.until(
                    "P6",
                    "to be live, and everybody online",
                    partial(_sees_all_online, guest),
                    seconds,
                )
            except BrokenPromiseError as error:
                self._tell(error.promise, str(error))

    # What they do

    async def _entertain(self) -> None:
        while True:
            await self._may_act.wait()
            # The pace of the soak, not a wait for anything.
            await asyncio.sleep(self._random.expovariate(1 / DEED_SECONDS))
            if self._may_act.is_set():
                task = self._tasks.create_task(self._do_something())
                self._acting.add(task)
                task.add_done_callback(self._acting.discard)

    async def _do_something(self) -> None:
        guest = self._random.choice(self._guests)
        what = self._random.choices(_DEEDS, _WEIGHTS)[0]
        try:
            async with asyncio.timeout(OUTCOME_SECONDS):
                await self._do(what, guest)
        except TimeoutError:
            self._tell("P8" if what == "write" else "P9", f"no end of '{what}' after {OUTCOME_SECONDS:g} s")
        except AdsumError as error:
            # The guest has left meanwhile, or whoever was meant has.
            self.deeds[f"{what}: {type(error).__name__}"] += 1

    async def _do(self, what: str, guest: Guest) -> None:
        lobby, _ = self._places[guest]
        match what:
            case "update":
                self._tokens += 1
                await guest.lobby.update(status_text=f"g{self._tokens}")
            case "write":
                await self._write(guest, lobby)
                return
            case "select":
                keys = list(guest.lobby.roster)
                await guest.lobby.select(self._random.choice(keys) if keys else None)
            case "reset":
                self._relay.reset()
            case _:
                await self._change_places(guest)
        self.deeds[what] += 1

    async def _write(self, guest: Guest, lobby: str) -> None:
        others = [one for one in self._guests if self._places[one][0] == lobby and one is not guest]
        if not others:
            return
        recipient = self._random.choice(others)
        self._tokens += 1
        token = f"m{self._tokens}"
        try:
            await guest.lobby.send(recipient.key, token)
        except NotDelivered as error:
            self.deeds[f"outcome {error.outcome.name.lower()}"] += 1
            return
        self.deeds["outcome delivered"] += 1
        self._delivered[token] = recipient

    async def _change_places(self, guest: Guest) -> None:
        """Let one leave, and one come: somebody else, or the same person."""
        if guest not in self._guests:
            return
        self._guests.remove(guest)
        lobby, target = self._places[guest]
        await guest.lobby.leave()
        await guest.until_over()
        del self._places[guest]
        identity = guest.identity if self._random.random() < 0.5 else self._draw_identity()
        await self._join(lobby, target, identity)

    async def _join(self, lobby: str, target: str, identity: Identity) -> None:
        self._people += 1
        guest = Guest(f"Guest {self._people}", identity, self._hear)
        self._tasks.create_task(self._stay(guest, lobby, target))
        await guest.entered.wait()
        if guest.error is not None:
            self._tell("P1", f"{guest.name} could not come in: {guest.error!r}")
            return
        self._places[guest] = (lobby, target)
        self._guests.append(guest)
        self.deeds["joins"] += 1

    async def _stay(self, guest: Guest, lobby: str, target: str) -> None:
        error: Exception
        try:
            async with connect(
                target, lobby=lobby, identity=guest.identity, name=guest.name, settings=PATIENT
            ) as entered:
                await guest.follow(entered)
                error = EOFError("left")
        except Exception as failure:  # noqa: BLE001  # told here, and by the next wait
            error = failure
            self._tell("P6", f"{guest.name} was lost for good: {failure!r}")
        guest.ended(error)

    def _hear(self, guest: Guest, event: Event) -> None:
        match event:
            case Repaired(cause):
                self.deeds[f"repaired {cause.value}"] += 1
                if cause in _PROMISE_OF_REPAIR:
                    self._tell(_PROMISE_OF_REPAIR[cause], f"{guest.name}'s list was repaired: {cause.value}")
            case Overflowed():
                self._tell("P9", f"{guest.name} dropped events")
            case MessageReceived():
                self._received[event.text] += 1
                if self._received[event.text] > 1:
                    self._tell("P8", f"{guest.name} was told {event.text} twice")
            case Joined(member) if member.public_key in guest.members:
                self._tell("P2", f"{guest.name} was shown a member as joined twice")
            case Left(member) if member.public_key not in guest.members:
                self._tell("P2", f"{guest.name} was shown a member as left twice")
            case _:
                return

    def _draw_identity(self) -> Identity:
        return Identity.from_seed(self._random.randbytes(32))

    def _tell(self, promise: str, what: str) -> None:
        self._report(self._name, promise, what)


def _sees_all_online(guest: Guest) -> bool:
    lobby = guest.lobby
    return lobby.state.is_live and all(member.is_available for member in lobby.roster.values())
