"""A server that says what an honest one would, or nearly: what a client is fuzzed with."""

from dataclasses import replace

from adsum.client.member import DepartureReason, Liveness
from adsum.client.messages import (
    Challenge,
    Delivery,
    Delta,
    Draining,
    Hello,
    RequestError,
    Response,
    SelectionReason,
    SelectionState,
    SelectionUpdate,
    SendOutcome,
    SendResult,
    Snapshot,
    Welcome,
)
from adsum.client.session import Session
from adsum.contract.digest import add, member_digest
from adsum.contract.identity import Identity
from adsum.contract.reasons import Reason
from tests.client.model_lobby import JOINED_AT, ModelLobby
from tests.fuzz.source import Source
from tests.fuzz.vectors import ROSTERS

ME = Identity.from_seed(bytes.fromhex(ROSTERS["me"]["seed"]))
KEYS = (*(bytes([number]) * 32 for number in range(1, 10)), ME.public_key)


class FalseServer:
    """Read from an input what a server says to a session, about a lobby that changes."""

    def __init__(self, source: Source, session: Session) -> None:
        self.model = ModelLobby()
        self.model.join(ME.public_key, "ada")
        self._source = source
        self._session = session
        self._generation = 0

    def welcome(self, hello: Hello | None, *, resumed: bool) -> Welcome:
        """Let somebody in, with the session that was offered or a new one."""
        self._generation += 1
        session_id = b"session %d" % self._generation
        if resumed and hello is not None and hello.resume is not None:
            session_id = hello.resume.session_id
        return Welcome(
            session_id, b"token %d" % self._generation, self._generation, resumed, 5_000, 12_000, 5_000
        )

    def change(self) -> None:
        """Let some things happen in the lobby."""
        source, model = self._source, self.model
        for _ in range(1 + source.below(4)):
            key = source.choice(KEYS)
            match source.below(8), key in model.members:
                case (0 | 1 | 2, False):
                    model.join(key, source.choice(("bob", "Bob", "ada", "\u00df")))
                case (0 | 1, True):
                    model.leave(key, source.choice(tuple(DepartureReason)))
                case (2, True):
                    model.rename(key, source.choice(("cleo", "BOB", "")))
                case (3, True):
                    model.become(key, source.choice(tuple(Liveness)))
                case (4, True):
                    model.touch(key)
                case (5, _) if source.byte() < 40:
                    self.model = model = ModelLobby(epoch=model.epoch + 1)
                    model.join(ME.public_key, "ada")
                case _:
                    pass

    def words(self) -> list[Response]:
        """Say something: one message, or the chunks of a snapshot."""
        source, model, session = self._source, self.model, self._session
        key = source.choice(KEYS)
        match source.below(14):
            case 0:
                return [
                    Challenge(source.choice((b"s" * 32, b"")), source.number(), source.choice(tuple(Reason)))
                ]
            case 1:
                stream = session._stream
                resumed = stream is not None and stream.hello.resume is not None and source.flag()
                return [self.welcome(stream.hello if stream is not None else None, resumed=resumed)]
            case 2:
                return [*model.snapshot(1 + source.below(4))]
            case 3:
                return [self._false_snapshot()]
            case 4 | 5 | 6:
                base = session.replica.revision if source.byte() < 220 else source.byte()
                return [model.since(min(base, model.revision))]
            case 7:
                return [self._false_delta()]
            case 8:
                beat = model.heartbeat(source.number(), degraded=source.flag())
                if source.byte() >= 128:
                    beat = replace(
                        beat, digest=beat.digest ^ source.below(2), count=beat.count + source.below(2)
                    )
                return [beat]
            case 9 | 10:
                member = model.members.get(key)
                state, reason = (
                    source.choice(tuple(SelectionState)),
                    source.choice(tuple(SelectionReason)[:7]),
                )
                incarnation = member.incarnation if member is not None else 0
                return [SelectionUpdate(source.below(8), key, incarnation, state, reason, model.revision)]
            case 11:
                delivery_id, payload = source.byte(), source.take(source.below(8))
                return [Delivery(delivery_id, key, 1, payload, JOINED_AT)] * (1 + source.below(3))
            case 12:
                return [SendResult(source.below(8), source.choice(tuple(SendOutcome)), model.revision)]
            case _:
                error = RequestError(source.below(8), source.choice(tuple(Reason)), "no")
                draining = Draining(source.byte() * 10, source.byte() * 10)
                return [error if source.flag() else draining]

    def _false_snapshot(self) -> Snapshot:
        """Make a whole list in one chunk that may name somebody twice, with a digest and a number made to fit."""
        source, members = self._source, list(self.model.members.values())
        for _ in range(source.below(4) if members else 0):
            members.append(replace(source.choice(members), revision=source.byte()))
        digest = 0
        for one in members:
            digest = add(digest, member_digest(one.public_key, one.incarnation, one.revision))
        count = len({one.public_key for one in members}) if source.flag() else len(members)
        return Snapshot(self.model.epoch, self.model.revision, tuple(members), digest, count, True)

    def _false_delta(self) -> Delta:
        """Make a delta of records that have nothing to do with what is held, with the digest that follows from it, or another."""
        source, replica = self._source, self._session.replica
        members = list(self.model.members.values())
        told = [source.choice(members) for _ in range(source.below(5))] if members else []
        told = [replace(one, incarnation=source.below(4), revision=source.byte()) for one in told]
        after = dict(replica.roster.items()) | {one.public_key: one for one in told}
        digest = source.below(2)
        for one in after.values():
            digest = add(digest, member_digest(one.public_key, one.incarnation, one.revision))
        split = source.below(5)
        base, revision = replica.revision, replica.revision + 1
        return Delta(
            replica.epoch, base, revision, tuple(told[:split]), tuple(told[split:]), (), digest, len(after)
        )
