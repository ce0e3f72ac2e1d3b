"""Between the lobby and the screen: the state, what happens to it, and the errands that it sends out.

It knows neither a terminal nor a key's code; a test or a screenshot can play on it without either. What an
errand of the terminal means (suspend, ring, draw again) is for whoever made it.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from adsum.client import (
    AdsumError,
    Connection,
    Event,
    InvalidProfile,
    Lobby,
    Overflowed,
    RecipientOffline,
    Refused,
    Unconfirmed,
)
from adsum.console.errands import Errand, Interrupt, Leave, Repaint, Ring, Select, Send, Suspend, Update
from adsum.console.inputs import (
    Facts,
    Input,
    Moment,
    Outcome,
    Relisted,
    SelectEnded,
    SendEnded,
    TimePassed,
    UpdateFailed,
)
from adsum.console.reducer import reduce_all
from adsum.console.state import State
from adsum.console.wording import duration_words

BATCH = 256
"""After how many events others have their turn."""


class Stage:
    """Hold the state. `on_change` is called whenever something has happened; `on_errand` for what isn't the lobby's."""

    def __init__(
        self, state: State, on_change: Callable[[], None], on_errand: Callable[[Errand], None]
    ) -> None:
        self.state = state
        self._on_change = on_change
        self._on_errand = on_errand
        self._events: list[Event] = []
        self._lobby: Lobby | None = None
        self._errands: asyncio.TaskGroup | None = None

    async def play(self, lobby: Lobby) -> None:
        """Follow the lobby until it is left.

        Raises:
            AdsumError: the session has ended for good.
        """
        self._lobby = lobby
        async with asyncio.TaskGroup() as errands:
            self._errands = errands
            try:
                async for event in lobby:
                    self._events.append(event)
                    if len(self._events) == 1:
                        self._on_change()
                    if len(self._events) >= BATCH or isinstance(event, Overflowed):
                        self.catch_up()
                        await asyncio.sleep(0)
            finally:
                self._errands = None
        self.catch_up()

    def take_in(self, *inputs: Input) -> None:
        """Let something happen, after the events that came before it."""
        events, self._events = self._events, []
        self._reduce([*events, *inputs])
        self._on_change()

    def catch_up(self) -> None:
        """Take in the events that wait, and let time pass."""
        events, self._events = self._events, []
        relists = [
            Relisted(tuple(self._lobby.roster.values()), self._lobby.selection)
            for event in events[-1:]
            if self._lobby is not None and isinstance(event, Overflowed)
        ]
        self._reduce([*events, *relists, TimePassed()])

    def look(self, connection: Connection | None) -> None:
        """Read what the library says about itself; `connection` is asked while there is no lobby yet."""
        lobby = self._lobby or (connection.lobby if connection is not None else None)
        if lobby is not None:
            facts = Facts(
                lobby.state, lobby.revision, lobby.is_proved, lobby.round_trip_seconds, lobby.progress
            )
            if facts != self.state.facts:
                self._reduce([facts])

    def _reduce(self, happened: list[Event | Input]) -> None:
        self.state, errands = reduce_all(self.state, happened, now())
        for errand in errands:
            self._run(errand)

    def _run(self, errand: Errand) -> None:
        match errand:
            case Interrupt() | Suspend() | Repaint() | Ring():
                self._on_errand(errand)
            case Leave() if self._errands is None:
                # There is no lobby to leave yet.
                self._on_errand(errand)
            case Select() | Send() | Update() | Leave():
                if self._errands is not None and self._lobby is not None:
                    self._errands.create_task(self._carry_out(errand, self._lobby))

    async def _carry_out(self, errand: Select | Send | Update | Leave, lobby: Lobby) -> None:
        match errand:
            case Select(public_key):
                await self._select(public_key, lobby)
            case Send():
                self.take_in(await _send(errand, lobby))
            case Update(status, text):
                try:
                    await lobby.update(status=status, status_text=text)
                except (InvalidProfile, Refused) as error:
                    self.take_in(UpdateFailed(str(error)))
                except AdsumError:
                    # The session is over, which the events tell.
                    return
            case Leave():
                await lobby.leave()

    async def _select(self, public_key: bytes | None, lobby: Lobby) -> None:
        if public_key is None:
            with suppress(AdsumError):
                await lobby.select(None)
            return
        try:
            await lobby.select(public_key)
        except RecipientOffline:
            ended = SelectEnded(public_key, None, "they went offline before the server could confirm it")
        except AdsumError as error:
            ended = SelectEnded(public_key, None, str(error))
        else:
            # Not the answer, which may be older than an event that has been taken in.
            ended = SelectEnded(public_key, lobby.selection)
        self.take_in(ended)


def now() -> Moment:
    """Read both clocks."""
    return Moment(asyncio.get_running_loop().time(), datetime.now().astimezone())


async def _send(errand: Send, lobby: Lobby) -> SendEnded:
    key = errand.member.public_key
    try:
        receipt = await lobby.send(errand.member, errand.text)
    except Unconfirmed as error:
        return SendEnded(key, errand.message_id, Outcome.UNCONFIRMED, str(error))
    except AdsumError as error:
        return SendEnded(key, errand.message_id, Outcome.UNDELIVERED, str(error))
    words = f"in {duration_words(receipt.round_trip_seconds)}"
    return SendEnded(key, errand.message_id, Outcome.DELIVERED, words)
