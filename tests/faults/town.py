"""A place where faults are injected: one server, people of several kinds in processes of their own, and ears that hear everything.

Neighbours connect directly, and nothing is ever done to them: what they see is what is judged. Each crew of victims has a proxy of its own.
All of them are busy all the time, but at a *quiet point*: there everybody rests, and every list must be the server's.
"""

import asyncio
import itertools
import random
from collections.abc import Callable, Sequence

import grpc

from tests.faults.checkers import check_list
from tests.faults.crew import Crew, identity_of
from tests.faults.history import SERVER, Diary, Findings, History, Injection
from tests.faults.load import Load
from tests.faults.proxy import Proxy
from tests.faults.served import Served
from tests.faults.watch import Watch
from tests.integration.admin_client import admin_of
from tests.integration.company import Company
from tests.integration.raw_client import RawClient

ENTER_SECONDS = 30.0
QUIET_SECONDS = 20.0
"""How long the last message may need for its result, and the last list to be the server's, when everybody rests."""
FEWEST_LOOKS = 4
LOOK_SECONDS = 0.005
LOOK_AGAIN_SECONDS = 0.1
NOTICE_SECONDS = 2.0
WATCHED_SECONDS = 2.5
WATCHED_AFTER_SECONDS = 1.0
"""How long the life of a lobby is watched after a fault at least."""
PEOPLE = ("neighbour", "commuter", "victim")
WAYS = ("stranded", "forgotten", "unheard", "deaf")
"""How a connection can be half open: see `links.half_open`."""


class Victims:
    """Hold a crew to whom something is done, and the proxy on its way."""

    def __init__(self, crew: Crew, target: str, proxy: Proxy | None) -> None:
        self.crew = crew
        self.target = target
        self._proxy = proxy

    @property
    def keys(self) -> tuple[str, ...]:
        """Who they are."""
        return self.crew.keys

    @property
    def diaries(self) -> list[Diary]:
        """What they have seen."""
        return list(self.crew.diaries.values())

    @property
    def proxy(self) -> Proxy:
        """What is between them and the server."""
        assert self._proxy is not None
        return self._proxy


class Town:
    """Hold everybody. `opening.opened_town` makes it."""

    def __init__(self, name: str, served: Served, seed: int, findings: Findings) -> None:
        self.name = name
        self.served = served
        self.seed = seed
        self.chance = random.Random(f"{seed}/{name}")
        self.findings = findings
        self.history = History(name)
        self.crews: list[Crew] = []
        self.victims: list[Victims] = []
        self.lobby = name
        self.ear: RawClient | None = None
        self.company = Company(served.address, lobby=self.lobby)
        """For clients that speak the protocol by themselves; the ear is one."""
        self.quiet_points = 0
        self.ways = itertools.cycle(WAYS)
        """Which half-open connection comes next."""
        self._news = asyncio.Event()
        self._load = Load(
            lambda: [served.pid if served.is_running else None, *(crew.pid for crew in self.crews[:1])]
        )
        self._clock = asyncio.get_running_loop().time
        diary = Diary(SERVER, "", "server")
        self.history.diaries.append(diary)
        self.watch = Watch(self.lobby, diary, lambda: served.admin_address, self._news.set)

    def now(self) -> float:
        """Tell the moment, by the clock of every process here."""
        return self._clock()

    async def until(self, test: Callable[[], object], seconds: float) -> bool:
        """Wait until something is seen, asking after whatever anybody tells; False if it isn't in time."""
        try:
            async with asyncio.timeout(seconds):
                while not test():
                    self._news.clear()
                    await self._news.wait()
                    # A crowd tells thousands of things in a second, and each look costs more than most of them.
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            return False
        return True

    async def until_true(self, test: Callable[[], object], seconds: float) -> bool:
        """Wait until something is true that nobody tells, such as a line in a file."""
        deadline = self.now() + seconds
        while self.now() < deadline:
            if test():
                return True
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        return False

    # People.

    @property
    def all_keys(self) -> tuple[str, ...]:
        """List everybody who is a client of the library."""
        return tuple(diary.key for diary in self.history.diaries if diary.role in PEOPLE)

    async def add_crew(
        self,
        role: str,
        names: Sequence[str],
        *,
        target: str = "",
        every: float = 1.0,
        prefix: Sequence[str] = (),
        commuters: Sequence[str] = (),
        brief: bool = False,
    ) -> Crew:
        """Start a process of people and let them join."""
        diaries = [
            Diary(
                name, identity_of(self.seed, name).public_key.hex(), "commuter" if name in commuters else role
            )
            for name in (*names, *commuters)
        ]
        self.history.diaries += diaries
        crew = Crew(f"{self.name}-{len(self.crews)}", diaries, self.seed, self._news.set, prefix)
        crew.every = every
        for diary in diaries:
            diary.is_brief = brief
        self.crews.append(crew)
        await crew.start()
        crew.join(target or self.served.address, self.lobby)
        return crew

    async def entered(self, crews: Sequence[Crew]) -> None:
        """Wait until everybody of these crews is live."""
        diaries = [diary for crew in crews for diary in crew.diaries.values() if diary.role != "commuter"]
        if not await self.until(lambda: all(diary.is_live for diary in diaries), ENTER_SECONDS):
            missing = [diary.name for diary in diaries if not diary.is_live]
            told = b"".join(crew.stderr for crew in crews).decode("utf-8", "replace")
            self.findings.that(
                "P5", False, self.now(), f"{self.name}: {missing} are not in: {told}", "missing"
            )

    def act(self) -> None:
        """Let everybody be busy."""
        for crew in self.crews:
            if crew.is_alive:
                crew.tell("act")

    # Judging.

    def injected(self, injection: Injection) -> Injection:
        """Remember a fault."""
        self.history.injections.append(injection)
        self._load.look()
        return injection

    def sees(self, key: str, *liveness: str) -> bool:
        """Tell whether every observer's list shows a member so: online, suspect or absent."""
        return all(
            diary.shows(key) in liveness for diary in self.history.diaries if diary.role == "neighbour"
        )

    def has_recovered(self, injection: Injection) -> bool:
        """Tell whether the victims of a fault are live, hold what they missed, and are online on every list."""
        victims = [
            diary
            for diary in self.history.diaries
            if diary.key in injection.victims and diary.role != "commuter"
        ]
        return all(
            diary.is_live
            and (diary.is_brief or not diary.seen or diary.seen[-1].held >= injection.revision)
            and self.sees(diary.key, "online")
            for diary in victims
        )

    async def noticed(self, injection: Injection) -> None:
        """Wait until the victims have noticed that their connections are lost; they may be back already."""
        waiting = [diary for diary in self.history.diaries if diary.key in injection.victims]

        def all_have() -> bool:
            waiting[:] = [diary for diary in waiting if not diary.was_cut_off_since(injection.began)]
            return not waiting

        await self.until(all_have, NOTICE_SECONDS)

    async def recovered(self, injection: Injection, seconds: float, *, is_new_history: bool = False) -> None:
        """Note that a fault is over, and wait until everything is as before. Whether it is, the checkers find out."""
        injection.ended = min(injection.ended, self.now())
        injection.revision = 0 if is_new_history else self.watch.roster.revision
        await self.until(lambda: self.has_recovered(injection), seconds)
        injection.settled = self.now()
        # What is over at once is watched for a while all the same.
        watched = max(injection.began + WATCHED_SECONDS, injection.ended + WATCHED_AFTER_SECONDS)
        await asyncio.sleep(max(0.0, watched - self.now()))
        injection.watched = self.now()
        injection.waited = self._load.share_since(injection.began)

    async def quiet_point(self) -> None:
        """Let everybody rest, and compare every list with the server's."""
        crews = [crew for crew in self.crews if crew.is_alive]
        for crew in crews:
            crew.tell("rest")
        for crew in crews:
            try:
                async with asyncio.timeout(QUIET_SECONDS):
                    await crew.rests.wait()
            except TimeoutError:
                self.findings.that(
                    "P8", False, self.now(), f"{crew.name}: a message has no result", "message"
                )
        broken: list[tuple[str, str, str]] = []
        deadline, looks = self.now() + QUIET_SECONDS, 0
        # Counted as well: a machine that stood still meanwhile has shown nothing.
        while self.now() < deadline or looks < FEWEST_LOOKS:
            looks += 1
            broken = await self._differences(crews)
            if not broken:
                break
            # Somebody may still be on the way: a commuter, the last delta.
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        at = self.now()
        self.quiet_points += 1
        self.findings.that("P3", not broken, at, f"{self.name}: quiet, but lists differ", "list")
        for promise, kind, what in broken:
            self.findings.that(promise, False, at, f"{self.name}: {what}", kind)
        self.act()

    async def _differences(self, crews: Sequence[Crew]) -> list[tuple[str, str, str]]:
        people = [diary for crew in crews for diary in crew.diaries.values() if diary.is_live]
        for diary in people:
            diary.roster = None
        for crew in crews:
            crew.tell("roster")
        if not await self.until(lambda: all(diary.roster for diary in people), 5.0):
            silent = [diary.name for diary in people if not diary.roster]
            return [("P3", "list", f"{silent} don't tell their lists")]
        try:
            async with admin_of(self.served.admin_address) as admin:
                truth, members = await admin.lobby(self.lobby), await admin.members(self.lobby)
        except grpc.aio.AioRpcError as error:
            return [("P5", "ghost", f"the server can't tell who is there: {error.details()}")]
        present = {diary.key for diary in people}
        if self.ear is not None:
            present.add(self.ear.key.hex())
        told = {key.hex() for key in members}
        broken = [("P5", "ghost", f"{self.history.name_of(key)} is a ghost") for key in told - present]
        broken += [("P5", "ghost", f"{self.history.name_of(key)} is missing") for key in present - told]
        for diary in people:
            assert diary.roster is not None
            broken += check_list(diary, diary.roster, truth, members)
        return broken
