"""Every message that anybody sends, and what may become of it.

Each message has a payload that no other has, so it is recognised wherever it turns up. It is handed over under one delivery id, only
to its recipient; its outcome is told once for each time that it was asked for, and never changes. `DELIVERED` needs an acknowledgement
before it, and what was acknowledged has reached the application, once in each program. What was "not delivered" reaches nobody.
"""

from collections import Counter
from dataclasses import dataclass, field

from adsum.v1 import presence_pb2 as pb
from tests.model.lobby import LobbyModel
from tests.model.promises import Checks

NOT_HANDED_OVER = {
    pb.SEND_OUTCOME_RECIPIENT_OFFLINE,
    pb.SEND_OUTCOME_RECIPIENT_SUSPECT,
    pb.SEND_OUTCOME_RECIPIENT_CHANGED,
    pb.SEND_OUTCOME_RECIPIENT_BUSY,
    pb.SEND_OUTCOME_RATE_LIMITED,
    pb.SEND_OUTCOME_TOO_LARGE,
}
"""The outcomes that promise that the recipient never sees the message."""


@dataclass(slots=True, eq=False)
class Letter:
    """One message. `outcome` is what the server has said, `concluded` what the sender's application was told."""

    sender: bytes
    recipient: bytes
    delivery_id: int = 0
    incarnation: int = 0
    asked: int = 0
    answered: int = 0
    outcome: int = 0
    acknowledged_by: set[str] = field(default_factory=set)
    got_by: Counter[str] = field(default_factory=Counter)
    concluded: str = ""
    taken_at: float = 0.0
    """When a server has first read it: the time in which it must be acknowledged begins here, not when it is first written to a reader."""
    was_handed_on: bool = False
    """True if the server was restarted since."""


class Ledger:
    """All messages, by payload and by delivery id."""

    def __init__(self, checks: Checks, ack_seconds: float) -> None:
        self.letters: dict[bytes, Letter] = {}
        self._by_delivery: dict[int, Letter] = {}
        self._checks = checks
        self._ack_seconds = ack_seconds

    # On the wire.

    def asked(self, payload: bytes, incarnation: int, now: float) -> Letter:
        """Note that a server reads a Send."""
        letter = self.letters[payload]
        letter.asked += 1
        letter.taken_at = letter.taken_at or now
        letter.incarnation = incarnation
        return letter

    def handed_over(self, delivery: pb.Delivery, recipient: bytes) -> None:
        """Note that a server writes a Delivery."""
        checks = self._checks
        letter = self.letters.get(delivery.payload)
        if not checks.that("P8", letter is not None, "a delivery that nobody sent") or letter is None:
            return
        checks.that("P8", letter.recipient == recipient, "delivered to somebody else")
        checks.that("P8", letter.sender == delivery.sender, "delivered in somebody else's name")
        checks.that(
            "P8",
            letter.delivery_id in (0, delivery.delivery_id),
            "handed over under two ids: {!r}",
            delivery.payload,
        )
        other = self._by_delivery.setdefault(delivery.delivery_id, letter)
        checks.that("P8", other is letter, "two messages under one delivery id")
        # Another device may still be handed what the first has acknowledged.
        checks.that(
            "P8", letter.outcome not in NOT_HANDED_OVER, "handed over after all: {!r}", delivery.payload
        )
        letter.delivery_id = delivery.delivery_id

    def acknowledged(self, delivery_id: int, program: str) -> None:
        """Note that a server reads an Ack of a program."""
        if (letter := self._by_delivery.get(delivery_id)) is not None:
            letter.acknowledged_by.add(program)

    def answered(self, letter: Letter, outcome: int, revision: int, lobby: LobbyModel, epoch: int) -> None:
        """Note that a server writes a SendResult."""
        checks = self._checks
        name = pb.SendOutcome.Name(pb.SendOutcome.ValueType(outcome))
        letter.answered += 1
        checks.that(
            "P8", letter.answered <= letter.asked, "{} results for {} requests", letter.answered, letter.asked
        )
        if letter.outcome:
            # A successor of the server, which doesn't know what it was, may say that nobody can say.
            may = outcome == letter.outcome or (
                outcome == pb.SEND_OUTCOME_UNCONFIRMED and letter.was_handed_on
            )
            checks.that("P8", may, "another outcome than before: {}", name)
            return
        letter.outcome = outcome
        members = lobby.at(epoch, revision)
        if (
            not checks.that("P8", members is not None, "{} at a revision that never was", name)
            or members is None
        ):
            return
        record = members.get(letter.recipient)
        match outcome:
            case pb.SEND_OUTCOME_DELIVERED:
                checks.that("P8", letter.acknowledged_by, "DELIVERED, and nobody has acknowledged it")
            case pb.SEND_OUTCOME_RECIPIENT_OFFLINE | pb.SEND_OUTCOME_RECIPIENT_WENT_OFFLINE:
                checks.that(
                    "P8",
                    record is None,
                    "{}, but the list of revision {} shows the recipient",
                    name,
                    revision,
                )
            case pb.SEND_OUTCOME_RECIPIENT_SUSPECT:
                checks.that(
                    "P8", record is not None and not record.is_online, "{}, but the list disagrees", name
                )
            case pb.SEND_OUTCOME_RECIPIENT_CHANGED:
                checks.that(
                    "P8",
                    record is not None and letter.incarnation not in (0, record.incarnation),
                    "{}, but the list shows the same incarnation",
                    name,
                )
            case _:
                pass
        if outcome in NOT_HANDED_OVER:
            checks.that("P8", not letter.delivery_id, "{}, but it was handed over", name)

    def is_open(self, payload: bytes, now: float) -> bool:
        """Tell whether the server that handed a message over still waits for its acknowledgement."""
        letter = self.letters[payload]
        is_settled = letter.outcome or letter.acknowledged_by or letter.was_handed_on
        return not is_settled and now < letter.taken_at + self._ack_seconds - 1

    # In the applications.

    def got(self, payload: bytes, sender: bytes, program: str) -> None:
        """Note that an application has received a message."""
        letter = self.letters.get(payload)
        if (
            self._checks.that("P8", letter is not None, "{} received what nobody sent", program)
            and letter is not None
        ):
            self._checks.that(
                "P8", letter.sender == sender, "{} received a message in another's name", program
            )
            letter.got_by[program] += 1
            self._checks.that("P8", letter.got_by[program] == 1, "{} received {!r} twice", program, payload)

    def concluded(self, payload: bytes, outcome: str) -> None:
        """Note what the sender's application was told: the name of an outcome, or of an error."""
        letter = self.letters[payload]
        self._checks.that("P8", not letter.concluded, "{!r} was concluded twice", payload)
        letter.concluded = outcome

    def settled(self) -> None:
        """Check what must hold when nothing is under way any more."""
        checks = self._checks
        for payload, letter in self.letters.items():
            missed = letter.acknowledged_by - letter.got_by.keys()
            checks.that("P8", not missed, "{!r} was acknowledged, and the application never got it", payload)
            if letter.concluded == "DELIVERED":
                checks.that("P8", letter.got_by, "{!r} is DELIVERED, and nobody got it", payload)
                checks.that(
                    "P8", letter.outcome == pb.SEND_OUTCOME_DELIVERED, "DELIVERED without the server's word"
                )
            if letter.outcome in NOT_HANDED_OVER:
                checks.that("P8", not letter.got_by, "{!r} was not delivered, yet somebody got it", payload)
