"""One stream's way from its first byte to a live session: handshake, challenge, proof."""

import time
from dataclasses import replace

import pytest

from adsum.contract.identity import Identity, proof_transcript
from adsum.contract.reasons import Reason
from adsum.server.member import Profile, Status
from adsum.server.messages import (
    Ack,
    Challenge,
    ClientHeartbeat,
    Hello,
    Leave,
    ProfileClaim,
    Proof,
    Request,
    Resume,
    Resync,
    Select,
    Send,
    Unsupported,
    UpdateProfile,
)
from adsum.server.session import Fault, Handshake, Introduction, StreamState, check_profile
from tests.server.builders import UNIX_MILLIS, claim

ADA = Identity.from_seed(bytes(range(32)))
EVE = Identity.from_seed(bytes(range(1, 33)))
AUDIENCES = frozenset({"localhost", "example.org"})
SERVER_NONCE = b"s" * 32
NOW = 500.0
HELLO = Hello("roll-call", ADA.public_key, b"c" * 32, "localhost", claim("ada"))

SMALL_ORDER_KEYS = [
    bytes([1]) + bytes(31),
    bytes(32),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
]
"""Points with which one signature fits every message."""


def handshake(*, nonce: bytes = SERVER_NONCE, proves_keys: bool = True) -> Handshake:
    """Open a stream."""
    return Handshake(nonce, AUDIENCES, proves_keys=proves_keys)


def challenged(hello: Hello = HELLO, *, nonce: bytes = SERVER_NONCE) -> tuple[Handshake, Challenge]:
    """Say hello and get the challenge."""
    one = handshake(nonce=nonce)
    assert isinstance(one.receive_hello(hello), Introduction)
    return one, one.challenge(NOW, UNIX_MILLIS)


def proof(challenge: Challenge, hello: Hello = HELLO, *, identity: Identity = ADA, **other: object) -> Proof:
    """Sign a challenge as a client does; `other` replaces parts of what is signed."""
    signed = {
        "audience": hello.audience,
        "server_nonce": challenge.server_nonce,
        "client_nonce": hello.client_nonce,
        "public_key": hello.public_key,
        "lobby": hello.lobby,
        "expires_at_unix_millis": challenge.expires_at_unix_millis,
    }
    return Proof(identity.sign(proof_transcript(**(signed | other))))  # type: ignore[arg-type]


def reason_of(answer: Introduction | Fault) -> Reason:
    """Expect a refusal."""
    assert isinstance(answer, Fault), answer
    return answer.reason


# The right way


def test_hello_challenge_and_proof_admit_a_stream() -> None:
    one = handshake()
    assert one.state is StreamState.OPENED
    introduction = one.receive_hello(HELLO)
    assert isinstance(introduction, Introduction)
    assert introduction.profile == Profile("ada")
    challenge = one.challenge(NOW, UNIX_MILLIS)
    assert one.state is StreamState.CHALLENGED
    assert challenge == Challenge(SERVER_NONCE, UNIX_MILLIS + 10_000, Reason.UNSPECIFIED)
    assert one.receive_proof(proof(challenge), NOW + 1) == introduction
    assert one.state is StreamState.ADMITTED
    one.live()
    assert one.state is StreamState.LIVE


def test_stream_that_resumes_is_live_without_a_challenge() -> None:
    one = handshake()
    hello = replace(HELLO, resume=Resume(bytes(16), bytes(32), 1, 2, 3))
    introduction = one.receive_hello(hello)
    assert isinstance(introduction, Introduction)
    assert introduction.hello.resume == hello.resume
    one.live()
    assert one.state is StreamState.LIVE


def test_refused_resume_is_told_in_the_challenge_and_the_handshake_goes_on() -> None:
    one = handshake()
    one.receive_hello(replace(HELLO, resume=Resume(bytes(16), bytes(32), 1, 2, 3)))
    challenge = one.challenge(NOW, UNIX_MILLIS, Reason.BAD_TOKEN)
    assert challenge.resume_refusal is Reason.BAD_TOKEN
    assert isinstance(one.receive_proof(proof(challenge), NOW), Introduction)


def test_any_audience_is_accepted_if_none_is_named() -> None:
    one = Handshake(SERVER_NONCE, None)
    assert isinstance(one.receive_hello(replace(HELLO, audience="anything")), Introduction)


def test_without_proofs_any_key_is_believed() -> None:
    one = handshake(proves_keys=False)
    assert isinstance(one.receive_hello(replace(HELLO, public_key=b"k" * 32)), Introduction)
    one.challenge(NOW, UNIX_MILLIS)
    assert isinstance(one.receive_proof(Proof(b""), NOW), Introduction)


# What comes first

NOT_HELLO: list[Request] = [
    Proof(bytes(64)),
    UpdateProfile(1, claim("ada")),
    Select(1, ADA.public_key),
    Send(1, ADA.public_key, b"", 0),
    Ack(1),
    ClientHeartbeat(0, 0, 0, 0),
    Resync(1),
    Leave(),
    Unsupported(),
]


@pytest.mark.parametrize("request_", NOT_HELLO, ids=lambda one: type(one).__name__)
def test_nothing_is_taken_before_hello(request_: Request) -> None:
    one = handshake()
    assert reason_of(one.receive_hello(request_)) is Reason.HELLO_EXPECTED
    assert one.state is StreamState.CLOSED


@pytest.mark.parametrize("request_", [HELLO, *NOT_HELLO[1:]], ids=lambda one: type(one).__name__)
def test_nothing_but_the_proof_answers_the_challenge(request_: Request) -> None:
    one, _ = challenged()
    assert reason_of(one.receive_proof(request_, NOW)) is Reason.PROOF_EXPECTED
    assert one.state is StreamState.CLOSED


# What a hello must hold


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        (replace(HELLO, public_key=b""), Reason.BAD_KEY),
        (replace(HELLO, public_key=ADA.public_key[:31]), Reason.BAD_KEY),
        (replace(HELLO, public_key=ADA.public_key + b"\0"), Reason.BAD_KEY),
        (replace(HELLO, client_nonce=b"c" * 31), Reason.BAD_NONCE),
        (replace(HELLO, client_nonce=b"c" * 33), Reason.BAD_NONCE),
        (replace(HELLO, client_nonce=b""), Reason.BAD_NONCE),
        (replace(HELLO, lobby=""), Reason.BAD_LOBBY),
        (replace(HELLO, lobby="Roll-Call"), Reason.BAD_LOBBY),
        (replace(HELLO, lobby="-call"), Reason.BAD_LOBBY),
        (replace(HELLO, lobby="roll call"), Reason.BAD_LOBBY),
        (replace(HELLO, lobby="roll-call\n"), Reason.BAD_LOBBY),
        (replace(HELLO, lobby="röll"), Reason.BAD_LOBBY),
        (replace(HELLO, lobby="r" * 65), Reason.BAD_LOBBY),
        (replace(HELLO, audience=""), Reason.WRONG_AUDIENCE),
        (replace(HELLO, audience="evil.example"), Reason.WRONG_AUDIENCE),
        (replace(HELLO, audience="LOCALHOST"), Reason.WRONG_AUDIENCE),
        (replace(HELLO, audience="localhost."), Reason.WRONG_AUDIENCE),
        (replace(HELLO, profile=claim("")), Reason.BAD_NAME),
        (replace(HELLO, profile=claim("ada", status=9)), Reason.BAD_STATUS),
        (replace(HELLO, profile=claim("ada", status_text="a\nb")), Reason.BAD_STATUS_TEXT),
        (replace(HELLO, profile=ProfileClaim("ada", 0, "", (("", "x"),))), Reason.BAD_ATTRIBUTES),
    ],
)
def test_hello_is_refused_for_what_is_wrong_with_it(hello: Hello, reason: Reason) -> None:
    one = handshake()
    assert reason_of(one.receive_hello(hello)) is reason
    assert one.state is StreamState.CLOSED


@pytest.mark.parametrize("lobby", ["r", "7", "a.b_c-d", "r" * 64])
def test_good_lobby_names_are_taken(lobby: str) -> None:
    assert isinstance(handshake().receive_hello(replace(HELLO, lobby=lobby)), Introduction)


@pytest.mark.parametrize("public_key", SMALL_ORDER_KEYS, ids=lambda key: key.hex()[:8])
def test_key_that_proves_nothing_is_refused_before_anything_is_signed(public_key: bytes) -> None:
    one = handshake()
    assert reason_of(one.receive_hello(replace(HELLO, public_key=public_key))) is Reason.BAD_KEY
    assert one.state is StreamState.CLOSED


# What a proof must prove


@pytest.mark.parametrize(
    "other",
    [
        {"audience": "example.org"},
        {"server_nonce": b"t" * 32},
        {"client_nonce": b"d" * 32},
        {"public_key": EVE.public_key},
        {"lobby": "other"},
        {"expires_at_unix_millis": UNIX_MILLIS + 10_001},
    ],
    ids=lambda other: next(iter(other)),
)
def test_signature_over_anything_else_is_refused(other: dict[str, object]) -> None:
    one, challenge = challenged()
    # One field of the transcript each, so of one type each.
    request = proof(challenge, **other)  # type: ignore[arg-type]
    assert reason_of(one.receive_proof(request, NOW)) is Reason.BAD_SIGNATURE
    assert one.state is StreamState.CLOSED


def test_signature_of_somebody_else_is_refused() -> None:
    one, challenge = challenged()
    assert reason_of(one.receive_proof(proof(challenge, identity=EVE), NOW)) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("size", [0, 63, 65, 4096])
def test_signature_of_the_wrong_size_is_refused(size: int) -> None:
    one, challenge = challenged()
    signature = (proof(challenge).signature * 64)[:size]
    assert reason_of(one.receive_proof(Proof(signature), NOW)) is Reason.BAD_SIGNATURE


def test_changed_signature_is_refused() -> None:
    one, challenge = challenged()
    signature = bytearray(proof(challenge).signature)
    signature[10] ^= 1
    assert reason_of(one.receive_proof(Proof(bytes(signature)), NOW)) is Reason.BAD_SIGNATURE


def test_proof_that_served_another_stream_serves_no_other() -> None:
    _, first = challenged(nonce=b"1" * 32)
    other, _ = challenged(nonce=b"2" * 32)
    assert reason_of(other.receive_proof(proof(first), NOW)) is Reason.BAD_SIGNATURE


def test_challenge_can_be_answered_for_ten_seconds() -> None:
    one, challenge = challenged()
    assert isinstance(one.receive_proof(proof(challenge), NOW + 9.99), Introduction)
    late, challenge = challenged()
    assert reason_of(late.receive_proof(proof(challenge), NOW + 10.01)) is Reason.CHALLENGE_EXPIRED
    assert late.state is StreamState.CLOSED


def test_challenge_serves_once() -> None:
    one, challenge = challenged()
    one.receive_proof(proof(challenge, identity=EVE), NOW)
    # A second guess isn't heard, however good it is: whoever runs the handshake must end the stream.
    with pytest.raises(AssertionError):
        one.receive_proof(proof(challenge), NOW)
    assert one.state is StreamState.CLOSED


def test_proof_without_a_challenge_is_our_callers_fault() -> None:
    one = handshake()
    one.receive_hello(HELLO)
    with pytest.raises(AssertionError):
        one.receive_proof(Proof(bytes(64)), NOW)


def test_second_hello_before_the_proof_changes_nothing() -> None:
    one, _ = challenged()
    with pytest.raises(AssertionError):
        one.receive_hello(replace(HELLO, public_key=EVE.public_key))
    assert one.introduction.hello == HELLO


def test_hello_that_was_not_said_is_our_callers_fault() -> None:
    with pytest.raises(AssertionError):
        _ = handshake().introduction


def test_closed_is_the_end() -> None:
    one, _ = challenged()
    one.closed()
    assert one.state is StreamState.CLOSED


# Profiles


def test_profile_is_normalised() -> None:
    profile = check_profile(ProfileClaim("  Zoe\u0308 ", 0, " bru\u0302le\u0301 ", (("b", "2"), ("a", "1"))))
    assert profile == Profile("Zo\u00eb", Status.AVAILABLE, "br\u00fbl\u00e9", (("a", "1"), ("b", "2")))


@pytest.mark.parametrize(
    ("number", "status"), [(0, Status.AVAILABLE), (1, Status.AVAILABLE), (2, Status.AWAY), (3, Status.BUSY)]
)
def test_status_is_read_by_its_number(number: int, status: Status) -> None:
    profile = check_profile(claim("ada", number))
    assert isinstance(profile, Profile)
    assert profile.status is status


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (claim("   "), Reason.BAD_NAME),
        (claim("a\u202eb"), Reason.BAD_NAME),
        (claim("a" * 33), Reason.BAD_NAME),
        (claim("ada", 4), Reason.BAD_STATUS),
        (claim("ada", -1), Reason.BAD_STATUS),
        (claim("ada", status_text="x" * 141), Reason.BAD_STATUS_TEXT),
        (claim("ada", status_text="\x1b[2J"), Reason.BAD_STATUS_TEXT),
        (ProfileClaim("ada", 0, "", (("k", "x" * 1024),)), Reason.BAD_ATTRIBUTES),
        (ProfileClaim("ada", 0, "", (("k", "\x00"),)), Reason.BAD_ATTRIBUTES),
    ],
)
def test_bad_profile_is_refused_with_its_own_reason(wrong: ProfileClaim, reason: Reason) -> None:
    fault = check_profile(wrong)
    assert isinstance(fault, Fault)
    assert fault.reason is reason
    assert fault.detail


def test_text_that_is_far_too_long_is_refused_before_it_is_normalised() -> None:
    # Whoever says it has proved nothing yet, and everybody else waits. Putting it into NFC takes more than a second.
    hostile = "a" + "\u0301" * 16_000 + "\u0327" * 16_000
    started = time.process_time()
    fault = check_profile(ProfileClaim(hostile, 0, "", ()))
    assert isinstance(fault, Fault)
    assert fault.reason is Reason.BAD_NAME
    fault = check_profile(ProfileClaim("Ada", 0, hostile, ()))
    assert isinstance(fault, Fault)
    assert fault.reason is Reason.BAD_STATUS_TEXT
    fault = check_profile(ProfileClaim("Ada", 0, "", (("key", hostile),)))
    assert isinstance(fault, Fault)
    assert fault.reason is Reason.BAD_ATTRIBUTES
    assert time.process_time() - started < 0.1
