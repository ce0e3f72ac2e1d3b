"""The clients of one test: made here, watched here, and gone when it ends.

    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")

At the end every client's own checks must have held, also those that the test didn't wait for.
"""

import asyncio
from collections.abc import Sequence
from types import TracebackType

import grpc

from adsum.contract.identity import Identity
from tests.integration.raw_client import RawClient


class Company:
    """Make raw clients of one server and end them all. Use as `async with`."""

    def __init__(
        self,
        target: str,
        *,
        lobby: str = "lobby",
        credentials: grpc.ChannelCredentials | None = None,
        options: Sequence[tuple[str, str | int]] = (),
    ) -> None:
        self.target = target
        self.lobby = lobby
        self.credentials = credentials
        self.options = options
        self.clients: list[RawClient] = []
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> "Company":
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for client in self.clients:
            await client.hang_up()
        await self._tasks.__aexit__(None, None, None)
        violations = [client.violation for client in self.clients if client.violation is not None]
        if error is not None:
            for violation in violations:
                error.add_note(f"seen by a client meanwhile: {violation}")
        elif violations:
            raise violations[0]

    def client(
        self,
        name: str,
        *,
        identity: Identity | None = None,
        lobby: str = "",
        audience: str = "127.0.0.1",
        observer: bool = False,
        target: str = "",
        options: Sequence[tuple[str, str | int]] = (),
    ) -> RawClient:
        """Make a client that hasn't dialled yet."""
        client = RawClient(
            self._tasks,
            target or self.target,
            name,
            identity=identity,
            lobby=lobby or self.lobby,
            audience=audience,
            observer=observer,
            credentials=self.credentials,
            options=(*self.options, *options),
        )
        self.clients.append(client)
        return client

    async def join(
        self,
        name: str,
        *,
        identity: Identity | None = None,
        lobby: str = "",
        observer: bool = False,
        target: str = "",
    ) -> RawClient:
        """Let somebody join; returns when they hold the whole list."""
        client = self.client(name, identity=identity, lobby=lobby, observer=observer, target=target)
        return await client.join()

    async def join_all(self, names: Sequence[str], *, lobby: str = "") -> list[RawClient]:
        """Let many join at the same time; returns when everybody holds the list of all of them."""
        clients = [self.client(name, lobby=lobby) for name in names]
        async with asyncio.TaskGroup() as joins:
            for client in clients:
                joins.create_task(client.join())
        keys = {client.key for client in clients}
        for client in clients:
            await client.sees_all(keys)
        return clients
