"""A lean member: a client that proves its key, keeps its list, and answers heartbeats and deliveries, and costs next to nothing.

It checks what a real client checks: that each delta starts where its list stands, that the list has as many members as the server says,
that nobody is put in twice, that a heartbeat describes what it holds. What it doesn't do is compute the digest: it trusts the one
that comes with the list. The probes compute it.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from nacl.signing import SigningKey

from adsum.contract.identity import proof_transcript
from adsum.v1.member_pb2 import STATUS_AVAILABLE, Profile
from adsum.v1.presence_pb2 import (
    SEND_OUTCOME_DELIVERED,
    Ack,
    ClientHeartbeat,
    Hello,
    Leave,
    PresenceRequest,
    PresenceResponse,
    Proof,
    Resume,
    Send,
    SendOutcome,
    UpdateProfile,
)
from tests.bench.connection import Connection
from tests.bench.loop import Loop
from tests.bench.reading import LobbyReader, Reading

PATH = "/adsum.v1.LobbyService/Presence"
_SNAPSHOT, _DELTA = 0x1A, 0x22
"""The first byte of a response that holds one of these."""


@dataclass(slots=True)
class Tally:
    """Count what happens to a crowd, and what must not happen."""

    messages: int = 0
    bytes: int = 0
    beats: int = 0
    gaps: int = 0
    """Deltas that didn't start where the list stood."""
    shown_twice: int = 0
    """Members that were put in though they were there, or taken out though they were not."""
    wrong_counts: int = 0
    wrong_beats: int = 0
    resumed: int = 0
    not_resumed: int = 0
    draining: int = 0
    errors: int = 0
    undelivered: Counter[str] = field(default_factory=Counter)
    """The results of messages that were not delivered."""
    endings: Counter[str] = field(default_factory=Counter)
    """How streams ended that their members didn't end."""

    def faults(self) -> list[str]:
        """Tell what happened that must not happen."""
        wrong = {
            "deltas that left a gap": self.gaps,
            "members shown as joined or left twice": self.shown_twice,
            "lists of another length than the server's": self.wrong_counts,
            "heartbeats that told of another list": self.wrong_beats,
            "sessions that could not be resumed": self.not_resumed,
            "requests refused": self.errors,
        }
        faults = [f"{count} {what}" for what, count in wrong.items() if count]
        faults += [
            f"{count} messages had the result {outcome}" for outcome, count in self.undelivered.items()
        ]
        return faults + [f"{count} streams ended: {how}" for how, count in self.endings.items()]


@dataclass(frozen=True, slots=True)
class Person:
    """Who a lean member is."""

    signing_key: SigningKey
    public_key: bytes
    name: str

    @classmethod
    def numbered(cls, seed: str, number: int) -> "Person":
        """Derive the same person from the same seed and number, whatever the process."""
        key = SigningKey(hashlib.sha256(f"adsum bench {seed} {number}".encode()).digest())
        return cls(key, bytes(key.verify_key), f"Member {number:05}")


class LeanMember(Connection):
    """One member on one connection."""

    path = PATH

    def __init__(
        self, loop: Loop, address: tuple[str, int], person: Person, reader: LobbyReader, tally: Tally
    ) -> None:
        super().__init__(loop, address)
        self.person = person
        self.reader = reader
        self.tally = tally
        self.joins_at_once = False
        """Whether Hello goes out as soon as the connection stands."""
        self.is_leaving = False
        self.is_live = False
        """Whether it holds the list."""
        self.moves_at: float | None = None
        """When a server that stops wants this member to go, by the clock of `time.monotonic`."""
        self.revision = self.epoch = self.digest = 0
        self.held = self.suspects = 0
        self.on_result: Callable[[int, float], None] | None = None
        """Told the request id of each message that has a result, and when it came."""
        self._session_id = self._token = b""
        self._pending = self._pending_suspects = 0
        self._nonce = b""
        self._hellos = 0

    def join(self, *, resume: bool = False) -> None:
        """Say Hello on a stream of its own."""
        self.is_leaving = self.is_live = False
        self.moves_at = None
        self._hellos += 1
        self._nonce = hashlib.sha256(b"%s %d" % (self.person.public_key, self._hellos)).digest()
        hello = Hello(
            lobby=self.reader.lobby,
            public_key=self.person.public_key,
            client_nonce=self._nonce,
            audience=self._address[0],
            profile=Profile(name=self.person.name, status=STATUS_AVAILABLE),
        )
        if resume and self._session_id:
            hello.resume.CopyFrom(
                Resume(
                    session_id=self._session_id,
                    token=self._token,
                    epoch=self.epoch,
                    revision=self.revision,
                    digest=self.digest,
                )
            )
        self.open_stream(PresenceRequest(hello=hello).SerializeToString())

    def become(self, person: Person) -> None:
        """Be somebody else, who has no session yet."""
        self.person = person
        self._session_id = self._token = b""
        self.held = self.suspects = self.revision = self.epoch = self.digest = 0

    def update(self, text: str) -> None:
        """Say something new about oneself."""
        profile = Profile(name=self.person.name, status=STATUS_AVAILABLE, status_text=text)
        self.say(PresenceRequest(update_profile=UpdateProfile(profile=profile)).SerializeToString())

    def send(self, request_id: int, recipient: bytes, payload: bytes) -> None:
        """Send a direct message."""
        request = Send(request_id=request_id, recipient=recipient, payload=payload)
        self.say(PresenceRequest(send=request).SerializeToString())

    def leave(self) -> None:
        """Leave; the connection stays, for another stream."""
        self.is_leaving = True
        self.is_live = False
        self.say_last(PresenceRequest(leave=Leave()).SerializeToString())

    def opened(self) -> None:
        """Join at once, if that is wanted."""
        if self.joins_at_once:
            self.join(resume=bool(self._session_id))

    def ended(self) -> None:
        """Note an end that this member didn't ask for."""
        self.is_live = False
        self.reader.complete.discard(self)
        if not self.is_leaving:
            self.tally.endings[self.ending] += 1

    def hear(self, data: bytes, start: int, stop: int, now: float) -> None:
        """Take one response."""
        tally = self.tally
        tally.messages += 1
        tally.bytes += stop - start
        kind = data[start]
        if kind == _DELTA:
            reading = self.reader.delta(data, start, stop)
            reading.arrivals.append(now)
            self._apply(reading)
        elif kind == _SNAPSHOT:
            self._take_chunk(self.reader.snapshot(data, start, stop))
        else:
            self._hear_own(PresenceResponse.FromString(data[start:stop]), now)

    def _apply(self, delta: Reading) -> None:
        tally = self.tally
        if delta.base != self.revision or delta.epoch != self.epoch:
            tally.gaps += 1
        if delta.joined & self.held or delta.left & ~self.held:
            tally.shown_twice += 1
        self.held = (self.held | delta.changed) & ~delta.left
        self.suspects = (self.suspects & ~delta.changed & ~delta.left) | delta.suspects
        self.revision = delta.revision
        self.digest = delta.digest
        self._check_length(delta.count)

    def _take_chunk(self, chunk: Reading) -> None:
        if chunk.index == 0:
            self._pending = self._pending_suspects = 0
        self._pending |= chunk.joined
        self._pending_suspects |= chunk.suspects
        if not chunk.is_last:
            return
        self.held, self.suspects = self._pending, self._pending_suspects
        self.epoch, self.revision, self.digest = chunk.epoch, chunk.revision, chunk.digest
        self._check_length(chunk.count)
        self._hold_list()

    def _hold_list(self) -> None:
        self.is_live = True
        self._beat(0)

    def _check_length(self, count: int) -> None:
        if self.held.bit_count() != count:
            self.tally.wrong_counts += 1
        if self.reader.goal:
            self._note_whether_complete(count)

    def _note_whether_complete(self, count: int) -> None:
        if count == self.reader.goal and not self.suspects:
            self.reader.complete.add(self)
        else:
            self.reader.complete.discard(self)

    def _hear_own(self, response: PresenceResponse, now: float) -> None:
        match response.WhichOneof("response"):
            case "heartbeat":
                beat = response.heartbeat
                self.tally.beats += 1
                if (beat.epoch, beat.revision, beat.digest) != (self.epoch, self.revision, self.digest):
                    self.tally.wrong_beats += 1
                self._beat(beat.nonce)
            case "challenge":
                if self._session_id:
                    self.tally.not_resumed += 1
                self._prove(response)
            case "welcome":
                welcome = response.welcome
                self._session_id, self._token = welcome.session_id, welcome.resume_token
                if welcome.resumed:
                    self.tally.resumed += 1
                    self._hold_list()
                    if self.reader.goal:
                        self._note_whether_complete(self.held.bit_count())
            case "delivery":
                ack = Ack(delivery_id=response.delivery.delivery_id)
                self.say(PresenceRequest(ack=ack).SerializeToString())
            case "send_result":
                result = response.send_result
                if result.outcome != SEND_OUTCOME_DELIVERED:
                    self.tally.undelivered[SendOutcome.Name(result.outcome)] += 1
                if self.on_result is not None:
                    self.on_result(result.request_id, now)
            case "draining":
                self.tally.draining += 1
                self.moves_at = now + response.draining.reconnect_delay_millis / 1000
            case "request_error":
                self.tally.errors += 1
            case _:
                pass

    def _prove(self, response: PresenceResponse) -> None:
        transcript = proof_transcript(
            audience=self._address[0],
            server_nonce=response.challenge.server_nonce,
            client_nonce=self._nonce,
            public_key=self.person.public_key,
            lobby=self.reader.lobby,
            expires_at_unix_millis=response.challenge.expires_at_unix_millis,
        )
        signature = self.person.signing_key.sign(transcript).signature
        self.say(PresenceRequest(proof=Proof(signature=signature)).SerializeToString())

    def _beat(self, echo: int) -> None:
        beat = ClientHeartbeat(epoch=self.epoch, revision=self.revision, digest=self.digest, echo=echo)
        self.say(PresenceRequest(heartbeat=beat).SerializeToString())
