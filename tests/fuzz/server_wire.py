"""Whatever a client sends is a request or malformed, and whatever the server says about that can be said (P9).

An input is one message as it comes from the network. What it says is written again and must say the same; its hello is judged as a
stream's first word is, and a refusal must become a status that a client can read.
"""

from collections.abc import Iterator
from dataclasses import replace

from adsum.contract.identity import Identity
from adsum.contract.reasons import TABLE
from adsum.server import messages
from adsum.server.messages import Request
from adsum.server.session import Fault, Handshake, Introduction, check_profile
from adsum.server.wire import (
    MalformedRequestError,
    decode_list_lobbies,
    decode_list_members,
    decode_request,
    decode_watch_lobby,
    encode_status,
)
from adsum.v1 import admin_pb2, member_pb2, presence_pb2
from tests.fuzz.messages import vary_bytes
from tests.fuzz.source import Source

ADA = Identity.from_seed(b"a" * 32)


def target(data: bytes) -> None:
    """Read one message in each way in which the server reads messages."""
    _read_for_admin(data)
    try:
        request = decode_request(data)
    except MalformedRequestError:
        return
    again = decode_request(encode(request))
    assert _ordered(again) == _ordered(request), f"written again it says {again}"
    handshake = Handshake(b"n" * 32, ("localhost",))
    judged = handshake.receive_hello(request)
    _judge(judged)
    if isinstance(judged, Introduction):
        handshake.challenge(0.0, 1_700_000_000_000)
        _judge(handshake.receive_proof(messages.Proof(judged.hello.client_nonce * 2), 1.0))
    if isinstance(request, messages.UpdateProfile):
        _judge(check_profile(request.profile))


def _ordered(request: Request) -> Request:
    """Give a profile's attributes the order of their keys: protobuf gives them none."""
    match request:
        case messages.Hello(profile=claim) | messages.UpdateProfile(profile=claim):
            return replace(request, profile=replace(claim, attributes=tuple(sorted(claim.attributes))))
        case _:
            return request


def _judge(judged: object) -> None:
    if isinstance(judged, Fault):
        content = encode_status(judged.reason, f"{TABLE[judged.reason].text}: {judged.detail}", 1.0)
        assert content


def _read_for_admin(data: bytes) -> None:
    for read in (decode_list_lobbies, decode_list_members, decode_watch_lobby):
        try:
            read(data)
        except MalformedRequestError:
            continue


def encode(request: Request) -> bytes:
    """Write a request as a client would."""
    envelope = presence_pb2.PresenceRequest()
    match request:
        case messages.Hello():
            envelope.hello.CopyFrom(_hello(request))
        case messages.Proof(signature):
            envelope.proof.signature = signature
        case messages.UpdateProfile(request_id, claim):
            envelope.update_profile.request_id = request_id
            envelope.update_profile.profile.CopyFrom(_profile(claim))
        case messages.Select():
            envelope.select.request_id, envelope.select.public_key = request.request_id, request.public_key
        case messages.Send():
            send = presence_pb2.Send(
                request_id=request.request_id,
                recipient=request.recipient,
                payload=request.payload,
                incarnation=request.incarnation,
            )
            envelope.send.CopyFrom(send)
        case messages.Ack(delivery_id):
            envelope.ack.delivery_id = delivery_id
        case messages.ClientHeartbeat(epoch, revision, digest, echo):
            beat = presence_pb2.ClientHeartbeat(epoch=epoch, revision=revision, digest=digest, echo=echo)
            envelope.heartbeat.CopyFrom(beat)
        case messages.Resync(reason):
            envelope.resync.reason = presence_pb2.ResyncReason.ValueType(reason)
        case messages.Leave():
            envelope.leave.SetInParent()
        case messages.Unsupported():
            pass
    return envelope.SerializeToString()


def _hello(hello: messages.Hello) -> presence_pb2.Hello:
    message = presence_pb2.Hello(
        lobby=hello.lobby,
        public_key=hello.public_key,
        client_nonce=hello.client_nonce,
        audience=hello.audience,
        profile=_profile(hello.profile),
        observer=hello.observer,
    )
    if (resume := hello.resume) is not None:
        message.resume.SetInParent()
        message.resume.session_id, message.resume.token = resume.session_id, resume.token
        message.resume.epoch, message.resume.revision = resume.epoch, resume.revision
        message.resume.digest = resume.digest
    return message


def _profile(claim: messages.ProfileClaim) -> member_pb2.Profile:
    return member_pb2.Profile(
        name=claim.name,
        status=member_pb2.Status.ValueType(claim.status),
        status_text=claim.status_text,
        attributes=dict(claim.attributes),
    )


def mutate(data: bytes, chance: bytes) -> bytes:
    """Change a field of the request."""
    return vary_bytes(data, presence_pb2.PresenceRequest, Source(chance))


def seeds() -> Iterator[bytes]:
    """Make a message of each kind, and what breaks the rules for texts."""
    profile = messages.ProfileClaim("Ada", 1, "at lunch", (("team", "blue"),))
    resume = messages.Resume(b"s" * 16, b"t" * 32, 7, 12, 2**64 - 1)
    hello = messages.Hello("roll-call", ADA.public_key, b"c" * 32, "localhost", profile, resume)
    yield encode(hello)
    yield encode(messages.Hello("roll-call", ADA.public_key, b"c" * 32, "localhost", profile, observer=True))
    for name in (
        "",
        "e\u0301" * 30,
        "a" + "\u0301" * 5,
        "\u202eevil",
        "\U0001f469\u200d\U0001f4bb",
        "\u5b57" * 17,
    ):
        yield encode(messages.UpdateProfile(3, messages.ProfileClaim(name, 7, name, ((name, name),))))
    yield encode(messages.Proof(b"p" * 64))
    yield encode(messages.Select(4, ADA.public_key))
    yield encode(messages.Send(5, ADA.public_key, b"hello", 3))
    yield encode(messages.Ack(2**64 - 1))
    yield encode(messages.ClientHeartbeat(7, 12, 1, 99))
    yield encode(messages.Resync(3))
    yield encode(messages.Leave())
    yield encode(messages.Unsupported())
    yield admin_pb2.ListMembersRequest(lobby="roll-call", page_size=2, page_token="ab").SerializeToString()
