"""The server's own word on who is in a lobby: an ordinary generated client of AdminService."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adsum.v1.admin_pb2 import ListLobbiesRequest, ListMembersRequest, Lobby
from adsum.v1.admin_pb2_grpc import AdminServiceStub
from adsum.v1.member_pb2 import Member
from tests.integration.promises import promised
from tests.integration.raw_client import RawClient
from tests.integration.raw_stream import WAIT_SECONDS, open_channel


class Admin:
    """Ask a server what it holds."""

    def __init__(self, stub: AdminServiceStub) -> None:
        self.stub = stub

    async def lobby(self, name: str = "lobby") -> Lobby:
        """Find one lobby; an empty record if there is none."""
        answer = await self.stub.ListLobbies(ListLobbiesRequest(page_size=1000), timeout=WAIT_SECONDS)
        return next((lobby for lobby in answer.lobbies if lobby.name == name), Lobby(name=name))

    async def members(self, name: str = "lobby") -> dict[bytes, Member]:
        """List the members of a lobby, by key."""
        request = ListMembersRequest(lobby=name, page_size=1000)
        answer = await self.stub.ListMembers(request, timeout=WAIT_SECONDS)
        return {member.public_key: member for member in answer.members}

    async def agrees_with(self, clients: list[RawClient], name: str = "lobby") -> None:
        """Check that each client's list is the server's, record by record and by digest. Nothing may change meanwhile."""
        truth = await self.lobby(name)
        members = await self.members(name)
        for client in clients:
            await client.reaches(truth.revision)
            roster = client.roster
            missing = [member.profile.name for key, member in members.items() if key not in roster.members]
            ghosts = [member.profile.name for key, member in roster.members.items() if key not in members]
            promised(
                "P5", not missing and not ghosts, f"{client.name} misses {missing}, holds ghosts {ghosts}"
            )
            promised("P3", roster.members == members, f"{client.name} holds other records than the server")
            digests = {truth.digest, roster.digest, roster.recomputed_digest()}
            promised("P3", len(digests) == 1, f"{client.name} and the server have the digests {digests}")


@asynccontextmanager
async def admin_of(target: str) -> AsyncIterator[Admin]:
    """Connect to a server's AdminService."""
    channel = open_channel(target)
    try:
        yield Admin(AdminServiceStub(channel))
    finally:
        await channel.close()
