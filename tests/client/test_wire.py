"""The border to protobuf: what the contract says goes through unchanged, and no bytes can do harm."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus
from hypothesis import given
from hypothesis import strategies as st

from adsum.client import DepartureReason, Liveness, Member, Profile, ProtocolViolation, Status, messages
from adsum.client.messages import Refusal, Response, SelectionReason, SelectionState, SendOutcome
from adsum.client.session import Purpose, Session
from adsum.client.settings import Settings
from adsum.client.wire import METHOD, decode, decode_refusal, encode
from adsum.contract.identity import Identity
from adsum.contract.reasons import Reason
from adsum.v1 import member_pb2, presence_pb2
from tests.client.encoding import encode_response, response_message
from tests.client.patient import patient

u32, u64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
keys = st.binary(min_size=32, max_size=32)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
profiles = st.builds(
    Profile,
    name=texts,
    status=st.sampled_from(Status),
    status_text=texts,
    attributes=st.dictionaries(texts, texts, max_size=3),
)
# What a protobuf timestamp holds, in microseconds, which is what a datetime holds.
moments = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0))
members = st.builds(
    Member,
    public_key=keys,
    incarnation=u64,
    revision=u64,
    liveness=st.sampled_from(Liveness),
    profile=profiles,
    joined_at=moments,
    session_count=u32,
)
some_members = st.lists(members, max_size=3).map(tuple)
departures = st.builds(messages.Departure, keys, u64, st.sampled_from(DepartureReason))
limits = st.builds(messages.Limits, *(st.integers(1, 2**32 - 1) for _ in messages.Limits.__slots__))
reasons = st.sampled_from(Reason)
on_the_wire = st.sampled_from([reason for reason in SelectionReason if reason < 100])
responses: st.SearchStrategy[Response] = st.one_of(
    st.builds(messages.Challenge, st.binary(max_size=40), u64, reasons),
    st.builds(
        messages.Welcome,
        st.binary(max_size=16),
        st.binary(max_size=32),
        u32,
        st.booleans(),
        u32,
        u32,
        u32,
        limits,
    ),
    st.builds(
        messages.Snapshot,
        epoch=u64,
        revision=u64,
        members=some_members,
        digest=u64,
        count=u32,
        last=st.booleans(),
        chunk_index=u32,
        chunk_count=u32,
    ),
    st.builds(
        messages.Delta,
        epoch=u64,
        base_revision=u64,
        revision=u64,
        joined=some_members,
        updated=some_members,
        left=st.lists(departures, max_size=3).map(tuple),
        digest=u64,
        count=u32,
    ),
    st.builds(
        messages.SelectionUpdate,
        u64,
        st.one_of(keys, st.just(b"")),
        u64,
        st.sampled_from(SelectionState),
        on_the_wire,
        u64,
    ),
    st.builds(
        messages.Delivery, u64, keys, u64, st.binary(max_size=50), moments.filter(lambda m: m.year >= 1970)
    ),
    st.builds(messages.SendResult, u64, st.sampled_from(SendOutcome), u64),
    st.builds(messages.ServerHeartbeat, u64, u64, u64, u32, u64, u64, u32, st.booleans()),
    st.builds(messages.Draining, u32, u32),
    st.builds(messages.RequestError, u64, reasons, texts, u32),
)


@patient
@given(responses)
def test_everything_that_a_server_says_is_read_as_it_is(response: Response) -> None:
    assert decode(encode_response(response)) == response


@pytest.mark.parametrize(
    "request_",
    [
        messages.Hello("lounge", b"k" * 32, b"n" * 32, "localhost", Profile("Ann", attributes={"a": "b"})),
        messages.Hello(
            "lounge",
            b"k" * 32,
            b"n" * 32,
            "::1",
            Profile("Ann"),
            messages.Resume(b"s", b"t", 1, 2, 3),
            observer=True,
        ),
        messages.Proof(b"s" * 64),
        messages.UpdateProfile(7, Profile("Ann", Status.BUSY, "in a call")),
        messages.Select(7, b"k" * 32),
        messages.Send(7, b"k" * 32, b"payload", 5),
        messages.Ack(2**64 - 1),
        messages.ClientHeartbeat(2**64 - 1, 2, 2**64 - 1, 4),
        messages.Resync(messages.ResyncReason.DIGEST),
        messages.Leave(),
    ],
    ids=lambda request: type(request).__name__,
)
def test_every_request_says_what_it_means(request_: messages.Request) -> None:
    message = presence_pb2.PresenceRequest.FromString(encode(request_))
    kind = message.WhichOneof("request")
    assert kind is not None
    said = getattr(message, kind)
    for field in type(request_).__slots__:
        meant = getattr(request_, field)
        match meant:
            case Profile():
                profile = said.profile
                assert (profile.name, profile.status, profile.status_text) == (
                    meant.name,
                    meant.status,
                    meant.status_text,
                )
                assert dict(profile.attributes) == meant.attributes
            case messages.Resume():
                assert all(getattr(said.resume, name) == getattr(meant, name) for name in meant.__slots__)
            case None:
                assert not said.HasField(field)
            case _:
                assert getattr(said, field) == meant


@patient
@given(st.binary(max_size=200))
def test_any_bytes_are_a_response_or_a_violation(data: bytes) -> None:
    with suppress(ProtocolViolation):
        decode(data)


@patient
@given(responses, st.data())
def test_damaged_responses_are_a_response_or_a_violation(response: Response, data: st.DataObject) -> None:
    damaged = bytearray(encode_response(response))
    for _ in range(data.draw(st.integers(1, 4))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    session = Session(
        Purpose("lounge", Identity.from_seed(b"a" * 32), "localhost"), Profile("Ann"), Settings()
    )
    session.dial(b"n" * 32, 0.0)
    try:
        message = decode(bytes(damaged))
    except ProtocolViolation:
        return
    if message is not None:
        session.receive(message, 0.0)


@patient
@given(st.binary(max_size=200))
def test_any_bytes_are_a_refusal_or_none(data: bytes) -> None:
    decode_refusal(data)


def test_unknown_response_is_none() -> None:
    assert decode(b"") is None
    assert decode(b"\xc2\x3e\x03abc") is None


def test_unknown_fields_are_ignored() -> None:
    assert decode(encode_response(messages.Draining(1, 2)) + b"\xc2\x3e\x03abc") == messages.Draining(1, 2)


def test_method_is_the_contracts() -> None:
    assert METHOD == "/adsum.v1.LobbyService/Presence"


def test_numbers_are_the_contracts() -> None:
    pairs = [
        (Liveness, member_pb2.Liveness),
        (Status, member_pb2.Status),
        (DepartureReason, member_pb2.DepartureReason),
        (SendOutcome, presence_pb2.SendOutcome),
        (SelectionState, presence_pb2.SelectionState),
        (messages.ResyncReason, presence_pb2.ResyncReason),
    ]
    for ours, theirs in pairs:
        names = {name.split("_", 1)[1] for name in theirs.keys()}  # noqa: SIM118 - an enum wrapper is no dict
        for member in ours:
            assert any(name.endswith(member.name) for name in names), member
            (full,) = (name for name in theirs.keys() if theirs.Value(name) == member.value)  # noqa: SIM118
            assert full.endswith(member.name)
        assert len(ours) == len(names) - 1


def test_unknown_numbers_are_read_with_caution() -> None:
    response = presence_pb2.PresenceResponse()
    record = response.delta.joined.add(public_key=b"k" * 32)
    record.liveness = 77  # type: ignore[assignment]  # a later contract's
    record.profile.status = 77  # type: ignore[assignment]
    response.delta.left.add(public_key=b"k" * 32).reason = 77  # type: ignore[assignment]
    delta = decode(response.SerializeToString())
    assert isinstance(delta, messages.Delta)
    assert delta.joined[0].liveness is Liveness.SUSPECT
    assert delta.joined[0].profile.status is Status.AVAILABLE
    assert delta.left[0].reason is DepartureReason.LEFT
    result = presence_pb2.PresenceResponse()
    result.send_result.outcome = 77  # type: ignore[assignment]
    read = decode(result.SerializeToString())
    assert isinstance(read, messages.SendResult)
    assert read.outcome is SendOutcome.UNCONFIRMED


@pytest.mark.parametrize("reason", [100, 101])
def test_librarys_own_reasons_are_not_the_servers(reason: int) -> None:
    response = presence_pb2.PresenceResponse()
    response.selection_update.reason = reason  # type: ignore[assignment]
    update = decode(response.SerializeToString())
    assert isinstance(update, messages.SelectionUpdate)
    assert update.reason is SelectionReason.NONE


def test_missing_limits_are_the_contracts() -> None:
    response = presence_pb2.PresenceResponse()
    response.welcome.generation = 1
    welcome = decode(response.SerializeToString())
    assert isinstance(welcome, messages.Welcome)
    assert welcome.limits == messages.Limits()


@pytest.mark.parametrize("seconds", [-(2**63), 2**63 - 1, -62135596801, 253402300800])
def test_time_that_no_clock_shows_is_1970(seconds: int) -> None:
    response = presence_pb2.PresenceResponse()
    record = response.delta.joined.add(public_key=b"k" * 32)
    record.joined_at.seconds = seconds
    record.joined_at.nanos = -1
    delta = decode(response.SerializeToString())
    assert isinstance(delta, messages.Delta)
    assert delta.joined[0].joined_at == datetime(1970, 1, 1, tzinfo=UTC)


def a_delta(**odd: object) -> presence_pb2.PresenceResponse:
    response = presence_pb2.PresenceResponse()
    profile = member_pb2.Profile(**odd)  # type: ignore[arg-type]
    response.delta.joined.add(public_key=b"k" * 32).profile.CopyFrom(profile)
    return response


@pytest.mark.parametrize(
    "absurd", [{"name": "x" * 257}, {"status_text": "x" * 561}, {"attributes": {"k": "x" * 4096}}]
)
def test_absurd_profile_is_a_violation(absurd: dict[str, object]) -> None:
    with pytest.raises(ProtocolViolation, match="absurd"):
        decode(a_delta(**absurd).SerializeToString())


@pytest.mark.parametrize("size", [0, 31, 33])
def test_wrong_key_is_a_violation(size: int) -> None:
    member = presence_pb2.PresenceResponse()
    member.snapshot.members.add(public_key=b"k" * size)
    gone = presence_pb2.PresenceResponse()
    gone.delta.left.add(public_key=b"k" * size)
    sender = presence_pb2.PresenceResponse()
    sender.delivery.delivery_id = 1
    sender.delivery.sender = b"k" * size
    for response in (member, gone, sender):
        with pytest.raises(ProtocolViolation, match="public key"):
            decode(response.SerializeToString())


def test_what_is_too_large_to_keep_is_a_violation() -> None:
    message = messages.Delivery(1, b"k" * 32, 1, b"x" * (256 * 1024 + 1), datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(ProtocolViolation):
        decode(encode_response(message))
    with pytest.raises(ProtocolViolation):
        decode(encode_response(messages.Welcome(b"s" * 1025, b"t", 1, False, 1, 1, 1)))


def test_explanation_is_cut() -> None:
    error = decode(encode_response(messages.RequestError(1, Reason.BAD_NAME, "x" * 10_000)))
    assert isinstance(error, messages.RequestError)
    assert len(error.message) == 500


def refusal(*details: ErrorInfo | RetryInfo) -> bytes:
    status = RpcStatus(code=8, message="no")
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status.SerializeToString()


def retry(seconds: float) -> RetryInfo:
    info = RetryInfo()
    info.retry_delay.FromNanoseconds(int(seconds * 1e9))
    return info


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ((), None),
        ((retry(1),), None),
        ((ErrorInfo(reason="LOBBY_FULL", domain="other.example.org"),), None),
        ((ErrorInfo(reason="LOBBY_FULL", domain="adsum"),), Refusal(Reason.LOBBY_FULL, None)),
        ((ErrorInfo(reason="LOBBY_FULL", domain="adsum"), retry(1.5)), Refusal(Reason.LOBBY_FULL, 1.5)),
        ((retry(1.5), ErrorInfo(reason="NEWER", domain="adsum")), Refusal(None, 1.5)),
        ((ErrorInfo(reason="DRAINING", domain="adsum"), retry(-5)), Refusal(Reason.DRAINING, 0.0)),
        ((ErrorInfo(reason="DRAINING", domain="adsum"), retry(86_400)), Refusal(Reason.DRAINING, 60.0)),
    ],
)
def test_refusals_are_read(details: tuple[ErrorInfo | RetryInfo, ...], expected: Refusal | None) -> None:
    assert decode_refusal(refusal(*details)) == expected


def test_secrets_stand_in_no_representation() -> None:
    resume = messages.Resume(b"session", b"very secret", 1, 2, 3)
    assert "secret" not in repr(resume)
    assert "secret" not in repr(messages.Welcome(b"session", b"very secret", 1, True, 1, 1, 1))
    assert response_message(messages.Draining(0, 0)).WhichOneof("response") == "draining"
