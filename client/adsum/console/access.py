"""The way into a lobby: from what the command line says to a connection of the library.

Here the user's system is asked what nobody said: the key, the name, the certificate's file.
"""

import getpass
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path

from adsum.client import TLS, Connection, Identity, Lobby, Profile, Settings, connect, load_identity
from adsum.console.commands import Access
from adsum.console.exits import CommandError, Exit
from adsum.console.output import Output
from adsum.contract.text import fault_in_name, normalise

SETTINGS = Settings(first_connect_seconds=5.0)
"""How the library shall behave. Somebody who waits for a prompt wants to know soon that there is no server."""
NAMELESS = "somebody"
"""Who a user is whose system has no name for them that could be shown."""


def find_identity(access: Access) -> Identity:
    """Load the user's key; make it on first use.

    Raises:
        KeyFileError: it can't be read, made or trusted.
    """
    return load_identity(access.key)


def find_name(access: Access) -> str:
    """Tell the name that was asked for, or else the usual one, or else the system's name for the user."""
    return access.name or access.usual_name or system_name()


def system_name() -> str:
    """Tell the system's name for the user, if it may be a display name."""
    try:
        name = normalise(getpass.getuser())
    # OSError since Python 3.13, KeyError and ImportError before.
    except (OSError, KeyError, ImportError):
        return NAMELESS
    return NAMELESS if fault_in_name(name) else name


@asynccontextmanager
async def enter(
    access: Access,
    lobby: str,
    output: Output | None,
    *,
    identity: Identity,
    profile: Profile | None = None,
    observer: bool = False,
) -> AsyncIterator[Lobby]:
    """Be in a lobby for as long as the context lasts. Until one is in, the output (if any) shows a sign of life.

    Raises:
        CommandError: as `prepare`.
        AdsumError: the lobby can't be entered.
    """
    connection = prepare(access, lobby, identity=identity, profile=profile, observer=observer)
    async with AsyncExitStack() as stack:
        with output.waiting(f"connecting to {access.server}") if output is not None else nullcontext():
            entered = await stack.enter_async_context(connection)
        yield entered


def prepare(
    access: Access,
    lobby: str,
    *,
    identity: Identity,
    profile: Profile | None = None,
    observer: bool = False,
) -> Connection:
    """Make the connection by which a lobby can be entered.

    Raises:
        CommandError: the server's address and the options don't go together, or the file of the authority can't be read.
    """
    try:
        return connect(
            access.server,
            lobby=lobby,
            identity=identity,
            profile=profile,
            tls=TLS(ca=_read(access.ca) if access.ca else None) if access.tls else None,
            insecure=access.insecure,
            observer=observer,
            settings=SETTINGS,
        )
    except ValueError as error:
        raise CommandError(Exit.USAGE, str(error)) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(
            Exit.ERROR, f"the authority's file {path} can't be read: {error.strerror}"
        ) from error
