"""What one stream of the server is told, checked word by word, whatever its client may have said before.

P1: nothing before the challenge and the welcome but these, then the whole list, then only changes.
P2: a delta starts where the stream stands and ends later. P3: the list is what the lobby was at that revision, and so is its digest.
P7: the selection speaks of the list that the stream holds, and AVAILABLE is somebody who is online in it.
P8: each result answers a request, at most as often as it was asked, always the same; it isn't ahead of the list.
"""

from collections import Counter
from dataclasses import dataclass, field

from adsum.v1 import member_pb2
from adsum.v1 import presence_pb2 as pb
from tests.model.digest import digest_of
from tests.model.lobby import Record, record_of


@dataclass(slots=True, eq=False)
class Account:
    """What one session has asked and was answered, across its streams."""

    asked: Counter[int] = field(default_factory=Counter)
    answered: Counter[int] = field(default_factory=Counter)
    outcomes: dict[int, int] = field(default_factory=dict)


class Listener:
    """One stream's client, which believes nothing. `history` is what the lobby truly was at each revision of each epoch."""

    def __init__(self, history: dict[tuple[int, int], dict[bytes, Record]]) -> None:
        self.is_challenged = False
        self.challenge = pb.Challenge()
        self.welcome: pb.Welcome | None = None
        self.account = Account()
        self.asked: set[int] = set()
        """The messages asked on this very stream that have no answer yet."""
        self.epoch = 0
        self.revision: int | None = None
        self.members: dict[bytes, Record] = {}
        self.deliveries: list[int] = []
        self.beat = pb.ServerHeartbeat()
        self._history = history
        self._chunks: list[member_pb2.Snapshot] = []
        self._resumes: pb.Resume | None = None
        self._selected: tuple[bytes, int, bool] | None = None

    @property
    def has_list(self) -> bool:
        """Whether a whole list has come."""
        return self.revision is not None and not self._chunks

    @property
    def digest(self) -> int:
        """The digest over the list, computed from nothing."""
        return digest_of(self.members)

    def says_hello(self, hello: pb.Hello) -> None:
        """Note what list a resume names."""
        self._resumes = hello.resume if hello.HasField("resume") else None

    def asks(self, request_id: int) -> None:
        """Note that a message was sent on this stream, once it is live."""
        self.account.asked[request_id] += 1
        self.asked.add(request_id)

    def told(self, content: bytes) -> None:
        """Take in one message."""
        response = pb.PresenceResponse.FromString(content)
        kind = response.WhichOneof("response")
        if kind == "challenge":
            assert not self.is_challenged, "P1: a second challenge"
            assert self.welcome is None, "P1: a challenge after the welcome"
            self.is_challenged, self.challenge = True, response.challenge
            return
        if kind == "welcome":
            self._welcomed(response.welcome)
            return
        assert self.welcome is not None, f"P1: {kind} before the welcome"
        if self._chunks or self.revision is None:
            assert kind in ("snapshot", "draining"), f"P1: {kind} before the whole list"
        if self._is_due():
            assert kind == "selection_update", f"P7: {kind} before the word about the selection"
        match kind:
            case "snapshot":
                self._snapshot(response.snapshot)
            case "delta":
                self._delta(response.delta)
            case "heartbeat":
                self._heartbeat(response.heartbeat)
            case "selection_update":
                self._selection(response.selection_update)
            case "delivery":
                assert response.delivery.delivery_id not in self.deliveries, (
                    "P8: handed over twice on one stream"
                )
                self.deliveries.append(response.delivery.delivery_id)
            case "send_result":
                self._result(response.send_result)
            case "request_error":
                self.asked.discard(response.request_error.request_id)
            case _:
                assert kind == "draining", f"P1: nobody knows {kind}"

    def _welcomed(self, welcome: pb.Welcome) -> None:
        assert self.welcome is None, "P1: a second welcome"
        self.welcome = welcome
        resume = self._resumes
        if not welcome.resumed:
            return
        assert resume is not None, "P6: resumed without having asked"
        # Whether the client lies about holding that list is its own affair: the server goes on from there, or sends a whole one.
        held = self._history.get((resume.epoch, resume.revision))
        if held is not None:
            self.epoch, self.revision, self.members = resume.epoch, resume.revision, dict(held)

    def _snapshot(self, chunk: member_pb2.Snapshot) -> None:
        if chunk.chunk_index == 0:
            self._chunks = []
        self._chunks.append(chunk)
        head = self._chunks[0]
        assert chunk.chunk_index == len(self._chunks) - 1, "P1: chunks out of order"
        assert _frame(chunk) == _frame(head), "P1: chunks of two snapshots"
        assert chunk.last is (len(self._chunks) == chunk.chunk_count), "P1: the wrong chunk is the last"
        if not chunk.last:
            return
        records = [member for part in self._chunks for member in part.members]
        self.members = {member.public_key: record_of(member) for member in records}
        assert len(self.members) == len(records), "P2: somebody is twice in a snapshot"
        self._chunks = []
        self._stand_at(chunk.epoch, chunk.revision, chunk.digest, chunk.count)

    def _delta(self, delta: member_pb2.Delta) -> None:
        assert (delta.epoch, delta.base_revision) == (self.epoch, self.revision), "P2: a hole"
        assert delta.revision > delta.base_revision, "P2: a revision twice or out of order"
        for one in (*delta.joined, *delta.updated):
            assert delta.base_revision < one.revision <= delta.revision, "P2: told, but unchanged"
            self.members[one.public_key] = record_of(one)
        for departure in delta.left:
            assert delta.base_revision < departure.revision <= delta.revision, (
                "P2: told to have left, at another time"
            )
            self.members.pop(departure.public_key, None)
        self._stand_at(delta.epoch, delta.revision, delta.digest, delta.count)

    def _heartbeat(self, beat: pb.ServerHeartbeat) -> None:
        assert (beat.epoch, beat.revision) == (self.epoch, self.revision), "P3: a heartbeat of another list"
        assert (beat.digest, beat.count) == (self.digest, len(self.members)), (
            "P3: the heartbeat's digest is another"
        )
        assert beat.nonce, "a heartbeat without a nonce"
        self.beat = beat

    def _stand_at(self, epoch: int, revision: int, digest: int, count: int) -> None:
        self.epoch, self.revision = epoch, revision
        assert self.members == self._history.get((epoch, revision)), (
            f"P3: the lobby was never so at {revision}"
        )
        assert (digest, count) == (self.digest, len(self.members)), "P3: the digest is another"

    def _is_due(self) -> bool:
        """Tell whether the list shows of the selected member what hasn't been said yet."""
        if self._selected is None or not self.has_list:
            return False
        key, incarnation, is_online = self._selected
        record = self.members.get(key)
        return record is None or (record.incarnation, record.is_online) != (incarnation, is_online)

    def _selection(self, update: pb.SelectionUpdate) -> None:
        assert update.revision == self.revision, "P7: the selection is not of the list held"
        record = self.members.get(update.public_key)
        is_same = record is not None and record.incarnation == update.incarnation
        match update.state:
            case pb.SELECTION_STATE_AVAILABLE:
                assert is_same, "P7: AVAILABLE, but not in the list"
                assert record is not None
                assert record.is_online, "P7: AVAILABLE, but suspect"
            case pb.SELECTION_STATE_UNAVAILABLE:
                assert record is None or not record.is_online, "P7: UNAVAILABLE, but online"
            case pb.SELECTION_STATE_CLEARED:
                assert not is_same or update.reason == pb.SELECTION_REASON_BY_CLIENT, "P7: CLEARED, but there"
            case _:
                raise AssertionError("P7: no state")
        is_held = is_same and update.state != pb.SELECTION_STATE_CLEARED
        is_online = update.state == pb.SELECTION_STATE_AVAILABLE
        self._selected = (update.public_key, update.incarnation, is_online) if is_held else None

    def _result(self, result: pb.SendResult) -> None:
        account, request_id = self.account, result.request_id
        account.answered[request_id] += 1
        self.asked.discard(request_id)
        assert account.answered[request_id] <= account.asked[request_id], "P8: more results than requests"
        before = account.outcomes.setdefault(request_id, result.outcome)
        forgot = result.outcome == pb.SEND_OUTCOME_UNCONFIRMED
        assert result.outcome == before or forgot, f"P8: the outcome was {before}, now it is {result.outcome}"
        assert self.revision is not None
        assert result.revision <= self.revision, "P8: a result ahead of the list"


def _frame(chunk: member_pb2.Snapshot) -> tuple[int, int, int, int, int]:
    return chunk.epoch, chunk.revision, chunk.digest, chunk.count, chunk.chunk_count
