"""Whatever is too large or isn't what it claims to be is refused by name, and costs nobody else anything."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import grpc
import pytest

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.server.hub import Hub
from adsum.v1.member_pb2 import STATUS_AVAILABLE, Profile
from adsum.v1.presence_pb2 import SEND_OUTCOME_TOO_LARGE, PresenceRequest, Select, Send, UpdateProfile
from tests.integration.company import Company
from tests.integration.local_server import local_server
from tests.integration.promises import promised
from tests.integration.raw_client import RefusedError

WIDE = "\u754c"
"""Two columns in one code point."""

LARGEST: dict[str, Profile] = {
    "name of 32 columns": Profile(name=WIDE * 16),
    "name of 64 code points": Profile(name=("q" + "\u0323") * 32),
    "status text of 140": Profile(name="Ann", status_text="x" * 140),
    "attributes of 1 KiB": Profile(name="Ann", attributes={"k": "x" * 1023}),
}
TOO_LARGE: dict[str, tuple[Profile, Reason]] = {
    "name of 33 columns": (Profile(name="x" * 33), Reason.BAD_NAME),
    "name of 34 columns in 17": (Profile(name=WIDE * 17), Reason.BAD_NAME),
    "name of 65 code points": (Profile(name=("q" + "\u0323") * 32 + "\u0323"), Reason.BAD_NAME),
    "name of 60 KiB": (Profile(name="x" * 60 * 1024), Reason.BAD_NAME),
    "name of marks": (Profile(name="x" + "\u0323" * 4), Reason.BAD_NAME),
    "status text of 141": (Profile(name="Ann", status_text="x" * 141), Reason.BAD_STATUS_TEXT),
    "attributes of 1 KiB and a byte": (
        Profile(name="Ann", attributes={"k": "x" * 1024}),
        Reason.BAD_ATTRIBUTES,
    ),
    "attributes in many": (
        Profile(name="Ann", attributes={f"{number:03}": "\u00e9" for number in range(205)}),
        Reason.BAD_ATTRIBUTES,
    ),
}


@pytest.mark.promise("P9", "contract")
@pytest.mark.parametrize("profile", LARGEST.values(), ids=LARGEST)
async def test_what_is_just_small_enough_is_taken_and_shown_whole(profile: Profile) -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        bob = await company.join("Bob")
        client = company.client("Cleo")
        client.profile = Profile(name=profile.name, status=STATUS_AVAILABLE, status_text=profile.status_text)
        client.profile.attributes.update(profile.attributes)
        await client.join()
        await ann.sees_online(client)
        promised("P3", ann.roster.members[client.key].profile == client.profile, "the profile isn't whole")
        await bob.say(update_profile=UpdateProfile(request_id=bob.next_id(), profile=client.profile))
        await ann.until("P3", "Bob's update", lambda: ann.roster.members[bob.key].profile == client.profile)


@pytest.mark.promise("P9", "contract")
@pytest.mark.parametrize(("profile", "reason"), TOO_LARGE.values(), ids=TOO_LARGE)
async def test_a_profile_that_is_too_large_is_refused_in_hello_and_in_an_update(
    profile: Profile, reason: Reason
) -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        client = company.client("Eve")
        stream = await client.dial()
        hello = client.hello()
        hello.profile.CopyFrom(profile)
        await stream.say(PresenceRequest(hello=hello))
        ending = await stream.hear_end()
        promised("contract", ending.reason is reason, f"hello ended with {ending}")
        request_id = ann.next_id()
        await ann.say(update_profile=UpdateProfile(request_id=request_id, profile=profile))
        error = await ann.request_error(request_id)
        promised("contract", error.reason == reason, f"the update was refused with {error}")
        promised("P9", len(error.message) < 1000, "the refusal repeats what was too large")
        promised("P3", ann.roster.members[ann.key].profile.name == "Ann", "a refused update was taken")


@pytest.mark.promise("contract")
async def test_a_lobby_name_may_have_64_characters_and_no_more() -> None:
    async with local_server() as server, Company(server.address) as company:
        await company.join("Ann", lobby="x" * 64)
        client = company.client("Ann", lobby="x" * 65)
        stream = await client.dial()
        await client.say(hello=client.hello())
        ending = await stream.hear_end()
        promised("contract", ending.reason is Reason.BAD_LOBBY, f"it ended with {ending}")


@pytest.mark.promise("P9", "0.7")
@pytest.mark.parametrize("when", ["first", "live"])
async def test_a_message_beyond_the_limit_ends_only_that_stream(when: str) -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, eve = await company.join_all(["Ann", "Eve"])
        huge = PresenceRequest(send=Send(request_id=1, recipient=ann.key, payload=b"x" * 70_000))
        if when == "first":
            stream = await company.client("Mallory").dial()
            await stream.say(huge)
            ending = await stream.hear_end()
        else:
            await eve.stream.say(huge)
            ending = await eve.end()
            await ann.sees_suspect(eve)
        # gRPC refuses it before we see it, so there is no ErrorInfo.
        promised("P9", ending.code is grpc.StatusCode.RESOURCE_EXHAUSTED, f"it ended with {ending}")
        await ann.fence()
        promised("P8", not ann.deliveries(), "the huge message was delivered")


@pytest.mark.promise("P9", "contract")
async def test_a_send_and_a_message_that_are_as_large_as_may_be_are_taken() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann, bob = await company.join_all(["Ann", "Bob"])
        await ann.delivery_of(bob, b"x" * 4096)
        # 60 KiB of payload is a message that may be read, and a payload that may not be sent.
        request_id = await ann.send(bob.key, b"x" * 60 * 1024)
        result = await ann.result(request_id)
        promised("P9", result.outcome == SEND_OUTCOME_TOO_LARGE, f"the outcome is {result.outcome}")


@pytest.mark.promise("P9", "contract")
@pytest.mark.parametrize("when", ["first", "in the handshake", "live"])
@pytest.mark.parametrize(
    "garbage",
    [b"\xff" * 100, b"GET / HTTP/1.1\r\n\r\n", b"\x0a\xff\xff\xff\xff\x0f", b"\x08\x96\x01\xff", bytes(1000)],
    ids=["ones", "http", "length", "cut", "zeros"],
)
async def test_bytes_that_are_no_request_end_only_that_stream_with_a_reason(
    garbage: bytes, when: str
) -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        if when == "live":
            eve = await company.join("Eve")
            await ann.sees_online(eve)
            await eve.stream.say_bytes(garbage)
            ending = await eve.end()
            await ann.sees_suspect(eve)
        else:
            eve = company.client("Eve")
            stream = await eve.dial()
            if when == "in the handshake":
                await eve.say(hello=eve.hello())
                await stream.hear()
            await stream.say_bytes(garbage)
            ending = await stream.hear_end()
        promised("contract", ending.reason is Reason.MALFORMED_REQUEST, f"it ended with {ending}")
        for word in ("Traceback", "Exception", "File "):
            promised(
                "contract", word not in ending.message, f"the server's insides are told: {ending.message}"
            )
        await ann.fence()


@pytest.mark.promise("P9")
async def test_a_name_that_is_not_utf8_is_no_request() -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        # update_profile { profile { name: "\xff\xfe" } }
        await ann.stream.say_bytes(b"\x1a\x06\x12\x04\x0a\x02\xff\xfe")
        ending = await ann.end()
        promised("contract", ending.reason is Reason.MALFORMED_REQUEST, f"it ended with {ending}")


@pytest.mark.promise("P9")
async def test_too_many_refused_requests_end_the_stream() -> None:
    async with local_server(Limits(errors_per_stream=5)) as server, Company(server.address) as company:
        ann, eve = await company.join_all(["Ann", "Eve"])
        for number in range(6):
            await eve.say(select=Select(request_id=number + 1, public_key=b"no key"))
        ending = await eve.end()
        promised("P9", ending.reason is Reason.TOO_MANY_ERRORS, f"it ended with {ending}")
        await ann.sees_suspect(eve)


def _select(number: int) -> PresenceRequest:
    return PresenceRequest(select=Select(request_id=number))


def _update(number: int) -> PresenceRequest:
    return PresenceRequest(update_profile=UpdateProfile(profile=Profile(name=f"Eve {number}")))


@pytest.mark.promise("P9")
@pytest.mark.parametrize("make", [_select, _update], ids=["select", "update"])
async def test_a_flood_of_requests_ends_the_stream_that_floods(
    make: Callable[[int], PresenceRequest],
) -> None:
    limits = Limits(requests_per_second=10, request_burst=50)
    async with local_server(limits) as server, Company(server.address) as company:
        ann, eve = await company.join_all(["Ann", "Eve"])
        # It is ended meanwhile, as it should be.
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            for number in range(1, 1000):
                await eve.stream.say(make(number))
        ending = await eve.end()
        promised("P9", ending.reason is Reason.TOO_MANY_REQUESTS, f"it ended with {ending}")
        await ann.sees_suspect(eve)


@pytest.mark.promise("contract", "P5")
@pytest.mark.parametrize("where", ["greet", "admit", "receive"])
async def test_a_mistake_of_the_server_is_a_typed_refusal_that_tells_nothing_of_its_insides(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with local_server() as server, Company(server.address) as company:
        ann = await company.join("Ann")
        eve = company.client("Eve")
        if where == "receive":
            await eve.join()
            await ann.sees_online(eve)

        async def fail(*_: object) -> None:
            raise RuntimeError("the secret is 42")

        monkeypatch.setattr(Hub, where, fail)
        if where == "receive":
            await eve.beat()
            ending = await eve.end()
        else:
            with pytest.raises(RefusedError) as refused:
                await eve.join()
            ending = refused.value.ending
        monkeypatch.undo()
        promised("contract", ending.reason is Reason.INTERNAL, f"it ended with {ending}")
        promised("contract", "42" not in ending.message, f"the server's insides are told: {ending.message}")
        if where == "receive":
            await ann.sees_suspect(eve)
        await ann.fence()
