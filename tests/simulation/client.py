"""A client in virtual time: the real library with an application that does what it is told and checks what it is shown.

A `Device` is somebody's phone or terminal; a `Program` is one run of the client on it, in a process of its own. What the application is
shown must be true at every moment (P3, P7), and each message that it is given is noted (P8).
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import cast

from adsum.client import (
    AdsumError,
    Joined,
    Left,
    Member,
    MessageReceived,
    NotDelivered,
    Overflowed,
    Phase,
    RecipientOffline,
    SelectionState,
    Snapshotted,
    Suspect,
    Updated,
)
from adsum.client.client import Connection
from adsum.client.endpoint import Endpoint
from adsum.client.events import Back, Event
from adsum.client.lobby import Lobby
from adsum.client.member import Liveness, Profile
from adsum.client.session import Purpose
from adsum.client.settings import Settings
from adsum.contract.identity import Identity
from adsum.v1 import presence_pb2 as pb
from tests.model.digest import digest_of
from tests.model.lobby import LobbyModel, Record
from tests.model.messages import Letter
from tests.model.view import View
from tests.simulation.client_end import Dialler
from tests.simulation.loop import Process
from tests.simulation.network import Network, Path
from tests.simulation.witness import Observatory


def record_of(member: Member) -> Record:
    """Read a record from the library."""
    profile = member.profile
    said = (profile.name, int(profile.status), profile.status_text, tuple(sorted(profile.attributes.items())))
    return Record(
        member.incarnation, member.revision, member.liveness is Liveness.ONLINE, member.session_count, said
    )


@dataclass(slots=True, eq=False)
class Device:
    """Where somebody runs the client: whose it is, which lobby it enters, and how it reaches the server."""

    name: str
    identity: Identity
    lobby: str
    path: Path
    profile: Profile
    program: "Program | None" = None
    observes: bool = False


@dataclass(frozen=True, slots=True)
class Selected:
    """Whom the application has selected, in which session and history."""

    key: bytes
    incarnation: int
    epoch: int
    session_id: bytes


class Program:
    """One run of the client."""

    def __init__(
        self,
        device: Device,
        process: Process,
        network: Network,
        observatory: Observatory,
        settings: Settings,
        pause_seconds: float,
        credentials: tuple[bytes, bytes] | None = None,
    ) -> None:
        self.device = device
        self.process = process
        self.ended: str | None = None
        """How it ended; None as long as it runs."""
        self.view = View()
        self.outstanding = 0
        """How many answers its application waits for."""
        self.doing = 0
        """How many things its application does at the moment."""
        self.is_leaving = False
        self.selected: Selected | None = None
        self.was_duplicated = False
        self.stale_credentials: tuple[bytes, bytes] | None = None
        """What continued its session once, and must not any more."""
        self._credentials: list[tuple[bytes, bytes]] = []
        self.pause_seconds = pause_seconds
        self._observatory = observatory
        self._checks = observatory.checks
        self._stood_at: tuple[int, int] = (0, 0)
        self._selects = 0
        self._sent = 0
        self._is_resumed = False
        self._beat_of: tuple[int, int] | None = None
        """The epoch and revision of the last heartbeat that it heard on the stream of the moment."""
        purpose = Purpose(device.lobby, device.identity, Dialler.audience, device.observes)
        # It has what the library uses of an endpoint.
        endpoint = cast(Endpoint, Dialler(process, network, device.path, self._heard))
        self._connection = Connection(purpose, device.profile, endpoint, settings)
        process.post(self._start, credentials)

    # What it is.

    @property
    def lobby(self) -> Lobby | None:
        """The lobby, from the moment it is being entered."""
        return self._connection.lobby

    @property
    def credentials(self) -> tuple[bytes, bytes] | None:
        """What continues its session, as a thief or a backup would find it."""
        if self.lobby is None or not self.lobby._session._token:
            return None
        return self.lobby._session._session_id, self.lobby._session._token

    @property
    def model(self) -> LobbyModel:
        """What is true of its lobby."""
        return self._observatory.lobbies[self.device.lobby]

    @property
    def knows_selection(self) -> bool:
        """Whether the server's last word about the selection has come. Always true if there can be none that isn't here.

        The server tells the list first and what follows for the selection by the next message, which may still be on the way; a
        heartbeat of that list comes after both. A resumed session may have a selection that this run of the client doesn't know.
        """
        assert self.lobby is not None
        selection = self.lobby.selection
        is_last_word = not self._is_resumed if selection is None else selection.is_available
        return is_last_word or self._beat_of == (self.lobby.epoch, self.lobby.revision)

    # What the world does with it.

    def kill(self) -> None:
        """End it, as SIGKILL does. What waited for the application counts as received: it was confirmed, and nobody can say more."""
        if self.lobby is not None:
            while (event := self.lobby._backlog.take()) is not None:
                if isinstance(event, MessageReceived):
                    self._got(event)
        self.ended = self.ended or "killed"
        self.process.kill()

    def do(self, action: Callable[[Lobby], Coroutine[object, None, None]]) -> None:
        """Let the application do something, if it is in the lobby."""
        self.process.post(self._do, action)

    def leave(self) -> None:
        """Leave, as a person does who quits."""

        async def leave(lobby: Lobby) -> None:
            self.is_leaving = True
            await lobby.leave()

        self.do(leave)

    async def _try(self, action: Callable[[Lobby], Coroutine[object, None, None]], lobby: Lobby) -> None:
        try:
            await action(lobby)
        except AdsumError as error:
            # It was left, or ended for good, in the meantime.
            self._observatory.count(f"refused {type(error).__name__}")

    def send(self, key: bytes, incarnation_of: bool, size: int) -> None:
        """Send a message to a key, or to the very presence that is shown."""

        async def send(lobby: Lobby) -> None:
            self._sent += 1
            payload = f"{self.process.name}/{self._sent}/".encode().ljust(size, b".")
            letter = Letter(self.device.identity.public_key, key)
            self._observatory.ledger.letters[payload] = letter
            self._observatory.count("sends")
            member = lobby.roster.get(key) if incarnation_of else None
            epoch = lobby.epoch
            outcome, revision = "DELIVERED", 0
            self.outstanding += 1
            try:
                revision = (await lobby.send(member or key, payload)).revision
            except NotDelivered as error:
                outcome, revision = error.outcome.name, error.revision
            except AdsumError as error:
                outcome = type(error).__name__
            finally:
                self.outstanding -= 1
            agrees = lobby.epoch != epoch or lobby.revision >= revision
            self._checks.that("P8", agrees, "{} of revision {} at {}", outcome, revision, lobby.revision)
            self._observatory.ledger.concluded(payload, outcome)
            self._observatory.count(f"outcome {outcome}")

        self.do(send)

    def select(self, key: bytes | None) -> None:
        """Select somebody, or nobody."""

        async def select(lobby: Lobby) -> None:
            self._selects += 1
            number, self.selected = self._selects, None
            self._observatory.count("selects")
            self.outstanding += 1
            try:
                answer = await lobby.select(key)
            except RecipientOffline as error:
                self._checks.that("P7", error.revision <= lobby.revision, "not present, ahead of the list")
                return
            except AdsumError:
                return
            finally:
                self.outstanding -= 1
            if number == self._selects and answer.state is not SelectionState.CLEARED:
                session_id = lobby._session._session_id
                self.selected = Selected(answer.public_key, answer.incarnation, lobby.epoch, session_id)

        self.do(select)

    # The application.

    def _start(self, credentials: tuple[bytes, bytes] | None) -> None:
        _ = self.process.spawn(self._run(), self.process.name)
        if credentials is not None:
            # Between the task's first step, which makes the session, and its own task's, which dials.
            self.process.call_soon(self._steal, credentials)

    def _steal(self, credentials: tuple[bytes, bytes]) -> None:
        assert self.lobby is not None
        self.lobby._session._session_id, self.lobby._session._token = credentials
        # Request ids must grow in a session. A copy leaves those before it room.
        self.lobby._session.outbox._last_id = 1_000_000 * int(self.process.name.rpartition(".")[2])

    async def _run(self) -> None:
        try:
            async with self._connection as lobby:
                async for event in lobby:
                    self._take(event, lobby)
                    if self.pause_seconds:
                        await _sleep(self.process, self.pause_seconds)
            self.ended = "left"
        except AdsumError as error:
            self.ended = type(error).__name__
            self._observatory.count(f"ended {self.ended}")
        except Exception as error:  # noqa: BLE001  # whatever it is, it is what we look for
            self.ended = repr(error)
            self._checks.that("P9", self.process.is_dead, "{} has failed: {!r}", self.process.name, error)

    def _do(self, action: Callable[[Lobby], Coroutine[object, None, None]]) -> None:
        if self.lobby is not None and self.ended is None and self.lobby._session.replica.is_complete:
            self.doing += 1
            self.process.spawn(self._try(action, self.lobby), "action").add_done_callback(self._done)

    def _done(self, _: object) -> None:
        self.doing -= 1

    def _heard(self, content: bytes) -> None:
        response = pb.PresenceResponse.FromString(content)
        match response.WhichOneof("response"):
            case "welcome":
                self._is_resumed, self._beat_of = response.welcome.resumed, None
            case "heartbeat":
                self._beat_of = (response.heartbeat.epoch, response.heartbeat.revision)
            case _:
                pass

    def _got(self, event: MessageReceived) -> None:
        self._observatory.ledger.got(event.payload, event.sender_key, self.process.name)

    def _take(self, event: Event, lobby: Lobby) -> None:
        match event:
            case Snapshotted():
                self.view.read({member.public_key: record_of(member) for member in event.members})
            case Joined(member) | Updated(member) | Suspect(member) | Back(member):
                self.view.put(member.public_key, record_of(member))
            case Left(member, _, revision):
                self.view.drop(member.public_key)
                then = self.model.at(lobby.epoch, revision)
                if then is not None and not self.pause_seconds:
                    record = then.get(member.public_key)
                    is_gone = record is None or record.incarnation != member.incarnation
                    self._checks.that("P6", is_gone, "told that somebody left who is there")
            case Overflowed():
                self._observatory.count("overflows")
                self.view.read({key: record_of(member) for key, member in lobby.roster.items()})
            case MessageReceived():
                self._got(event)
            case _:
                pass
        self.check()

    def check(self) -> None:
        """Check what the application is shown at this moment."""
        lobby, checks = self.lobby, self._checks
        if lobby is None or not lobby._session.replica.is_complete:
            return
        if (credentials := self.credentials) is not None and credentials not in self._credentials[-1:]:
            self._credentials.append(credentials)
            # The one before the last may still be valid: nothing may have been heard since.
            if len(self._credentials) > 2 and self._credentials[-3][0] == credentials[0]:
                self.stale_credentials = self._credentials[-3]
        if (lobby.epoch, lobby.revision) != self._stood_at:
            self._stood_at = (lobby.epoch, lobby.revision)
            truth = self.model.at(lobby.epoch, lobby.revision)
            shown = {key: record_of(member) for key, member in lobby.roster.items()}
            name = self.process.name
            checks.that("P3", shown == truth, "{} shows a list that never was, at {}", name, lobby.revision)
            checks.that("P3", lobby.digest == digest_of(shown), "{}'s digest is not its list's", name)
        selection = lobby.selection
        if selection is not None and selection.is_available:
            record = lobby.roster.get(selection.public_key)
            is_there = (
                record is not None and record.incarnation == selection.incarnation and record.is_available
            )
            checks.that("P7", is_there, "selected as available, but the list disagrees")
            phase = lobby.state.phase
            is_connected = phase not in (Phase.RECONNECTING, Phase.CONNECTING, Phase.CLOSED)
            checks.that("P7", is_connected, "selected as available without a connection: {}", phase.value)

    def check_quiet(self) -> None:
        """Check what must hold when everybody is there and nothing is under way."""
        lobby, checks, name = self.lobby, self._checks, self.process.name
        assert lobby is not None
        self.check()
        # What a person sees. A new revision or, across histories, a new incarnation alone is no event.
        shown = {key: record_of(member)[2:] for key, member in lobby.roster.items()}
        told = {key: record[2:] for key, record in self.view.members.items()}
        checks.that("P3", told == shown, "{}: the events don't add up to the list", name)
        checks.that("P3", lobby.is_proved, "{}'s list is not proved", name)
        checks.that("P8", not self.outstanding, "{} still waits for {} answers", name, self.outstanding)
        selection, selected = lobby.selection, self.selected
        if selection is not None:
            checks.that("P7", selection.is_available, "{}: everybody is there, but not who is selected", name)
        if selected is not None and selected.session_id == lobby._session._session_id:
            record = lobby.roster.get(selected.key)
            stayed = (
                selected.epoch == lobby.epoch
                and record is not None
                and record.incarnation == selected.incarnation
            )
            is_held = selection is not None and selection.public_key == selected.key
            checks.that("P7", is_held is stayed, "{}: selected {}, stayed {}", name, is_held, stayed)


async def _sleep(process: Process, seconds: float) -> None:
    future = process.create_future()
    process.call_later(seconds, lambda: None if future.done() else future.set_result(None))
    await future
