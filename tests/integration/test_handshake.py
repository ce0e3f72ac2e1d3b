"""Nobody is let in without a fresh proof made for this server, this lobby and this stream; each refusal has its typed reason.

That a reason comes with its gRPC code, and with RetryInfo exactly where the table says so, is checked wherever an ending is read.
"""

import asyncio

import pytest

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.v1.member_pb2 import Profile
from adsum.v1.presence_pb2 import (
    Ack,
    Challenge,
    ClientHeartbeat,
    Hello,
    Leave,
    PresenceRequest,
    Proof,
    Resync,
    Select,
    Send,
    UpdateProfile,
)
from tests.integration.admin_client import admin_of
from tests.integration.company import Company
from tests.integration.local_server import local_server
from tests.integration.promises import promised
from tests.integration.raw_client import RawClient, RefusedError
from tests.integration.raw_stream import RawStream
from tests.integration.refusal import Ending

AFTER_THE_HANDSHAKE = [
    PresenceRequest(update_profile=UpdateProfile(profile=Profile(name="Eve"))),
    PresenceRequest(select=Select(public_key=bytes(32))),
    PresenceRequest(send=Send(request_id=1, recipient=bytes(32), payload=b"hi")),
    PresenceRequest(ack=Ack(delivery_id=1)),
    PresenceRequest(heartbeat=ClientHeartbeat(epoch=1, revision=1)),
    PresenceRequest(resync=Resync()),
    PresenceRequest(leave=Leave()),
    PresenceRequest(),
]
# Encodings of the points of small order (RFC 8032's curve), canonical ones: with any of them as the key, one signature fits
# every transcript, or one of a few.
SMALL_ORDER_KEYS = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]

TINY_WINDOW = (("grpc.http2.lookahead_bytes", 16), ("grpc.http2.bdp_probe", 0))
"""HTTP/2 lets no message through that isn't asked for."""


def _name_of_case(value: object) -> str:
    return (
        value.name
        if isinstance(value, Reason)
        else ", ".join(value)
        if isinstance(value, dict)
        else str(value)
    )


def _kind(request: PresenceRequest) -> str:
    return request.WhichOneof("request") or "nothing"


async def _challenged(client: RawClient) -> tuple[RawStream, Hello, Challenge]:
    """Go as far as the challenge."""
    stream = await client.dial()
    hello = client.hello()
    await client.say(hello=hello)
    answer = await stream.hear()
    promised("contract", answer is not None and answer.HasField("challenge"), f"no challenge but {answer}")
    return stream, hello, answer.challenge if answer is not None else Challenge()


async def _ends(stream: RawStream, reason: Reason) -> Ending:
    ending = await stream.hear_end()
    promised("contract", ending.reason is reason, f"it ended with {ending} and not with {reason.name}")
    return ending


@pytest.mark.promise("contract")
@pytest.mark.parametrize("request_", AFTER_THE_HANDSHAKE, ids=_kind)
async def test_no_request_is_taken_before_hello(request_: PresenceRequest) -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        stream = await company.client("Eve").dial()
        await stream.say(request_)
        await _ends(stream, Reason.HELLO_EXPECTED)
        await ann.fence()
        promised("P1", ann.roster.names == ["Ann"], "somebody came in without a hello")


@pytest.mark.promise("contract")
async def test_a_proof_without_a_hello_is_no_beginning() -> None:
    async with local_server() as server, Company(server.address) as company:
        stream = await company.client("Eve").dial()
        await stream.say(PresenceRequest(proof=Proof(signature=bytes(64))))
        await _ends(stream, Reason.HELLO_EXPECTED)


@pytest.mark.promise("contract")
@pytest.mark.parametrize(
    "request_", [*AFTER_THE_HANDSHAKE, PresenceRequest(hello=Hello(lobby="lobby"))], ids=_kind
)
async def test_no_request_but_the_proof_is_taken_after_the_challenge(request_: PresenceRequest) -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        stream, _, _ = await _challenged(company.client("Eve"))
        await stream.say(request_)
        await _ends(stream, Reason.PROOF_EXPECTED)
        await ann.fence()
        promised("P1", ann.roster.names == ["Ann"], "somebody came in without a proof")


@pytest.mark.promise("contract")
async def test_a_second_hello_or_proof_is_refused_and_the_stream_goes_on() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        for again in (
            PresenceRequest(hello=ann.hello()),
            PresenceRequest(hello=company.client("Eve").hello()),
            PresenceRequest(proof=Proof(signature=bytes(64))),
        ):
            mark = ann.mark()
            await ann.stream.say(again)
            heard = await ann.hears("contract", "request_error", mark)
            reason = heard.message.request_error.reason
            promised("contract", reason == Reason.HANDSHAKE_REPEATED, f"refused with {reason}")
        bob = await company.join("Bob")
        await ann.sees_online(bob)
        promised("contract", ann.roster.names == ["Ann", "Bob"], f"the list is {ann.roster.names}")


@pytest.mark.promise("contract", "P9")
async def test_a_request_of_an_unknown_kind_is_refused_and_the_stream_goes_on() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        # Field 1000, which a later version may have; then none at all.
        for content in (b"\xc2\x3e\x00", b""):
            mark = ann.mark()
            await ann.stream.say_bytes(content)
            heard = await ann.hears("contract", "request_error", mark)
            reason = heard.message.request_error.reason
            promised("contract", reason == Reason.UNSUPPORTED_REQUEST, f"refused with {reason}")
        await ann.fence()


@pytest.mark.promise("contract")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"public_key": b""}, Reason.BAD_KEY),
        ({"public_key": bytes(31)}, Reason.BAD_KEY),
        ({"public_key": bytes(33)}, Reason.BAD_KEY),
        ({"client_nonce": b""}, Reason.BAD_NONCE),
        ({"client_nonce": bytes(33)}, Reason.BAD_NONCE),
        ({"lobby": ""}, Reason.BAD_LOBBY),
        ({"lobby": "Garden"}, Reason.BAD_LOBBY),
        ({"lobby": "../etc"}, Reason.BAD_LOBBY),
        ({"lobby": "garden\n"}, Reason.BAD_LOBBY),
        ({"audience": ""}, Reason.WRONG_AUDIENCE),
        ({"audience": "evil.example"}, Reason.WRONG_AUDIENCE),
        ({"audience": "127.0.0.1.evil.example"}, Reason.WRONG_AUDIENCE),
        ({"audience": "127.0.0.1:443"}, Reason.WRONG_AUDIENCE),
        ({"profile": Profile(name="")}, Reason.BAD_NAME),
        ({"profile": Profile(name="   ")}, Reason.BAD_NAME),
        ({"profile": Profile(name="A\u202enn")}, Reason.BAD_NAME),
        ({"profile": Profile(name="A\x1b[2Jnn")}, Reason.BAD_NAME),
        ({"profile": Profile(name="Ann", status=7)}, Reason.BAD_STATUS),  # type: ignore[arg-type]  # no such status
        ({"profile": Profile(name="Ann", status_text="a\nb")}, Reason.BAD_STATUS_TEXT),
        ({"profile": Profile(name="Ann", attributes={"": "x"})}, Reason.BAD_ATTRIBUTES),
        ({"profile": Profile(name="Ann", attributes={"k": "\x00"})}, Reason.BAD_ATTRIBUTES),
    ],
    ids=_name_of_case,
)
async def test_a_hello_with_a_bad_field_is_refused_with_the_reason(
    change: dict[str, object], reason: Reason
) -> None:
    async with local_server() as server, Company(server.address) as company:
        client = company.client("Eve")
        stream = await client.dial()
        hello = client.hello()
        for name, value in change.items():
            if isinstance(value, Profile):
                hello.profile.CopyFrom(value)
            else:
                setattr(hello, name, value)
        await stream.say(PresenceRequest(hello=hello))
        await _ends(stream, reason)


@pytest.mark.promise("contract")
async def test_a_hello_without_anything_is_refused() -> None:
    async with local_server() as server, Company(server.address) as company:
        stream = await company.client("Eve").dial()
        await stream.say(PresenceRequest(hello=Hello()))
        await _ends(stream, Reason.BAD_KEY)


@pytest.mark.promise("contract")
@pytest.mark.parametrize("key", SMALL_ORDER_KEYS, ids=lambda key: key[:8] + key[-2:])
async def test_a_key_of_small_order_proves_nothing(key: str) -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        client = company.client("Eve")
        stream = await client.dial()
        hello = client.hello()
        hello.public_key = bytes.fromhex(key)
        await stream.say(PresenceRequest(hello=hello))
        answer = await stream.hear()
        if answer is not None:
            # R the neutral point and S 0 fit S·B = R + h·A whenever h is a multiple of the key's order, which is at most 8.
            neutral = bytes.fromhex(SMALL_ORDER_KEYS[0])
            await stream.say(PresenceRequest(proof=Proof(signature=neutral + bytes(32))))
        await _ends(stream, Reason.BAD_KEY)
        await ann.fence()
        promised("P1", ann.roster.names == ["Ann"], "a key of small order was let in")


@pytest.mark.promise("contract")
async def test_a_proof_for_another_stream_is_worth_nothing() -> None:
    """The challenge and the proof of one stream are replayed, word for word, on another."""
    async with local_server() as server, Company(server.address) as company:
        ann = company.client("Ann")
        stream, hello, challenge = await _challenged(ann)
        proof = ann.proof(hello, challenge)
        await stream.say(PresenceRequest(proof=proof))
        answer = await stream.hear()
        promised("contract", answer is not None and answer.HasField("welcome"), f"not welcomed but {answer}")
        eve = company.client("Eve")
        replay = await eve.dial()
        await replay.say(PresenceRequest(hello=hello))
        answer = await replay.hear()
        promised(
            "contract", answer is not None and answer.HasField("challenge"), f"not challenged but {answer}"
        )
        nonces = {challenge.server_nonce, answer.challenge.server_nonce if answer is not None else b""}
        promised("contract", len(nonces) == 2, "the server's nonce came twice")
        await replay.say(PresenceRequest(proof=proof))
        await _ends(replay, Reason.BAD_SIGNATURE)


@pytest.mark.promise("contract")
@pytest.mark.parametrize(
    "change",
    [
        {"lobby": "kitchen"},
        {"audience": "evil.example"},
        {"client_nonce": bytes(32)},
        {"public_key": bytes(32)},
        {"server_nonce": bytes(32)},
        {"expires_at_unix_millis": 1},
    ],
    ids=_name_of_case,
)
async def test_a_signature_over_something_else_is_worth_nothing(change: dict[str, object]) -> None:
    """Somebody signed for another lobby, another server, or anything else that differs."""
    async with local_server() as server, Company(server.address) as company:
        client = company.client("Eve")
        stream, hello, challenge = await _challenged(client)
        for name, value in change.items():
            setattr(challenge if name in ("server_nonce", "expires_at_unix_millis") else hello, name, value)
        await stream.say(PresenceRequest(proof=client.proof(hello, challenge)))
        await _ends(stream, Reason.BAD_SIGNATURE)


@pytest.mark.promise("contract")
@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(63), bytes(65), b"\xff" * 64], ids=len)
async def test_something_that_is_no_signature_is_worth_nothing(signature: bytes) -> None:
    async with local_server() as server, Company(server.address) as company:
        stream, _, _ = await _challenged(company.client("Eve"))
        await stream.say(PresenceRequest(proof=Proof(signature=signature)))
        await _ends(stream, Reason.BAD_SIGNATURE)


@pytest.mark.promise("contract")
async def test_somebody_elses_key_needs_somebody_elses_signature() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        mark = ann.mark()
        eve = company.client("Ann")
        stream = await eve.dial()
        hello = eve.hello()
        hello.public_key = ann.key
        await stream.say(PresenceRequest(hello=hello))
        answer = await stream.hear()
        await stream.say(
            PresenceRequest(proof=eve.proof(hello, answer.challenge if answer is not None else Challenge()))
        )
        await _ends(stream, Reason.BAD_SIGNATURE)
        await ann.fence()
        promised("P1", ann.kinds(mark) == ["request_error"], "the member was touched")


@pytest.mark.promise("P9", "contract")
@pytest.mark.parametrize("says_hello", [False, True], ids=["silent", "after the challenge"])
async def test_a_handshake_that_is_not_finished_in_time_is_ended(says_hello: bool) -> None:
    async with local_server(Limits(handshake_seconds=0.2)) as server, Company(server.address) as company:
        client = company.client("Eve")
        stream = (await _challenged(client))[0] if says_hello else await client.dial()
        await _ends(stream, Reason.HANDSHAKE_TIMEOUT)


@pytest.mark.promise("contract")
async def test_a_challenge_that_is_answered_too_late_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adsum.server.session.CHALLENGE_SECONDS", 0.05)
    async with local_server() as server, Company(server.address) as company:
        client = company.client("Late")
        stream, hello, challenge = await _challenged(client)
        # That it has expired is told by nobody.
        await asyncio.sleep(0.1)
        await stream.say(PresenceRequest(proof=client.proof(hello, challenge)))
        await _ends(stream, Reason.CHALLENGE_EXPIRED)


@pytest.mark.promise("P9")
async def test_the_lobbies_of_a_server_are_limited() -> None:
    async with local_server(Limits(lobbies=2)) as server, Company(server.address) as company:
        await company.join("Ann", lobby="garden")
        await company.join("Bob", lobby="kitchen")
        with pytest.raises(RefusedError) as refused:
            await company.join("Cleo", lobby="attic")
        promised(
            "P9",
            refused.value.ending.reason is Reason.TOO_MANY_LOBBIES,
            f"refused with {refused.value.ending}",
        )
        await company.join("Cleo", lobby="garden")


@pytest.mark.promise("P9")
async def test_a_client_that_closes_in_the_handshake_is_nobodys_error() -> None:
    async with local_server() as server, Company(server.address) as company:
        client = company.client("Eve")
        stream, _, _ = await _challenged(client)
        await stream.call.done_writing()
        ending = await stream.hear_end()
        promised("contract", ending.code.name == "OK", f"it ended with {ending}")


@pytest.mark.promise("P9", "P6")
@pytest.mark.parametrize("says", ["leave", "garbage"])
async def test_a_hasty_client_that_speaks_before_it_hears_the_welcome_is_ended_all_the_same(
    says: str,
) -> None:
    """A stream may have to end while its very first write is under way: test_grpc_facts.py tells what is wrong with that."""
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        bob = await company.client("Bob", options=TINY_WINDOW).join()
        await ann.sees_online(bob)
        stream = await bob.dial()
        await bob.say(hello=bob.hello(bob.resumption()))
        await stream.say_bytes(
            b"\xff" if says == "garbage" else PresenceRequest(leave=Leave()).SerializeToString()
        )
        # Nothing is read until the server has heard that.
        await (ann.sees_suspect if says == "garbage" else ann.sees_gone)(bob)
        ending = await stream.hear_end()
        reason = Reason.MALFORMED_REQUEST if says == "garbage" else None
        promised("P9", ending.reason is reason, f"it ended with {ending}")


@pytest.mark.promise("P9")
async def test_unproved_streams_are_limited_and_let_in_again_when_others_have_gone() -> None:
    async with local_server(Limits(unproved_streams=4)) as server, Company(server.address) as company:
        knocking = [company.client(f"knocking {number}") for number in range(4)]
        for client in knocking:
            await _challenged(client)
        with pytest.raises(RefusedError) as refused:
            await company.join("Ann")
        reason = refused.value.ending.reason
        promised("P9", reason is Reason.TOO_MANY_STREAMS, f"refused with {refused.value.ending}")
        stream, hello, challenge = await _challenged_again(knocking[0])
        await stream.say(PresenceRequest(proof=knocking[0].proof(hello, challenge)))
        answer = await stream.hear()
        promised("P9", answer is not None and answer.HasField("welcome"), f"not welcomed but {answer}")


async def _challenged_again(client: RawClient) -> tuple[RawStream, Hello, Challenge]:
    # Hanging up frees the place; that the server has noticed shows only by its letting somebody in.
    while True:
        await client.hang_up()
        stream = await client.dial()
        hello = client.hello()
        await client.say(hello=hello)
        answer = await stream.hear()
        if answer is not None:
            return stream, hello, answer.challenge


@pytest.mark.promise("P1")
async def test_without_authentication_any_key_is_believed() -> None:
    async with local_server(proves_keys=False) as server, Company(server.address) as company:
        client = company.client("Eve")
        stream, _, _ = await _challenged(client)
        await stream.say(PresenceRequest(proof=Proof()))
        answer = await stream.hear()
        promised("contract", answer is not None and answer.HasField("welcome"), f"not welcomed but {answer}")


@pytest.mark.promise("contract")
async def test_the_welcome_tells_what_the_server_goes_by() -> None:
    limits = Limits(heartbeat_seconds=1.5, lease_seconds=4.5, grace_seconds=2.5, payload_bytes=1000)
    async with local_server(limits) as server, Company(server.address) as company:
        welcome = (await company.join("Ann")).welcome
        times = (welcome.heartbeat_millis, welcome.lease_millis, welcome.grace_millis)
        promised("contract", times == (1500, 4500, 2500), f"it tells {times}")
        told = welcome.limits
        promised("contract", told.message_bytes == limits.message_bytes, f"it tells {told}")
        promised("contract", told.payload_bytes == 1000, f"it tells {told}")
        promised(
            "contract",
            (told.sends_per_second, told.send_burst, told.updates_per_second, told.update_burst)
            == (10, 20, 5, 10),
            f"it tells {told}",
        )
        lengths = (len(welcome.session_id), len(welcome.resume_token), welcome.generation, welcome.resumed)
        promised("contract", lengths == (16, 32, 1, False), f"it tells {lengths}")


@pytest.mark.promise("P1", "contract")
async def test_an_observer_looks_without_being_present_and_may_nothing_else() -> None:
    async with (
        local_server() as server,
        Company(server.address) as company,
        admin_of(server.address) as admin,
    ):
        ann = await company.join("Ann")
        observer = await company.join("Owl", observer=True)
        promised("contract", not observer.welcome.session_id, "an observer has a session")
        promised("contract", not observer.welcome.resume_token, "an observer has a token")
        promised("P1", observer.roster.names == ["Ann"], f"the observer sees {observer.roster.names}")
        bob = await company.join("Bob")
        await observer.sees_online(bob)
        await ann.sees_online(bob)
        promised("P1", ann.roster.names == ["Ann", "Bob"], f"the observer is seen: {ann.roster.names}")
        for request in (
            PresenceRequest(update_profile=UpdateProfile(request_id=101, profile=Profile(name="Owl"))),
            PresenceRequest(select=Select(request_id=102, public_key=ann.key)),
            PresenceRequest(send=Send(request_id=103, recipient=ann.key, payload=b"hoo")),
        ):
            await observer.stream.say(request)
        for request_id in (101, 102, 103):
            error = await observer.request_error(request_id)
            promised("contract", error.reason == Reason.OBSERVER, f"refused with {error.reason}")
        await ann.fence()
        promised("P8", not ann.deliveries(), "an observer has sent a message")
        await admin.agrees_with([ann, bob, observer])


@pytest.mark.promise("P9")
async def test_the_observers_of_a_lobby_are_limited() -> None:
    async with local_server(Limits(observers_per_lobby=2)) as server, Company(server.address) as company:
        owls = [await company.join(f"Owl {number}", observer=True) for number in range(2)]
        with pytest.raises(RefusedError) as refused:
            await company.join("Owl", observer=True)
        promised(
            "P9", refused.value.ending.reason is Reason.LOBBY_FULL, f"refused with {refused.value.ending}"
        )
        await company.join("Ann")
        await owls[0].leave()
        await company.join("Owl", observer=True)


@pytest.mark.promise("contract")
async def test_an_observer_proves_its_key_like_everybody() -> None:
    async with local_server() as server, Company(server.address) as company:
        eve = company.client("Eve", observer=True)
        stream, hello, challenge = await _challenged(eve)
        impostor = company.client("Eve")
        await stream.say(PresenceRequest(proof=impostor.proof(hello, challenge)))
        await _ends(stream, Reason.BAD_SIGNATURE)
