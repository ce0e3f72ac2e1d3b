"""One stream's state machine: from the first byte to a live session, and what may be said when.

States and rules. A stream is OPENED; its only right word is Hello. A Hello that names a session to resume asks the desk first; if it
is honoured, the stream is LIVE at once, without a proof, since the token is one. Else the stream is CHALLENGED, and the only right word
is Proof. A right proof makes it ADMITTED: the store is asked to write the session down, and nothing more is expected until it has. Then
it is LIVE and may say anything but Hello and Proof. Whatever is wrong before that closes the stream with a reason; on a live stream it is
answered by a RequestError. CLOSED is the end.

    state       request          becomes
    OPENED      Hello            LIVE (resumed), CHALLENGED, or CLOSED with the reason
    OPENED      anything else    CLOSED, HELLO_EXPECTED
    CHALLENGED  Proof            ADMITTED, or CLOSED: CHALLENGE_EXPIRED, BAD_SIGNATURE, BAD_KEY
    CHALLENGED  anything else    CLOSED, PROOF_EXPECTED
    ADMITTED    anything         held back by the shell until LIVE
    LIVE        Hello, Proof     LIVE, RequestError HANDSHAKE_REPEATED
    LIVE        anything else    the desk's business

The nonce is drawn by the shell, once for each stream, so a challenge serves once and only there.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from adsum.contract.identity import KEY_BYTES, NONCE_BYTES, is_valid_key, is_valid_signature, proof_transcript
from adsum.contract.limits import CHALLENGE_SECONDS, LOBBY_PATTERN
from adsum.contract.reasons import Reason
from adsum.contract.text import fault_in_attributes, fault_in_name, fault_in_status_text, normalise
from adsum.server.member import Profile, Status
from adsum.server.messages import Challenge, Hello, ProfileClaim, Proof, Request


class StreamState(Enum):
    """Where a stream stands."""

    OPENED = "opened"
    CHALLENGED = "challenged"
    ADMITTED = "admitted"
    LIVE = "live"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something is refused: the reason, and a sentence for a developer."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Introduction:
    """A hello whose every field has been checked."""

    hello: Hello
    profile: Profile


class Handshake:
    """Lead one stream from OPENED to LIVE."""

    __slots__ = ("_accepts", "_challenge", "_expires_at", "_introduction", "_nonce", "_proves_keys", "state")

    def __init__(self, nonce: bytes, audiences: Collection[str] | None, *, proves_keys: bool = True) -> None:
        """Start a handshake.

        Args:
            nonce: 32 fresh random bytes.
            audiences: The names that this server answers to, in lower case; None for any.
            proves_keys: False to believe any key without a proof, for development.
        """
        self.state = StreamState.OPENED
        self._nonce = nonce
        self._accepts = audiences
        self._proves_keys = proves_keys
        self._introduction: Introduction | None = None
        self._challenge: Challenge | None = None
        self._expires_at = float("-inf")

    @property
    def introduction(self) -> Introduction:
        """The checked hello. Only after `receive_hello` has returned it, and before `live`."""
        if self._introduction is None:
            raise AssertionError("nobody has said hello, or it isn't kept any more")
        return self._introduction

    def receive_hello(self, request: Request) -> Introduction | Fault:
        """Take the first request. On success ask the desk whether it resumes a session; then call `live` or `challenge`."""
        self._expect(StreamState.OPENED)
        if not isinstance(request, Hello):
            return self._close(Reason.HELLO_EXPECTED, f"the first request was {type(request).__name__}")
        checked = self._check(request)
        if isinstance(checked, Fault):
            self.state = StreamState.CLOSED
            return checked
        self._introduction = checked
        return checked

    def challenge(
        self, now: float, unix_millis: int, resume_refusal: Reason = Reason.UNSPECIFIED
    ) -> Challenge:
        """Ask for the proof: the stream is CHALLENGED."""
        self.state = StreamState.CHALLENGED
        self._expires_at = now + CHALLENGE_SECONDS
        self._challenge = Challenge(self._nonce, unix_millis + int(CHALLENGE_SECONDS * 1000), resume_refusal)
        return self._challenge

    def receive_proof(self, request: Request, now: float) -> Introduction | Fault:
        """Take the answer to the challenge. On success the stream is ADMITTED: have the session written down, then call `live`."""
        self._expect(StreamState.CHALLENGED)
        if not isinstance(request, Proof):
            return self._close(
                Reason.PROOF_EXPECTED, f"the answer to the challenge was {type(request).__name__}"
            )
        if now > self._expires_at or self._challenge is None:
            return self._close(
                Reason.CHALLENGE_EXPIRED, f"a challenge can be answered for {CHALLENGE_SECONDS:g} s"
            )
        hello = self.introduction.hello
        transcript = proof_transcript(
            audience=hello.audience,
            server_nonce=self._challenge.server_nonce,
            client_nonce=hello.client_nonce,
            public_key=hello.public_key,
            lobby=hello.lobby,
            expires_at_unix_millis=self._challenge.expires_at_unix_millis,
        )
        if self._proves_keys and not is_valid_signature(hello.public_key, transcript, request.signature):
            # Such a key is refused by the signature's check in any case; asking first would cost every handshake as much again.
            if not is_valid_key(hello.public_key):
                return self._close(Reason.BAD_KEY, "with this key a signature proves nothing")
            return self._close(Reason.BAD_SIGNATURE, "the signature does not fit the transcript and the key")
        self.state = StreamState.ADMITTED
        return self.introduction

    def live(self) -> None:
        """Note that the stream is let in. What was said on the way isn't kept."""
        self.state = StreamState.LIVE
        self._introduction = self._challenge = None

    def closed(self) -> None:
        """Note that the stream is at its end."""
        self.state = StreamState.CLOSED

    def _check(self, hello: Hello) -> Introduction | Fault:
        if len(hello.public_key) != KEY_BYTES:
            return Fault(Reason.BAD_KEY, f"a public key has {KEY_BYTES} bytes, not {len(hello.public_key)}")
        if self._proves_keys and not is_valid_key(hello.public_key):
            return Fault(Reason.BAD_KEY, "the public key is none that proves anything")
        if len(hello.client_nonce) != NONCE_BYTES:
            return Fault(Reason.BAD_NONCE, f"a nonce has {NONCE_BYTES} bytes, not {len(hello.client_nonce)}")
        if LOBBY_PATTERN.fullmatch(hello.lobby) is None:
            return Fault(
                Reason.BAD_LOBBY,
                "a lobby is 1 to 64 of a-z, 0-9, '.', '_' and '-', starting with a letter or a digit",
            )
        if self._accepts is not None and hello.audience not in self._accepts:
            return Fault(Reason.WRONG_AUDIENCE, "this server does not answer to the name that was dialled")
        profile = check_profile(hello.profile)
        return profile if isinstance(profile, Fault) else Introduction(hello, profile)

    def _expect(self, state: StreamState) -> None:
        if self.state is not state:
            raise AssertionError(f"the stream is {self.state.value}, not {state.value}")

    def _close(self, reason: Reason, detail: str) -> Fault:
        self.state = StreamState.CLOSED
        return Fault(reason, detail)


def check_profile(claim: ProfileClaim) -> Profile | Fault:
    """Normalise what a client says about its person, or tell what is wrong with it."""
    name = normalise(claim.name)
    if fault := fault_in_name(name):
        return Fault(Reason.BAD_NAME, fault)
    if claim.status not in (0, *Status):
        return Fault(Reason.BAD_STATUS, f"{claim.status} is no status")
    status_text = normalise(claim.status_text)
    if fault := fault_in_status_text(status_text):
        return Fault(Reason.BAD_STATUS_TEXT, fault)
    if fault := fault_in_attributes(dict(claim.attributes)):
        return Fault(Reason.BAD_ATTRIBUTES, fault)
    status = Status(claim.status) if claim.status else Status.AVAILABLE
    return Profile(name, status, status_text, tuple(sorted(claim.attributes)))
