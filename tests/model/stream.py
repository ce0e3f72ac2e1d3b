"""What one stream may be told: every word that a server writes, checked in the order in which it is written.

Welcome first, then the whole list with oneself in it, then only changes (P1). A resumed session may go on from the list it names.
A delta starts where the stream stands and ends at a later revision; nothing is told twice (P2).
After each snapshot and delta the list is what the lobby was at that revision, and its digest is the one given (P3).
A heartbeat describes exactly what the stream holds (P3). What speaks of a revision comes after it (P7, P8).
"""

from adsum.v1 import member_pb2
from adsum.v1 import presence_pb2 as pb
from tests.model.digest import digest_of
from tests.model.lobby import LobbyModel, Record, Roster, record_of
from tests.model.messages import Ledger
from tests.model.promises import Checks
from tests.model.session import SelectionModel, SessionModel


class StreamModel:
    """One stream, from Hello to its end."""

    def __init__(self, checks: Checks, ledger: Ledger, program: str) -> None:
        self.checks = checks
        self.program = program
        self.hello: pb.Hello | None = None
        self.is_proved = False
        self.welcome: pb.Welcome | None = None
        self.session: SessionModel | None = None
        self.lobby: LobbyModel | None = None
        self.epoch = 0
        self.revision: int | None = None
        """What the stream has been told; None if it has no list."""
        self._ledger = ledger
        self._members: dict[bytes, Record] = {}
        self._chunks: list[member_pb2.Snapshot] = []
        self._is_selection_due = False
        self._is_replaced = False
        self._handed_over: set[int] = set()

    @property
    def observes(self) -> bool:
        """Whether nobody is present by this stream."""
        return self.hello is not None and self.hello.observer

    def owes_again(self, now: float) -> list[bytes]:
        """List the messages that must come again on a resumed stream, since they were neither acknowledged nor settled, and haven't."""
        if self.session is None or self.welcome is None or not self.welcome.resumed:
            return []
        return [
            payload
            for delivery_id, payload in self.session.pending.items()
            if delivery_id not in self._handed_over and self._ledger.is_open(payload, now)
        ]

    def replaced(self) -> None:
        """Note that another stream has taken the session over: what is still written here is not judged."""
        self._is_replaced = True

    # What the client says, as the server reads it.

    def heard(self, request: pb.PresenceRequest, now: float) -> None:
        """Take in a request of a live stream."""
        session = self.session
        if session is None:
            return
        del session.tokens[:-1]
        match request.WhichOneof("request"):
            case "select":
                session.selection.asked.append((request.select.request_id, request.select.public_key))
            case "send":
                letter = self._ledger.asked(request.send.payload, request.send.incarnation, now)
                session.letters[request.send.request_id] = letter
            case "ack":
                session.pending.pop(request.ack.delivery_id, None)
                self._ledger.acknowledged(request.ack.delivery_id, self.program)
            case "leave":
                session.has_left = True
            case _:
                pass

    # What the server says.

    def welcomed(self, welcome: pb.Welcome, session: SessionModel, lobby: LobbyModel) -> None:
        """Take in the Welcome. A list that the session's Hello named is held, if the history knows it."""
        checks, hello = self.checks, self.hello
        checks.that("P1", self.welcome is None and hello is not None, "Welcome out of turn")
        self.welcome, self.session, self.lobby = welcome, session, lobby
        session.selection.begin_stream()
        if hello is None or not welcome.resumed:
            session.selection = SelectionModel(checks)
            return
        resume = hello.resume
        held = lobby.at(resume.epoch, resume.revision) if resume.epoch == lobby.epoch else None
        if held is not None and digest_of(held) == resume.digest:
            self.epoch, self.revision, self._members = resume.epoch, resume.revision, dict(held)

    def told(self, response: pb.PresenceResponse) -> None:
        """Take in anything after the Welcome."""
        checks, kind = self.checks, response.WhichOneof("response")
        if self._is_replaced:
            return
        if not checks.that("P1", self.session is not None, "{} before Welcome", kind) or self.session is None:
            return
        if self._chunks:
            checks.that("P1", kind == "snapshot", "{} before the last chunk of a snapshot", kind)
        elif self.revision is None:
            checks.that("P1", kind in ("snapshot", "draining"), "{} before the list", kind)
        if self._is_selection_due:
            checks.that("P7", kind == "selection_update", "{} before the word about the selection", kind)
        match kind:
            case "snapshot":
                self._snapshot(response.snapshot)
            case "delta":
                self._delta(response.delta)
            case "heartbeat":
                self._heartbeat(response.heartbeat)
            case "selection_update":
                checks.that(
                    "P7",
                    response.selection_update.revision == self.revision,
                    "the selection is ahead of the list",
                )
                self.session.selection.answer(response.selection_update, self._members)
            case "send_result":
                self._result(response.send_result, self.session)
            case "delivery":
                self._delivery(response.delivery, self.session)
            case "draining":
                pass
            case _:
                checks.that("P1", False, "nobody asked for {}", str(response).strip())
        self._is_selection_due = (
            self.revision is not None
            and not self._chunks
            and kind != "draining"
            and not self.session.selection.agrees(self._members)
        )

    def _snapshot(self, chunk: member_pb2.Snapshot) -> None:
        checks, chunks = self.checks, self._chunks
        if chunk.chunk_index == 0:
            chunks.clear()
        chunks.append(chunk)
        head = chunks[0]
        checks.that(
            "P1",
            chunk.chunk_index == len(chunks) - 1
            and (chunk.epoch, chunk.revision, chunk.digest, chunk.count, chunk.chunk_count)
            == (head.epoch, head.revision, head.digest, head.count, head.chunk_count)
            and chunk.last is (len(chunks) == chunk.chunk_count),
            "chunk {} of {} doesn't fit the ones before",
            chunk.chunk_index,
            chunk.chunk_count,
        )
        if not chunk.last:
            return
        records = [member for part in chunks for member in part.members]
        self._members = {member.public_key: record_of(member) for member in records}
        chunks.clear()
        checks.that("P2", len(self._members) == len(records), "somebody is twice in a snapshot")
        checks.that(
            "P2",
            self.revision is None or chunk.epoch != self.epoch or chunk.revision >= self.revision,
            "a snapshot of revision {} at {}",
            chunk.revision,
            self.revision,
        )
        self._stand_at(chunk.epoch, chunk.revision, chunk.digest, chunk.count)
        if self.hello is not None and not self.observes and not (self.session and self.session.has_left):
            checks.that("P1", self.hello.public_key in self._members, "a list without oneself")

    def _delta(self, delta: member_pb2.Delta) -> None:
        checks, members = self.checks, self._members
        checks.that("P2", delta.epoch == self.epoch, "another epoch without a snapshot")
        checks.that(
            "P2", delta.base_revision == self.revision, "base {} at {}", delta.base_revision, self.revision
        )
        checks.that(
            "P2", delta.revision > delta.base_revision, "revision {} twice or out of order", delta.revision
        )
        touched = [one.public_key for one in (*delta.joined, *delta.updated)]
        touched += [one.public_key for one in delta.left]
        checks.that("P2", len(set(touched)) == len(touched), "a delta names somebody twice")
        revisions = [one.revision for one in (*delta.joined, *delta.updated)]
        for revision in (*revisions, *(one.revision for one in delta.left)):
            fresh = delta.base_revision < revision <= delta.revision
            checks.that(
                "P2",
                fresh,
                "revision {} told between {} and {}",
                revision,
                delta.base_revision,
                delta.revision,
            )
        for one in delta.joined:
            held = members.get(one.public_key)
            checks.that("P2", held is None or held.incarnation != one.incarnation, "joined, but held already")
        for one in delta.updated:
            held = members.get(one.public_key)
            checks.that(
                "P2", held is not None and held.incarnation == one.incarnation, "updated, but not held"
            )
        for one in (*delta.joined, *delta.updated):
            members[one.public_key] = record_of(one)
        for departure in delta.left:
            members.pop(departure.public_key, None)
        self._stand_at(delta.epoch, delta.revision, delta.digest, delta.count)

    def _heartbeat(self, beat: pb.ServerHeartbeat) -> None:
        checks = self.checks
        checks.that(
            "P3",
            (beat.epoch, beat.revision) == (self.epoch, self.revision),
            "a heartbeat of revision {} at {}",
            beat.revision,
            self.revision,
        )
        checks.that("P3", beat.digest == digest_of(self._members), "the heartbeat's digest is another")
        checks.that("P3", beat.count == len(self._members), "the heartbeat counts {}", beat.count)

    def _stand_at(self, epoch: int, revision: int, digest: int, count: int) -> None:
        checks, lobby = self.checks, self.lobby
        self.epoch, self.revision = epoch, revision
        truth: Roster | None = lobby.at(epoch, revision) if lobby is not None else None
        checks.that("P3", truth == self._members, "the list told at revision {} is not the lobby's", revision)
        checks.that(
            "P3", digest == digest_of(self._members), "the digest given at revision {} is another", revision
        )
        checks.that(
            "P3", count == len(self._members), "{} members are counted at revision {}", count, revision
        )

    def _result(self, result: pb.SendResult, session: SessionModel) -> None:
        checks = self.checks
        letter = session.letters.get(result.request_id)
        if not checks.that("P8", letter is not None, "a result that nobody asked for") or letter is None:
            return
        checks.that("P8", result.revision <= (self.revision or 0), "a result ahead of the list")
        if self.lobby is not None:
            self._ledger.answered(letter, result.outcome, result.revision, self.lobby, self.epoch)

    def _delivery(self, delivery: pb.Delivery, session: SessionModel) -> None:
        checks = self.checks
        checks.that("P8", delivery.delivery_id not in self._handed_over, "handed over twice on one stream")
        self._handed_over.add(delivery.delivery_id)
        session.pending[delivery.delivery_id] = delivery.payload
        self._ledger.handed_over(delivery, session.key)
