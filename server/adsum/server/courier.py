"""Direct messages: from the request to exactly one outcome.

A message is handed to every session of the recipient that has a healthy stream here, and is delivered when the first of them acknowledges
it. Until then it is *pending*: it is handed over again to a session that resumes, fails with RECIPIENT_WENT_OFFLINE when the
recipient has gone, and with UNCONFIRMED when its time is up.

Each request id has one result. Results are kept for the last requests of a session, so that a client that asks again after a blip
gets the same answer; ids must grow, so one that is older than anything kept is known to have been handled, and is UNCONFIRMED.

The courier decides outcomes. Who has which stream is the desk's business: it names the sessions to hand over to, and takes
the messages and results to their streams. Memory is bounded by the messages pending for each session and the results kept for each.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from adsum.contract.limits import Limits
from adsum.server.member import Liveness, Member
from adsum.server.messages import Delivery, Send, SendOutcome, SendResult
from adsum.server.rates import Bucket


@dataclass(slots=True, eq=False)
class Correspondent:
    """What the courier keeps for one session.

    `newest_request_id` is the greatest id a message was sent with, `under_way` the ids that have no result yet. `pending` holds the
    deliveries that wait for this session's acknowledgement, the oldest first.
    """

    session_id: bytes
    public_key: bytes
    allowance: Bucket
    newest_request_id: int = 0
    under_way: set[int] = field(default_factory=set)
    results: OrderedDict[int, SendResult] = field(default_factory=OrderedDict)
    pending: OrderedDict[int, Delivery] = field(default_factory=OrderedDict)


@dataclass(slots=True, eq=False)
class _Parcel:
    delivery: Delivery
    sender: Correspondent
    request_id: int
    recipient: bytes
    holders: list[Correspondent]


@dataclass(frozen=True, slots=True)
class HandOver:
    """Take a delivery to the stream of a session, if it has one."""

    session_id: bytes
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Report:
    """Take a result to the stream of the session that sent the message, if it has one."""

    session_id: bytes
    result: SendResult


@dataclass(frozen=True, slots=True)
class Expect:
    """Ask `expire` about a delivery when its time is up: after `Limits.ack_seconds`."""

    delivery_id: int


Errand: TypeAlias = HandOver | Report | Expect


class Courier:
    """Carry the direct messages of one lobby on this node. Delivery ids count up from a start that no predecessor has used."""

    def __init__(self, limits: Limits, first_delivery_id: int) -> None:
        self._limits = limits
        self._next_delivery_id = first_delivery_id
        self._parcels: dict[int, _Parcel] = {}

    @property
    def pending(self) -> int:
        """How many messages wait for an acknowledgement."""
        return len(self._parcels)

    def enrol(
        self, session_id: bytes, public_key: bytes, now: float, newest_request_id: int = 0
    ) -> Correspondent:
        """Start keeping account of a session."""
        allowance = Bucket.full(self._limits.sends_per_second, self._limits.send_burst, now)
        return Correspondent(session_id, public_key, allowance, newest_request_id)

    def send(
        self,
        sender: Correspondent,
        sender_incarnation: int,
        request: Send,
        recipient: Member | None,
        reachable: Iterable[Correspondent],
        *,
        revision: int,
        now: float,
        unix_millis: int,
    ) -> list[Errand]:
        """Take a message.

        Args:
            sender: The session that sends it.
            sender_incarnation: The incarnation of its member.
            request: The message; its request id is not 0.
            recipient: The member it is for, as the lobby has it at `revision`; None if absent.
            reachable: Those sessions of the recipient that can be handed something now.
            revision: The lobby's revision.
            now: The moment.
            unix_millis: The same by the wall clock.
        """
        if request.request_id <= sender.newest_request_id:
            return self._repeat(sender, request.request_id, revision)
        sender.newest_request_id = request.request_id
        if len(request.payload) > self._limits.payload_bytes:
            return self._conclude(sender, request.request_id, SendOutcome.TOO_LARGE, revision)
        if not sender.allowance.take(now):
            return self._conclude(sender, request.request_id, SendOutcome.RATE_LIMITED, revision)
        if recipient is None:
            return self._conclude(sender, request.request_id, SendOutcome.RECIPIENT_OFFLINE, revision)
        if request.incarnation not in (0, recipient.incarnation):
            return self._conclude(sender, request.request_id, SendOutcome.RECIPIENT_CHANGED, revision)
        if recipient.liveness is Liveness.SUSPECT:
            return self._conclude(sender, request.request_id, SendOutcome.RECIPIENT_SUSPECT, revision)
        holders = [holder for holder in reachable if len(holder.pending) < self._limits.pending_deliveries]
        if not holders:
            # Or nobody is reachable although the lobby shows the recipient online: it moves to another server, because this one drains.
            # The outcome must not contradict the list.
            return self._conclude(sender, request.request_id, SendOutcome.RECIPIENT_BUSY, revision)
        delivery = Delivery(
            self._next_delivery_id, sender.public_key, sender_incarnation, request.payload, unix_millis
        )
        self._next_delivery_id += 1
        sender.under_way.add(request.request_id)
        self._parcels[delivery.delivery_id] = _Parcel(
            delivery, sender, request.request_id, request.recipient, holders
        )
        errands: list[Errand] = [Expect(delivery.delivery_id)]
        for holder in holders:
            holder.pending[delivery.delivery_id] = delivery
            errands.append(HandOver(holder.session_id, delivery))
        return errands

    def acknowledge(self, holder: Correspondent, delivery_id: int, revision: int) -> list[Errand]:
        """Note that a session has a message. What it doesn't hold, or what is settled already, is ignored."""
        if delivery_id not in holder.pending:
            return []
        return self._settle(self._parcels[delivery_id], SendOutcome.DELIVERED, revision)

    def expire(self, delivery_id: int, revision: int) -> list[Errand]:
        """Give up a delivery whose time is up. One that is settled already is ignored."""
        parcel = self._parcels.get(delivery_id)
        return [] if parcel is None else self._settle(parcel, SendOutcome.UNCONFIRMED, revision)

    def resume(self, holder: Correspondent) -> list[Errand]:
        """Hand everything over again that a session has not acknowledged, in the order it was sent."""
        return [HandOver(holder.session_id, delivery) for delivery in holder.pending.values()]

    def dismiss(self, holder: Correspondent, revision: int, *, member_present: bool) -> list[Errand]:
        """Forget a session that is gone.

        A message that it alone held has lost its recipient; if the member is still present with another session, nobody can say whether
        they have read it.
        """
        outcome = SendOutcome.UNCONFIRMED if member_present else SendOutcome.RECIPIENT_WENT_OFFLINE
        errands: list[Errand] = []
        for delivery_id in list(holder.pending):
            parcel = self._parcels[delivery_id]
            parcel.holders.remove(holder)
            if not parcel.holders:
                errands += self._settle(parcel, outcome, revision)
        holder.pending.clear()
        return errands

    def _settle(self, parcel: _Parcel, outcome: SendOutcome, revision: int) -> list[Errand]:
        del self._parcels[parcel.delivery.delivery_id]
        for holder in parcel.holders:
            holder.pending.pop(parcel.delivery.delivery_id, None)
        return self._conclude(parcel.sender, parcel.request_id, outcome, revision)

    def _conclude(
        self, sender: Correspondent, request_id: int, outcome: SendOutcome, revision: int
    ) -> list[Errand]:
        result = SendResult(request_id, outcome, revision)
        sender.under_way.discard(request_id)
        sender.results[request_id] = result
        if len(sender.results) > self._limits.results_kept:
            sender.results.popitem(last=False)
        return [Report(sender.session_id, result)]

    def _repeat(self, sender: Correspondent, request_id: int, revision: int) -> list[Errand]:
        if (result := sender.results.get(request_id)) is not None:
            return [Report(sender.session_id, result)]
        if request_id in sender.under_way:
            return []
        return [Report(sender.session_id, SendResult(request_id, SendOutcome.UNCONFIRMED, revision))]
