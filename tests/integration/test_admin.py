"""Beside the stream: what operators and stock gRPC tools see, without signing anything."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.v1.admin_pb2 import ListLobbiesRequest, ListMembersRequest, WatchLobbyRequest, WatchLobbyResponse
from adsum.v1.admin_pb2_grpc import AdminServiceStub
from adsum.v1.member_pb2 import LIVENESS_SUSPECT, STATUS_AWAY
from tests.integration.admin_client import Admin, admin_of
from tests.integration.adsumd import running_adsumd
from tests.integration.company import Company
from tests.integration.local_server import local_server
from tests.integration.promises import promised
from tests.integration.raw_roster import RawRoster
from tests.integration.raw_stream import WAIT_SECONDS, open_channel
from tests.integration.refusal import Ending, ending_of_error

SERVICES = ("adsum.v1.LobbyService", "adsum.v1.AdminService")


async def _refusal(call: Awaitable[object]) -> Ending:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return ending_of_error(refused.value)


@pytest.mark.promise("contract", "0.7")
async def test_lobbies_are_listed_by_name_in_numbers() -> None:
    async with (
        local_server() as server,
        Company(server.address) as company,
        admin_of(server.address) as admin,
    ):
        answer = await admin.stub.ListLobbies(ListLobbiesRequest())
        promised("contract", not answer.lobbies, f"a server that serves nobody has {answer}")
        for lobby, names in {"garden": ["Ann", "Bob"], "attic": ["Cleo"]}.items():
            for name in names:
                await company.join(name, lobby=lobby)
        await company.join("Owl", lobby="garden", observer=True)
        ann, bob = company.clients[:2]
        await bob.cut()
        await ann.sees_suspect(bob)
        answer = await admin.stub.ListLobbies(ListLobbiesRequest())
        promised("contract", [one.name for one in answer.lobbies] == ["attic", "garden"], f"listed: {answer}")
        garden = answer.lobbies[1]
        numbers = (garden.member_count, garden.suspect_count, garden.stream_count)
        promised("contract", numbers == (2, 1, 2), f"(members, suspect, streams) of the garden: {numbers}")
        held = (ann.roster.epoch, ann.roster.revision, ann.roster.digest)
        promised("P3", (garden.epoch, garden.revision, garden.digest) == held, "it is another lobby's state")


@pytest.mark.promise("contract")
async def test_members_and_lobbies_come_in_pages_without_a_hole_or_a_repetition() -> None:
    async with (
        local_server() as server,
        Company(server.address) as company,
        admin_of(server.address) as admin,
    ):
        people = await company.join_all([f"member {number:02}" for number in range(7)])
        for number in range(5):
            await company.join("Ann", lobby=f"lobby-{number}")
        keys: list[bytes] = []
        sizes: list[int] = []
        token = ""
        while True:
            page = await admin.stub.ListMembers(
                ListMembersRequest(lobby="lobby", page_size=3, page_token=token)
            )
            keys += [member.public_key for member in page.members]
            sizes.append(len(page.members))
            promised("P3", page.revision == people[0].roster.revision, "a page is of another revision")
            if not (token := page.next_page_token):
                break
        promised("contract", sizes == [3, 3, 1], f"the pages have {sizes} members")
        promised("contract", keys == sorted(one.key for one in people), "not each member once, by key")
        names: list[str] = []
        while True:
            lobbies = await admin.stub.ListLobbies(ListLobbiesRequest(page_size=2, page_token=token))
            names += [lobby.name for lobby in lobbies.lobbies]
            if not (token := lobbies.next_page_token):
                break
        promised(
            "contract", names == ["lobby", *(f"lobby-{number}" for number in range(5))], f"listed: {names}"
        )


@pytest.mark.promise("contract")
async def test_what_admin_refuses_has_a_typed_reason() -> None:
    async with (
        local_server() as server,
        Company(server.address) as company,
        admin_of(server.address) as admin,
    ):
        await company.join("Ann")
        for call, reason in (
            (admin.stub.ListMembers(ListMembersRequest(lobby="nowhere")), Reason.LOBBY_NOT_FOUND),
            (admin.stub.ListMembers(ListMembersRequest(lobby="lobby", page_size=1001)), Reason.BAD_PAGE),
            (
                admin.stub.ListMembers(ListMembersRequest(lobby="lobby", page_token="no token")),
                Reason.BAD_PAGE,
            ),
            (admin.stub.ListLobbies(ListLobbiesRequest(page_size=1001)), Reason.BAD_PAGE),
        ):
            ending = await _refusal(call)
            promised("contract", ending.reason is reason, f"{reason.name} was expected, not {ending}")
        bad = admin.stub.WatchLobby(WatchLobbyRequest(lobby="NO/LOBBY"))
        ending = await _refusal(bad.read())
        promised("contract", ending.reason is Reason.BAD_LOBBY, f"watching a bad name ended with {ending}")


@pytest.mark.promise("contract")
@pytest.mark.parametrize("method", ["ListLobbies", "ListMembers", "WatchLobby"])
async def test_garbage_is_no_admin_request(method: str) -> None:
    async with local_server() as server, open_channel(server.address) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            f"/adsum.v1.AdminService/{method}"
        )
        ending = await _refusal(call(b"\xff\xff\xff", timeout=WAIT_SECONDS))
        promised("contract", ending.reason is Reason.MALFORMED_REQUEST, f"it ended with {ending}")


class Watch:
    """Watch a lobby through AdminService, and keep the list by the rules of the presence stream."""

    def __init__(self, admin: Admin, lobby: str) -> None:
        self.roster = RawRoster()
        self._call = admin.stub.WatchLobby(WatchLobbyRequest(lobby=lobby))

    async def until(self, what: str, reached: Callable[[], object]) -> None:
        """Read until something is true."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not reached():
                    answer = await self._call.read()
                    if not isinstance(answer, WatchLobbyResponse):
                        raise AssertionError(f"the watch ended before {what}")
                    if answer.HasField("snapshot"):
                        self.roster.take_snapshot(answer.snapshot)
                    else:
                        self.roster.take_delta(answer.delta)
        except TimeoutError:
            raise AssertionError(f"the watch didn't show {what}: {self.roster.names}") from None

    async def is_complete(self) -> None:
        """Read until the whole lobby has come."""
        await self.until("the lobby", lambda: self.roster.is_complete)

    def close(self) -> None:
        """Stop."""
        self._call.cancel()


@pytest.mark.promise("P1", "P2", "P3", "contract")
async def test_a_lobby_is_watched_by_the_rules_of_the_stream_also_before_it_exists() -> None:
    async with (
        local_server() as server,
        Company(server.address) as company,
        admin_of(server.address) as admin,
    ):
        watch = Watch(admin, "lobby")
        await watch.is_complete()
        ann = await company.join("Ann")
        await watch.until("Ann", lambda: watch.roster.names == ["Ann"])
        await ann.update(status=STATUS_AWAY)
        await watch.until(
            "Ann being away", lambda: watch.roster.members[ann.key].profile.status == STATUS_AWAY
        )
        await ann.cut()
        await watch.until("Ann being suspect", lambda: watch.roster.is_suspect(ann.key))
        await ann.resume()
        promised("P1", ann.roster.names == ["Ann"], "the watcher is seen")
        await ann.leave()
        await watch.until("nobody", lambda: not watch.roster.members)
        watch.close()


@pytest.mark.promise("P9")
async def test_watchers_and_observers_of_a_lobby_are_limited() -> None:
    async with (
        local_server(Limits(observers_per_lobby=2)) as server,
        admin_of(server.address) as admin,
    ):
        watches = [Watch(admin, "lobby") for _ in range(2)]
        for watch in watches:
            await watch.is_complete()
        ending = await _refusal(admin.stub.WatchLobby(WatchLobbyRequest(lobby="lobby")).read())
        promised("P9", ending.reason is Reason.LOBBY_FULL, f"one too many ended with {ending}")
        for watch in watches:
            watch.close()


@pytest.mark.promise("0.7", "P5")
async def test_the_list_that_is_asked_for_shows_a_lost_connection_as_suspect() -> None:
    async with (
        local_server() as server,
        Company(server.address) as company,
        admin_of(server.address) as admin,
    ):
        ann, bob = await company.join_all(["Ann", "Bob"])
        await bob.cut()
        await ann.sees_suspect(bob)
        members = await admin.members()
        promised("P5", members[bob.key].liveness == LIVENESS_SUSPECT, "the server's own list says online")
        await admin.agrees_with([ann])


class Health:
    """Ask the stock health service, by its stock client."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        stub = HealthStub(channel)
        # The stubs don't know what the constructor makes.
        self.check: grpc.aio.UnaryUnaryMultiCallable[HealthCheckRequest, HealthCheckResponse] = stub.Check  # type: ignore[attr-defined]
        self.watch: grpc.aio.UnaryStreamMultiCallable[HealthCheckRequest, HealthCheckResponse] = stub.Watch  # type: ignore[attr-defined]


@asynccontextmanager
async def _health(target: str) -> AsyncIterator[Health]:
    async with open_channel(target) as channel:
        yield Health(channel)


@pytest.mark.promise("contract", "P10")
async def test_both_listeners_answer_stock_health_and_reflection_clients(tmp_path: Path) -> None:
    async with (
        running_adsumd(tmp_path, "--drain-seconds", "30") as daemon,
        Company(daemon.address) as company,
    ):
        for target, service in zip((daemon.address, daemon.admin_address), SERVICES, strict=True):
            async with _health(target) as health:
                for name in ("", service):
                    answer = await health.check(HealthCheckRequest(service=name), timeout=WAIT_SECONDS)
                    promised(
                        "contract", answer.status == HealthCheckResponse.SERVING, f"{name!r} is {answer}"
                    )
            names, methods = await asyncio.to_thread(_reflect, target, service)
            promised("contract", {service, "grpc.health.v1.Health"} <= names, f"reflection lists {names}")
            promised("contract", methods, f"reflection doesn't know what {service} can do")
        # Each listener serves its own service only.
        async with open_channel(daemon.address) as channel:
            wrong = AdminServiceStub(channel).ListLobbies(ListLobbiesRequest(), timeout=WAIT_SECONDS)
            ending = await _refusal(wrong)
            promised("contract", ending.code is grpc.StatusCode.UNIMPLEMENTED, f"it ended with {ending}")
        # While it drains it says so, to whoever watches health too.
        ann = await company.join("Ann")
        async with _health(daemon.address) as health:
            watch = health.watch(HealthCheckRequest(service=SERVICES[0]))
            first = await watch.read()
            daemon.terminate()
            second = await watch.read()
            statuses = [one.status for one in (first, second) if isinstance(one, HealthCheckResponse)]
            expected = [HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING]
            promised("P10", statuses == expected, f"health said {statuses}")
            watch.cancel()
        await ann.cut()
        promised("P10", await daemon.ended() == 0, "the exit code of a stop is not 0")


@pytest.mark.promise("contract")
async def test_rubbish_for_health_and_reflection_is_refused_with_a_reason(tmp_path: Path) -> None:
    # The server's log must be without a traceback: the end of `running_adsumd` looks.
    async with running_adsumd(tmp_path) as daemon, open_channel(daemon.address) as channel:
        health = "/grpc.health.v1.Health/"
        check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(health + "Check")
        watch: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(health + "Watch")
        info: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        )
        for call in (check(b"\xff"), watch(b"\xff").read(), info(iter([b"\xff"])).read()):
            ending = await _refusal(call)
            promised("contract", ending.reason is Reason.MALFORMED_REQUEST, f"it ended with {ending}")


def _reflect(target: str, service: str) -> tuple[set[str], list[str]]:
    with grpc.insecure_channel(target) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        names = set(database.get_services())
        file = database.FindFileContainingSymbol(service)
        return names, [method.name for one in file.service for method in one.method]
