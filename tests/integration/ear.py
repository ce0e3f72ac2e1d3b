"""Waiting for what a stream is told: each wait is bounded, and fails with the promise that it waited for."""

import asyncio
from collections.abc import Callable

from adsum.v1.presence_pb2 import Delivery, PresenceResponse, RequestError, SelectionUpdate, SendResult
from tests.integration.promises import BrokenPromiseError
from tests.integration.raw_roster import RawRoster
from tests.integration.raw_stream import WAIT_SECONDS
from tests.integration.refusal import Ending
from tests.integration.witness import Heard, Witness


class Ear:
    """Remember what one session is told, and wait for it. `RawClient` is one, and feeds the witness."""

    def __init__(self, name: str, public_key: bytes, *, observer: bool) -> None:
        self.name = name
        self.key = public_key
        self.witness = Witness(public_key, observer=observer)
        self.violation: BrokenPromiseError | None = None
        self._news = asyncio.Event()

    @property
    def roster(self) -> RawRoster:
        """The list held."""
        return self.witness.roster

    @property
    def heard(self) -> list[Heard]:
        """Everything heard since the first Welcome."""
        return self.witness.heard

    @property
    def ending(self) -> Ending | None:
        """How the stream ended; None if it hasn't."""
        raise NotImplementedError

    def mark(self) -> int:
        """Remember this moment for `since`."""
        return len(self.heard)

    def since(self, mark: int) -> list[Heard]:
        """List what was heard since a mark, heartbeats left out."""
        return [heard for heard in self.heard[mark:] if heard.kind != "heartbeat"]

    def kinds(self, mark: int) -> list[str]:
        """List the kinds of what was heard since a mark, heartbeats left out."""
        return [heard.kind for heard in self.since(mark)]

    def count(self, kind: str, since: int = 0) -> int:
        """Count the messages of one kind."""
        return sum(heard.kind == kind for heard in self.heard[since:])

    def deliveries(self, since: int = 0) -> list[Delivery]:
        """List the deliveries heard, repeated ones included."""
        return [heard.message.delivery for heard in self.heard[since:] if heard.kind == "delivery"]

    async def until(
        self, promise: str, what: str, reached: Callable[[], object], seconds: float = WAIT_SECONDS
    ) -> None:
        """Wait until something is true, asking after each message.

        Raises:
            BrokenPromiseError: it doesn't come, or something was wrong on the way.
        """
        try:
            async with asyncio.timeout(seconds):
                while not reached():
                    self._check()
                    if self.ending is not None:
                        raise BrokenPromiseError(
                            promise, f"{self.name} waits for {what}, and the stream ended: {self.ending}"
                        )
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            held = f"holds {self.roster.online} of {self.roster.names} at {self.roster.revision}"
            last = [heard.kind for heard in self.heard[-5:]]
            raise BrokenPromiseError(
                promise, f"{self.name} waits for {what}; {held}; last heard {last}"
            ) from None
        self._check()

    async def hears(
        self,
        promise: str,
        kind: str,
        since: int = 0,
        fits: Callable[[PresenceResponse], bool] = lambda _: True,
    ) -> Heard:
        """Wait for a message of one kind that fits, also if it has come already."""
        found: list[Heard] = []

        def find() -> bool:
            found.extend(heard for heard in self.heard[since:] if heard.kind == kind and fits(heard.message))
            return bool(found)

        await self.until(promise, f"a {kind}", find)
        return found[0]

    async def sees_online(self, other: "Ear", promise: str = "P3") -> None:
        """Wait until the list shows another as online."""
        await self.until(promise, f"{other.name} to be online", lambda: self.roster.is_online(other.key))

    async def sees_suspect(self, other: "Ear", promise: str = "P5") -> None:
        """Wait until the list shows another as suspect."""
        await self.until(promise, f"{other.name} to be suspect", lambda: self.roster.is_suspect(other.key))

    async def sees_gone(self, other: "Ear", promise: str = "P5") -> None:
        """Wait until the list doesn't show another any more."""
        await self.until(promise, f"{other.name} to be gone", lambda: other.key not in self.roster.members)

    async def sees_text(self, text: str, *others: "Ear") -> None:
        """Wait until the list shows a status text beside each of the others."""
        keys = [other.key for other in others]

        def shows() -> bool:
            members = self.roster.members
            return all(key in members and members[key].profile.status_text == text for key in keys)

        await self.until("P4", f"the text {text!r}", shows)

    async def sees_exactly(self, keys: set[bytes], promise: str = "P5") -> None:
        """Wait until the list holds these members and no other."""
        await self.until(promise, f"exactly {len(keys)} members", lambda: self.roster.members.keys() == keys)

    async def sees_key(self, public_key: bytes, promise: str = "P4") -> None:
        """Wait until the list shows somebody as online."""
        await self.until(promise, "somebody to be online", lambda: self.roster.is_online(public_key))

    async def sees_all(self, keys: set[bytes], promise: str = "P4") -> None:
        """Wait until the list shows these members as online, and maybe others."""
        await self.until(
            promise, f"{len(keys)} members online", lambda: all(self.roster.is_online(key) for key in keys)
        )

    async def reaches(self, revision: int, promise: str = "P3") -> None:
        """Wait until the list stands at a revision or later."""
        await self.until(promise, f"revision {revision}", lambda: self.roster.revision >= revision)

    async def hears_heartbeats(self, count: int) -> None:
        """Wait for so many more heartbeats."""
        mark = self.mark()
        await self.until("P5", f"{count} heartbeats", lambda: self.count("heartbeat", mark) >= count)

    async def selection_update(
        self, fits: Callable[[SelectionUpdate], bool] = lambda _: True, since: int = 0
    ) -> SelectionUpdate:
        """Wait for a SelectionUpdate that fits."""
        heard = await self.hears("P7", "selection_update", since, lambda one: fits(one.selection_update))
        return heard.message.selection_update

    async def result(self, request_id: int) -> SendResult:
        """Wait for the result of a message."""
        results = self.witness.results
        await self.until("P8", f"the result of message {request_id}", lambda: request_id in results)
        return results[request_id]

    async def delivery(self, payload: bytes, since: int = 0) -> Delivery:
        """Wait for a message with this payload."""
        heard = await self.hears("P8", "delivery", since, lambda one: one.delivery.payload == payload)
        return heard.message.delivery

    async def request_error(self, request_id: int) -> RequestError:
        """Wait for the refusal of one request."""
        heard = await self.hears(
            "contract", "request_error", fits=lambda one: one.request_error.request_id == request_id
        )
        return heard.message.request_error

    def _check(self) -> None:
        if self.violation is not None:
            raise self.violation
