"""Members who use the client library: each reads its events, and keeps a list made of nothing but these.

    async with local_server() as server, Followers(server.address) as followers:
        ann = await followers.join("Ann")

`agrees` checks that applying the events gives the library's roster, that its digest is proved, and that this is the server's list.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TypeVar

from adsum.client import (
    TLS,
    Back,
    Event,
    Identity,
    Joined,
    Left,
    Liveness,
    Lobby,
    Member,
    Overflowed,
    Profile,
    Settings,
    Snapshotted,
    Suspect,
    Updated,
    connect,
)
from tests.integration.admin_client import Admin
from tests.integration.promises import BrokenPromiseError, promised
from tests.integration.raw_stream import WAIT_SECONDS

E = TypeVar("E", bound=Event)


class Follower:
    """Be a member through the library. `Followers.join` makes it."""

    def __init__(self, name: str, identity: Identity) -> None:
        self.name = name
        self.identity = identity
        self.events: list[Event] = []
        self.members: dict[bytes, Member] = {}
        self.error: Exception | None = None
        self.entered = asyncio.Event()
        self._lobby: Lobby | None = None
        self._news = asyncio.Event()

    @property
    def key(self) -> bytes:
        """Who this is."""
        return self.identity.public_key

    @property
    def lobby(self) -> Lobby:
        """The library's lobby."""
        if self._lobby is None:
            raise AssertionError(f"{self.name} is not in")
        return self._lobby

    async def follow(self, lobby: Lobby) -> None:
        """Read every event until the end."""
        self._lobby = lobby
        self.entered.set()
        async for event in lobby:
            self.events.append(event)
            self._apply(event)
            self._news.set()

    def ended(self, error: Exception | None) -> None:
        """Note how it ended."""
        self.error = error
        self.entered.set()
        self._news.set()

    def of(self, kind: type[E], since: int = 0) -> list[E]:
        """List the events of one kind."""
        return [event for event in self.events[since:] if isinstance(event, kind)]

    def mark(self) -> int:
        """Remember this moment for `of`."""
        return len(self.events)

    async def until(
        self, promise: str, what: str, reached: Callable[[], object], seconds: float = WAIT_SECONDS
    ) -> None:
        """Wait until something is true, asking after each event."""
        try:
            async with asyncio.timeout(seconds):
                while not reached():
                    if self.error is not None:
                        raise BrokenPromiseError(promise, f"{self.name} waits for {what}: {self.error!r}")
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            names = [member.name for member in self.lobby.roster.values()]
            raise BrokenPromiseError(
                promise,
                f"{self.name} waits for {what}; is {self.lobby.state}; holds {names} at {self.lobby.revision}; "
                f"last told {[type(event).__name__ for event in self.events[-5:]]}",
            ) from None

    async def until_over(self) -> None:
        """Wait until the library has given up for good; `error` tells why."""
        async with asyncio.timeout(WAIT_SECONDS):
            while self.error is None:
                self._news.clear()
                await self._news.wait()

    async def is_live(self, promise: str, epoch_before: int = 0, seconds: float = WAIT_SECONDS) -> None:
        """Wait until the connection is live, if asked in another history than before."""
        await self.until(
            promise,
            "to be live",
            lambda: self.lobby.state.is_live and self.lobby.epoch != epoch_before,
            seconds,
        )

    async def sees(self, *others: "Follower", promise: str = "P3") -> None:
        """Wait until exactly these and oneself are online, by the roster and by the events, which come a little later."""
        keys = {self.key, *(other.key for other in others)}
        await self.until(
            promise,
            f"exactly {len(keys)} members, all online",
            lambda: all(
                shown.keys() == keys and all(member.is_available for member in shown.values())
                for shown in (self.lobby.roster, self.members)
            ),
        )

    async def agrees(self, admin: Admin) -> None:
        """Check that the events, the roster and the server tell the same, and that the digest proves it."""
        truth = await admin.lobby(self.lobby.name)
        await self.until("P3", f"revision {truth.revision}", lambda: self.lobby.revision >= truth.revision)
        lobby = self.lobby
        promised("P3", lobby.is_proved, f"{self.name}'s list is not proved")
        promised("P3", lobby.digest == truth.digest, f"{self.name}'s digest is not the server's")
        promised("P3", lobby.epoch == truth.epoch, f"{self.name} holds another epoch")
        # The roster is always the newest; the events that lead there may still wait to be read.
        await self.until(
            "P3", "events that give the roster", lambda: _shown(self.members) == _shown(lobby.roster)
        )
        told = {
            key: (member.profile.name, member.incarnation, member.revision, int(member.liveness))
            for key, member in (await admin.members(lobby.name)).items()
        }
        held = {
            key: (member.name, member.incarnation, member.revision, 1 if member.is_available else 2)
            for key, member in lobby.roster.items()
        }
        promised("P5", held == told, f"{self.name} holds other members than the server")

    def _apply(self, event: Event) -> None:
        match event:
            case Snapshotted(members):
                self.members = {member.public_key: member for member in members}
            case Joined(member) | Updated(member) | Suspect(member) | Back(member):
                self.members[member.public_key] = member
            case Left(member):
                del self.members[member.public_key]
            case Overflowed():
                self.members = dict(self.lobby.roster)
            case _:
                pass


def _shown(members: Mapping[bytes, Member]) -> dict[bytes, tuple[Profile, Liveness, int]]:
    # What is no event if it changes alone: the revision, and after a restart that lost the history the incarnation and
    # the time of joining of those who stayed.
    return {key: (member.profile, member.liveness, member.session_count) for key, member in members.items()}


class Followers:
    """Make members of one server who use the library, and let them all leave at the end."""

    def __init__(
        self, target: str, *, lobby: str = "lobby", tls: TLS | None = None, settings: Settings | None = None
    ) -> None:
        self.target = target
        self.lobby = lobby
        self.tls = tls
        self.settings = settings
        self.all: list[Follower] = []
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> "Followers":
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.leave_all()
        await self._tasks.__aexit__(None, None, None)

    async def join(
        self, name: str, *, identity: Identity | None = None, target: str = "", observer: bool = False
    ) -> Follower:
        """Let somebody join; returns when they hold the first list, or raises what `connect` raised."""
        follower = Follower(name, identity or Identity.generate())
        self.all.append(follower)
        self._tasks.create_task(self._live(follower, target or self.target, observer=observer))
        await follower.entered.wait()
        if follower.error is not None:
            raise follower.error
        return follower

    async def join_all(self, names: Sequence[str], target: str = "") -> list[Follower]:
        """Let many join at the same time; returns when everybody sees everybody."""
        async with asyncio.TaskGroup() as joins:
            tasks = [joins.create_task(self.join(name, target=target)) for name in names]
        joined = [task.result() for task in tasks]
        for follower in joined:
            await follower.sees(*(other for other in joined if other is not follower))
        return joined

    async def leave_all(self) -> None:
        """Let everybody leave who is still in."""
        async with asyncio.TaskGroup() as leaving:
            for follower in self.all:
                if follower.error is None and follower.entered.is_set():
                    leaving.create_task(follower.lobby.leave())

    async def _live(self, follower: Follower, target: str, *, observer: bool) -> None:
        try:
            async with connect(
                target,
                lobby=self.lobby,
                identity=follower.identity,
                name=follower.name,
                tls=self.tls,
                observer=observer,
                settings=self.settings,
            ) as lobby:
                await follower.follow(lobby)
        except Exception as error:  # noqa: BLE001  # whatever it is, the test is told by the next wait
            follower.ended(error)
