"""AdminService: what this node holds, for operators and stock gRPC tools. It reads and changes nothing."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import islice

import grpc

from adsum.contract.limits import LOBBY_PATTERN
from adsum.contract.reasons import Reason
from adsum.server.hub import Hub
from adsum.server.service import Context, refuse
from adsum.server.session import Fault
from adsum.server.wire import (
    MalformedRequestError,
    decode_list_lobbies,
    decode_list_members,
    decode_watch_lobby,
    encode_lobbies,
    encode_members,
)

SERVICE_NAME = "adsum.v1.AdminService"
DEFAULT_PAGE_SIZE = 100
LARGEST_PAGE_SIZE = 1000


class AdminService:
    """Serve `adsum.v1.AdminService` from a hub. Page tokens are the last name or key of the page before."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def handler(self) -> grpc.GenericRpcHandler:
        """Make the handler to be added to a server."""
        return grpc.method_handlers_generic_handler(
            SERVICE_NAME,
            {
                "ListLobbies": grpc.unary_unary_rpc_method_handler(self.list_lobbies),
                "ListMembers": grpc.unary_unary_rpc_method_handler(self.list_members),
                "WatchLobby": grpc.unary_stream_rpc_method_handler(self.watch_lobby),
            },
        )

    async def list_lobbies(self, content: bytes, context: Context) -> bytes:
        """List the open lobbies, by name."""
        try:
            page_size, token = decode_list_lobbies(content)
        except MalformedRequestError as error:
            await refuse(context, Fault(Reason.MALFORMED_REQUEST, str(error)))
        size = await _page_size(page_size, context)
        desks = sorted((place.desk for place in self._hub.lobbies), key=lambda desk: desk.lobby.name)
        page = list(islice((desk for desk in desks if desk.lobby.name > token), size + 1))
        more = len(page) > size
        return encode_lobbies(
            ((desk.lobby, desk.stream_count) for desk in page[:size]),
            page[size - 1].lobby.name if more else "",
        )

    async def list_members(self, content: bytes, context: Context) -> bytes:
        """List the members of one lobby, by key."""
        try:
            name, page_size, token = decode_list_members(content)
            after = bytes.fromhex(token)
        except MalformedRequestError as error:
            await refuse(context, Fault(Reason.MALFORMED_REQUEST, str(error)))
        except ValueError:
            await refuse(context, Fault(Reason.BAD_PAGE, "the page token is not one of ours"))
        size = await _page_size(page_size, context)
        place = self._hub.find(name)
        if place is None:
            await refuse(context, Fault(Reason.LOBBY_NOT_FOUND, ""))
        lobby = place.desk.lobby
        members = sorted(
            (member for member in lobby if member.public_key > after), key=lambda one: one.public_key
        )
        more = len(members) > size
        token = members[size - 1].public_key.hex() if more else ""
        return encode_members(members[:size], token, lobby.revision)

    async def watch_lobby(self, content: bytes, context: Context) -> AsyncIterator[bytes]:
        """Watch one lobby: a snapshot, then deltas."""
        try:
            name = decode_watch_lobby(content)
        except MalformedRequestError as error:
            await refuse(context, Fault(Reason.MALFORMED_REQUEST, str(error)))
        if LOBBY_PATTERN.fullmatch(name) is None:
            await refuse(context, Fault(Reason.BAD_LOBBY, ""))
        try:
            async with aclosing(self._hub.watch(name)) as responses:
                async for response in responses:
                    yield response
        except LookupError as error:
            await refuse(context, Fault(error.args[0], ""))
        await refuse(context, Fault(Reason.DRAINING, ""))


async def _page_size(asked: int, context: Context) -> int:
    if asked > LARGEST_PAGE_SIZE:
        await refuse(context, Fault(Reason.BAD_PAGE, f"a page has at most {LARGEST_PAGE_SIZE} entries"))
    return asked or DEFAULT_PAGE_SIZE
