"""A client that follows the contract's comments to the letter, and checks every word of the server against them.

It shares nothing with the server but the generated messages. `history` is what the lobby truly was at each revision, as somebody saw who
looked into the store after each change: whatever the client is told must agree with it.
"""

import hashlib
from dataclasses import dataclass, field
from typing import TypeAlias

from adsum.v1 import member_pb2, presence_pb2

Truth: TypeAlias = dict[bytes, tuple[int, int, bool, int, str, str]]
"""Members by key: incarnation, revision, whether online, number of sessions, name, status text."""
History: TypeAlias = dict[int, Truth]
"""What the lobby was at each revision."""

Outcome = presence_pb2.SendOutcome
NOT_HANDED_OVER = {
    presence_pb2.SEND_OUTCOME_RECIPIENT_OFFLINE,
    presence_pb2.SEND_OUTCOME_RECIPIENT_SUSPECT,
    presence_pb2.SEND_OUTCOME_RECIPIENT_CHANGED,
    presence_pb2.SEND_OUTCOME_RECIPIENT_BUSY,
    presence_pb2.SEND_OUTCOME_RATE_LIMITED,
    presence_pb2.SEND_OUTCOME_TOO_LARGE,
}


def truth_of(member: member_pb2.Member) -> tuple[int, int, bool, int, str, str]:
    """Put a record as `History` has it."""
    return (
        member.incarnation,
        member.revision,
        member.liveness == member_pb2.LIVENESS_ONLINE,
        member.session_count,
        member.profile.name,
        member.profile.status_text,
    )


def digest_of(members: Truth) -> int:
    """Compute the digest as protocol.md defines it."""
    total = 0
    for public_key, (incarnation, revision, *_) in members.items():
        content = b"adsum/1" + len(public_key).to_bytes(4, "big") + public_key
        content += incarnation.to_bytes(8, "big") + revision.to_bytes(8, "big")
        total += int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
    return total % 2**64


@dataclass(slots=True)
class Letter:
    """A message that somebody sent: what the world knows of it, beside what the server says."""

    sender: bytes
    recipient: bytes
    incarnation: int
    delivery_id: int = 0
    is_acknowledged: bool = False
    outcome: int = 0


@dataclass(slots=True)
class Post:
    """All messages ever sent, by payload; each payload is sent under one request id of one session."""

    letters: dict[bytes, Letter] = field(default_factory=dict)


class ReferenceRoster:
    """A client's list, by the rules written beside `Snapshot` and `Delta`."""

    def __init__(self) -> None:
        self.epoch = 0
        self.revision = 0
        self.members: Truth = {}
        self.is_complete = False
        self.is_awaiting = True
        self._chunks: list[member_pb2.Snapshot] = []

    @property
    def digest(self) -> int:
        """The digest over the list."""
        return digest_of(self.members)

    def begin_stream(self, *, named: bool) -> None:
        """Start on a new stream: with a list that was named in Resume, deltas may go on from it."""
        self._chunks = []
        self.is_awaiting = not named

    def receive_snapshot(self, chunk: member_pb2.Snapshot) -> None:
        """Collect the chunks from index 0 on; when the last has come, they replace the list."""
        if chunk.chunk_index == 0:
            self._chunks = []
            self.is_awaiting = True
        assert chunk.chunk_index == len(self._chunks), "chunks out of order"
        self._chunks.append(chunk)
        first = self._chunks[0]
        assert (chunk.epoch, chunk.revision, chunk.digest, chunk.count, chunk.chunk_count) == (
            first.epoch,
            first.revision,
            first.digest,
            first.count,
            first.chunk_count,
        ), "chunks of two snapshots"
        assert chunk.last is (chunk.chunk_index == chunk.chunk_count - 1)
        if chunk.last:
            records = [one for part in self._chunks for one in part.members]
            self.members = {one.public_key: truth_of(one) for one in records}
            assert len(self.members) == len(records), "a member twice in a snapshot"
            self._stand_at(chunk.epoch, chunk.revision, chunk.digest, chunk.count)
            self._chunks = []
            self.is_awaiting = False
            self.is_complete = True

    def receive_delta(self, delta: member_pb2.Delta) -> None:
        """Apply a delta. A server without faults never gives a reason to resync."""
        assert not self._chunks, "P2: a delta before the last chunk of a snapshot"
        if self.is_awaiting:
            return
        assert delta.epoch == self.epoch, "P2: another epoch without a snapshot"
        assert delta.revision > self.revision, "P2: a revision twice or out of order"
        assert delta.base_revision == self.revision, "P2: a hole"
        for one in delta.joined:
            held = self.members.get(one.public_key)
            assert held is None or held[0] != one.incarnation, "joined, but held already"
        for one in delta.updated:
            assert self.members[one.public_key][0] == one.incarnation, "updated, but not held"
        for one in (*delta.joined, *delta.updated):
            assert delta.base_revision < one.revision <= delta.revision, "told, but unchanged"
            self.members[one.public_key] = truth_of(one)
        for departure in delta.left:
            self.members.pop(departure.public_key, None)
        self._stand_at(delta.epoch, delta.revision, delta.digest, delta.count)

    def receive_heartbeat(self, beat: presence_pb2.ServerHeartbeat) -> None:
        """Compare everything that a heartbeat says with the list."""
        if not self.is_awaiting:
            assert (beat.epoch, beat.revision) == (self.epoch, self.revision), (
                "the heartbeat is not of this list"
            )
            self._stand_at(beat.epoch, beat.revision, beat.digest, beat.count)

    def _stand_at(self, epoch: int, revision: int, digest: int, count: int) -> None:
        self.epoch, self.revision = epoch, revision
        assert (self.digest, len(self.members)) == (digest, count), "P3: the digests differ"


class ReferenceClient:
    """One session's client: its list, its selection and its messages."""

    def __init__(self, public_key: bytes, post: Post) -> None:
        self.public_key = public_key
        self.roster = ReferenceRoster()
        self.credentials: tuple[bytes, bytes] | None = None
        """Session id and token of the last Welcome that arrived."""
        self.told: tuple[bytes, int, bool] | None = None
        """Key and incarnation that are selected, and whether they are available, as far as we were told."""
        self.selects: list[tuple[int, bytes]] = []
        """Selects that have no answer yet."""
        self.is_doubtful = False
        """True if a Select may have been taken whose answer was lost: until the next answer nothing is sure."""
        self.is_due = False
        """True if the list shows what we were not told of the selection: the next message must tell it."""
        self.next_request_id = 1
        self.sent: dict[int, tuple[bytes, presence_pb2.Send]] = {}
        self.unacknowledged: list[int] = []
        self.beat: presence_pb2.ServerHeartbeat | None = None
        """The heartbeat to be answered."""
        self.has_greeted = False
        """Whether the heartbeat has been sent that follows the first list of a stream."""
        self.has_list = False
        """Whether a list has come on this stream, or a part of one."""
        self._is_told = False
        self._post = post
        self._payload_of: dict[int, bytes] = {}

    def begin_stream(self, *, named: bool) -> None:
        """Start on another stream of the session."""
        self.roster.begin_stream(named=named)
        self.has_list = False
        self.has_greeted = False
        self._is_told = False
        self.is_due = False
        self.beat = None
        self.is_doubtful = self.is_doubtful or bool(self.selects)

    def receive(self, content: bytes, history: History) -> None:
        """Read one message."""
        response = presence_pb2.PresenceResponse.FromString(content)
        kind = response.WhichOneof("response")
        assert not self.is_due or kind == "selection_update", (
            f"P7: {kind} before the word about the selection"
        )
        match kind:
            case "welcome":
                self.credentials = (response.welcome.session_id, response.welcome.resume_token)
            case "snapshot":
                self.roster.receive_snapshot(response.snapshot)
                self.has_list = True
            case "delta":
                self.roster.receive_delta(response.delta)
                self.has_list = True
            case "heartbeat":
                self.roster.receive_heartbeat(response.heartbeat)
                self.beat = response.heartbeat
            case "selection_update":
                self._receive_selection(response.selection_update, history)
            case "delivery":
                self._receive_delivery(response.delivery)
            case "send_result":
                self._receive_result(response.send_result, history)
            case "draining":
                pass
            case _:
                raise AssertionError(f"unexpected {response}")
        self.check_list(history)
        self.is_due = not self._agrees()
        if kind == "selection_update":
            assert not self.is_due, "P7: the word about the selection does not fit the list"

    def check_list(self, history: History) -> None:
        """Compare the list with what the lobby truly was."""
        if self.roster.is_complete:
            assert self.roster.members == history[self.roster.revision], "P3: the list is not the lobby's"

    def _agrees(self) -> bool:
        if self.told is None or self.is_doubtful or self.roster.is_awaiting or not self.has_list:
            return True
        public_key, incarnation, is_available = self.told
        record = self.roster.members.get(public_key)
        return record is not None and record[0] == incarnation and record[2] is is_available

    def _receive_selection(self, update: presence_pb2.SelectionUpdate, history: History) -> None:
        assert self.roster.is_awaiting or update.revision == self.roster.revision, "P7: ahead of the list"
        record = history[update.revision].get(update.public_key)
        is_same = record is not None and record[0] == update.incarnation
        is_online = record is not None and record[2]
        selected: tuple[bytes, int, bool] | None = None
        match (update.state, update.reason):
            case (presence_pb2.SELECTION_STATE_AVAILABLE, presence_pb2.SELECTION_REASON_UNSPECIFIED):
                assert is_same, "P7: available, but not there"
                assert is_online, "P7: available, but suspect"
                selected = (update.public_key, update.incarnation, True)
            case (presence_pb2.SELECTION_STATE_UNAVAILABLE, presence_pb2.SELECTION_REASON_SUSPECT):
                assert is_same
                assert not is_online, "P7: unavailable, but online"
                selected = (update.public_key, update.incarnation, False)
            case (presence_pb2.SELECTION_STATE_UNAVAILABLE, presence_pb2.SELECTION_REASON_NOT_PRESENT):
                assert record is None
                assert update.request_id
            case (presence_pb2.SELECTION_STATE_CLEARED, presence_pb2.SELECTION_REASON_BY_CLIENT):
                assert update.public_key == b""
                assert update.request_id
            case (presence_pb2.SELECTION_STATE_CLEARED, _):
                assert not is_same, "P7: cleared, but still there"
                assert not update.request_id
            case _:
                raise AssertionError(update)
        if update.request_id:
            assert self.selects[0] == (update.request_id, update.public_key), "P7: answers out of order"
            del self.selects[0]
            self.is_doubtful = self.is_doubtful and bool(self.selects)
        elif not self.is_doubtful:
            assert selected is None or selected != self.told or not self._is_told, "P7: the same twice"
            assert selected is None or self.told is not None, "P7: selected again by itself"
            told_of = (update.public_key, update.incarnation)
            assert self.told is None or self.told[:2] == told_of, "P7: somebody else was selected"
        self.told = selected
        self._is_told = True

    def _receive_delivery(self, delivery: presence_pb2.Delivery) -> None:
        letter = self._post.letters[delivery.payload]
        assert (letter.recipient, letter.sender) == (self.public_key, delivery.sender)
        assert letter.outcome not in NOT_HANDED_OVER, "P8: handed over after all"
        assert letter.delivery_id in (0, delivery.delivery_id), "P8: delivered twice"
        letter.delivery_id = delivery.delivery_id
        self._payload_of[delivery.delivery_id] = delivery.payload
        self.unacknowledged.append(delivery.delivery_id)

    def acknowledge(self) -> presence_pb2.Ack | None:
        """Confirm the oldest delivery that waits for it."""
        if not self.unacknowledged:
            return None
        delivery_id = self.unacknowledged.pop(0)
        self._post.letters[self._payload_of[delivery_id]].is_acknowledged = True
        return presence_pb2.Ack(delivery_id=delivery_id)

    def _receive_result(self, result: presence_pb2.SendResult, history: History) -> None:
        payload, send = self.sent[result.request_id]
        letter = self._post.letters[payload]
        assert self.roster.is_awaiting or result.revision <= self.roster.revision, "P8: ahead of the list"
        if letter.outcome:
            assert letter.outcome == result.outcome, "P8: two outcomes"
            return
        letter.outcome = result.outcome
        name = Outcome.Name(result.outcome)
        record = history[result.revision].get(send.recipient)
        match result.outcome:
            case presence_pb2.SEND_OUTCOME_DELIVERED:
                assert letter.is_acknowledged, "P8: delivered without an acknowledgement"
            case (
                presence_pb2.SEND_OUTCOME_RECIPIENT_OFFLINE | presence_pb2.SEND_OUTCOME_RECIPIENT_WENT_OFFLINE
            ):
                assert record is None, f"P8: {name}, but the list shows the recipient"
            case presence_pb2.SEND_OUTCOME_RECIPIENT_SUSPECT:
                assert record is not None, f"P8: {name}, but the list does not show the recipient"
                assert not record[2], f"P8: {name}, but the list shows the recipient online"
            case presence_pb2.SEND_OUTCOME_RECIPIENT_CHANGED:
                assert record is not None
                assert send.incarnation not in (0, record[0])
            case _:
                pass
        if result.outcome in NOT_HANDED_OVER:
            assert not letter.delivery_id, f"P8: {name}, but it was handed over"
