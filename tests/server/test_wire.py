"""Bytes to requests, and what is said to one stream to bytes."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from adsum.contract.limits import Limits
from adsum.contract.reasons import TABLE, Reason
from adsum.server.member import DepartureReason, Liveness, Status
from adsum.server.messages import (
    Ack,
    Challenge,
    ClientHeartbeat,
    Delivery,
    Draining,
    Hello,
    Leave,
    ProfileClaim,
    Proof,
    Request,
    RequestError,
    Resume,
    Resync,
    Select,
    SelectionReason,
    SelectionState,
    SelectionUpdate,
    Send,
    SendOutcome,
    SendResult,
    ServerHeartbeat,
    Unsupported,
    UpdateProfile,
    Welcome,
)
from adsum.server.wire import (
    MalformedRequestError,
    decode_list_lobbies,
    decode_list_members,
    decode_request,
    decode_watch_lobby,
    encode_response,
    encode_status,
)
from adsum.v1 import admin_pb2, member_pb2, presence_pb2
from tests.server.builders import ADA, BOB, UNIX_MILLIS

LIMITS = Limits()
U64_MAX = 2**64 - 1
U64 = st.integers(0, U64_MAX)


# Requests

PROFILE = member_pb2.Profile(
    name="ada", status=member_pb2.STATUS_AWAY, status_text="out", attributes={"b": "2", "a": "1"}
)
CLAIM = ProfileClaim("ada", 2, "out", (("a", "1"), ("b", "2")))


def ordered(request: Request) -> Request:
    """Order the attributes, which have no order on the wire."""
    match request:
        case UpdateProfile(request_id, claim):
            return UpdateProfile(request_id, _ordered(claim))
        case Hello():
            return Hello(
                request.lobby,
                request.public_key,
                request.client_nonce,
                request.audience,
                _ordered(request.profile),
                request.resume,
                request.observer,
            )
        case _:
            return request


def _ordered(claim: ProfileClaim) -> ProfileClaim:
    return ProfileClaim(claim.name, claim.status, claim.status_text, tuple(sorted(claim.attributes)))


@pytest.mark.parametrize(
    ("message", "request_"),
    [
        (
            presence_pb2.PresenceRequest(
                hello=presence_pb2.Hello(
                    lobby="roll-call",
                    public_key=ADA,
                    client_nonce=b"n" * 32,
                    audience="localhost",
                    profile=PROFILE,
                    resume=presence_pb2.Resume(
                        session_id=b"s" * 16, token=b"t" * 32, epoch=U64_MAX, revision=5, digest=U64_MAX - 1
                    ),
                    observer=True,
                )
            ),
            Hello(
                "roll-call",
                ADA,
                b"n" * 32,
                "localhost",
                CLAIM,
                Resume(b"s" * 16, b"t" * 32, U64_MAX, 5, U64_MAX - 1),
                observer=True,
            ),
        ),
        (
            presence_pb2.PresenceRequest(hello=presence_pb2.Hello(lobby="x")),
            Hello("x", b"", b"", "", ProfileClaim("", 0, "", ()), None, observer=False),
        ),
        (presence_pb2.PresenceRequest(proof=presence_pb2.Proof(signature=b"s" * 64)), Proof(b"s" * 64)),
        (
            presence_pb2.PresenceRequest(
                update_profile=presence_pb2.UpdateProfile(request_id=9, profile=PROFILE)
            ),
            UpdateProfile(9, CLAIM),
        ),
        (
            presence_pb2.PresenceRequest(select=presence_pb2.Select(request_id=9, public_key=ADA)),
            Select(9, ADA),
        ),
        (presence_pb2.PresenceRequest(select=presence_pb2.Select()), Select(0, b"")),
        (
            presence_pb2.PresenceRequest(
                send=presence_pb2.Send(request_id=U64_MAX, recipient=BOB, payload=b"\0\xff", incarnation=3)
            ),
            Send(U64_MAX, BOB, b"\0\xff", 3),
        ),
        (presence_pb2.PresenceRequest(ack=presence_pb2.Ack(delivery_id=U64_MAX)), Ack(U64_MAX)),
        (
            presence_pb2.PresenceRequest(
                heartbeat=presence_pb2.ClientHeartbeat(epoch=1, revision=2, digest=3, echo=4)
            ),
            ClientHeartbeat(1, 2, 3, 4),
        ),
        (
            presence_pb2.PresenceRequest(
                resync=presence_pb2.Resync(reason=presence_pb2.RESYNC_REASON_DIGEST)
            ),
            Resync(3),
        ),
        (presence_pb2.PresenceRequest(leave=presence_pb2.Leave()), Leave()),
        (presence_pb2.PresenceRequest(), Unsupported()),
    ],
    ids=lambda one: type(one).__name__,
)
def test_request_is_read_with_every_field(message: presence_pb2.PresenceRequest, request_: Request) -> None:
    assert ordered(decode_request(message.SerializeToString())) == request_


def test_request_of_a_later_contract_is_unsupported() -> None:
    # Field 99, length-delimited, two bytes.
    assert decode_request(b"\x9a\x06\x02hi") == Unsupported()


def test_status_of_a_later_contract_is_kept_as_its_number() -> None:
    message = presence_pb2.PresenceRequest()
    message.update_profile.profile.name = "ada"
    # Status 77, which no generated code of today can name.
    content = message.SerializeToString().replace(b"\x0a\x03ada", b"\x10\x4d\x0a\x01a")
    request = decode_request(content)
    assert isinstance(request, UpdateProfile)
    assert request.profile.status == 77


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"\x0a",
        b"\x0a\x05hi",
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\x0a\x04\x0a\x02\xff\xfe",  # A lobby that is no UTF-8.
        b"\x00\x00",
        b"\x0f",
    ],
    ids=lambda content: content.hex(),
)
def test_bytes_that_are_no_request_are_refused(content: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        decode_request(content)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(content: bytes) -> None:
    try:
        request = decode_request(content)
    except MalformedRequestError:
        return
    assert isinstance(request, Request)


@given(st.data())
def test_right_bytes_with_some_changed_are_a_request_or_refused(data: st.DataObject) -> None:
    hello = presence_pb2.Hello(
        lobby="roll-call", public_key=ADA, profile=PROFILE, resume=presence_pb2.Resume(epoch=7)
    )
    content = bytearray(presence_pb2.PresenceRequest(hello=hello).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(1, len(content))) :]
    try:
        decode_request(bytes(content))
    except MalformedRequestError:
        return


@pytest.mark.parametrize("decode", [decode_list_lobbies, decode_list_members, decode_watch_lobby])
def test_bytes_that_are_no_admin_request_are_refused(decode: object) -> None:
    assert callable(decode)
    with pytest.raises(MalformedRequestError):
        decode(b"\xff")


def test_admin_requests_are_read() -> None:
    assert decode_list_lobbies(
        admin_pb2.ListLobbiesRequest(page_size=5, page_token="a").SerializeToString()
    ) == (5, "a")
    assert decode_list_members(
        admin_pb2.ListMembersRequest(lobby="x", page_size=5, page_token="b").SerializeToString()
    ) == ("x", 5, "b")
    assert decode_watch_lobby(admin_pb2.WatchLobbyRequest(lobby="x").SerializeToString()) == "x"


# Responses


def sent(
    response: Challenge
    | Welcome
    | SelectionUpdate
    | Delivery
    | SendResult
    | ServerHeartbeat
    | Draining
    | RequestError,
) -> presence_pb2.PresenceResponse:
    """Read what a client reads."""
    return presence_pb2.PresenceResponse.FromString(encode_response(response, LIMITS))


def test_challenge_carries_nonce_expiry_and_refusal() -> None:
    challenge = sent(Challenge(b"n" * 32, U64_MAX, Reason.BAD_TOKEN)).challenge
    assert challenge == presence_pb2.Challenge(
        server_nonce=b"n" * 32, expires_at_unix_millis=U64_MAX, resume_refusal=presence_pb2.REASON_BAD_TOKEN
    )


def test_welcome_carries_session_and_limits() -> None:
    welcome = sent(Welcome(b"s" * 16, b"t" * 32, 3, resumed=True)).welcome
    assert welcome == presence_pb2.Welcome(
        session_id=b"s" * 16,
        resume_token=b"t" * 32,
        generation=3,
        resumed=True,
        heartbeat_millis=5000,
        lease_millis=12_000,
        grace_millis=5000,
        limits=presence_pb2.Limits(
            message_bytes=65_536,
            payload_bytes=4096,
            sends_per_second=10,
            send_burst=20,
            updates_per_second=5,
            update_burst=10,
        ),
    )


def test_delivery_carries_every_field() -> None:
    assert sent(Delivery(U64_MAX, ADA, 3, b"\0\xff", UNIX_MILLIS)).delivery == presence_pb2.Delivery(
        delivery_id=U64_MAX,
        sender=ADA,
        sender_incarnation=3,
        payload=b"\0\xff",
        sent_at_unix_millis=UNIX_MILLIS,
    )


def test_heartbeat_carries_every_field() -> None:
    assert sent(ServerHeartbeat(U64_MAX, 2, U64_MAX, 4, 5, 6, 7, degraded=True)).heartbeat == (
        presence_pb2.ServerHeartbeat(
            epoch=U64_MAX,
            revision=2,
            digest=U64_MAX,
            count=4,
            server_time_unix_millis=5,
            nonce=6,
            round_trip_micros=7,
            degraded=True,
        )
    )


def test_round_trip_of_hours_does_not_overflow() -> None:
    assert (
        sent(ServerHeartbeat(1, 2, 3, 4, 5, 6, 10**12, degraded=False)).heartbeat.round_trip_micros
        == 2**32 - 1
    )


def test_draining_and_request_error_carry_every_field() -> None:
    assert sent(Draining(10_000, 4000)).draining == presence_pb2.Draining(
        deadline_millis=10_000, reconnect_delay_millis=4000
    )
    assert sent(RequestError(9, Reason.OBSERVER, "why", 250)).request_error == presence_pb2.RequestError(
        request_id=9, reason=presence_pb2.REASON_OBSERVER, message="why", retry_after_millis=250
    )


@pytest.mark.parametrize("state", SelectionState)
@pytest.mark.parametrize("reason", SelectionReason)
def test_selection_is_told_by_name(state: SelectionState, reason: SelectionReason) -> None:
    update = sent(SelectionUpdate(9, ADA, 3, state, reason, 4)).selection_update
    assert (update.request_id, update.public_key, update.incarnation, update.revision) == (9, ADA, 3, 4)
    assert presence_pb2.SelectionState.Name(update.state) == f"SELECTION_STATE_{state.name}"
    expected = "UNSPECIFIED" if reason is SelectionReason.NONE else reason.name
    assert presence_pb2.SelectionReason.Name(update.reason) == f"SELECTION_REASON_{expected}"


@pytest.mark.parametrize("outcome", SendOutcome)
def test_outcome_is_told_by_name(outcome: SendOutcome) -> None:
    result = sent(SendResult(9, outcome, 4)).send_result
    assert (result.request_id, result.revision) == (9, 4)
    assert presence_pb2.SendOutcome.Name(result.outcome) == f"SEND_OUTCOME_{outcome.name}"


@pytest.mark.parametrize("reason", Reason)
def test_reason_is_told_by_name_and_number(reason: Reason) -> None:
    error = sent(RequestError(1, reason, "")).request_error
    assert presence_pb2.Reason.Name(error.reason) == f"REASON_{reason.name}"
    assert error.reason == reason.value


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (SelectionState, presence_pb2.SelectionState),
        (SendOutcome, presence_pb2.SendOutcome),
        (DepartureReason, member_pb2.DepartureReason),
        (Liveness, member_pb2.Liveness),
        (Status, member_pb2.Status),
        (SelectionReason, presence_pb2.SelectionReason),
        (Reason, presence_pb2.Reason),
    ],
)
def test_contract_has_no_value_that_the_server_does_not_know(ours: type, theirs: object) -> None:
    values = getattr(theirs, "values")()  # noqa: B009  # the stubs type each enumeration by itself
    known = {one.value for one in ours}  # type: ignore[attr-defined]  # an enumeration
    assert {value for value in values if value} == known - {0}


# Refusals


@pytest.mark.parametrize("reason", Reason)
def test_refusal_carries_code_reason_and_domain(reason: Reason) -> None:
    status = RpcStatus.FromString(encode_status(reason, "why", None))
    (detail,) = status.details
    info = ErrorInfo()
    assert detail.Unpack(info)
    assert (info.reason, info.domain) == (reason.name, "adsum")
    assert status.message == "why"
    assert status.code == StatusCode[TABLE[reason].code].value[0]


def test_refusal_tells_when_to_try_again() -> None:
    status = RpcStatus.FromString(encode_status(Reason.LOBBY_FULL, "", 1.5))
    retry = RetryInfo()
    assert status.details[1].Unpack(retry)
    assert retry.retry_delay == Duration(seconds=1, nanos=500_000_000)
