"""The way in: `async with connect(...) as lobby`.

The arguments are checked here; `Connection` owns the one TaskGroup in which everything else runs.
"""

import asyncio
from types import TracebackType

from adsum.client.endpoint import Endpoint
from adsum.client.lobby import Lobby
from adsum.client.member import Profile
from adsum.client.profile import checked
from adsum.client.session import Purpose
from adsum.client.settings import TLS, Settings
from adsum.contract.identity import Identity
from adsum.contract.limits import LOBBY_PATTERN


class Connection:
    """Be in a lobby for the time of an `async with`. Made by `connect`; serves once.

    Entering waits for the first whole list. Leaving says Leave, whatever the reason, and waits for at most
    `Settings.leave_seconds`; an exception of the body goes on as it is. It owns every task that the library
    runs: after it there is none.
    """

    def __init__(self, purpose: Purpose, profile: Profile, endpoint: Endpoint, settings: Settings) -> None:
        """Be made by `connect` only."""
        self._purpose = purpose
        self._profile = profile
        self._endpoint = endpoint
        self._settings = settings
        self._tasks = asyncio.TaskGroup()
        self._lobby: Lobby | None = None

    @property
    def lobby(self) -> Lobby | None:
        """The lobby from the moment it is being entered: its `state` and `progress` tell what is waited for. None before."""
        return self._lobby

    async def __aenter__(self) -> Lobby:
        """Connect, and wait for the first whole list.

        Raises:
            Unavailable: no server answered within `Settings.first_connect_seconds`.
            Refused: the server doesn't let this client in.
        """
        if self._lobby is not None:
            raise RuntimeError("a connection can be entered once")
        lobby = self._lobby = Lobby(self._purpose, self._profile, self._endpoint, self._settings)
        await self._tasks.__aenter__()
        try:
            await lobby.start(self._tasks)
        except BaseException:
            await self._end(lobby)
            raise
        return lobby

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave, and raise what ended the session for good if the application has seen neither that nor anything else."""
        assert self._lobby is not None
        await self._end(self._lobby)
        if error is None:
            self._lobby.raise_unseen_error()

    async def _end(self, lobby: Lobby) -> None:
        try:
            await lobby.stop()
        finally:
            # The group isn't told of the body's exception: it would wrap it, and its own task never fails.
            await self._tasks.__aexit__(None, None, None)


def connect(
    target: str,
    *,
    lobby: str,
    identity: Identity,
    name: str | None = None,
    profile: Profile | None = None,
    tls: TLS | None = None,
    insecure: bool = False,
    observer: bool = False,
    settings: Settings | None = None,
) -> Connection:
    """Prepare to be in a lobby, for `async with ... as lobby`. Nothing is dialled before that.

    `target` is "host:port"; its host is also the audience of the proof, so dial the name that the server is
    known by. Say who you are by `name` or by a whole `profile`; with neither, the key's fingerprint is the
    name. Without `tls` the connection is plaintext, which is allowed towards this machine, or anywhere if
    `insecure` is True. An `observer` looks without being present, and can't update, select or send.

    Raises:
        ValueError: the target or the lobby's name is not one, or plaintext would leave this machine.
        InvalidProfile: the profile breaks the contract's rules.
    """
    settings = settings or Settings()
    if not LOBBY_PATTERN.fullmatch(lobby):
        raise ValueError(
            f"{lobby!r} is not a lobby's name: 1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit"
        )
    if name is not None and profile is not None:
        raise ValueError("give a name or a profile, not both")
    endpoint = Endpoint.of(target, tls=tls, insecure=insecure, settings=settings)
    wanted = checked(profile or Profile(identity.fingerprint if name is None else name))
    return Connection(Purpose(lobby, identity, endpoint.audience, observer), wanted, endpoint, settings)
