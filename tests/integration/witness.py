"""What one stream was told, and whether that keeps the promises: checked at each message, whatever the test is about.

Feed it with everything that is said and heard. It raises BrokenPromiseError and knows nothing of connections.
"""

import time
from dataclasses import dataclass

from adsum.v1.presence_pb2 import (
    SELECTION_REASON_SUSPECT,
    SELECTION_STATE_AVAILABLE,
    SELECTION_STATE_UNAVAILABLE,
    SEND_OUTCOME_RECIPIENT_OFFLINE,
    SEND_OUTCOME_RECIPIENT_SUSPECT,
    SEND_OUTCOME_RECIPIENT_WENT_OFFLINE,
    PresenceRequest,
    PresenceResponse,
    SelectionUpdate,
    SendResult,
)
from tests.integration.promises import BrokenPromiseError, promised
from tests.integration.raw_roster import RawRoster


@dataclass(frozen=True, slots=True)
class Heard:
    """A message and when it was read, by `time.perf_counter`."""

    at: float
    kind: str
    message: PresenceResponse


class Witness:
    """Keep the roster and everything heard on the streams of one session."""

    def __init__(self, own_key: bytes, *, observer: bool) -> None:
        self.roster = RawRoster()
        self.heard: list[Heard] = []
        self.said: list[str] = []
        self.results: dict[int, SendResult] = {}
        self._own_key = own_key
        self._observer = observer
        self._recipients: dict[int, bytes] = {}
        self._selected: SelectionUpdate | None = None
        self._selects_pending = 0
        self._owed_selection = False

    def start_stream(self, *, resumed: bool, holds_list: bool) -> None:
        """Note that another stream has been welcomed."""
        if not resumed:
            self._selected = None
        if not resumed or not holds_list:
            self.roster = RawRoster()
        self._selects_pending = 0
        self._owed_selection = False
        self.roster.is_resyncing = False

    def note(self, request: PresenceRequest) -> None:
        """Note what is about to be said."""
        self.said.append(request.WhichOneof("request") or "")
        match request.WhichOneof("request"):
            case "select":
                # A key that is none gets a RequestError, and no answer.
                self._selects_pending += len(request.select.public_key) in (0, 32)
            case "resync":
                self.roster.is_resyncing = True
            case "send":
                self._recipients[request.send.request_id] = request.send.recipient

    def take(self, message: PresenceResponse) -> Heard:
        """Take a message in, and judge it."""
        heard = Heard(time.perf_counter(), message.WhichOneof("response") or "", message)
        self.heard.append(heard)
        was_complete = self.roster.is_complete
        promised(
            "P1", was_complete or heard.kind in ("snapshot", "draining"), f"{heard.kind} came before the list"
        )
        promised(
            "P7",
            not self._owed_selection or heard.kind == "selection_update",
            f"the selected member changed, and the next message was {heard.kind}",
        )
        match heard.kind:
            case "snapshot":
                self.roster.take_snapshot(message.snapshot)
                if self.roster.is_complete and not was_complete and not self._observer:
                    promised("P1", self._own_key in self.roster.members, "the snapshot doesn't hold oneself")
            case "delta":
                self.roster.take_delta(message.delta)
            case "heartbeat":
                self.roster.take_heartbeat(message.heartbeat)
            case "selection_update":
                self._take_selection(message.selection_update)
            case "send_result":
                self._take_result(message.send_result)
            case "challenge" | "welcome" | "":
                raise BrokenPromiseError("contract", f"{heard.kind!r} came on a live stream")
        self._owed_selection = self._is_selection_wrong()
        return heard

    def _take_selection(self, update: SelectionUpdate) -> None:
        promised("P7", update.revision <= self.roster.revision, "a SelectionUpdate is ahead of the list")
        if update.request_id:
            self._selects_pending -= 1
        is_held = update.state == SELECTION_STATE_AVAILABLE or (
            update.state == SELECTION_STATE_UNAVAILABLE and update.reason == SELECTION_REASON_SUSPECT
        )
        self._selected = update if is_held else None
        promised(
            "P7",
            update.revision < self.roster.revision or not self._is_selection_wrong(),
            f"the list doesn't agree with {update}",
        )

    def _is_selection_wrong(self) -> bool:
        """Tell whether what the list shows now isn't what was last said about the selected member."""
        if self._selected is None or self._selects_pending or self.roster.is_resyncing:
            return False
        key = self._selected.public_key
        member = self.roster.members.get(key)
        if member is None or member.incarnation != self._selected.incarnation:
            return True
        return self.roster.is_online(key) != (self._selected.state == SELECTION_STATE_AVAILABLE)

    def _take_result(self, result: SendResult) -> None:
        promised("P8", result.revision <= self.roster.revision, "a SendResult is ahead of the list")
        before = self.results.setdefault(result.request_id, result)
        promised("P8", before.outcome == result.outcome, f"message {result.request_id} has two outcomes")
        recipient = self._recipients.get(result.request_id)
        if recipient is None or result.revision != self.roster.revision or before is not result:
            return
        match result.outcome:
            case _ if result.outcome == SEND_OUTCOME_RECIPIENT_SUSPECT:
                promised(
                    "P8", self.roster.is_suspect(recipient), "the list doesn't show the recipient as suspect"
                )
            case _ if result.outcome in (SEND_OUTCOME_RECIPIENT_OFFLINE, SEND_OUTCOME_RECIPIENT_WENT_OFFLINE):
                promised("P8", recipient not in self.roster.members, "the list still shows the recipient")
