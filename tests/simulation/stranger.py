"""A client that means harm, or is merely broken: it says anything, in any order, before and after it is let in (P9).

What the server tells it isn't judged, since what it said may have no right answer; that the server goes on, and that everybody else is
told the truth at the right time, is judged as ever. It has a key of its own, so who it is never is anybody else.
"""

import hashlib
from random import Random

from google.protobuf.message import DecodeError

from adsum.contract.identity import Identity, proof_transcript
from adsum.v1 import presence_pb2 as pb
from tests.fuzz.messages import vary, vary_bytes
from tests.fuzz.source import Source
from tests.model.messages import Letter
from tests.simulation.client_end import Dialler
from tests.simulation.loop import Process
from tests.simulation.network import Link, Network, Path, Status
from tests.simulation.witness import Observatory, StreamWitness

KINDS = ("hello", "proof", "update_profile", "select", "send", "ack", "heartbeat", "resync")
CHANCE_BYTES = 40


class Stranger:
    """One connection of a hostile client."""

    def __init__(
        self,
        number: int,
        process: Process,
        network: Network,
        observatory: Observatory,
        random: Random,
        lobby: str,
    ) -> None:
        self.process = process
        self._identity = Identity.from_seed(hashlib.sha256(b"stranger %d" % number).digest())
        self._random = random
        self._observatory = observatory
        self._lobby = lobby
        self._path = Path(f"203.0.113.{number % 250 + 1}", 0.001, 0.001)
        self._network = network
        self._link: Link | None = None
        self._is_over = False
        self._reads = random.random() < 0.8
        self._waits_for = random.choice((0.0, 0.001, 0.05, 0.5))
        self._left = random.choice((3, 30, 150))
        self._is_honest_at_first = random.random() < 0.7
        self._hello = pb.Hello(lobby=lobby, client_nonce=random.randbytes(32), audience=Dialler.audience)
        self._hello.public_key, self._hello.profile.name = self._identity.public_key, "stranger"
        self._hello.observer = random.random() < 0.3
        self._beat = pb.ServerHeartbeat()
        network.dial(self._path, self)

    def end(self) -> None:
        """Be gone, and let the server know."""
        self._is_over = True
        if self._link is not None:
            self._link.cut(None, 0.0)

    # What the network tells.

    def connected(self, link: Link) -> None:
        self._link = link
        if self._is_over:
            self.end()
            return
        self._observatory.count("hostile streams")
        if self._is_honest_at_first:
            self._say(pb.PresenceRequest(hello=self._hello).SerializeToString())
        else:
            self._make_noise()

    def arrived(self, item: bytes | Status) -> None:
        if isinstance(item, Status):
            self._is_over = True
        if self._is_over or not isinstance(item, bytes):
            return
        if self._link is not None and self._reads:
            self._link.down.consumed()
        response = pb.PresenceResponse.FromString(item)
        match response.WhichOneof("response"):
            case "challenge" if self._is_honest_at_first:
                self._prove(response.challenge)
            case "welcome":
                self._make_noise()
            case "heartbeat":
                self._beat = response.heartbeat
            case _:
                pass

    def made_room(self) -> None:
        """Wait for nothing: what finds no room isn't said."""

    # What it says.

    def _prove(self, challenge: pb.Challenge) -> None:
        transcript = proof_transcript(
            audience=self._hello.audience,
            server_nonce=challenge.server_nonce,
            client_nonce=self._hello.client_nonce,
            public_key=self._hello.public_key,
            lobby=self._hello.lobby,
            expires_at_unix_millis=challenge.expires_at_unix_millis,
        )
        proof = pb.Proof(signature=self._identity.sign(transcript))
        self._say(pb.PresenceRequest(proof=proof).SerializeToString())

    def _make_noise(self) -> None:
        if self._is_over or not self._left:
            return
        self._left -= 1
        self._say(self._word())
        self._network.kernel.at(self._network.kernel.now + self._waits_for, self._make_noise)

    def _word(self) -> bytes:
        random, request = self._random, pb.PresenceRequest()
        match random.choice(KINDS):
            case "hello":
                request.hello.CopyFrom(self._hello)
            case "proof":
                request.proof.signature = bytes(64)
            case "update_profile":
                request.update_profile.profile.name = random.choice(("stranger", "\u202e", "x" * 500))
            case "select":
                request.select.request_id, request.select.public_key = random.randrange(9), self._somebody()
            case "send":
                request.send.request_id, request.send.recipient = random.randrange(1_000), self._somebody()
                request.send.payload = b"from a stranger %d" % random.getrandbits(64)
            case "ack":
                request.ack.delivery_id = random.getrandbits(64)
            case "heartbeat":
                request.heartbeat.echo, request.heartbeat.revision = self._beat.nonce, self._beat.revision
                request.heartbeat.epoch, request.heartbeat.digest = self._beat.epoch, random.getrandbits(64)
            case _:
                request.resync.SetInParent()
        source = Source(random.randbytes(CHANCE_BYTES))
        if random.random() < 0.5:
            vary(request, source)
        content = request.SerializeToString()
        return vary_bytes(content, pb.PresenceRequest, source) if random.random() < 0.1 else content

    def _somebody(self) -> bytes:
        members = self._observatory.lobbies[self._lobby].members
        return self._random.choice([self._identity.public_key, *sorted(members)])

    def _say(self, content: bytes) -> None:
        if (
            self._link is None
            or not self._link.up.has_room
            or _is_odd_for_the_model(content, self._observatory)
        ):
            return
        self._observatory.count("hostile words")
        self._link.up.send(content, self.process.time())


def _is_odd_for_the_model(content: bytes, observatory: Observatory) -> bool:
    """Tell whether it would be a word that the model of the others can't follow: a Leave that may be refused, a payload a second time."""
    try:
        request = pb.PresenceRequest.FromString(content)
    except DecodeError:
        return False
    return request.HasField("leave") or (
        request.HasField("send") and request.send.payload in observatory.ledger.letters
    )


class StrangersWitness(StreamWitness):
    """Watch a hostile stream for the others' sake: who is present by it, and what it sends to them."""

    def __init__(self, observatory: Observatory, program: str) -> None:
        super().__init__(observatory, program)
        self.life.is_unruly = True

    def can_be_told(self, lobby: object, since: float) -> bool:
        """Tell nothing of what it is told."""
        return False

    def heard(self, content: bytes) -> None:
        self.life.heard(self._all.now())
        try:
            request = pb.PresenceRequest.FromString(content)
        except DecodeError:
            return
        match request.WhichOneof("request"):
            case "hello" if self.model.hello is None:
                if request.hello.lobby in self._all.presence:
                    super().heard(content)
            case "proof":
                self.model.is_proved = self.model.hello is not None
            case "heartbeat":
                super().heard(content)
            case "send":
                self._all.sends.append(self.life.heard_at)
                if self.model.hello is not None:
                    letter = Letter(self.model.hello.public_key, request.send.recipient)
                    self._all.ledger.letters[request.send.payload] = letter
            case _:
                pass

    def told(self, content: bytes) -> None:
        response = pb.PresenceResponse.FromString(content)
        match response.WhichOneof("response"):
            case "welcome":
                self._welcomed(response.welcome)
            case "heartbeat" if self.life.unechoed_since is None:
                self.life.nonce, self.life.unechoed_since = response.heartbeat.nonce, self._all.now()
            case _:
                pass
