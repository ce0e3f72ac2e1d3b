"""The server's side of the wire, for tests: the library's values as the bytes that a server sends."""

from adsum.client import messages
from adsum.client.member import Member
from adsum.client.messages import Response
from adsum.v1 import member_pb2, presence_pb2


def encode_response(response: Response) -> bytes:
    """Make the bytes of a response, by the contract and not by the library's decoder."""
    return response_message(response).SerializeToString()


def response_message(response: Response) -> presence_pb2.PresenceResponse:
    """Make the protobuf message of a response."""
    envelope = presence_pb2.PresenceResponse()
    match response:
        case messages.Challenge():
            envelope.challenge.server_nonce = response.server_nonce
            envelope.challenge.expires_at_unix_millis = response.expires_at_unix_millis
            envelope.challenge.resume_refusal = presence_pb2.Reason.ValueType(response.resume_refusal)
        case messages.Welcome():
            welcome = envelope.welcome
            welcome.session_id = response.session_id
            welcome.resume_token = response.resume_token
            welcome.generation = response.generation
            welcome.resumed = response.resumed
            welcome.heartbeat_millis = response.heartbeat_millis
            welcome.lease_millis = response.lease_millis
            welcome.grace_millis = response.grace_millis
            for name in messages.Limits.__slots__:
                setattr(welcome.limits, name, getattr(response.limits, name))
        case messages.Snapshot():
            snapshot = envelope.snapshot
            snapshot.epoch, snapshot.revision = response.epoch, response.revision
            snapshot.digest, snapshot.count, snapshot.last = response.digest, response.count, response.last
            snapshot.chunk_index, snapshot.chunk_count = response.chunk_index, response.chunk_count
            snapshot.members.extend(member_message(member) for member in response.members)
            snapshot.SetInParent()
        case messages.Delta():
            delta = envelope.delta
            delta.epoch, delta.base_revision, delta.revision = (
                response.epoch,
                response.base_revision,
                response.revision,
            )
            delta.digest, delta.count = response.digest, response.count
            delta.joined.extend(member_message(member) for member in response.joined)
            delta.updated.extend(member_message(member) for member in response.updated)
            for gone in response.left:
                reason = member_pb2.DepartureReason.ValueType(gone.reason)
                delta.left.add(public_key=gone.public_key, revision=gone.revision, reason=reason)
        case messages.SelectionUpdate():
            update = envelope.selection_update
            update.request_id, update.public_key = response.request_id, response.public_key
            update.incarnation, update.revision = response.incarnation, response.revision
            update.state = presence_pb2.SelectionState.ValueType(response.state)
            update.reason = presence_pb2.SelectionReason.ValueType(response.reason)
        case messages.Delivery():
            delivery = envelope.delivery
            delivery.delivery_id, delivery.sender = response.delivery_id, response.sender
            delivery.sender_incarnation, delivery.payload = response.sender_incarnation, response.payload
            delivery.sent_at_unix_millis = round(response.sent_at.timestamp() * 1000)
        case messages.SendResult():
            envelope.send_result.request_id = response.request_id
            envelope.send_result.outcome = presence_pb2.SendOutcome.ValueType(response.outcome)
            envelope.send_result.revision = response.revision
        case messages.ServerHeartbeat():
            for name in messages.ServerHeartbeat.__slots__:
                setattr(envelope.heartbeat, name, getattr(response, name))
        case messages.Draining():
            envelope.draining.deadline_millis = response.deadline_millis
            envelope.draining.reconnect_delay_millis = response.reconnect_delay_millis
            envelope.draining.SetInParent()
        case messages.RequestError():
            error = envelope.request_error
            error.request_id, error.message = response.request_id, response.message
            error.reason = presence_pb2.Reason.ValueType(response.reason)
            error.retry_after_millis = response.retry_after_millis
    return envelope


def member_message(member: Member) -> member_pb2.Member:
    """Make the protobuf message of a member."""
    message = member_pb2.Member(
        public_key=member.public_key,
        incarnation=member.incarnation,
        revision=member.revision,
        liveness=member_pb2.Liveness.ValueType(member.liveness),
        session_count=member.session_count,
        profile=member_pb2.Profile(
            name=member.profile.name,
            status=member_pb2.Status.ValueType(member.profile.status),
            status_text=member.profile.status_text,
            attributes=dict(member.profile.attributes),
        ),
    )
    message.joined_at.FromDatetime(member.joined_at)
    return message
