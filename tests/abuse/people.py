"""An attacker as a member: a key from the seed, true requests of every kind, and the way in."""

from random import Random

from adsum.contract.identity import KEY_BYTES, Identity, proof_transcript
from adsum.v1.member_pb2 import STATUS_AVAILABLE, Profile
from adsum.v1.presence_pb2 import (
    RESYNC_REASON_GAP,
    RESYNC_REASON_REQUESTED,
    Ack,
    Challenge,
    ClientHeartbeat,
    Hello,
    Leave,
    PresenceRequest,
    PresenceResponse,
    Proof,
    Resume,
    Resync,
    Select,
    Send,
    UpdateProfile,
    Welcome,
)
from tests.abuse.wire import HungUpError, Stream, Wire

AUDIENCE = "127.0.0.1"
LOBBY = "lobby"
"""Where the neighbours live."""
KINDS = (
    "hello",
    "proof",
    "update_profile",
    "select",
    "send",
    "ack",
    "heartbeat",
    "resync",
    "leave",
    "nothing",
    "unknown",
)
"""Every kind of request, none at all, and one that only a later protocol knows."""
UNKNOWN_REQUEST = b"\xfa\x01\x02hi"
"""Field 31 of a PresenceRequest."""


class Person:
    """One attacker."""

    def __init__(self, random: Random, lobby: str = LOBBY) -> None:
        self.random = random
        self.lobby = lobby
        self.identity = Identity.from_seed(random.randbytes(KEY_BYTES))
        self.name = f"eve-{random.randrange(1_000_000)}"
        self.next_id = 0

    @property
    def key(self) -> bytes:
        """Its public key."""
        return self.identity.public_key

    def hello(
        self, *, resume: Resume | None = None, observer: bool = False, audience: str = AUDIENCE
    ) -> Hello:
        """Make an honest Hello."""
        return Hello(
            lobby=self.lobby,
            public_key=self.key,
            client_nonce=self.random.randbytes(32),
            audience=audience,
            profile=self.profile(),
            resume=resume,
            observer=observer,
        )

    def profile(self, text: str = "") -> Profile:
        """Make a sound profile."""
        return Profile(
            name=self.name,
            status=STATUS_AVAILABLE,
            status_text=text,
            attributes={"client": "abuse", "n": "1"},
        )

    def proof(self, hello: Hello, challenge: Challenge) -> Proof:
        """Sign a challenge."""
        return Proof(signature=self.identity.sign(transcript_of(hello, challenge)))

    def draw_id(self) -> int:
        """Draw a request id."""
        self.next_id += 1
        return self.next_id

    def request(self, kind: str, recipient: bytes = b"") -> bytes:
        """Make a valid request of a kind. A proof is of the right form only."""
        return (
            UNKNOWN_REQUEST
            if kind == "unknown"
            else self._request(kind, recipient or self.key).SerializeToString()
        )

    def _request(self, kind: str, recipient: bytes) -> PresenceRequest:
        random = self.random
        match kind:
            case "hello":
                return PresenceRequest(hello=self.hello())
            case "proof":
                return PresenceRequest(proof=Proof(signature=random.randbytes(64)))
            case "update_profile":
                profile = self.profile(f"{random.random()}")
                return PresenceRequest(
                    update_profile=UpdateProfile(request_id=self.draw_id(), profile=profile)
                )
            case "select":
                return PresenceRequest(select=Select(request_id=self.draw_id(), public_key=recipient))
            case "send":
                payload = random.randbytes(40)
                return PresenceRequest(
                    send=Send(request_id=self.draw_id(), recipient=recipient, payload=payload)
                )
            case "ack":
                return PresenceRequest(ack=Ack(delivery_id=random.getrandbits(63) + 1))
            case "heartbeat":
                return PresenceRequest(
                    heartbeat=ClientHeartbeat(
                        epoch=random.getrandbits(64),
                        revision=random.getrandbits(20),
                        digest=random.getrandbits(64),
                        echo=random.getrandbits(63),
                    )
                )
            case "resync":
                reason = random.choice((RESYNC_REASON_GAP, RESYNC_REASON_REQUESTED))
                return PresenceRequest(resync=Resync(reason=reason))
            case "leave":
                return PresenceRequest(leave=Leave())
            case _:
                return PresenceRequest()


def transcript_of(hello: Hello, challenge: Challenge) -> bytes:
    """Lay out what must be signed."""
    return proof_transcript(
        audience=hello.audience,
        server_nonce=challenge.server_nonce,
        client_nonce=hello.client_nonce,
        public_key=hello.public_key,
        lobby=hello.lobby,
        expires_at_unix_millis=challenge.expires_at_unix_millis,
    )


async def be_challenged(stream: Stream, hello: Hello) -> Challenge:
    """Say hello, and wait for the challenge.

    Raises:
        HungUpError: there is none.
    """
    stream.say(PresenceRequest(hello=hello).SerializeToString())
    if not await stream.heard(1) or not (response := stream.responses[0]).HasField("challenge"):
        raise HungUpError(f"no challenge, but {stream.ending or stream.responses}, {stream.wire.goaway}")
    return response.challenge


async def enter(wire: Wire, person: Person, *, observer: bool = False) -> tuple[Stream, Welcome]:
    """Open a stream and prove the key. Returns when the whole list has come.

    Raises:
        HungUpError: the server refused.
    """
    stream = wire.open()
    hello = person.hello(observer=observer)
    challenge = await be_challenged(stream, hello)
    stream.say(PresenceRequest(proof=person.proof(hello, challenge)).SerializeToString())
    if not await stream.heard(3):
        raise HungUpError(f"not let in: {stream.ending}, {stream.wire.goaway}")
    responses = stream.responses
    if not responses[1].HasField("welcome") or not responses[2].HasField("snapshot"):
        raise HungUpError(f"no welcome and no list, but {responses[1:]}")
    return stream, responses[1].welcome


async def keep_alive(stream: Stream, *, acks: bool = True) -> None:
    """Answer heartbeats, and deliveries unless told not to, until the stream ends. The list isn't kept: what the server says is echoed."""
    answered = 0
    while await stream.heard(answered + 1, seconds=60):
        for content in stream.contents[answered:]:
            response = PresenceResponse.FromString(content)
            answered += 1
            if response.HasField("heartbeat"):
                stream.say(echo(response).SerializeToString())
            elif response.HasField("delivery") and acks:
                stream.say(
                    PresenceRequest(ack=Ack(delivery_id=response.delivery.delivery_id)).SerializeToString()
                )


def echo(response: PresenceResponse) -> PresenceRequest:
    """Answer a heartbeat."""
    beat = response.heartbeat
    return PresenceRequest(
        heartbeat=ClientHeartbeat(
            epoch=beat.epoch, revision=beat.revision, digest=beat.digest, echo=beat.nonce
        )
    )
