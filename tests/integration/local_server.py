"""A whole server in this process, as `adsumd` puts it together, on a free port of the loopback.

For what needs a process of its own (signals, a kill, its memory) there is `adsumd.py`.
"""

import secrets
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from adsum.contract.limits import Limits
from adsum.server import app
from adsum.server.admin import AdminService
from adsum.server.hub import Hub
from adsum.server.memory_store import MemoryStore
from adsum.server.service import LobbyService

QUICK = Limits(heartbeat_seconds=0.3, lease_seconds=0.8, grace_seconds=0.6)
"""For tests in which a lease or a grace must run out."""
PROPORTIONAL = Limits(heartbeat_seconds=0.25, lease_seconds=0.6, grace_seconds=0.25)
"""The defaults, twenty times faster."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """Hold what a test needs of a server that runs. Its AdminService is on the same port."""

    address: str
    limits: Limits


@asynccontextmanager
async def local_server(
    limits: Limits | None = None, *, audiences: Collection[str] = ("127.0.0.1",), proves_keys: bool = True
) -> AsyncIterator[LocalServer]:
    """Run a server as long as the block runs, with the default limits unless told otherwise."""
    limits = limits or Limits()
    faults = limits.faults()
    if faults:
        raise ValueError(f"these limits contradict themselves: {faults}")
    store = MemoryStore(limits, lambda: secrets.randbits(64))
    async with Hub(
        store, limits, secrets.token_bytes, audiences=frozenset(audiences), proves_keys=proves_keys
    ) as hub:
        server = app._server(limits)
        server.add_generic_rpc_handlers((LobbyService(hub).handler(), AdminService(hub).handler()))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield LocalServer(f"127.0.0.1:{port}", limits)
        finally:
            await server.stop(app.STOP_SECONDS)
