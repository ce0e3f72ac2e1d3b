"""The server's only touch with protobuf: bytes to requests, responses and lobbies to bytes.

Each member's record is encoded once, when it is first needed after a change. A delta is a concatenation of records behind a short header
(repeated fields concatenate in protobuf), and streams that stand at the same revision share its bytes; so do streams that need a
snapshot of the same revision.
"""

from collections.abc import Iterable
from math import ceil
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus

from adsum.contract.limits import DELTA_BYTES, SNAPSHOT_CHUNK_BYTES, SNAPSHOT_CHUNK_MEMBERS, Limits
from adsum.contract.reasons import ERROR_DOMAIN, TABLE, Reason
from adsum.server.lobby import Lobby
from adsum.server.member import DepartureReason, Liveness, Member, Profile, Status, Tombstone
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
    Response,
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
from adsum.v1 import admin_pb2, member_pb2, presence_pb2

STATUS_DETAILS_KEY = "grpc-status-details-bin"
"""The trailer in which gRPC carries a google.rpc.Status."""
DELTAS_KEPT = 64
"""From how many revisions the encoded deltas are kept until the next change."""
GRPC_CODE_NUMBERS = {
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
"""The numbers of the gRPC status codes that the table of reasons names."""

_LENGTH_DELIMITED = 2
_M = TypeVar("_M", bound=Message)


class MalformedRequestError(ValueError):
    """The bytes are not the message that they should be."""


def _tag(field: int) -> bytes:
    return bytes([field << 3 | _LENGTH_DELIMITED])


_SNAPSHOT_MEMBER = _tag(member_pb2.Snapshot.MEMBERS_FIELD_NUMBER)
_DELTA_JOINED = _tag(member_pb2.Delta.JOINED_FIELD_NUMBER)
_DELTA_UPDATED = _tag(member_pb2.Delta.UPDATED_FIELD_NUMBER)
_DELTA_LEFT = _tag(member_pb2.Delta.LEFT_FIELD_NUMBER)


# The cores number their enumerations by themselves; here each value meets the contract's by name, when this module is loaded.
_LIVENESS = {value: member_pb2.Liveness.Value(f"LIVENESS_{value.name}") for value in Liveness}
_STATUS = {value: member_pb2.Status.Value(f"STATUS_{value.name}") for value in Status}
_DEPARTURE_REASON = {
    value: member_pb2.DepartureReason.Value(f"DEPARTURE_REASON_{value.name}") for value in DepartureReason
}
_SELECTION_STATE = {
    value: presence_pb2.SelectionState.Value(f"SELECTION_STATE_{value.name}") for value in SelectionState
}
_SELECTION_REASON = {
    value: presence_pb2.SelectionReason.Value(
        f"SELECTION_REASON_{'UNSPECIFIED' if value is SelectionReason.NONE else value.name}"
    )
    for value in SelectionReason
}
_SEND_OUTCOME = {value: presence_pb2.SendOutcome.Value(f"SEND_OUTCOME_{value.name}") for value in SendOutcome}
_REASON = {value: presence_pb2.Reason.Value(f"REASON_{value.name}") for value in Reason}


def _framed(content: bytes) -> bytes:
    """Put the length before an embedded message, as a varint."""
    length = len(content)
    prefix = bytearray()
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + content


# Requests


def decode_request(content: bytes) -> Request:
    """Read a PresenceRequest.

    Raises:
        MalformedRequestError: the bytes are not one.
    """
    try:
        message = presence_pb2.PresenceRequest.FromString(content)
    except DecodeError as error:
        raise MalformedRequestError("the bytes are not a PresenceRequest") from error
    match message.WhichOneof("request"):
        case "heartbeat":
            beat = message.heartbeat
            return ClientHeartbeat(beat.epoch, beat.revision, beat.digest, beat.echo)
        case "hello":
            return _hello(message.hello)
        case "proof":
            return Proof(message.proof.signature)
        case "update_profile":
            return UpdateProfile(message.update_profile.request_id, _claim(message.update_profile.profile))
        case "select":
            return Select(message.select.request_id, message.select.public_key)
        case "send":
            send = message.send
            return Send(send.request_id, send.recipient, send.payload, send.incarnation)
        case "ack":
            return Ack(message.ack.delivery_id)
        case "resync":
            return Resync(int(message.resync.reason))
        case "leave":
            return Leave()
        case _:
            return Unsupported()


def _hello(hello: presence_pb2.Hello) -> Hello:
    resume = None
    if hello.HasField("resume"):
        asked = hello.resume
        resume = Resume(asked.session_id, asked.token, asked.epoch, asked.revision, asked.digest)
    return Hello(
        lobby=hello.lobby,
        public_key=hello.public_key,
        client_nonce=hello.client_nonce,
        audience=hello.audience,
        profile=_claim(hello.profile),
        resume=resume,
        observer=hello.observer,
    )


def _claim(profile: member_pb2.Profile) -> ProfileClaim:
    return ProfileClaim(
        profile.name, int(profile.status), profile.status_text, tuple(profile.attributes.items())
    )


# Responses


def encode_response(response: Response, limits: Limits) -> bytes:
    """Write a PresenceResponse that belongs to one stream alone."""
    message = presence_pb2.PresenceResponse()
    match response:
        case ServerHeartbeat():
            message.heartbeat.CopyFrom(
                presence_pb2.ServerHeartbeat(
                    epoch=response.epoch,
                    revision=response.revision,
                    digest=response.digest,
                    count=response.count,
                    server_time_unix_millis=response.server_time_unix_millis,
                    nonce=response.nonce,
                    round_trip_micros=min(response.round_trip_micros, 0xFFFFFFFF),
                    degraded=response.degraded,
                )
            )
        case Challenge():
            message.challenge.server_nonce = response.server_nonce
            message.challenge.expires_at_unix_millis = response.expires_at_unix_millis
            message.challenge.resume_refusal = _reason(response.resume_refusal)
        case Welcome():
            message.welcome.CopyFrom(_welcome(response, limits))
        case SelectionUpdate():
            message.selection_update.CopyFrom(
                presence_pb2.SelectionUpdate(
                    request_id=response.request_id,
                    public_key=response.public_key,
                    incarnation=response.incarnation,
                    state=_SELECTION_STATE[response.state],
                    reason=_SELECTION_REASON[response.reason],
                    revision=response.revision,
                )
            )
        case Delivery():
            message.delivery.CopyFrom(
                presence_pb2.Delivery(
                    delivery_id=response.delivery_id,
                    sender=response.sender,
                    sender_incarnation=response.sender_incarnation,
                    payload=response.payload,
                    sent_at_unix_millis=response.sent_at_unix_millis,
                )
            )
        case SendResult():
            message.send_result.request_id = response.request_id
            message.send_result.outcome = _SEND_OUTCOME[response.outcome]
            message.send_result.revision = response.revision
        case Draining():
            message.draining.deadline_millis = response.deadline_millis
            message.draining.reconnect_delay_millis = response.reconnect_delay_millis
        case RequestError():
            message.request_error.request_id = response.request_id
            message.request_error.reason = _reason(response.reason)
            message.request_error.message = response.message
            message.request_error.retry_after_millis = response.retry_after_millis
    return message.SerializeToString()


def _reason(reason: Reason) -> presence_pb2.Reason.ValueType:
    return _REASON[reason]


def _welcome(welcome: Welcome, limits: Limits) -> presence_pb2.Welcome:
    return presence_pb2.Welcome(
        session_id=welcome.session_id,
        resume_token=welcome.resume_token,
        generation=welcome.generation,
        resumed=welcome.resumed,
        heartbeat_millis=int(limits.heartbeat_seconds * 1000),
        lease_millis=int(limits.lease_seconds * 1000),
        grace_millis=int(limits.grace_seconds * 1000),
        limits=presence_pb2.Limits(
            message_bytes=limits.message_bytes,
            payload_bytes=limits.payload_bytes,
            sends_per_second=ceil(limits.sends_per_second),
            send_burst=limits.send_burst,
            updates_per_second=ceil(limits.updates_per_second),
            update_burst=limits.update_burst,
        ),
    )


# Lobbies


def _member(member: Member) -> member_pb2.Member:
    message = member_pb2.Member(
        public_key=member.public_key,
        incarnation=member.incarnation,
        revision=member.revision,
        liveness=_LIVENESS[member.liveness],
        profile=_profile(member.profile),
        session_count=len(member.sessions),
    )
    message.joined_at.FromMilliseconds(member.joined_at_millis)
    return message


def _profile(profile: Profile) -> member_pb2.Profile:
    return member_pb2.Profile(
        name=profile.name,
        status=_STATUS[profile.status],
        status_text=profile.status_text,
        attributes=dict(profile.attributes),
    )


def _departure(tombstone: Tombstone) -> bytes:
    return member_pb2.Departure(
        public_key=tombstone.public_key,
        revision=tombstone.revision,
        reason=_DEPARTURE_REASON[tombstone.reason],
    ).SerializeToString()


class LobbyCodec:
    """Encode one lobby's snapshots and deltas, each record and each delta once."""

    __slots__ = (
        "_deltas",
        "_lobby",
        "_records",
        "_revision",
        "_snapshot",
        "_wrapped_deltas",
        "_wrapped_snapshots",
    )

    def __init__(self, lobby: Lobby) -> None:
        self._lobby = lobby
        self._records: dict[bytes, tuple[int, bytes]] = {}
        self._revision = -1
        self._deltas: dict[int, bytes] = {}
        self._snapshot: list[bytes] = []
        self._wrapped_deltas: dict[tuple[Envelope, int], bytes] = {}
        self._wrapped_snapshots: dict[Envelope, list[bytes]] = {}

    def responses(self, base: int | None, envelope: "Envelope") -> list[bytes]:
        """Encode the responses that bring a stream from `base` to the lobby's revision.

        That is a snapshot for None, or if a delta would be too large for one message; else a delta. Streams that stand at the same
        revision share the bytes.
        """
        self._refresh()
        if base is None:
            if (chunks := self._wrapped_snapshots.get(envelope)) is None:
                chunks = [envelope.snapshot(chunk) for chunk in self.snapshot()]
                self._wrapped_snapshots[envelope] = chunks
            return chunks
        if (wrapped := self._wrapped_deltas.get((envelope, base))) is None:
            delta = self.delta(base)
            if len(delta) > DELTA_BYTES:
                return self.responses(None, envelope)
            wrapped = envelope.delta(delta)
            if len(self._wrapped_deltas) < DELTAS_KEPT:
                self._wrapped_deltas[envelope, base] = wrapped
        return [wrapped]

    def delta(self, base: int) -> bytes:
        """Encode the Delta from `base` to the lobby's revision. The lobby must reach back to `base`."""
        self._refresh()
        if (encoded := self._deltas.get(base)) is None:
            encoded = self._encode_delta(base)
            # Most streams stand at few revisions; those that stand apart must not each keep a list alive.
            if len(self._deltas) < DELTAS_KEPT:
                self._deltas[base] = encoded
        return encoded

    def snapshot(self) -> list[bytes]:
        """Encode the Snapshot chunks of the lobby as it stands."""
        self._refresh()
        if not self._snapshot:
            self._snapshot = self._encode_snapshot()
        return self._snapshot

    def _refresh(self) -> None:
        if self._revision == self._lobby.revision:
            return
        self._revision = self._lobby.revision
        self._deltas = {}
        self._snapshot = []
        self._wrapped_deltas = {}
        self._wrapped_snapshots = {}
        if len(self._records) > 2 * len(self._lobby) + 64:
            self._records = {
                member.public_key: self._records[member.public_key]
                for member in self._lobby
                if member.public_key in self._records
            }

    def _encode_delta(self, base: int) -> bytes:
        lobby = self._lobby
        difference = lobby.since(base)
        if difference is None:
            raise AssertionError(f"{lobby.name!r} does not reach back to revision {base}")
        header = member_pb2.Delta(
            epoch=lobby.epoch,
            base_revision=base,
            revision=lobby.revision,
            digest=lobby.digest,
            count=len(lobby),
        )
        parts = [header.SerializeToString()]
        for tag, members in ((_DELTA_JOINED, difference.joined), (_DELTA_UPDATED, difference.updated)):
            for member in members:
                parts += (tag, self._record(member))
        for tombstone in difference.left:
            parts += (_DELTA_LEFT, _framed(_departure(tombstone)))
        return b"".join(parts)

    def _encode_snapshot(self) -> list[bytes]:
        lobby = self._lobby
        chunks: list[list[bytes]] = [[]]
        size = 0
        for member in lobby:
            record = self._record(member)
            if chunks[-1] and (
                size + len(record) > SNAPSHOT_CHUNK_BYTES or len(chunks[-1]) >= SNAPSHOT_CHUNK_MEMBERS
            ):
                chunks.append([])
                size = 0
            chunks[-1].append(record)
            size += len(record) + 1
        return [
            b"".join(
                (
                    member_pb2.Snapshot(
                        epoch=lobby.epoch,
                        revision=lobby.revision,
                        digest=lobby.digest,
                        count=len(lobby),
                        last=index == len(chunks) - 1,
                        chunk_index=index,
                        chunk_count=len(chunks),
                    ).SerializeToString(),
                    *(part for record in chunk for part in (_SNAPSHOT_MEMBER, record)),
                )
            )
            for index, chunk in enumerate(chunks)
        ]

    def _record(self, member: Member) -> bytes:
        known = self._records.get(member.public_key)
        if known is not None and known[0] == member.revision:
            return known[1]
        record = _framed(_member(member).SerializeToString())
        self._records[member.public_key] = (member.revision, record)
        return record


class Envelope:
    """Wrap encoded snapshots and deltas in the response of one RPC."""

    __slots__ = ("_delta", "_snapshot")

    def __init__(self, snapshot_field: int, delta_field: int) -> None:
        self._snapshot = _tag(snapshot_field)
        self._delta = _tag(delta_field)

    def snapshot(self, chunk: bytes) -> bytes:
        """Wrap one chunk of a snapshot."""
        return self._snapshot + _framed(chunk)

    def delta(self, delta: bytes) -> bytes:
        """Wrap a delta."""
        return self._delta + _framed(delta)


PRESENCE_ENVELOPE = Envelope(
    presence_pb2.PresenceResponse.SNAPSHOT_FIELD_NUMBER, presence_pb2.PresenceResponse.DELTA_FIELD_NUMBER
)
"""For `LobbyService.Presence`."""
WATCH_ENVELOPE = Envelope(
    admin_pb2.WatchLobbyResponse.SNAPSHOT_FIELD_NUMBER, admin_pb2.WatchLobbyResponse.DELTA_FIELD_NUMBER
)
"""For `AdminService.WatchLobby`."""


# Refusals


def encode_status(reason: Reason, message: str, retry_after_seconds: float | None) -> bytes:
    """Write the google.rpc.Status of a refusal, with ErrorInfo, and RetryInfo if a delay is given."""
    status = RpcStatus(code=GRPC_CODE_NUMBERS[TABLE[reason].code], message=message)
    status.details.add().Pack(ErrorInfo(reason=reason.name, domain=ERROR_DOMAIN))
    if retry_after_seconds is not None:
        delay = Duration()
        delay.FromMilliseconds(int(retry_after_seconds * 1000))
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    encoded: bytes = status.SerializeToString()
    return encoded


# AdminService


def decode_list_lobbies(content: bytes) -> tuple[int, str]:
    """Read a ListLobbiesRequest: page size and page token."""
    request = _parse(admin_pb2.ListLobbiesRequest, content)
    return request.page_size, request.page_token


def decode_list_members(content: bytes) -> tuple[str, int, str]:
    """Read a ListMembersRequest: lobby, page size and page token."""
    request = _parse(admin_pb2.ListMembersRequest, content)
    return request.lobby, request.page_size, request.page_token


def decode_watch_lobby(content: bytes) -> str:
    """Read a WatchLobbyRequest: the lobby."""
    return _parse(admin_pb2.WatchLobbyRequest, content).lobby


def encode_lobbies(lobbies: Iterable[tuple[Lobby, int]], next_page_token: str) -> bytes:
    """Write a ListLobbiesResponse from lobbies with their number of streams."""
    return admin_pb2.ListLobbiesResponse(
        lobbies=[
            admin_pb2.Lobby(
                name=lobby.name,
                epoch=lobby.epoch,
                revision=lobby.revision,
                digest=lobby.digest,
                member_count=len(lobby),
                suspect_count=lobby.suspects,
                stream_count=streams,
            )
            for lobby, streams in lobbies
        ],
        next_page_token=next_page_token,
    ).SerializeToString()


def encode_members(members: Iterable[Member], next_page_token: str, revision: int) -> bytes:
    """Write a ListMembersResponse."""
    return admin_pb2.ListMembersResponse(
        members=[_member(member) for member in members], next_page_token=next_page_token, revision=revision
    ).SerializeToString()


def _parse(kind: type[_M], content: bytes) -> _M:
    try:
        return kind.FromString(content)
    except DecodeError as error:
        raise MalformedRequestError(f"the bytes are not a {kind.DESCRIPTOR.name}") from error
