"""Rubbish for AdminService and for what stands beside it: any bytes, mutated requests, page tokens of one's own."""

import asyncio
from collections.abc import Callable
from random import Random

from google.protobuf.message import DecodeError, Message

from adsum.contract.limits import LOBBY_PATTERN
from adsum.v1.admin_pb2 import (
    ListLobbiesRequest,
    ListLobbiesResponse,
    ListMembersRequest,
    ListMembersResponse,
    WatchLobbyRequest,
    WatchLobbyResponse,
)
from tests.abuse import mutations
from tests.abuse.attack import Attack, Ground
from tests.abuse.bending import bend
from tests.abuse.nasty_texts import TEXTS
from tests.abuse.oracle import faults_of_ending, word_of_ending
from tests.abuse.people import LOBBY
from tests.abuse.wire import Stream, Wire

INPUTS = 2_400
NEIGHBOURING_INPUTS = 300
WORKERS = 4
LARGEST_PAGE = 1_000
_SERVICE = "/adsum.v1.AdminService/"
_NEIGHBOURING = (
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)
_REQUESTS: dict[str, Callable[[], ListLobbiesRequest | ListMembersRequest | WatchLobbyRequest]] = {
    "ListLobbies": ListLobbiesRequest,
    "ListMembers": ListMembersRequest,
    "WatchLobby": WatchLobbyRequest,
}
_RESPONSES: dict[str, type[Message]] = {
    "ListLobbies": ListLobbiesResponse,
    "ListMembers": ListMembersResponse,
    "WatchLobby": WatchLobbyResponse,
}
_GOOD = "a good answer"


async def _run(ground: Ground) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(WORKERS):
            random = Random(ground.random.getrandbits(64))
            tasks.create_task(_work(ground, random, ground.amount(INPUTS // WORKERS)))
    await _neighbouring(ground, ground.random)


async def _work(ground: Ground, random: Random, amount: int) -> None:
    wire = await ground.dial(address=ground.server.admin_address)
    for number in range(amount):
        if number % 100 == 99:
            wire.close()
            wire = await ground.dial(address=ground.server.admin_address)
        method, content = make_input(random)
        stream = _call(wire, _SERVICE + method, content)
        await stream.heard(1)
        answer = _word(method, stream)
        ground.tally.judge(answer, allowed(method, content), method, content)
        if stream.ending is not None:
            for fault in faults_of_ending(stream.ending):
                ground.tally.blame(f"{fault} ({method})", content)
        else:
            stream.reset()


def make_input(random: Random) -> tuple[str, bytes]:
    """Draw a method and what to ask of it."""
    method = random.choice(tuple(_RESPONSES))
    makers: dict[str, Callable[[], Message]] = {
        "ListLobbies": lambda: ListLobbiesRequest(
            page_size=random.choice((0, 1, 1000)), page_token=_token(random)
        ),
        "ListMembers": lambda: ListMembersRequest(lobby=LOBBY, page_size=3, page_token=_token(random)),
        "WatchLobby": lambda: WatchLobbyRequest(lobby=LOBBY),
    }
    message = makers[method]()
    if random.random() < 0.6:
        message = bend(random, message)
    content = message.SerializeToString()[: mutations.LARGEST_BYTES]
    return method, mutations.mutate(random, content) if random.random() < 0.5 else content


def _token(random: Random) -> str:
    """Make a page token: a right one, one that was bent, or a text from the list."""
    right = random.randbytes(32).hex()
    return random.choice(
        ("", right, right[:-1], right.upper(), " " + right, right + "zz", random.choice(TEXTS)[:500])
    )


def allowed(method: str, content: bytes) -> frozenset[str]:
    """Tell the answers of which one may come."""
    request = _REQUESTS[method]()
    try:
        request.ParseFromString(content)
    except DecodeError:
        return frozenset({"end:MALFORMED_REQUEST"})
    words = set()
    if isinstance(request, WatchLobbyRequest):
        is_name = LOBBY_PATTERN.fullmatch(request.lobby) is not None
        return frozenset({_GOOD if is_name else "end:BAD_LOBBY"})
    if request.page_size > LARGEST_PAGE:
        words.add("end:BAD_PAGE")
    if isinstance(request, ListMembersRequest):
        if request.lobby != LOBBY:
            # Attacks on names may leave a lobby open for a moment.
            words |= {"end:LOBBY_NOT_FOUND"}
        if not _is_hex(request.page_token):
            words.add("end:BAD_PAGE")
    return frozenset(words or {_GOOD})


def _is_hex(token: str) -> bool:
    try:
        return token == "" or len(bytes.fromhex(token)) >= 0
    except ValueError:
        return False


def _word(method: str, stream: Stream) -> str:
    if stream.contents:
        try:
            _RESPONSES[method].FromString(stream.contents[0])
        except DecodeError:
            return "an answer that can't be read"
        return _GOOD
    return word_of_ending(stream.ending) if stream.ending is not None else "silence"


def _call(wire: Wire, path: str, content: bytes) -> Stream:
    stream = wire.open(path)
    stream.say(content)
    stream.end_requests()
    return stream


async def _neighbouring(ground: Ground, random: Random) -> None:
    """Rubbish for health and reflection, on both listeners. They are gRPC's own: what counts is that nobody else suffers."""
    for address in (ground.address, ground.server.admin_address):
        wire = await ground.dial(address=address)
        for number in range(ground.amount(NEIGHBOURING_INPUTS) // 2):
            if number % 50 == 49:
                wire.close()
                wire = await ground.dial(address=address)
            content = mutations.mutate(random, random.choice((b"", b"\n\x05lobby", b":\x01*")))
            stream = _call(wire, random.choice(_NEIGHBOURING), content)
            await stream.heard(1)
            ground.tally.count("health and reflection")
            if stream.ending is None:
                stream.reset()
        wire.close()


ATTACK = Attack(
    "admin",
    "P9",
    "any bytes and mutated requests for AdminService, page tokens of one's own, health and reflection",
    _run,
    minimum=INPUTS,
)
