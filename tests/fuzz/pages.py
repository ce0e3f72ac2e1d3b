"""Pages of the AdminService, by tokens of any kind: refused by a reason, or a part of the list in its order (P9).

An input is who is in which lobby, and requests with any bytes. Turning the pages with the tokens that were given shows everybody once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NoReturn, cast

import grpc

from adsum.server.admin import AdminService
from adsum.server.history import Change, StoredLobby
from adsum.server.hub import Hub, OpenLobby
from adsum.server.lobby import Lobby
from adsum.server.service import Context as ServiceContext
from adsum.server.waves import Newcomers, Waves
from adsum.server.wire import LobbyCodec
from adsum.v1 import admin_pb2
from tests.fuzz.messages import vary_bytes
from tests.fuzz.source import Source
from tests.server.builders import EPOCH, LIMITS, member, run


class Refused(Exception):
    """The service has ended the call with a status."""


class Context:
    """What the service uses of gRPC's context."""

    async def abort(
        self, code: grpc.StatusCode, details: str, trailing_metadata: tuple[tuple[str, bytes], ...]
    ) -> NoReturn:
        assert code not in (grpc.StatusCode.OK, grpc.StatusCode.INTERNAL)
        assert details
        assert trailing_metadata
        raise Refused(code.name)


@dataclass(frozen=True, slots=True)
class Shelf:
    """What the service uses of the hub: lobbies that nobody changes."""

    places: dict[str, OpenLobby]

    @property
    def lobbies(self) -> Iterable[OpenLobby]:
        return self.places.values()

    def find(self, lobby: str) -> OpenLobby | None:
        return self.places.get(lobby)


CONTEXT = cast(ServiceContext, Context())


def target(data: bytes) -> None:
    """Ask for pages of the lobbies that the input describes."""
    source = Source(data)
    names = ["den", "attic", "roll-call"][: source.below(4)]
    service = AdminService(cast(Hub, Shelf({name: _place(name, source.below(12)) for name in names})))
    for ask in (service.list_lobbies, service.list_members):
        try:
            run(ask(source.blob(), CONTEXT))
        except Refused:
            continue
    size = 1 + source.below(5)
    assert [one.name for one in _lobbies(service, size)] == sorted(names)
    for name in names:
        keys = _members(service, name, size)
        assert keys == sorted(set(keys))
        assert len(keys) == len(service._hub.find(name).desk.lobby)  # type: ignore[union-attr]  # it was put there


def _lobbies(service: AdminService, size: int) -> Iterator[admin_pb2.Lobby]:
    token = ""
    while True:
        request = admin_pb2.ListLobbiesRequest(page_size=size, page_token=token)
        page = admin_pb2.ListLobbiesResponse.FromString(
            run(service.list_lobbies(request.SerializeToString(), CONTEXT))
        )
        assert len(page.lobbies) <= size
        yield from page.lobbies
        if not (token := page.next_page_token):
            return


def _members(service: AdminService, name: str, size: int) -> list[bytes]:
    token, keys = "", []
    while True:
        request = admin_pb2.ListMembersRequest(lobby=name, page_size=size, page_token=token)
        page = admin_pb2.ListMembersResponse.FromString(
            run(service.list_members(request.SerializeToString(), CONTEXT))
        )
        assert len(page.members) <= size
        keys += [one.public_key for one in page.members]
        if not (token := page.next_page_token):
            return keys


def _place(name: str, count: int) -> OpenLobby:
    from adsum.server.desk import Desk
    from adsum.server.liveness import OwnHealth
    from adsum.server.spread import Spread

    lobby = Lobby(StoredLobby(name, EPOCH, 0, ()))
    for revision in range(1, count + 1):
        one = member(f"{name} {revision}", revision, revision)
        lobby.apply(Change(name, EPOCH, revision, one.public_key, one.sessions[0].id, one), 0.0)
    desk, codec = Desk(lobby, LIMITS, OwnHealth(LIMITS), Spread(1), 0.0), LobbyCodec(lobby)
    return OpenLobby(desk, codec, Waves(desk, codec, {}, Newcomers()))


def mutate(data: bytes, chance: bytes) -> bytes:
    """Change a field of the requests."""
    source, head = Source(data), 4
    count = data[0] % 4 if data else 0
    head = 1 + count
    source.take(head)
    first, second, rest = source.blob(), source.blob(), source.rest()
    chances = Source(chance)
    if chances.flag():
        first = vary_bytes(first, admin_pb2.ListLobbiesRequest, chances)
    else:
        second = vary_bytes(second, admin_pb2.ListMembersRequest, chances)
    return data[:head] + _blob(first) + _blob(second) + rest


def _blob(content: bytes) -> bytes:
    return len(content[:65535]).to_bytes(2, "big") + content[:65535]


def seeds() -> Iterator[bytes]:
    """Ask for first pages, with sizes and tokens of some kinds."""
    for size, token in ((0, ""), (2, "den"), (1_000, "ff"), (1_001, "no"), (3, "00" * 32)):
        first = admin_pb2.ListLobbiesRequest(page_size=size, page_token=token).SerializeToString()
        second = admin_pb2.ListMembersRequest(
            lobby="den", page_size=size, page_token=token
        ).SerializeToString()
        yield bytes([3, 5, 0, 11]) + _blob(first) + _blob(second) + bytes([2])
