"""The border to protobuf: requests become bytes, bytes become responses.

Nothing else in the library knows the generated classes. What comes from a server is checked here for what
its types can't say: keys have 32 bytes, texts have sane sizes (four times what the contract allows, so that
a later contract may be more generous), numbers of enumerations that aren't known become the cautious choice.
What is worse than that is a `ProtocolViolation`. A message of a kind that isn't known is None, and ignored:
a later server may say more.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import IntEnum
from typing import TypeVar

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus

from adsum.client import messages
from adsum.client.errors import ProtocolViolation
from adsum.client.member import DepartureReason, Liveness, Member, Profile, Status
from adsum.client.messages import Refusal, Request, Response, SelectionReason, SelectionState, SendOutcome
from adsum.contract.identity import KEY_BYTES
from adsum.contract.limits import ATTRIBUTES_BYTES, NAME_CODE_POINTS, STATUS_TEXT_CODE_POINTS
from adsum.contract.reasons import ERROR_DOMAIN, Reason
from adsum.v1 import member_pb2, presence_pb2

METHOD = "/" + presence_pb2.DESCRIPTOR.services_by_name["LobbyService"].full_name + "/Presence"
"""The full name of the RPC."""
STATUS_DETAILS_KEY = "grpc-status-details-bin"
"""The trailing metadata in which a refusal's details travel."""
GENEROSITY = 4
"""How many times larger than the contract allows a text may be before the server isn't believed."""
LONGEST_PAYLOAD = 256 * 1024
"""The largest direct message that is accepted from a server, in bytes."""
LONGEST_SECRET = 1024
"""The largest session id or token that is kept, in bytes: the contract says 16 and 32."""
LONGEST_EXPLANATION = 500
"""How much of a server's explanation is kept, in characters."""
LONGEST_RETRY_SECONDS = 60.0
"""The longest delay that a refusal is obeyed for."""
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def encode(request: Request) -> bytes:
    """Make the bytes of a request."""
    return _request(request).SerializeToString()


def decode(data: bytes) -> Response | None:
    """Read a response; None if it is of a kind that isn't known here.

    Raises:
        ProtocolViolation: the bytes are not a response, or one that no server may send.
    """
    try:
        response = presence_pb2.PresenceResponse.FromString(data)
    except DecodeError as exc:
        raise ProtocolViolation("the server sent bytes that are no message") from exc
    match response.WhichOneof("response"):
        case "challenge":
            challenge = response.challenge
            return messages.Challenge(
                challenge.server_nonce, challenge.expires_at_unix_millis, _reason(challenge.resume_refusal)
            )
        case "welcome":
            return _welcome(response.welcome)
        case "snapshot":
            return _snapshot(response.snapshot)
        case "delta":
            return _delta(response.delta)
        case "selection_update":
            return _selection_update(response.selection_update)
        case "delivery":
            return _delivery(response.delivery)
        case "send_result":
            result = response.send_result
            # An outcome that isn't known here is one of which the client can't tell what it means for the message.
            outcome = _known(SendOutcome, result.outcome, SendOutcome.UNCONFIRMED)
            return messages.SendResult(result.request_id, outcome, result.revision)
        case "heartbeat":
            beat = response.heartbeat
            return messages.ServerHeartbeat(
                epoch=beat.epoch,
                revision=beat.revision,
                digest=beat.digest,
                count=beat.count,
                server_time_unix_millis=beat.server_time_unix_millis,
                nonce=beat.nonce,
                round_trip_micros=beat.round_trip_micros,
                degraded=beat.degraded,
            )
        case "draining":
            return messages.Draining(
                response.draining.deadline_millis, response.draining.reconnect_delay_millis
            )
        case "request_error":
            error = response.request_error
            return messages.RequestError(
                error.request_id,
                _reason(error.reason),
                error.message[:LONGEST_EXPLANATION],
                error.retry_after_millis,
            )
        case _:
            return None


def decode_refusal(details: bytes) -> Refusal | None:
    """Read the details of a gRPC status; None if Adsum has nothing to do with it."""
    try:
        status = RpcStatus.FromString(details)
        info: ErrorInfo | None = None
        retry_seconds: float | None = None
        for detail in status.details:
            if detail.TypeName() == ErrorInfo.DESCRIPTOR.full_name:
                info = ErrorInfo.FromString(detail.value)
            elif detail.TypeName() == RetryInfo.DESCRIPTOR.full_name:
                delay = RetryInfo.FromString(detail.value).retry_delay
                retry_seconds = min(max(delay.seconds + delay.nanos / 1e9, 0.0), LONGEST_RETRY_SECONDS)
    except DecodeError:
        return None
    if info is None or info.domain != ERROR_DOMAIN:
        return None
    return Refusal(Reason.__members__.get(info.reason), retry_seconds)


def _request(request: Request) -> presence_pb2.PresenceRequest:
    envelope = presence_pb2.PresenceRequest
    match request:
        case messages.Hello():
            return envelope(hello=_hello(request))
        case messages.Proof(signature):
            return envelope(proof=presence_pb2.Proof(signature=signature))
        case messages.UpdateProfile(request_id, profile):
            update = presence_pb2.UpdateProfile(request_id=request_id, profile=_profile_message(profile))
            return envelope(update_profile=update)
        case messages.Select(request_id, public_key):
            return envelope(select=presence_pb2.Select(request_id=request_id, public_key=public_key))
        case messages.Send(request_id, recipient, payload, incarnation):
            send = presence_pb2.Send(
                request_id=request_id, recipient=recipient, payload=payload, incarnation=incarnation
            )
            return envelope(send=send)
        case messages.Ack(delivery_id):
            return envelope(ack=presence_pb2.Ack(delivery_id=delivery_id))
        case messages.ClientHeartbeat(epoch, revision, digest, echo):
            beat = presence_pb2.ClientHeartbeat(epoch=epoch, revision=revision, digest=digest, echo=echo)
            return envelope(heartbeat=beat)
        case messages.Resync(reason):
            return envelope(resync=presence_pb2.Resync(reason=presence_pb2.ResyncReason.ValueType(reason)))
        case messages.Leave():
            return envelope(leave=presence_pb2.Leave())


def _hello(hello: messages.Hello) -> presence_pb2.Hello:
    message = presence_pb2.Hello(
        lobby=hello.lobby,
        public_key=hello.public_key,
        client_nonce=hello.client_nonce,
        audience=hello.audience,
        profile=_profile_message(hello.profile),
        observer=hello.observer,
    )
    if (resume := hello.resume) is not None:
        message.resume.session_id = resume.session_id
        message.resume.token = resume.token
        message.resume.epoch = resume.epoch
        message.resume.revision = resume.revision
        message.resume.digest = resume.digest
    return message


def _profile_message(profile: Profile) -> member_pb2.Profile:
    return member_pb2.Profile(
        name=profile.name,
        status=member_pb2.Status.ValueType(profile.status),
        status_text=profile.status_text,
        attributes=dict(profile.attributes),
    )


def _welcome(welcome: presence_pb2.Welcome) -> messages.Welcome:
    if max(len(welcome.session_id), len(welcome.resume_token)) > LONGEST_SECRET:
        raise ProtocolViolation("the server sent a session id or token too long to keep")
    limits, defaults = welcome.limits, messages.Limits()
    return messages.Welcome(
        session_id=welcome.session_id,
        resume_token=welcome.resume_token,
        generation=welcome.generation,
        resumed=welcome.resumed,
        heartbeat_millis=welcome.heartbeat_millis,
        lease_millis=welcome.lease_millis,
        grace_millis=welcome.grace_millis,
        limits=messages.Limits(
            message_bytes=limits.message_bytes or defaults.message_bytes,
            payload_bytes=limits.payload_bytes or defaults.payload_bytes,
            sends_per_second=limits.sends_per_second or defaults.sends_per_second,
            send_burst=limits.send_burst or defaults.send_burst,
            updates_per_second=limits.updates_per_second or defaults.updates_per_second,
            update_burst=limits.update_burst or defaults.update_burst,
        ),
    )


def _snapshot(snapshot: member_pb2.Snapshot) -> messages.Snapshot:
    return messages.Snapshot(
        epoch=snapshot.epoch,
        revision=snapshot.revision,
        members=_members(snapshot.members),
        digest=snapshot.digest,
        count=snapshot.count,
        last=snapshot.last,
        chunk_index=snapshot.chunk_index,
        chunk_count=snapshot.chunk_count,
    )


def _delta(delta: member_pb2.Delta) -> messages.Delta:
    return messages.Delta(
        epoch=delta.epoch,
        base_revision=delta.base_revision,
        revision=delta.revision,
        joined=_members(delta.joined),
        updated=_members(delta.updated),
        left=tuple(
            messages.Departure(
                _key(departure.public_key),
                departure.revision,
                _known(DepartureReason, departure.reason, DepartureReason.LEFT),
            )
            for departure in delta.left
        ),
        digest=delta.digest,
        count=delta.count,
    )


def _members(members: Iterable[member_pb2.Member]) -> tuple[Member, ...]:
    return tuple(_member(member) for member in members)


def _member(member: member_pb2.Member) -> Member:
    return Member(
        public_key=_key(member.public_key),
        incarnation=member.incarnation,
        revision=member.revision,
        # Doubt is on the safe side: a liveness that isn't known here can't be relied on.
        liveness=_known(Liveness, member.liveness, Liveness.SUSPECT),
        profile=_profile(member.profile),
        joined_at=_datetime(member.joined_at),
        session_count=member.session_count,
    )


def _profile(profile: member_pb2.Profile) -> Profile:
    # Most have none, and copying an empty map of protobuf's takes as long as all the rest of a record.
    attributes = dict(profile.attributes) if profile.attributes else {}
    if (
        len(profile.name) > GENEROSITY * NAME_CODE_POINTS
        or len(profile.status_text) > GENEROSITY * STATUS_TEXT_CODE_POINTS
        or sum(len(key) + len(value) for key, value in attributes.items()) > GENEROSITY * ATTRIBUTES_BYTES
    ):
        raise ProtocolViolation("the server sent a profile of absurd size")
    return Profile(
        profile.name, _known(Status, profile.status, Status.AVAILABLE), profile.status_text, attributes
    )


def _selection_update(update: presence_pb2.SelectionUpdate) -> messages.SelectionUpdate:
    return messages.SelectionUpdate(
        request_id=update.request_id,
        public_key=_key(update.public_key) if update.public_key else b"",
        incarnation=update.incarnation,
        state=_known(SelectionState, update.state, SelectionState.UNAVAILABLE),
        # The library's own reasons stand outside the contract's numbers, and no server may use them.
        reason=_known(SelectionReason, update.reason if update.reason < 100 else 0, SelectionReason.NONE),
        revision=update.revision,
    )


def _delivery(delivery: presence_pb2.Delivery) -> messages.Delivery:
    if len(delivery.payload) > LONGEST_PAYLOAD:
        raise ProtocolViolation(f"the server sent a message of {len(delivery.payload)} bytes")
    return messages.Delivery(
        delivery_id=delivery.delivery_id,
        sender=_key(delivery.sender),
        sender_incarnation=delivery.sender_incarnation,
        payload=delivery.payload,
        sent_at=_moment(delivery.sent_at_unix_millis / 1000),
    )


def _key(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ProtocolViolation(f"the server sent a public key of {len(key)} bytes")
    return key


def _datetime(timestamp: Timestamp) -> datetime:
    return _moment(timestamp.seconds + timestamp.nanos / 1e9)


def _moment(unix_seconds: float) -> datetime:
    """Read a time by the server's clock; the beginning of 1970 if it is one that no clock shows."""
    try:
        return datetime.fromtimestamp(unix_seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return _UNIX_EPOCH


_Known = TypeVar(
    "_Known", Reason, SendOutcome, SelectionState, SelectionReason, DepartureReason, Liveness, Status
)


# Calling an enumeration takes four times as long as this, twice for each member of each list.
_VALUES: dict[type[IntEnum], dict[int, IntEnum]] = {
    kind: {value.value: value for value in kind}
    for kind in (Reason, SendOutcome, SelectionState, SelectionReason, DepartureReason, Liveness, Status)
}


def _known(kind: type[_Known], number: int, otherwise: _Known) -> _Known:
    return _VALUES[kind].get(number, otherwise)  # type: ignore[return-value]  # each kind's own values


def _reason(number: int) -> Reason:
    return _known(Reason, number, Reason.UNSPECIFIED)
