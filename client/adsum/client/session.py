"""The client's half of a session: the handshake, what is known and what is asked, across streams. Pure.

A session lives through many streams, one at a time:

    OFFLINE     no stream; `dial` starts one
    GREETING    Hello is said. Challenge -> PROVING; Welcome (after a Resume, or from a server that believes
                everybody) -> WELCOMED
    PROVING     Proof is said. Welcome -> WELCOMED
    WELCOMED    everything else
    CLOSED      for good

From each of them `lost` leads back to OFFLINE, and `close` to CLOSED. The session never ends a stream itself:
`Output.end` says that its driver must, and why. A server that breaks the rules is such a reason too, and
never an exception.

Each input returns an `Output`; `take_request` gives what is to be written next; `deadline` says when `tick`
is due. `replica` keeps the list, `outbox` what is to be said, `selection` the selection and `patience` the
clocks of the stream.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from enum import Enum

from adsum.client.events import ConnectionState, Event, MessageReceived, Phase, RequestRefused, StateChanged
from adsum.client.member import Profile
from adsum.client.messages import (
    Challenge,
    Delivery,
    Delta,
    Draining,
    Hello,
    Limits,
    Request,
    RequestError,
    Response,
    Resume,
    Select,
    SelectionUpdate,
    Send,
    SendOutcome,
    SendResult,
    ServerHeartbeat,
    Snapshot,
    Welcome,
)
from adsum.client.outbox import Outbox
from adsum.client.patience import End, Patience
from adsum.client.replica import Received, Replica
from adsum.client.selection import SelectionKeeper
from adsum.client.settings import Settings
from adsum.contract.identity import NONCE_BYTES, Identity, proof_transcript
from adsum.contract.limits import Limits as Defaults

DELIVERIES_REMEMBERED = 1024
"""How many delivery ids are remembered, to show a message once. The server waits for far fewer acknowledgements."""
LONGEST_DRAIN_SECONDS = 60.0
"""The longest delay that a draining server is obeyed for."""
ANSWERS_HELD = 1024
"""How many answers wait for a list that is being fetched again. Far more than may be unanswered: a server that sends more is broken."""
_DEFAULTS = Defaults()
_SHORTEST_SECONDS = 0.01
_LONGEST_SECONDS = 3600.0


class Stage(Enum):
    """Where a session stands with its stream."""

    OFFLINE = "offline"
    GREETING = "greeting"
    PROVING = "proving"
    WELCOMED = "welcomed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Purpose:
    """Hold what a session is for: it never changes."""

    lobby: str
    identity: Identity
    audience: str
    observer: bool = False


Answer = SelectionUpdate | SendResult | RequestError


@dataclass(frozen=True, slots=True)
class Output:
    """Say what follows from an input: events in order, answers for those who wait, and whether the stream must end."""

    events: tuple[Event, ...] = ()
    answers: tuple[Answer, ...] = ()
    end: End | None = None


@dataclass(slots=True)
class _Stream:
    """What is known about the stream of the moment."""

    hello: Hello
    patience: Patience
    is_listed: bool = False
    is_degraded: bool = False


class Session:
    """Keep one client's session. `now` is any clock in seconds that doesn't go back."""

    def __init__(self, purpose: Purpose, profile: Profile, settings: Settings) -> None:
        """Be offline, with nothing known."""
        self.purpose = purpose
        self.profile = profile
        """What to say about oneself: the newest that the application wants."""
        self.replica = Replica(settings.max_members)
        self.selection = SelectionKeeper(self.replica.roster)
        self.outbox = Outbox(self.replica)
        self.stage = Stage.OFFLINE
        self.state = ConnectionState(Phase.CONNECTING)
        self.limits = Limits()
        """What the server accepts, as of the last Welcome."""
        self.round_trip_seconds: float | None = None
        self.resumable_until = float("-inf")
        """Until when the server keeps the session of the stream lost last, as far as the client can know."""
        self.live_since: float | None = None
        """Since when the stream of the moment has had a complete list; None if it has none."""
        self._settings = settings
        self._stream: _Stream | None = None
        self._session_id = b""
        self._token = b""
        self._lease_seconds = _DEFAULTS.lease_seconds
        self._grace_seconds = _DEFAULTS.grace_seconds
        self._deliveries: OrderedDict[int, None] = OrderedDict()
        self._accepted_profile = profile
        self._update_id = 0
        self._events: list[Event] = []
        self._answers: list[Answer] = []
        self._held: list[SelectionUpdate | SendResult] = []

    # The life of the stream, told by the driver.

    def dial(self, client_nonce: bytes, now: float) -> Hello:
        """Start on a new stream, with 32 fresh random bytes; returns what to say first."""
        assert self.stage is Stage.OFFLINE, self.stage
        purpose, replica = self.purpose, self.replica
        resume = None
        if self._session_id and self._token and not purpose.observer:
            held = (replica.epoch, replica.revision, replica.digest) if replica.is_trusted else (0, 0, 0)
            resume = Resume(self._session_id, self._token, *held)
        hello = Hello(
            lobby=purpose.lobby,
            public_key=purpose.identity.public_key,
            client_nonce=client_nonce,
            audience=purpose.audience,
            profile=self.profile,
            resume=resume,
            observer=purpose.observer,
        )
        self.stage = Stage.GREETING
        self._stream = _Stream(hello, Patience(self._settings, now))
        self.outbox.begin_stream()
        return hello

    def lost(self, cause: str, now: float) -> Output:
        """Go offline: the stream has ended, or must."""
        if self.stage is Stage.WELCOMED:
            self.resumable_until = now + self._lease_seconds + self._grace_seconds
        self._go(Stage.OFFLINE)
        self._become(
            ConnectionState(Phase.RECONNECTING if self.replica.is_complete else Phase.CONNECTING, cause)
        )
        self._events += self.selection.lost(self.replica.revision)
        return self._output()

    def will_retry(self, delay_seconds: float, now: float) -> Output:
        """Tell when the next attempt starts."""
        self._become(replace(self.state, retry_at=now + delay_seconds, retry_in_seconds=delay_seconds))
        return self._output()

    def retries(self) -> Output:
        """Tell that the next attempt starts now."""
        self._become(replace(self.state, retry_at=None, retry_in_seconds=None))
        return self._output()

    def close(self, cause: str) -> Output:
        """End for good."""
        self._go(Stage.CLOSED)
        self._become(ConnectionState(Phase.CLOSED, cause))
        self._events += self.selection.lost(self.replica.revision)
        return self._output()

    def forget(self) -> None:
        """Give up resuming: the next stream starts another session."""
        self._token = b""

    # What the application wants.

    def update(self, profile: Profile) -> None:
        """Say something new about oneself: now, or with the next Hello."""
        self.profile = profile
        if self.stage is Stage.WELCOMED:
            self._update_id = self.outbox.update(profile)

    def resync(self, now: float) -> Output:
        """Ask for a snapshot. Nothing follows while one is awaited anyway."""
        if self.stage is Stage.WELCOMED:
            self._take_in(self.replica.request(), now)
            self._settle(now)
        return self._output()

    # The clock.

    @property
    def is_ready(self) -> bool:
        """True if selects and sends may go out."""
        return self.stage is Stage.WELCOMED and not self.replica.is_awaiting

    @property
    def may_be_present(self) -> bool:
        """True if the server may count this stream as a presence, so that it is worth saying Leave on it."""
        match self.stage:
            case Stage.PROVING | Stage.WELCOMED:
                return True
            case Stage.GREETING:
                return self._current.hello.resume is not None
            case Stage.OFFLINE | Stage.CLOSED:
                return False

    def drain_seconds(self, now: float) -> float:
        """Tell how long a draining server still wants this client to wait before it reconnects; 0 if it doesn't drain."""
        move_at = self._current.patience.move_at
        return max(move_at - now, 0.0) if move_at < float("inf") else 0.0

    def deadline(self, now: float) -> float:
        """Tell when `tick` is due, if nothing is received before."""
        return self._current.patience.deadline(now)

    def tick(self, now: float) -> Output:
        """Let time pass."""
        end = self._current.patience.judge(now)
        if end is None and self.stage is Stage.WELCOMED:
            self._settle(now)
        return self._output(end)

    # What the server says.

    def hear(self, now: float) -> None:
        """Note that the server said something that this client doesn't know: it lives."""
        self._current.patience.heard(now)

    def receive(self, message: Response, now: float, *, has_room: bool = True) -> Output:
        """Take in what the server says. `has_room` tells whether a direct message would find a place with the application."""
        self._current.patience.heard(now)
        end: End | None = None
        match message:
            case Challenge():
                end = self._receive_challenge(message)
            case Welcome():
                end = self._receive_welcome(message, now)
            case Draining():
                delay_seconds = min(message.reconnect_delay_millis / 1000, LONGEST_DRAIN_SECONDS)
                self._current.patience.move_at = now + delay_seconds
            case RequestError():
                self._receive_request_error(message)
            case _ if self.stage is not Stage.WELCOMED:
                end = _violated(f"{type(message).__name__} before Welcome")
            case Snapshot() | Delta():
                end = self._take_in(self.replica.receive(message), now)
            case ServerHeartbeat():
                end = self._receive_heartbeat(message, now)
            case SelectionUpdate() | SendResult() if self.replica.is_awaiting:
                # It speaks of a revision that the list will only have when it has been fetched: what is told must agree with the list.
                self._held.append(message)
                if len(self._held) > ANSWERS_HELD:
                    end = _violated("too many answers before the list")
            case SelectionUpdate() | SendResult():
                self._receive_answer(message)
            case Delivery():
                self._receive_delivery(message, has_room)
        if end is None and self.stage is Stage.WELCOMED:
            self._settle(now)
        return self._output(end)

    def take_request(self) -> Request | None:
        """Take what is to be written next; None if there is nothing now. What is taken may have reached the server."""
        return self.outbox.take(is_welcome=self.stage is Stage.WELCOMED, may_ask=self.is_ready)

    def _receive_challenge(self, challenge: Challenge) -> End | None:
        if self.stage is not Stage.GREETING:
            return _violated("Challenge out of turn")
        if len(challenge.server_nonce) != NONCE_BYTES:
            return _violated(f"a nonce of {len(challenge.server_nonce)} bytes")
        hello, purpose = self._current.hello, self.purpose
        transcript = proof_transcript(
            audience=purpose.audience,
            server_nonce=challenge.server_nonce,
            client_nonce=hello.client_nonce,
            public_key=hello.public_key,
            lobby=hello.lobby,
            expires_at_unix_millis=challenge.expires_at_unix_millis,
        )
        self.outbox.prove(purpose.identity.sign(transcript))
        self.stage = Stage.PROVING
        return None

    def _receive_welcome(self, welcome: Welcome, now: float) -> End | None:
        stream = self._current
        offered = stream.hello.resume
        if self.stage not in (Stage.GREETING, Stage.PROVING):
            return _violated("Welcome out of turn")
        if welcome.resumed and (offered is None or offered.session_id != welcome.session_id):
            return _violated("Welcome to a session that was not offered")
        was_in_session = bool(self._session_id)
        self.stage = Stage.WELCOMED
        self._session_id, self._token = welcome.session_id, welcome.resume_token
        self._lease_seconds = _seconds(welcome.lease_millis, _DEFAULTS.lease_seconds)
        self._grace_seconds = _seconds(welcome.grace_millis, 0.0)
        self.limits = welcome.limits
        self._accepted_profile = stream.hello.profile
        stream.patience.welcome(
            _seconds(welcome.heartbeat_millis, _DEFAULTS.heartbeat_seconds), self._lease_seconds
        )
        for request_id in self.outbox.begin_session(resumed=welcome.resumed):
            self._answers.append(SendResult(request_id, SendOutcome.UNCONFIRMED, 0))
        if was_in_session and not welcome.resumed:
            self._deliveries.clear()
            self._events += self.selection.session_lost(self.replica.revision)
        if self.profile != stream.hello.profile:
            self.update(self.profile)
        is_named = offered is not None and self.replica.is_trusted
        self.replica.begin_stream(resumed=welcome.resumed, named=is_named)
        if self.replica.is_awaiting:
            stream.patience.expect_list(now)
        else:
            self._hold_list(now)
        return None

    def _receive_heartbeat(self, beat: ServerHeartbeat, now: float) -> End | None:
        self._current.is_degraded = beat.degraded
        if beat.round_trip_micros:
            self.round_trip_seconds = beat.round_trip_micros / 1_000_000
        end = self._take_in(self.replica.receive(beat), now)
        if self.replica.is_proved:
            # Whatever the server had to say of the selection after a resume came before.
            self._events += self.selection.resumed(self.replica.revision)
        self.outbox.beat(beat.nonce)
        return end

    def _receive_answer(self, answer: SelectionUpdate | SendResult) -> None:
        request = Select if isinstance(answer, SelectionUpdate) else Send
        if self.outbox.answered(answer.request_id, request):
            self._answers.append(answer)
        if isinstance(answer, SelectionUpdate):
            self._events += self.selection.receive(answer)

    def _receive_delivery(self, delivery: Delivery, has_room: bool) -> None:
        is_new = delivery.delivery_id not in self._deliveries
        # Without a place for it, or for its acknowledgement, it isn't accepted: the sender learns that nobody has confirmed it.
        if (is_new and not has_room) or not self.outbox.acknowledge(delivery.delivery_id) or not is_new:
            return
        self._deliveries[delivery.delivery_id] = None
        if len(self._deliveries) > DELIVERIES_REMEMBERED:
            self._deliveries.popitem(last=False)
        sender = self.replica.roster.get(delivery.sender)
        self._events.append(
            MessageReceived(delivery.delivery_id, sender, delivery.sender, delivery.payload, delivery.sent_at)
        )

    def _receive_request_error(self, error: RequestError) -> None:
        if self.outbox.answered(error.request_id):
            self._answers.append(error)
            return
        if error.request_id and error.request_id == self._update_id:
            # Said again in the next Hello, it would be refused for good.
            self.profile = self._accepted_profile
        self._events.append(RequestRefused(error.request_id, error.reason, error.message))

    def _take_in(self, received: Received, now: float) -> End | None:
        stream, replica = self._current, self.replica
        self._events += received.events
        if received.resync is not None:
            self.outbox.resync(received.resync)
            stream.patience.expect_list(now)
        if received.completed:
            stream.patience.got_list()
            self._hold_list(now)
        if not replica.is_awaiting:
            held, self._held = self._held, []
            for answer in held:
                self._receive_answer(answer)
        me = replica.roster.get(self.purpose.identity.public_key)
        if me is not None and me.profile == self.profile:
            self._accepted_profile = self.profile
        return None if received.violation is None else End(received.violation, is_violation=True)

    def _hold_list(self, now: float) -> None:
        """Note that the list is complete, and say so to the server."""
        if not self._current.is_listed:
            self._current.is_listed = True
            self.live_since = now
        self.outbox.beat(0)

    def _settle(self, now: float) -> None:
        """Become the state that the stream is in."""
        stream = self._current
        if not stream.is_listed:
            return
        if self.replica.is_awaiting:
            state = ConnectionState(Phase.STALE, "the list is being fetched again")
        elif stream.patience.is_silent(now):
            state = ConnectionState(Phase.STALE, "the server is silent")
        elif stream.is_degraded:
            state = ConnectionState(Phase.DEGRADED, "the server has trouble")
        else:
            state = ConnectionState(Phase.LIVE)
        self._become(state)

    def _become(self, state: ConnectionState) -> None:
        if state != self.state:
            self._events.append(StateChanged(state, self.state))
            self.state = state

    def _go(self, stage: Stage) -> None:
        self.stage = stage
        self.live_since = None
        self.replica.is_proved = False
        self._stream = None
        # A send or select without an answer is asked again after a resume, and gets the same.
        self._held.clear()

    @property
    def _current(self) -> _Stream:
        assert self._stream is not None, self.stage
        return self._stream

    def _output(self, end: End | None = None) -> Output:
        output = Output(tuple(self._events), tuple(self._answers), end)
        self._events.clear()
        self._answers.clear()
        return output


def _violated(what: str) -> End:
    return End(f"the server sent {what}", is_violation=True)


def _seconds(millis: int, default: float) -> float:
    """Read a duration that a server gave: 0 means that it said nothing, and nothing absurd is believed."""
    return min(max(millis / 1000, _SHORTEST_SECONDS), _LONGEST_SECONDS) if millis else default
