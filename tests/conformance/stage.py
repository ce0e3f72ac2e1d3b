"""What a case has at hand: clients in the language under test and in Python, servers, cables, members that cost little."""

import asyncio
import hashlib
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from adsum.contract.identity import Identity
from adsum.v1.member_pb2 import Liveness, Member, Status
from tests.client.scripted_server import ScriptedServer
from tests.conformance.client import WAIT_SECONDS, Client, ConformanceError, start
from tests.conformance.languages import Language
from tests.conformance.mirror import Json
from tests.integration.admin_client import Admin, admin_of
from tests.integration.adsumd import Adsumd, running_adsumd
from tests.integration.company import Company
from tests.integration.relay import Relay, relaying

QUICK = ("--heartbeat-seconds", "0.5", "--lease-seconds", "1.5", "--grace-seconds", "1.5")
"""For cases in which a lease or a grace must run out."""
PATIENT = ("--heartbeat-seconds", "0.5", "--lease-seconds", "1.5", "--grace-seconds", "30")
"""For cases in which a loss is found soon, and the one lost has all the time to come back."""
FACTS = ("name", "status", "status_text", "attributes", "liveness", "devices", "incarnation", "revision")
QUICK_STOP = ("--drain-seconds", "1")


class Servers:
    """Run servers that many cases share: each case has a lobby of its own. Use as `async with`."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._running: dict[tuple[str, ...], Adsumd] = {}
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> "Servers":
        self._directory = Path(self._stack.enter_context(TemporaryDirectory(prefix="adsum-conformance-")))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Checks the servers' logs too, and raises what is wrong with them.
        await self._stack.aclose()

    async def serving(self, *options: str) -> Adsumd:
        """Find the server with these options, or start it."""
        async with self._lock:
            if options not in self._running:
                directory = self._directory / f"{len(self._running)}"
                directory.mkdir()
                self._running[options] = await self._stack.enter_async_context(
                    running_adsumd(directory, "--handover-file", "none", *options)
                )
            return self._running[options]


class Stage:
    """Set up one case for one language. Use as `async with`; at its end all that it has started is gone."""

    def __init__(self, language: Language, reference: Language, servers: Servers, lobby: str) -> None:
        self.language = language
        self.lobby = lobby
        self.clients: list[Client] = []
        self._reference = reference
        self._servers = servers
        self._stack = AsyncExitStack()
        self._tasks = asyncio.TaskGroup()
        self._directory: Path | None = None

    async def __aenter__(self) -> "Stage":
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            for client in self.clients:
                await client.reap()
        finally:
            # The group isn't told of the block's exception: it would wrap it.
            await self._tasks.__aexit__(None, None, None)
            await self._stack.aclose()
        if error is None:
            for client in self.clients:
                client.check()

    # Clients

    async def start(self, name: str, *, identity: Identity | None = None, peer: bool = False) -> Client:
        """Start a client that isn't told anything yet: in the language under test, or as a peer in Python."""
        language = self._reference if peer else self.language
        identity = identity or self.identity(name)
        client = await start(language.adapter, language.title, name, self.lobby, identity)
        self.clients.append(client)
        self._tasks.create_task(client.listen())
        self._tasks.create_task(client.listen_aside())
        return client

    async def client(
        self,
        name: str,
        target: str,
        *,
        identity: Identity | None = None,
        observer: bool = False,
        peer: bool = False,
    ) -> Client:
        """Start a client and wait until it is in the lobby."""
        client = await self.start(name, identity=identity, peer=peer)
        client.connect(target, observer=observer)
        return await client.enters()

    async def clients_in(self, target: str, *names: str, peers: tuple[str, ...] = ()) -> list[Client]:
        """Start several clients at once, then the peers; all wait until everybody sees everybody."""
        started = [await self.start(name) for name in names] + [
            await self.start(name, peer=True) for name in peers
        ]
        for client in started:
            client.connect(target)
        for client in started:
            await client.enters()
        for client in started:
            for other in started:
                await sees_present(client, other.key)
        return started

    def identity(self, name: str) -> Identity:
        """Give the key that a name has in this case: always the same."""
        return Identity.from_seed(hashlib.sha256(f"{self.lobby}/{name}".encode()).digest())

    # What they live with

    async def quick(self) -> Adsumd:
        """Give a real server with a short lease and a short grace."""
        return await self._servers.serving(*QUICK)

    async def patient(self) -> Adsumd:
        """Give a real server with a short lease and a long grace."""
        return await self._servers.serving(*PATIENT)

    async def serving(self, *options: str) -> Adsumd:
        """Give a real server with these options; without any, what waits for no lease isn't hurried by one on a busy machine."""
        return await self._servers.serving(*options)

    def directory(self) -> Path:
        """Give a folder for this case alone."""
        if self._directory is None:
            self._directory = Path(self._stack.enter_context(TemporaryDirectory(prefix="adsum-conformance-")))
        return self._directory

    async def relay(self, target: str) -> Relay:
        """Lay a cable to a server that can be cut."""
        return await self._stack.enter_async_context(relaying(target))

    async def company(self, target: str) -> Company:
        """Make room for members in this process: they cost little, and can misbehave."""
        return await self._stack.enter_async_context(Company(target, lobby=self.lobby))

    async def admin(self, server: Adsumd) -> Admin:
        """Connect to a server's AdminService."""
        return await self._stack.enter_async_context(admin_of(server.admin_address))

    async def scripted(self) -> ScriptedServer:
        """Run a server that says what the case says."""
        return await self._stack.enter_async_context(ScriptedServer())

    async def agrees(self, admin: Admin, *clients: Client) -> None:
        """Wait until the lists of these clients are the server's, proved by the digest. Nothing may change meanwhile."""
        for client in clients:
            truth = await admin.lobby(self.lobby)
            held = await self.comes_to(client, truth.revision)
            told = (held["epoch"], held["revision"], held["digest"])
            true = (f"{truth.epoch:016x}", truth.revision, f"{truth.digest:016x}")
            expect(told == true, f"{client.label} holds {told}, the server {true} (epoch, revision, digest)")
            keys = {member["key"]: member for member in held["members"]}
            members = {key.hex(): member for key, member in (await admin.members(self.lobby)).items()}
            ghosts, missing = keys.keys() - members.keys(), members.keys() - keys.keys()
            expect(not ghosts and not missing, f"{client.label}: ghosts {ghosts}, missing {missing}")
            for key, member in members.items():
                shown = {name: keys[key][name] for name in FACTS}
                expect(shown == _facts(member), f"{client.label} holds {shown}, the server {_facts(member)}")
            expect(not held["is_stale"], f"{client.label} calls its list stale")

    async def comes_to(self, client: Client, revision: int) -> Json:
        """Ask a client for its list until that stands at a revision; a new revision alone is told by no event."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                held = await client.roster()
                if held["revision"] >= revision:
                    return held
                await asyncio.sleep(0.02)


def _facts(member: Member) -> Json:
    """Tell of a server's record what does not depend on how a time is rounded."""
    profile = member.profile
    return {
        "name": profile.name,
        "status": Status.Name(profile.status).removeprefix("STATUS_").lower(),
        "status_text": profile.status_text,
        "attributes": dict(profile.attributes),
        "liveness": Liveness.Name(member.liveness).removeprefix("LIVENESS_").lower(),
        "devices": member.session_count,
        "incarnation": member.incarnation,
        "revision": member.revision,
    }


async def sees_present(client: Client, key: str) -> None:
    """Wait until a client's events show somebody as there and online."""
    await client.until(
        f"to see {key[:8]} online",
        lambda: client.mirror.members.get(key, {}).get("liveness") == "online",
    )


def expect(holds: object, what: str) -> None:
    """Fail unless it holds."""
    if not holds:
        raise ConformanceError(what)
