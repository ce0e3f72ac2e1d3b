"""The lobby as an application holds it: who is there, what happens, and what one can do.

It belongs to one event loop. Reading costs nothing and never waits; only `async for`, `select`, `send` and
`leave` do.

What ends the connection for good (`Refused`, `SessionReplaced`, `Unavailable`) is raised by the iteration
after the last event, by every pending and later `select`, `send`, `update` and `resync`, and, if nobody has
seen it there, at the end of the `async with`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

from adsum.client.backlog import Backlog
from adsum.client.connection import Driver
from adsum.client.endpoint import Endpoint
from adsum.client.errors import (
    Closed,
    NotConnected,
    PayloadTooLarge,
    RecipientOffline,
    Refused,
    Unconfirmed,
    not_delivered,
)
from adsum.client.events import ConnectionState, Event, Selection, SnapshotProgress
from adsum.client.member import Member, Profile, Status
from adsum.client.messages import (
    RequestError,
    SelectionReason,
    SelectionState,
    SelectionUpdate,
    SendOutcome,
    SendResult,
)
from adsum.client.profile import checked
from adsum.client.roster import Roster
from adsum.client.session import Answer, Output, Purpose, Session
from adsum.client.settings import Settings
from adsum.contract.identity import KEY_BYTES, Identity
from adsum.contract.reasons import Reason


@dataclass(frozen=True, slots=True)
class Receipt:
    """Prove that a message was delivered: a client of the recipient has acknowledged it."""

    request_id: int
    recipient: bytes
    revision: int
    """The lobby's revision at which it was delivered."""
    round_trip_seconds: float
    """From the call of `send` to the receipt."""


class Lobby:
    """Live in one lobby. Made by `connect`; valid until its `async with` ends."""

    def __init__(self, purpose: Purpose, profile: Profile, endpoint: Endpoint, settings: Settings) -> None:
        """Be made by `connect` only."""
        self._settings = settings
        self._session = Session(purpose, profile, settings)
        self._backlog = Backlog(settings.event_queue, settings.inbox)
        self._driver = Driver(
            self._session, endpoint, settings, self._deliver, lambda: self._backlog.has_room_for_message
        )
        # Apart, so that selecting never waits for the acknowledgement of a message.
        self._send_slots = asyncio.Semaphore(settings.outstanding)
        self._select_slots = asyncio.Semaphore(settings.outstanding)
        self._waiting: dict[int, asyncio.Future[Answer | Exception]] = {}
        self._news = asyncio.Event()
        self._ready = asyncio.Event()
        self._over = asyncio.Event()
        self._error: Exception | None = None
        self._is_error_seen = False
        self._is_left = False

    # What is.

    @property
    def name(self) -> str:
        """The lobby's name."""
        return self._session.purpose.lobby

    @property
    def identity(self) -> Identity:
        """Who this client is."""
        return self._session.purpose.identity

    @property
    def me(self) -> Member | None:
        """This client's own member in the list; None for an observer."""
        return self.roster.get(self.identity.public_key)

    @property
    def roster(self) -> Roster:
        """The members by public key, ordered by name: a live view, always the newest list that the library has."""
        return self._session.replica.roster

    @property
    def epoch(self) -> int:
        """The lobby's history, which the revision counts in."""
        return self._session.replica.epoch

    @property
    def revision(self) -> int:
        """The lobby's revision at which the roster stands."""
        return self._session.replica.revision

    @property
    def digest(self) -> int:
        """The digest computed over the roster."""
        return self._session.replica.digest

    @property
    def is_proved(self) -> bool:
        """True if, on the connection of the moment, the server has given the same digest for this very revision."""
        return self._session.replica.is_proved

    @property
    def state(self) -> ConnectionState:
        """Where the connection stands, and why."""
        return self._session.state

    @property
    def progress(self) -> SnapshotProgress | None:
        """How much of a list that is being fetched has come; None if none is, or if its first part hasn't come."""
        return self._session.replica.progress

    @property
    def selection(self) -> Selection | None:
        """Who is selected; None for nobody.

        AVAILABLE means that the server has confirmed it and that `roster` shows the member online; never while
        this client's connection is lost. Like `roster` it may be ahead of the events.
        """
        return self._session.selection.current

    @property
    def round_trip_seconds(self) -> float | None:
        """The last round trip that the server measured with a heartbeat; None if none yet."""
        return self._session.round_trip_seconds

    # What happens.

    def __aiter__(self) -> AsyncIterator[Event]:
        """Iterate over events. Several loops share them: each event goes to one."""
        return self

    async def __anext__(self) -> Event:
        """Wait for the next event. The iteration ends after `leave`."""
        while True:
            event = self._backlog.take()
            if event is not None:
                return event
            if self._over.is_set():
                self._raise_error()
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()

    # What one can do.

    async def select(self, member: Member | bytes | None) -> Selection:
        """Select the member one is about to write to, and learn whether they can be reached; None clears the selection.

        The answer is the server's. It stays true by `SelectionChanged` events, and in `selection`. A member
        whose connection is lost is selected all the same, with the state UNAVAILABLE. Cancelling is safe: the
        selection is what `selection` says.

        Raises:
            RecipientOffline: there is no such member; nothing is selected.
            NotConnected: no answer within `Settings.answer_seconds`.
            Refused: the server doesn't take the request, or has ended the session for good.
            Closed: the lobby was left.
        """
        key = b"" if member is None else _key(member)
        self._check_may_ask()
        try:
            async with asyncio.timeout(self._settings.answer_seconds), self._select_slots:
                self._check_may_ask()
                answer = await self._answer(self._session.outbox.select(key))
        except TimeoutError as exc:
            cause = self.state.cause or "the server is silent"
            raise NotConnected(f"no answer within {self._settings.answer_seconds:g} s: {cause}") from exc
        assert isinstance(answer, SelectionUpdate), answer
        if answer.state is SelectionState.UNAVAILABLE and answer.reason is SelectionReason.NOT_PRESENT:
            raise RecipientOffline(SendOutcome.RECIPIENT_OFFLINE, key, answer.revision)
        return Selection(answer.public_key, answer.incarnation, answer.state, answer.reason)

    async def send(self, member: Member | bytes, payload: bytes | str) -> Receipt:
        """Send a message, and wait until a client of the recipient has acknowledged it.

        A `Member` means that very presence: if they left and came back since, `RecipientChanged` is raised.
        Bytes mean the key, whoever holds it now. Text is sent as UTF-8. Messages go out in the order of the
        calls. While the connection is lost the call waits for the next one, without a limit: put
        `asyncio.timeout` around it where there must be one. Cancelling is safe; the message may have been
        delivered.

        Raises:
            NotDelivered: it was not delivered, or may not have been; the subclass and `outcome` tell. The roster already agrees.
            Refused: the server doesn't take the request, or has ended the session for good.
            Closed: the lobby was left before the message was written.
        """
        key = _key(member)
        incarnation = member.incarnation if isinstance(member, Member) else 0
        data = payload.encode() if isinstance(payload, str) else bytes(payload)
        self._check_may_ask()
        started_at = asyncio.get_running_loop().time()
        async with self._send_slots:
            self._check_may_ask()
            if len(data) > self._session.limits.payload_bytes:
                raise PayloadTooLarge(SendOutcome.TOO_LARGE, key)
            answer = await self._answer(self._session.outbox.send(key, data, incarnation))
        assert isinstance(answer, SendResult), answer
        if answer.outcome is not SendOutcome.DELIVERED:
            raise not_delivered(answer.outcome, key, answer.revision)
        round_trip_seconds = asyncio.get_running_loop().time() - started_at
        return Receipt(answer.request_id, key, answer.revision, round_trip_seconds)

    async def update(
        self,
        *,
        name: str | None = None,
        status: Status | None = None,
        status_text: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        """Say something new about oneself; what is None stays as it was.

        It doesn't wait for the server: an `Updated` of one's own member shows the new profile, a
        `RequestRefused` that it was refused. While the connection is lost it is said as soon as there is
        another.

        Raises:
            InvalidProfile: it breaks the contract's rules.
            Closed: the lobby was left.
        """
        self._check_may_ask()
        profile = self._session.profile
        changed = replace(
            profile,
            name=profile.name if name is None else name,
            status=profile.status if status is None else status,
            status_text=profile.status_text if status_text is None else status_text,
            attributes=profile.attributes if attributes is None else attributes,
        )
        wanted = checked(changed)
        if wanted != profile:
            self._session.update(wanted)
            self._driver.poke()

    async def resync(self) -> None:
        """Ask for the whole list again. `Repaired` tells when it has come, after the events that tell what it changed.

        Without a connection nothing is asked: the list is verified anyway when there is one.

        Raises:
            Closed: the lobby was left.
        """
        self._check_open()
        self._deliver(self._session.resync(asyncio.get_running_loop().time()))
        self._driver.poke()

    async def leave(self) -> None:
        """Leave the lobby: the others see it at once. Returns when the server has confirmed, or after `Settings.leave_seconds`.

        Without a connection nobody can be told: the others see this member leave when the grace period ends.
        Leaving twice is harmless.
        """
        if not self._is_left:
            self._is_left = True
            self._driver.leave()
        if self._session.may_be_present:
            await asyncio.wait((self._runner,), timeout=self._settings.leave_seconds)
        self._runner.cancel()
        await asyncio.wait((self._runner,))

    # The context manager's side.

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Let the group hold the task that keeps the connection, and wait for the first list. Called by `connect` only.

        Raises:
            Unavailable: no server answered in time.
            Refused: the server doesn't let this client in.
        """
        self._runner = group.create_task(self._run(), name="adsum connection")
        await self._ready.wait()
        self._raise_error()

    async def stop(self) -> None:
        """Leave, and wait for the end of every task. Called by `connect` only."""
        try:
            await self.leave()
        finally:
            self._runner.cancel()

    def raise_unseen_error(self) -> None:
        """Raise what ended the session for good, if the application hasn't seen it. Called by `connect` only."""
        if not self._is_error_seen:
            self._raise_error()

    async def _run(self) -> None:
        """Be the task that keeps the connection, until it is left or lost for good."""
        error: Exception | None = None
        try:
            await self._driver.run()
        except Exception as exc:  # noqa: BLE001
            # Whatever it is, the application must learn of it where it listens, and not by a task that it doesn't know.
            error = exc
        finally:
            self._finish(error)

    def _finish(self, error: Exception | None) -> None:
        self._error = error
        self._deliver(self._session.close("left" if error is None else str(error)))
        for request_id, waiting in self._waiting.items():
            if not waiting.done():
                waiting.set_result(self._last_word(request_id))
        self._over.set()
        self._ready.set()
        self._news.set()

    def _last_word(self, request_id: int) -> Exception:
        """Tell a caller that will get no answer any more what that means."""
        recipient = self._session.outbox.unconfirmed(request_id)
        if recipient is not None:
            return Unconfirmed(SendOutcome.UNCONFIRMED, recipient)
        if self._error is not None:
            self._is_error_seen = True
            return self._error
        return Closed("the lobby was left")

    def _deliver(self, output: Output) -> None:
        for event in output.events:
            self._backlog.put(event)
        for answer in output.answers:
            waiting = self._waiting.get(answer.request_id)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)
        if output.events:
            self._news.set()
        if self._session.live_since is not None:
            self._ready.set()

    async def _answer(self, request_id: int) -> Answer:
        """Wait for the answer to a request that was just put into the outbox."""
        waiting: asyncio.Future[Answer | Exception] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = waiting
        self._driver.poke()
        try:
            answer = await waiting
        finally:
            del self._waiting[request_id]
            self._session.outbox.answered(request_id)
        if isinstance(answer, RequestError):
            raise Refused(answer.reason, answer.message)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _check_open(self) -> None:
        self._raise_error()
        if self._is_left or self._over.is_set():
            raise Closed("the lobby was left")

    def _check_may_ask(self) -> None:
        self._check_open()
        if self._session.purpose.observer:
            raise Refused(Reason.OBSERVER)

    def _raise_error(self) -> None:
        if self._error is not None:
            self._is_error_seen = True
            # The same error may be raised at several places, and must not collect all their tracebacks.
            raise self._error.with_traceback(None)


def _key(member: Member | bytes) -> bytes:
    key = member.public_key if isinstance(member, Member) else bytes(member)
    if len(key) != KEY_BYTES:
        raise ValueError(f"a public key has {KEY_BYTES} bytes, not {len(key)}")
    return key
