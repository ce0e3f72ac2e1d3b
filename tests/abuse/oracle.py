"""What the contract allows a server to answer: worked out from the bytes of a request and from where the stream stands.

An answer is a word: `challenge`, `welcome`, `silence`, `error:REASON` (RequestError), `end:REASON` (a status with ErrorInfo), `end:OK`,
`send_result:OUTCOME`, `selection_update`, `snapshot`. `allowed` gives the words of which one may come; the order in which faults are found
is the server's affair, so of several faults any may be named. `faults_of` holds for every stream, whatever was said on it.
"""

from dataclasses import dataclass, field
from enum import Enum

from google.protobuf.message import DecodeError

from adsum.contract.identity import KEY_BYTES, NONCE_BYTES, is_valid_key
from adsum.contract.limits import LOBBY_PATTERN, Limits
from adsum.contract.reasons import ERROR_DOMAIN, TABLE, Reason
from adsum.contract.text import fault_in_attributes, fault_in_name, fault_in_status_text, normalise
from adsum.v1.member_pb2 import Profile
from adsum.v1.presence_pb2 import Hello, PresenceRequest, PresenceResponse, SendOutcome
from adsum.v1.presence_pb2 import Reason as WireReason
from tests.abuse.endings import Ending
from tests.abuse.wire import Stream

GRPC_CODES = {
    "OK": 0,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "UNAUTHENTICATED": 16,
}
SILENCE = "silence"
MALFORMED = "end:MALFORMED_REQUEST"
_AUDIENCES = frozenset({"127.0.0.1", "localhost", "::1"})
_LARGEST_STATUS = 3
# What only a bug shows to a stranger: the words of Python, of its libraries, and places in a file system.
_BETRAYALS = (
    "Traceback",
    "Exception",
    "Error:",
    "object has no attribute",
    "NoneType",
    "assert",
    ".py",
    "/home",
    "/work",
    "0x7f",
)


class Standing(Enum):
    """Where a stream stands, as far as a client can know."""

    FRESH = "before hello"
    CHALLENGED = "before proof"
    LIVE = "live"
    OBSERVING = "observing"


@dataclass(slots=True)
class Scene:
    """Where a stream stands and what its answers depend on."""

    standing: Standing
    signature: bytes = b""
    """The one that is right for the challenge of this stream."""
    present: frozenset[bytes] = frozenset()
    """The keys that can be written to."""
    newest_request_id: int = 0
    errors: int = 0
    limits: Limits = field(default_factory=Limits)


def allowed(scene: Scene, content: bytes) -> frozenset[str]:
    """Tell the answers of which one may come to these bytes as a request."""
    try:
        request = PresenceRequest.FromString(content)
    except DecodeError:
        return frozenset({MALFORMED})
    kind = request.WhichOneof("request")
    match scene.standing:
        case Standing.FRESH:
            return frozenset({"end:HELLO_EXPECTED"}) if kind != "hello" else _of_hello(request.hello)
        case Standing.CHALLENGED:
            if kind != "proof":
                return frozenset({"end:PROOF_EXPECTED"})
            is_right = request.proof.signature == scene.signature
            return frozenset({"welcome" if is_right else "end:BAD_SIGNATURE"})
        case Standing.LIVE | Standing.OBSERVING:
            words = _on_live_stream(scene, request, kind)
            refused = any(word.startswith("error:") for word in words)
            return words | {"end:TOO_MANY_ERRORS"} if refused and scene.errors >= 32 else words


def _of_hello(hello: Hello) -> frozenset[str]:
    reasons = set(_in_profile(hello.profile))
    if len(hello.public_key) != KEY_BYTES or not is_valid_key(hello.public_key):
        reasons.add(Reason.BAD_KEY)
    if len(hello.client_nonce) != NONCE_BYTES:
        reasons.add(Reason.BAD_NONCE)
    if LOBBY_PATTERN.fullmatch(hello.lobby) is None:
        reasons.add(Reason.BAD_LOBBY)
    if hello.audience.strip().lower().removesuffix(".") not in _AUDIENCES:
        reasons.add(Reason.WRONG_AUDIENCE)
    return frozenset(f"end:{reason.name}" for reason in reasons) or frozenset({"challenge"})


def _in_profile(profile: Profile) -> set[Reason]:
    reasons = set()
    if fault_in_name(normalise(profile.name)):
        reasons.add(Reason.BAD_NAME)
    if not 0 <= profile.status <= _LARGEST_STATUS:
        reasons.add(Reason.BAD_STATUS)
    if fault_in_status_text(normalise(profile.status_text)):
        reasons.add(Reason.BAD_STATUS_TEXT)
    if fault_in_attributes(dict(profile.attributes)):
        reasons.add(Reason.BAD_ATTRIBUTES)
    return reasons


def _on_live_stream(scene: Scene, request: PresenceRequest, kind: str | None) -> frozenset[str]:
    observes = scene.standing is Standing.OBSERVING
    match kind:
        case "hello" | "proof":
            return frozenset({"error:HANDSHAKE_REPEATED"})
        case "update_profile" | "select" | "send" if observes:
            return frozenset({"error:OBSERVER"})
        case "update_profile":
            faults = _in_profile(request.update_profile.profile)
            return frozenset(f"error:{reason.name}" for reason in faults) or frozenset({SILENCE})
        case "select":
            is_key = len(request.select.public_key) in (0, KEY_BYTES)
            return frozenset({"selection_update" if is_key else "error:BAD_RECIPIENT"})
        case "send":
            return _of_send(scene, request)
        case "ack":
            return frozenset({SILENCE})
        case "heartbeat":
            # One that names this very revision with another digest is answered by the list.
            return frozenset({SILENCE, "snapshot"})
        case "resync":
            # Asked too often, it comes later.
            return frozenset({SILENCE, "snapshot"})
        case "leave":
            return frozenset({"end:OK"})
        case _:
            return frozenset({"error:UNSUPPORTED_REQUEST"})


def _of_send(scene: Scene, request: PresenceRequest) -> frozenset[str]:
    send = request.send
    faults = set()
    if send.request_id == 0:
        faults.add("error:BAD_REQUEST_ID")
    if len(send.recipient) != KEY_BYTES:
        faults.add("error:BAD_RECIPIENT")
    if faults:
        return frozenset(faults)
    if send.request_id <= scene.newest_request_id:
        # The same result as before, whichever that was, or UNCONFIRMED for one that is forgotten, or none yet.
        return frozenset({SILENCE, *(f"send_result:{name}" for name in _OUTCOMES)})
    if len(send.payload) > scene.limits.payload_bytes:
        return frozenset({"send_result:TOO_LARGE"})
    late = {"send_result:RATE_LIMITED"}
    if send.recipient not in scene.present:
        return frozenset({"send_result:RECIPIENT_OFFLINE", *late})
    if send.incarnation:
        late.add("send_result:RECIPIENT_CHANGED")
    return frozenset({SILENCE, "send_result:DELIVERED", "send_result:RECIPIENT_BUSY", *late})


_OUTCOMES = [
    name.removeprefix("SEND_OUTCOME_")
    for name in SendOutcome.DESCRIPTOR.values_by_name
    if name != "SEND_OUTCOME_UNSPECIFIED"
]


def word_of(response: PresenceResponse) -> str:
    """Name an answer."""
    kind = response.WhichOneof("response")
    if kind == "request_error":
        return f"error:{WireReason.Name(response.request_error.reason).removeprefix('REASON_')}"
    if kind == "send_result":
        return f"send_result:{SendOutcome.Name(response.send_result.outcome).removeprefix('SEND_OUTCOME_')}"
    return kind or "nothing"


def word_of_ending(ending: Ending) -> str:
    """Name an end: by its reason, else by its status, else by what happened."""
    if ending.reason is not None:
        return f"end:{ending.reason}"
    if ending.code is not None:
        names = {number: name for name, number in GRPC_CODES.items()}
        name = names.get(ending.code, str(ending.code))
        return "end:OK" if ending.code == 0 else f"status:{name}"
    return f"reset:{ending.reset}" if ending.reset is not None else "lost"


_BEFORE_WELCOME = frozenset({"challenge"})


def faults_of(stream: Stream, *, proved: bool) -> list[str]:
    """Tell what no stream may show. `proved` says that a right signature, or a valid token, was given on it."""
    faults = []
    welcomed = False
    for index, response in enumerate(stream.responses):
        word = word_of(response)
        if word == "welcome":
            welcomed = True
            if not proved:
                faults.append("P5: a welcome without a proof")
        elif not welcomed and (word not in _BEFORE_WELCOME or index > 0):
            faults.append(f"P1: {word} before the welcome")
        elif welcomed and word == "challenge":
            faults.append("contract: a challenge after the welcome")
        elif word == "nothing":
            faults.append("contract: a response of no kind")
    return faults + (faults_of_ending(stream.ending) if stream.ending is not None else [])


def faults_of_ending(ending: Ending) -> list[str]:
    """Tell what no end of a stream may show."""
    faults = []
    if ending.code == GRPC_CODES["UNKNOWN"]:
        faults.append(f"contract: UNKNOWN: {ending.message!r}")
    faults += [f"P9: {word!r} in {ending.message!r}" for word in _BETRAYALS if word in ending.message]
    if ending.reason is None:
        return faults
    if ending.reason not in Reason.__members__ or ending.domain != ERROR_DOMAIN:
        return [*faults, f"contract: the reason {ending.reason!r} of {ending.domain!r}"]
    row = TABLE[Reason[ending.reason]]
    if ending.code != GRPC_CODES[row.code]:
        faults.append(f"contract: {ending.reason} with status {ending.code}, not {row.code}")
    if ending.has_retry != row.retry:
        faults.append(f"contract: {ending.reason} with retry {ending.has_retry}")
    if ending.reason == "INTERNAL":
        faults.append("P9: the server made a mistake")
    return faults
