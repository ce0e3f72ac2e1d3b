"""What the client still has to say, and what it has said without an answer yet. Pure and bounded.

Requests wait here until the writer takes the next one: taking is the moment from which a request may have
reached the server. In this order, because the small urgent things keep the stream alive and the list right:

    the proof, a resync, a heartbeat, acknowledgements, a leave, the profile, selects and sends by id

Whatever can be merged is: only the newest heartbeat is answered, only the newest profile is told.
Acknowledgements have a bound, beyond which a delivery isn't accepted. Selects and sends are bounded by their
callers, who each wait for an answer. After a leave nothing is said any more.

What a lost connection does to a select or send:

    not taken yet            it stays, and is taken on the next stream, in a resumed session or a new one
    taken, session resumed   it is taken again, with the same id, before newer ones
    taken, session new       a select is taken again; a send ends UNCONFIRMED: the old session may have
                             delivered it, on whichever of its streams it was taken
"""

from collections import deque
from dataclasses import dataclass, replace

from adsum.client.member import Profile
from adsum.client.messages import (
    Ack,
    ClientHeartbeat,
    Leave,
    Proof,
    Request,
    Resync,
    ResyncReason,
    Select,
    Send,
    UpdateProfile,
)
from adsum.client.replica import Replica

MAX_ACKS = 1024
"""How many acknowledgements may wait. A server that reads nothing and delivers more is not acknowledged."""


@dataclass(slots=True)
class _Unanswered:
    request: Select | Send
    is_taken: bool = False
    """Whether it was taken on the stream of the moment."""
    may_have_arrived: bool = False
    """Whether it was taken on any stream of the session."""


class Outbox:
    """Hold what one client has to say, across streams and sessions."""

    def __init__(self, replica: Replica) -> None:
        """Have nothing to say. The replica is what heartbeats describe."""
        self._replica = replica
        self._last_id = 0
        self._proof: Proof | None = None
        self._echo: int | None = None
        self._resync: ResyncReason | None = None
        self._acks: deque[int] = deque()
        self._profile: UpdateProfile | None = None
        self._unanswered: dict[int, _Unanswered] = {}
        self._is_leaving = False
        self._has_left = False

    # What the session puts in.

    def prove(self, signature: bytes) -> None:
        """Answer the challenge."""
        self._proof = Proof(signature)

    def beat(self, echo: int) -> None:
        """Say what list is held: `echo` is the heartbeat that this answers, 0 for none."""
        # An answer that waits tells of the list as well.
        self._echo = echo or self._echo or 0

    def resync(self, reason: ResyncReason) -> None:
        """Ask for a snapshot."""
        self._resync = reason

    def acknowledge(self, delivery_id: int) -> bool:
        """Confirm a delivery; False if there is no room, and nothing was confirmed."""
        if len(self._acks) >= MAX_ACKS:
            return False
        self._acks.append(delivery_id)
        return True

    def update(self, profile: Profile) -> int:
        """Tell a new profile instead of one that still waits; returns the request id."""
        self._profile = UpdateProfile(self._next_id(), profile)
        return self._last_id

    def select(self, public_key: bytes) -> int:
        """Select, or clear with an empty key; returns the request id."""
        return self._ask(Select(self._next_id(), public_key))

    def send(self, recipient: bytes, payload: bytes, incarnation: int) -> int:
        """Send a message; `incarnation` 0 means any. Returns the request id."""
        return self._ask(Send(self._next_id(), recipient, payload, incarnation))

    def leave(self) -> None:
        """Leave, after what else is to be said; what has not been taken of selects and sends is not said any more."""
        self._is_leaving = True

    # What becomes of it.

    def answered(self, request_id: int, kind: type[Select] | type[Send] | None = None) -> bool:
        """Take out the select or send that got its answer, or whose caller waits no more; False if there is none of that kind."""
        unanswered = self._unanswered.get(request_id)
        if unanswered is None or (kind is not None and not isinstance(unanswered.request, kind)):
            return False
        del self._unanswered[request_id]
        return True

    def unconfirmed(self, request_id: int) -> bytes | None:
        """Tell the recipient of an unanswered send that may have reached the server; None if it certainly hasn't."""
        unanswered = self._unanswered.get(request_id)
        if unanswered is None or not unanswered.may_have_arrived or isinstance(unanswered.request, Select):
            return None
        return unanswered.request.recipient

    def begin_stream(self) -> None:
        """Forget what belonged to the stream before."""
        self._proof = self._echo = self._resync = None
        self._acks.clear()
        self._has_left = False

    def begin_session(self, *, resumed: bool) -> list[int]:
        """Continue or start a session: returns the ids of the sends that nobody will ever confirm, taken out."""
        self._profile = None
        unconfirmed = []
        for request_id, unanswered in list(self._unanswered.items()):
            unanswered.is_taken = False
            if not resumed and unanswered.may_have_arrived and isinstance(unanswered.request, Send):
                unconfirmed.append(request_id)
                del self._unanswered[request_id]
        return unconfirmed

    # What the writer takes out.

    def take(self, *, is_welcome: bool, may_ask: bool) -> Request | None:
        """Take what is to be said next; None if there is nothing that may be said now.

        Before the Welcome only the proof may; selects and sends wait until the list is the server's
        (`may_ask`), so that an outcome never speaks of a list that the application hasn't seen.
        """
        if self._proof is not None:
            proof, self._proof = self._proof, None
            return proof
        if not is_welcome or self._has_left:
            return None
        if self._resync is not None:
            resync, self._resync = Resync(self._resync), None
            return resync
        if self._echo is not None:
            echo, self._echo = self._echo, None
            return ClientHeartbeat(self._replica.epoch, self._replica.revision, self._replica.digest, echo)
        if self._acks:
            return Ack(self._acks.popleft())
        if self._is_leaving:
            self._has_left = True
            return Leave()
        if self._profile is not None:
            profile, self._profile = self._profile, None
            return profile
        return self._take_ask() if may_ask else None

    def _take_ask(self) -> Select | Send | None:
        for unanswered in self._unanswered.values():
            if not unanswered.is_taken:
                unanswered.is_taken = unanswered.may_have_arrived = True
                request = unanswered.request
                if isinstance(request, Send) and request.incarnation:
                    current = self._replica.current_incarnation(request.recipient, request.incarnation)
                    request = unanswered.request = replace(request, incarnation=current)
                return request
        return None

    def _ask(self, request: Select | Send) -> int:
        self._unanswered[request.request_id] = _Unanswered(request)
        return request.request_id

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id
