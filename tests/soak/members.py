"""Lean members that end their streams in every way there is, and check what they are told.

`Wayward` has the ways, for Adsum's members and the baseline's alike. `SoakMember` writes and selects besides, and checks each
answer against the list that it holds (P7, P8).
"""

import time
from collections.abc import Callable

from adsum.v1.presence_pb2 import (
    SELECTION_REASON_NOT_PRESENT,
    SELECTION_REASON_SUSPECT,
    SELECTION_STATE_AVAILABLE,
    SELECTION_STATE_UNAVAILABLE,
    SEND_OUTCOME_DELIVERED,
    SEND_OUTCOME_RECIPIENT_OFFLINE,
    SEND_OUTCOME_RECIPIENT_SUSPECT,
    SEND_OUTCOME_RECIPIENT_WENT_OFFLINE,
    Ack,
    Delivery,
    PresenceRequest,
    PresenceResponse,
    Select,
    SelectionUpdate,
    SendResult,
)
from tests.bench import http2
from tests.bench.bare import BareMember
from tests.bench.connection import Phase
from tests.bench.lean import LeanMember, Person, Tally
from tests.bench.loop import Loop
from tests.bench.reading import Reading
from tests.soak.post import Letterbox, Post
from tests.soak.readers import ForgetfulReader

_CANCEL = (8).to_bytes(4, "big")
"""The HTTP/2 error code with which gRPC's clients cancel."""


def _nothing() -> None:
    return


class Wayward(LeanMember):
    """A member whose streams end in many ways. `on_live` is called when it holds a list, `on_end` when a stream or connection has ended
    that it didn't close itself."""

    on_live: Callable[[], None] = staticmethod(_nothing)
    on_end: Callable[[], None] = staticmethod(_nothing)

    def join(self, *, resume: bool = False) -> None:
        """Begin a stream."""
        # A stream that was cancelled in the middle of a message has left a piece of it.
        self._pieces.clear()
        super().join(resume=resume)

    def arrive(self, *, resume: bool) -> None:
        """Come in, on the connection that stands or on a new one."""
        self.joins_at_once = True
        if self.phase is Phase.CLOSED:
            self.dial()
        else:
            self.join(resume=resume)

    def cancel(self) -> None:
        """Cancel the RPC, as gRPC's clients do. The connection stays."""
        self._write(http2.frame(http2.RST_STREAM, 0, self._stream, _CANCEL))
        self._is_through()

    def half_close(self) -> None:
        """End the requests, without Leave. The connection stays."""
        self._write(http2.half_close(self._stream))
        self._is_through()

    def drop(self, *, abruptly: bool) -> None:
        """Close the connection; abruptly: with a reset."""
        self.close(abruptly=abruptly)
        self.is_live = False

    def ended(self) -> None:
        """Note an end that this member didn't bring about itself."""
        self.is_live = False
        self.on_end()

    def _hold_list(self) -> None:
        super()._hold_list()
        self.on_live()

    def _is_through(self) -> None:
        self.is_live = False
        if self.phase is Phase.OPEN:
            # What the server still says on this stream is nobody's.
            self.phase = Phase.READY


class BareSoakMember(Wayward, BareMember):
    """A member of the baseline's lobby. It comes in quietly: the baseline then writes about as much as Adsum, which merges changes."""

    is_quiet = True


class SoakMember(Wayward):
    """A member of Adsum's lobby, who writes, selects and checks."""

    reader: ForgetfulReader

    def __init__(
        self,
        loop: Loop,
        address: tuple[str, int],
        person: Person,
        reader: ForgetfulReader,
        tally: Tally,
        post: Post,
    ) -> None:
        super().__init__(loop, address, person, reader, tally)
        self._post = post
        self._letters = Letterbox(post)
        self._selects: dict[int, bytes] = {}
        self._select_ids = 0

    def become(self, person: Person) -> None:
        """Be somebody else, or the same person in a new session."""
        self._letters.close()
        self._letters = Letterbox(self._post)
        self._selects.clear()
        super().become(person)

    def write(self, recipient: bytes) -> None:
        """Send a message."""
        request_id, letter = self._letters.write(recipient, time.monotonic())
        self.send(request_id, recipient, letter.token)

    def select(self, key: bytes) -> None:
        """Select somebody."""
        self._select_ids += 1
        self._selects[self._select_ids] = key
        self.say(
            PresenceRequest(select=Select(request_id=self._select_ids, public_key=key)).SerializeToString()
        )

    def look_back(self, now: float) -> None:
        """Report messages that wait for too long."""
        if self.is_live and (late := self._letters.overdue(now)):
            self._post.report("P8", f"{late} messages had no outcome after a long time")

    def _hold_list(self) -> None:
        if not self.held & self.reader.known(self.person.public_key):
            self._post.report("P1", "a member's first list is without itself")
        super()._hold_list()

    def _apply(self, delta: Reading) -> None:
        # Who left and came back meanwhile is `joined`, and still held; and a departure may tell of somebody whom one doesn't hold, the
        # contract says. Only where nobody ever comes back these are faults.
        shown_twice = self.tally.shown_twice
        super()._apply(delta)
        self.tally.shown_twice = shown_twice

    def _hear_own(self, response: PresenceResponse, now: float) -> None:
        match response.WhichOneof("response"):
            case "delivery":
                self._take_delivery(response.delivery)
            case "send_result":
                self._take_result(response.send_result)
            case "selection_update":
                self._take_selection(response.selection_update)
            case "welcome":
                super()._hear_own(response, now)
                if response.welcome.resumed:
                    self._go_on()
            case _:
                super()._hear_own(response, now)

    def _go_on(self) -> None:
        """Ask again what had no answer before the stream was lost."""
        # An answer to a Select that was on its way is not repeated; what became of the selection is.
        self._selects.clear()
        for request_id, letter in self._letters.repeat():
            self.send(request_id, letter.recipient, letter.token)

    def _take_delivery(self, delivery: Delivery) -> None:
        self._letters.receive(delivery.delivery_id, delivery.payload)
        self.say(PresenceRequest(ack=Ack(delivery_id=delivery.delivery_id)).SerializeToString())

    def _take_result(self, result: SendResult) -> None:
        if result.revision > self.revision:
            self._post.report("P8", "an outcome came before the delta up to it")
        letter = self._letters.decide(result.request_id, result.outcome)
        if letter is None or result.revision != self.revision:
            return
        bit = self.reader.known(letter.recipient)
        agrees = {
            SEND_OUTCOME_DELIVERED: bool(bit & self.held),
            SEND_OUTCOME_RECIPIENT_OFFLINE: not bit & self.held,
            SEND_OUTCOME_RECIPIENT_WENT_OFFLINE: not bit & self.held,
            SEND_OUTCOME_RECIPIENT_SUSPECT: bool(bit & self.suspects),
        }
        self._post.deeds["outcomes compared with the list"] += 1
        if not agrees.get(result.outcome, True):
            self._post.report("P8", f"the list contradicts the outcome {result.outcome}")

    def _take_selection(self, update: SelectionUpdate) -> None:
        self._post.deeds["selection updates"] += 1
        if update.request_id and self._selects.pop(update.request_id, None) != update.public_key:
            self._post.report("P7", "an answer to a Select that was not asked, or about somebody else")
        if update.revision > self.revision:
            self._post.report("P7", "a selection update came before the delta that causes it")
        if update.revision != self.revision:
            return
        bit = self.reader.known(update.public_key)
        is_held, is_suspect = bool(bit & self.held), bool(bit & self.suspects)
        match update.state, update.reason:
            case (state, _) if state == SELECTION_STATE_AVAILABLE:
                agrees = is_held and not is_suspect
            case (state, reason) if (
                state == SELECTION_STATE_UNAVAILABLE and reason == SELECTION_REASON_SUSPECT
            ):
                agrees = is_suspect
            case (_, reason) if reason == SELECTION_REASON_NOT_PRESENT:
                agrees = not is_held
            case _:
                # Cleared: whoever was meant has gone, and may be here again as another incarnation.
                agrees = True
        if not agrees:
            self._post.report("P7", f"the list contradicts the selection {update.state} {update.reason}")
