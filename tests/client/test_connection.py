"""The library against a real gRPC server whose every word the test decides."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import TypeVar

import grpc
import grpc.aio
import pytest
import trustme

from adsum.client import (
    TLS,
    AdsumError,
    Closed,
    Connection,
    DepartureReason,
    Event,
    Identity,
    Joined,
    Left,
    Liveness,
    Lobby,
    MessageReceived,
    NotConnected,
    Overflowed,
    PayloadTooLarge,
    Phase,
    Reason,
    RecipientChanged,
    RecipientOffline,
    Refused,
    RepairCause,
    Repaired,
    RequestRefused,
    Selection,
    SelectionChanged,
    SelectionReason,
    SelectionState,
    SendOutcome,
    SessionReplaced,
    Settings,
    Snapshotted,
    StateChanged,
    Status,
    Suspect,
    Unavailable,
    Unconfirmed,
    Updated,
    connect,
)
from adsum.client.messages import (
    Challenge,
    Delivery,
    Draining,
    RequestError,
    Response,
    SelectionUpdate,
    SendResult,
)
from adsum.v1.presence_pb2 import Hello, PresenceRequest
from tests.client.model_lobby import ModelLobby, key_of
from tests.client.scripted_server import (
    EXPIRES,
    NONCE,
    PATIENCE_SECONDS,
    ScriptedServer,
    ScriptedStream,
    a_welcome,
)

ANN = Identity.from_seed(b"a" * 32)
BOB = key_of("Bob")
FAST = Settings(
    first_backoff_seconds=0.01, max_backoff_seconds=0.05, resumable_backoff_seconds=0.05, leave_seconds=5.0
)
SENT_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_T = TypeVar("_T")
_E = TypeVar("_E", bound=Event)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
def model() -> ModelLobby:
    lobby = ModelLobby("Bob", "Carol")
    lobby.join(ANN.public_key, "Ann")
    return lobby


def connection(
    server: ScriptedServer, settings: Settings = FAST, *, tls: TLS | None = None, observer: bool = False
) -> Connection:
    """Prepare to connect as Ann, impatiently."""
    return connect(
        server.target,
        lobby="lounge",
        identity=ANN,
        name="Ann",
        settings=settings,
        tls=tls,
        observer=observer,
    )


async def soon(happening: Awaitable[_T]) -> _T:
    """Wait for what must happen."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await happening


async def until(lobby: Lobby, kind: type[_E], holds: Callable[[_E], bool] = lambda _: True) -> _E:
    """Read events until one of this kind, of which that holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for event in lobby:
            if isinstance(event, kind) and holds(event):
                return event
    raise AssertionError(f"the events ended without {kind.__name__}")


async def until_phase(lobby: Lobby, phase: Phase) -> StateChanged:
    return await until(lobby, StateChanged, lambda event: event.state.phase is phase)


def in_background(happening: Awaitable[_T]) -> "asyncio.Task[_T]":
    async def wait() -> _T:
        return await happening

    return asyncio.create_task(wait())


def our_tasks() -> list[str]:
    """Name the library's tasks that are there; gRPC's own may live a moment longer."""
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("adsum ")]


class Guest:
    """A client that is let in: `async with` gives the lobby and the stream that carries it."""

    def __init__(
        self,
        server: ScriptedServer,
        model: ModelLobby,
        settings: Settings = FAST,
        *,
        tls: TLS | None = None,
        observer: bool = False,
        **welcome: int,
    ) -> None:
        session = b"" if observer else b"session-1"
        self._admitted = in_background(server.admit(model, session=session, **welcome))
        self._connection = connection(server, settings, tls=tls, observer=observer)

    async def __aenter__(self) -> tuple[Lobby, ScriptedStream]:
        lobby = await soon(self._connection.__aenter__())
        return lobby, await self._admitted

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await soon(self._connection.__aexit__(kind, error, traceback))


# The first connection


async def test_connecting_gives_the_whole_list(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, _):
        assert dict(lobby.roster) == model.members
        assert [member.name for member in lobby.roster.values()] == ["Ann", "Bob", "Carol"]
        assert (lobby.epoch, lobby.revision, lobby.digest) == (model.epoch, model.revision, model.digest)
        assert lobby.is_proved
        assert lobby.me == model.members[ANN.public_key]
        assert lobby.state.phase is Phase.LIVE
        assert lobby.name == "lounge"
        first = await until(lobby, Snapshotted)
        assert first.members == tuple(lobby.roster.values())


async def test_hello_says_who_and_where(server: ScriptedServer, model: ModelLobby) -> None:
    async def script() -> Hello:
        return await (await server.accept()).admit(model)

    admitted = in_background(script())
    async with connection(server):
        hello = await admitted
    assert (hello.lobby, hello.public_key, hello.audience) == ("lounge", ANN.public_key, "127.0.0.1")
    assert len(hello.client_nonce) == 32
    assert hello.profile.name == "Ann"
    assert not hello.HasField("resume")
    assert not hello.observer


async def test_list_in_chunks_is_shown_whole(server: ScriptedServer, model: ModelLobby) -> None:
    async def script() -> None:
        stream = await server.accept()
        await stream.challenge()
        await stream.say(a_welcome(), *model.snapshot(chunk_members=1))
        beat = (await stream.expect("heartbeat")).heartbeat
        assert (beat.epoch, beat.revision, beat.digest) == (model.epoch, model.revision, model.digest)

    scripted = in_background(script())
    async with connection(server) as lobby:
        await scripted
        assert dict(lobby.roster) == model.members


async def test_nothing_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{bound.getsockname()[1]}"
        settings = replace(FAST, first_connect_seconds=0.3)
        with pytest.raises(
            Unavailable, match=f"no Adsum server answers at {target} \\(connection refused\\)"
        ):
            async with connect(target, lobby="lounge", identity=ANN, settings=settings):
                pytest.fail("nobody is there")


async def test_server_that_swallows_everything_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hole:
        target = f"127.0.0.1:{hole.getsockname()[1]}"
        settings = replace(FAST, connect_seconds=0.1, first_connect_seconds=0.3)
        with pytest.raises(Unavailable, match=r"no answer"):
            async with asyncio.timeout(PATIENCE_SECONDS):
                async with connect(target, lobby="lounge", identity=ANN, settings=settings):
                    pytest.fail("nobody answers")


async def test_slow_road_is_no_obstacle(server: ScriptedServer, model: ModelLobby) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The first word takes longer than any delay of ours, as over a satellite.
        first = await reader.read(65536)
        await asyncio.sleep(0.5)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", server.port)
        far_writer.write(first)
        async with asyncio.TaskGroup() as group:
            group.create_task(pour(reader, far_writer))
            group.create_task(pour(far_reader, writer))

    admitted = in_background(server.admit(model))
    async with await asyncio.start_server(relay, "127.0.0.1", 0) as road:
        target = f"127.0.0.1:{road.sockets[0].getsockname()[1]}"
        async with connect(target, lobby="lounge", identity=ANN, settings=FAST) as lobby:
            await admitted
            assert lobby.state.is_live
            assert server.accepted == 1


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def test_silent_handshake_is_tried_again(server: ScriptedServer, model: ModelLobby) -> None:
    async def script() -> None:
        await (await server.accept()).expect("hello")
        await server.admit(model)

    scripted = in_background(script())
    async with connection(server, settings=replace(FAST, connect_seconds=0.2)) as lobby:
        await scripted
        assert lobby.state.is_live


async def test_server_that_is_no_adsum_server() -> None:
    other = grpc.aio.server()
    port = other.add_insecure_port("127.0.0.1:0")
    await other.start()
    try:
        with pytest.raises(Unavailable, match="is not an Adsum server"):
            async with connect(f"127.0.0.1:{port}", lobby="lounge", identity=ANN):
                pytest.fail("that is no Adsum server")
    finally:
        await other.stop(None)


@pytest.mark.parametrize("reason", [Reason.BAD_SIGNATURE, Reason.WRONG_AUDIENCE, Reason.BAD_NAME])
async def test_refusal_for_good_is_raised(server: ScriptedServer, reason: Reason) -> None:
    async def script() -> None:
        (await server.accept()).end(grpc.StatusCode.UNAUTHENTICATED, reason, details="because")

    scripted = in_background(script())
    with pytest.raises(Refused, match="because") as refused:
        async with connection(server):
            pytest.fail("nobody is let in")
    await scripted
    assert refused.value.reason is reason
    assert server.accepted == 1


async def test_refusal_for_now_is_tried_again(server: ScriptedServer, model: ModelLobby) -> None:
    async def script() -> None:
        (await server.accept()).end(grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.LOBBY_FULL)
        await server.admit(model)

    scripted = in_background(script())
    async with connection(server) as lobby:
        await scripted
        assert lobby.state.is_live


async def test_retry_info_is_the_least_delay(server: ScriptedServer, model: ModelLobby) -> None:
    loop = asyncio.get_running_loop()

    async def script() -> float:
        (await server.accept()).end(grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.LOBBY_FULL, retry_seconds=0.3)
        refused_at = loop.time()
        await server.admit(model)
        return loop.time() - refused_at

    scripted = in_background(script())
    async with connection(server):
        assert await scripted >= 0.3


async def test_refusal_that_lasts_is_unavailable_with_its_reason(server: ScriptedServer) -> None:
    async def script() -> None:
        while True:
            (await server.accept()).end(grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.LOBBY_FULL)

    scripted = in_background(script())
    with pytest.raises(Unavailable, match="the lobby is full") as unavailable:
        async with connection(server, settings=replace(FAST, first_connect_seconds=0.3)):
            pytest.fail("nobody is let in")
    scripted.cancel()
    assert unavailable.value.reason is Reason.LOBBY_FULL


async def test_cancelled_connecting_leaves_no_task() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hole:
        target = f"127.0.0.1:{hole.getsockname()[1]}"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                async with connect(target, lobby="lounge", identity=ANN, settings=FAST):
                    pytest.fail("nobody answers")
    assert our_tasks() == []


async def test_tls_is_verified(model: ModelLobby) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
    async with ScriptedServer(credentials=grpc.ssl_server_credentials([pair])) as server:
        async with Guest(server, model, tls=TLS(authority.cert_pem.bytes())) as (lobby, _):
            assert lobby.state.is_live
        stranger = TLS(trustme.CA().cert_pem.bytes())
        settings = replace(FAST, first_connect_seconds=0.3)
        with pytest.raises(Unavailable, match="certificate"):
            async with connection(server, tls=stranger, settings=settings):
                pytest.fail("the server is not trusted")


# Events and requests


async def test_changes_are_told_as_they_come(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        base = model.revision
        model.join(key_of("Dora"), "Dora")
        await stream.say(model.since(base))
        joined = await until(lobby, Joined)
        assert joined.member == lobby.roster[key_of("Dora")]
        base = model.revision
        model.become(BOB, Liveness.SUSPECT)
        model.leave(key_of("Carol"), DepartureReason.LOST)
        await stream.say(model.since(base))
        assert (await until(lobby, Suspect)).member.name == "Bob"
        left = await until(lobby, Left)
        assert (left.member.name, left.reason) == ("Carol", DepartureReason.LOST)
        assert dict(lobby.roster) == model.members


async def test_heartbeat_is_answered_at_once(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        await stream.say(model.heartbeat(nonce=77, round_trip_micros=1_500))
        beat = (await stream.expect("heartbeat")).heartbeat
        assert beat.echo == 77
        assert (beat.epoch, beat.revision, beat.digest) == (model.epoch, model.revision, model.digest)
        assert lobby.round_trip_seconds == 0.0015


async def test_selection_is_the_servers(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        selecting = in_background(lobby.select(lobby.roster[BOB]))
        request = (await stream.expect("select")).select
        assert request.public_key == BOB
        await stream.say(available(model, request.request_id))
        selection = await soon(selecting)
        assert selection == Selection(BOB, 1, SelectionState.AVAILABLE, SelectionReason.NONE)
        assert lobby.selection == selection
        told = await until(lobby, SelectionChanged)
        assert (told.public_key, told.member, told.was) == (BOB, model.members[BOB], None)
        clearing = in_background(lobby.select(None))
        request = (await stream.expect("select")).select
        assert not request.public_key
        update = SelectionUpdate(
            request.request_id, b"", 0, SelectionState.CLEARED, SelectionReason.BY_CLIENT, model.revision
        )
        await stream.say(update)
        assert (await soon(clearing)).state is SelectionState.CLEARED
        assert lobby.selection is None


async def test_selecting_somebody_absent_raises(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        selecting = in_background(lobby.select(key_of("Nobody")))
        request = (await stream.expect("select")).select
        state, reason = SelectionState.UNAVAILABLE, SelectionReason.NOT_PRESENT
        await stream.say(SelectionUpdate(request.request_id, request.public_key, 0, state, reason, 3))
        with pytest.raises(RecipientOffline, match="recipient went offline"):
            await soon(selecting)
        assert lobby.selection is None


async def test_unanswered_select_is_not_connected(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model, settings=replace(FAST, answer_seconds=0.05)) as (lobby, _):
        with pytest.raises(NotConnected, match=r"no answer within 0\.05 s"):
            await lobby.select(BOB)


async def test_message_is_delivered(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        sending = in_background(lobby.send(lobby.roster[BOB], "héllo"))
        request = (await stream.expect("send")).send
        assert (request.recipient, request.payload.decode(), request.incarnation) == (BOB, "héllo", 1)
        await stream.say(SendResult(request.request_id, SendOutcome.DELIVERED, model.revision))
        receipt = await soon(sending)
        assert (receipt.request_id, receipt.recipient) == (request.request_id, BOB)
        assert receipt.revision == model.revision
        assert receipt.round_trip_seconds > 0


async def test_messages_go_out_in_order_with_growing_ids(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        sending = [in_background(lobby.send(BOB, str(number))) for number in range(20)]
        requests = [(await stream.expect("send")).send for _ in range(20)]
        assert [request.payload for request in requests] == [str(number).encode() for number in range(20)]
        ids = [request.request_id for request in requests]
        assert ids == sorted(set(ids))
        assert ids[0] >= 1
        await stream.say(*(SendResult(number, SendOutcome.DELIVERED, 3) for number in reversed(ids)))
        assert [(await soon(task)).request_id for task in sending] == ids


async def test_outcome_is_raised_as_its_error(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        sending = in_background(lobby.send(BOB, b"x"))
        request = (await stream.expect("send")).send
        base = model.revision
        model.leave(BOB)
        result = SendResult(request.request_id, SendOutcome.RECIPIENT_OFFLINE, model.revision)
        await stream.say(model.since(base), result)
        with pytest.raises(RecipientOffline, match="recipient went offline") as raised:
            await soon(sending)
        assert BOB not in lobby.roster
        assert (raised.value.outcome, raised.value.revision) == (
            SendOutcome.RECIPIENT_OFFLINE,
            model.revision,
        )


async def test_too_large_a_message_is_not_sent(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, _):
        with pytest.raises(PayloadTooLarge):
            await lobby.send(BOB, b"x" * 4097)


async def test_cancelled_send_disturbs_nothing(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        cancelled = in_background(lobby.send(BOB, "one"))
        first = (await stream.expect("send")).send
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        sending = in_background(lobby.send(BOB, "two"))
        second = (await stream.expect("send")).send
        await stream.say(
            SendResult(first.request_id, SendOutcome.RECIPIENT_OFFLINE, 3),
            SendResult(second.request_id, SendOutcome.DELIVERED, 3),
        )
        assert (await soon(sending)).request_id == second.request_id


async def test_refused_request_goes_to_its_caller(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        sending = in_background(lobby.send(BOB, "x"))
        request = (await stream.expect("send")).send
        await stream.say(RequestError(request.request_id, Reason.BAD_RECIPIENT, "no such key"))
        with pytest.raises(Refused, match="no such key") as refused:
            await soon(sending)
        assert refused.value.reason is Reason.BAD_RECIPIENT
        assert lobby.state.is_live


async def test_delivery_is_acknowledged_and_shown_once(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        await stream.say(Delivery(9, BOB, 1, b"hi", SENT_AT))
        assert (await acknowledgement(stream)) == 9
        message = await until(lobby, MessageReceived)
        assert (message.text, message.sender_key, message.sent_at) == ("hi", BOB, SENT_AT)
        assert message.sender == model.members[BOB]
        stream.end()
        stream = await server.resume(model)
        await stream.say(Delivery(9, BOB, 1, b"hi", SENT_AT), Delivery(10, BOB, 1, b"ho", SENT_AT))
        assert (await acknowledgement(stream)) == 9
        assert (await acknowledgement(stream)) == 10
        assert (await until(lobby, MessageReceived)).delivery_id == 10


async def test_message_without_a_place_is_not_acknowledged(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model, settings=replace(FAST, inbox=2)) as (lobby, stream):
        await stream.say(*(Delivery(number, BOB, 1, b"hi", SENT_AT) for number in (1, 2, 3)))
        await stream.say(model.heartbeat(nonce=5))
        assert await acknowledgement(stream) == 1
        assert await acknowledgement(stream) == 2
        request = await stream.next()
        assert request is not None
        assert request.heartbeat.echo == 5
        await until(lobby, MessageReceived)
        await stream.say(Delivery(3, BOB, 1, b"hi", SENT_AT))
        assert await acknowledgement(stream) == 3


async def test_update_is_said_once(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        await lobby.update(status=Status.BUSY, status_text="in a call")
        await lobby.update(status=Status.BUSY)
        profile = (await stream.expect("update_profile")).update_profile.profile
        assert (profile.name, int(profile.status), profile.status_text) == ("Ann", 3, "in a call")
        sending = in_background(lobby.send(BOB, "x"))
        await stream.expect("send")
        sending.cancel()


async def test_refused_update_is_told_and_not_repeated(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        await lobby.update(name="Anna")
        update = (await stream.expect("update_profile")).update_profile
        await stream.say(RequestError(update.request_id, Reason.BAD_NAME, "no"))
        refused = await until(lobby, RequestRefused)
        assert (refused.request_id, refused.reason) == (update.request_id, Reason.BAD_NAME)
        stream.end()
        hello = await (await server.accept()).resume(model)
        assert hello.profile.name == "Ann"


async def test_resync_by_hand_is_told_when_it_is_done(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        await lobby.resync()
        assert lobby.state.phase is Phase.STALE
        await stream.expect("resync")
        await stream.say(*model.snapshot())
        assert (await until(lobby, Repaired)).cause is RepairCause.REQUESTED
        await until_phase(lobby, Phase.LIVE)


async def test_wrong_digest_is_repaired(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        base = model.revision
        model.join(key_of("Dora"), "Dora")
        model.join(key_of("Emil"), "Emil")
        delta = model.since(base)
        await stream.say(replace(delta, joined=delta.joined[:1]))
        assert (await stream.expect("resync")).resync.reason == 3
        assert not lobby.is_proved
        await stream.say(*model.snapshot())
        repaired = await until(lobby, Repaired)
        assert (repaired.cause, repaired.joined, repaired.left) == (RepairCause.DIGEST, 1, 0)
        assert dict(lobby.roster) == model.members
        assert lobby.is_proved


async def test_servers_trouble_is_told(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        await stream.say(model.heartbeat(degraded=True))
        await until_phase(lobby, Phase.DEGRADED)
        assert lobby.state.is_live
        await stream.say(model.heartbeat())
        await until_phase(lobby, Phase.LIVE)


async def test_application_that_does_not_read_is_told_so(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model, settings=replace(FAST, event_queue=10)) as (lobby, stream):
        for number in range(50):
            base = model.revision
            model.join(key_of(f"Guest {number}"), f"Guest {number}")
            await stream.say(model.since(base))
        await stream.say(model.heartbeat(nonce=3))
        await stream.expect("heartbeat")
        overflowed = await until(lobby, Overflowed)
        assert overflowed.dropped > 10
        assert dict(lobby.roster) == model.members


async def test_observer_looks_and_may_do_nothing(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model, observer=True) as (lobby, stream):
        with pytest.raises(Refused, match="only look"):
            await lobby.send(BOB, "x")
        with pytest.raises(Refused, match="only look"):
            await lobby.select(BOB)
        with pytest.raises(Refused, match="only look"):
            await lobby.update(name="x")
        stream.end()
        hello = await (await server.accept()).admit(model, session=b"")
        assert hello.observer
        assert not hello.HasField("resume")
        await until_phase(lobby, Phase.LIVE)


# The end


async def test_leaving_says_so_and_ends_the_events(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        await lobby.leave()
        assert stream.has_left
        phases = [event.state.phase async for event in lobby if isinstance(event, StateChanged)]
        assert phases == [Phase.LIVE, Phase.CLOSED]
        with pytest.raises(Closed):
            await lobby.send(BOB, "x")
        with pytest.raises(Closed):
            await lobby.update(name="x")
        await lobby.leave()


async def test_end_of_the_block_leaves(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (_, stream):
        assert len(our_tasks()) == 4
    assert stream.has_left
    assert our_tasks() == []


async def test_exception_in_the_block_is_raised_as_it_is(server: ScriptedServer, model: ModelLobby) -> None:
    admitted = in_background(server.admit(model))
    error = LookupError("mine")
    with pytest.raises(LookupError) as raised:
        async with connection(server):
            stream = await admitted
            raise error
    assert raised.value is error
    assert stream.has_left


async def test_cancelled_block_leaves(server: ScriptedServer, model: ModelLobby) -> None:
    entered = asyncio.Event()

    async def be_there() -> None:
        async with connection(server):
            entered.set()
            await asyncio.Event().wait()

    task = in_background(be_there())
    stream = await server.admit(model)
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert stream.has_left


async def test_leaving_is_bounded(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model, settings=replace(FAST, leave_seconds=0.1)) as (lobby, stream):
        # From now on the server is deaf.
        stream.close = lambda: None  # type: ignore[method-assign]
        await soon(lobby.leave())
        assert lobby.state.phase is Phase.CLOSED


async def test_leaving_while_reconnecting_returns_at_once(model: ModelLobby) -> None:
    async with ScriptedServer() as server:
        settings = replace(
            FAST, first_backoff_seconds=60, max_backoff_seconds=60, resumable_backoff_seconds=60
        )
        guest = Guest(server, model, settings=settings)
        lobby, _ = await guest.__aenter__()
    await until(lobby, StateChanged, lambda event: event.state.retry_at is not None)
    async with asyncio.timeout(1):
        await lobby.leave()
    await guest.__aexit__()


async def test_leaving_ends_what_is_pending(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model, settings=replace(FAST, leave_seconds=0.1)) as (lobby, stream):
        written = in_background(lobby.send(BOB, "written"))
        await stream.expect("send")
        stream.end(grpc.StatusCode.UNAVAILABLE)
        await until_phase(lobby, Phase.RECONNECTING)
        never_written = in_background(lobby.send(BOB, "never written"))
        await asyncio.sleep(0)
        await lobby.leave()
        with pytest.raises(Unconfirmed):
            await soon(written)
        with pytest.raises(Closed):
            await soon(never_written)


async def test_replaced_session_ends_it_for_good(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        selecting = in_background(lobby.select(BOB))
        await stream.expect("select")
        stream.end(grpc.StatusCode.ABORTED, Reason.SESSION_REPLACED)
        with pytest.raises(SessionReplaced):
            await soon(selecting)
        with pytest.raises(SessionReplaced):
            await until(lobby, Left)
        with pytest.raises(SessionReplaced):
            await lobby.send(BOB, "x")
        assert lobby.state.phase is Phase.CLOSED
        assert "another connection" in lobby.state.cause
    assert server.accepted == 1


async def test_end_that_nobody_saw_is_raised_at_the_end(server: ScriptedServer, model: ModelLobby) -> None:
    with pytest.raises(SessionReplaced):
        async with Guest(server, model) as (lobby, stream):
            stream.end(grpc.StatusCode.ABORTED, Reason.SESSION_REPLACED)
            await soon(stream.over.wait())
            async with asyncio.timeout(PATIENCE_SECONDS):
                while lobby.state.phase is not Phase.CLOSED:
                    await anext(lobby)


async def test_exception_in_the_block_wins_over_the_end(server: ScriptedServer, model: ModelLobby) -> None:
    with pytest.raises(LookupError):
        async with Guest(server, model) as (lobby, stream):
            stream.end(grpc.StatusCode.ABORTED, Reason.SESSION_REPLACED)
            await until_phase(lobby, Phase.CLOSED)
            raise LookupError


# Reconnecting


async def test_lost_stream_is_resumed(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        base, digest = model.revision, model.digest
        stream.end()
        model.join(key_of("Dora"), "Dora")
        hello = await (await server.accept()).resume(model)
        resume = hello.resume
        assert (resume.session_id, resume.token) == (b"session-1", b"token-1")
        assert (resume.epoch, resume.revision, resume.digest) == (model.epoch, base, digest)
        assert (await until(lobby, Joined)).member.name == "Dora"
        assert lobby.state.phase is Phase.LIVE
        assert dict(lobby.roster) == model.members


async def test_each_resume_uses_the_newest_token(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (_, stream):
        for generation in range(1, 6):
            stream.end()
            stream = await server.accept()
            hello = await stream.resume(model)
            assert hello.resume.token == f"token-{generation}".encode()


async def test_list_stays_visible_while_reconnecting(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        stream.end()
        waiting = await server.accept()
        await until_phase(lobby, Phase.RECONNECTING)
        assert dict(lobby.roster) == model.members
        assert not lobby.is_proved
        assert not lobby.state.is_live
        await waiting.resume(model)
        await until_phase(lobby, Phase.LIVE)


async def test_written_message_is_sent_again_after_a_resume(
    server: ScriptedServer, model: ModelLobby
) -> None:
    async with Guest(server, model) as (lobby, stream):
        sending = [in_background(lobby.send(BOB, text)) for text in ("one", "two")]
        first = [(await stream.expect("send")).send for _ in sending]
        stream.end()
        stream = await server.resume(model)
        again = [(await stream.expect("send")).send for _ in sending]
        assert again == first
        for request in again:
            await stream.say(SendResult(request.request_id, SendOutcome.DELIVERED, 3))
        assert [(await soon(task)).request_id for task in sending] == [send.request_id for send in first]


async def test_written_message_is_unconfirmed_in_a_new_session(
    server: ScriptedServer, model: ModelLobby
) -> None:
    async with Guest(server, model) as (lobby, stream):
        written = in_background(lobby.send(BOB, "one"))
        first = (await stream.expect("send")).send
        stream.end()
        waiting = await server.accept()
        await until_phase(lobby, Phase.RECONNECTING)
        unwritten = in_background(lobby.send(BOB, "two"))
        await waiting.admit(model, session=b"session-2", refusal=Reason.SESSION_UNKNOWN)
        with pytest.raises(Unconfirmed):
            await soon(written)
        second = (await waiting.expect("send")).send
        assert second.payload == b"two"
        assert second.request_id > first.request_id
        await waiting.say(SendResult(second.request_id, SendOutcome.DELIVERED, 3))
        await soon(unwritten)


async def test_restarted_server_does_not_look_like_everybody_left(
    server: ScriptedServer, model: ModelLobby
) -> None:
    async with Guest(server, model) as (lobby, stream):
        bob = lobby.roster[BOB]
        await until_phase(lobby, Phase.LIVE)
        stream.end()
        reborn = ModelLobby("Dora", "Bob", epoch=8)
        reborn.join(ANN.public_key, "Ann")
        stream = await server.accept()
        await stream.admit(reborn, session=b"session-2", refusal=Reason.SESSION_UNKNOWN)
        events: list[Event] = []
        while not (events and isinstance(events[-1], StateChanged) and events[-1].state.is_live):
            events.append(await soon(anext(lobby)))
        came_and_went = [
            (type(event), event.member.name) for event in events if isinstance(event, Joined | Left)
        ]
        assert came_and_went == [(Left, "Carol"), (Joined, "Dora")]
        assert not any(isinstance(event, Updated) for event in events)
        (repaired,) = (event for event in events if isinstance(event, Repaired))
        assert (repaired.cause, repaired.joined, repaired.left) == (RepairCause.EPOCH, 1, 1)
        # Who is known from before the restart is still who they were.
        sending = in_background(lobby.send(bob, "x"))
        request = (await stream.expect("send")).send
        assert request.incarnation == reborn.members[BOB].incarnation != bob.incarnation
        await stream.say(SendResult(request.request_id, SendOutcome.RECIPIENT_CHANGED, 3))
        with pytest.raises(RecipientChanged):
            await soon(sending)


async def test_selection_is_doubted_while_the_connection_is_lost(
    server: ScriptedServer, model: ModelLobby
) -> None:
    async with Guest(server, model) as (lobby, stream):
        await select_bob(lobby, stream, model)
        stream.end()
        waiting = await server.accept()
        doubted = await until(lobby, SelectionChanged, lambda event: event.was is SelectionState.AVAILABLE)
        assert (doubted.state, doubted.reason) == (SelectionState.UNAVAILABLE, SelectionReason.NOT_CONNECTED)
        assert lobby.selection is not None
        assert not lobby.selection.is_available
        await waiting.resume(model, available(model))
        back = await until(lobby, SelectionChanged)
        assert back.state is SelectionState.AVAILABLE
        assert lobby.selection.is_available


async def test_selection_that_the_server_does_not_confirm_after_a_resume_is_cleared(
    server: ScriptedServer, model: ModelLobby
) -> None:
    async with Guest(server, model) as (lobby, stream):
        await select_bob(lobby, stream, model)
        stream.end()
        await server.resume(model)
        cleared = await until(lobby, SelectionChanged, lambda event: event.state is SelectionState.CLEARED)
        assert cleared.public_key == BOB
        assert lobby.selection is None


async def test_selection_ends_with_its_session(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        await select_bob(lobby, stream, model)
        stream.end()
        stream = await server.accept()
        await stream.admit(model, session=b"session-2", refusal=Reason.SESSION_UNKNOWN)
        cleared = await until(lobby, SelectionChanged, lambda event: event.state is SelectionState.CLEARED)
        assert cleared.reason is SelectionReason.SESSION_LOST
        assert lobby.selection is None
        # Nothing is selected again by itself.
        sending = in_background(lobby.send(BOB, "x"))
        request = await stream.next()
        while request is not None and request.WhichOneof("request") == "heartbeat":
            request = await stream.next()
        assert request is not None
        assert request.WhichOneof("request") == "send"
        sending.cancel()


async def test_waiting_select_is_asked_on_the_next_stream(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        selecting = in_background(lobby.select(BOB))
        await stream.expect("select")
        stream.end()
        stream = await server.resume(model)
        request = (await stream.expect("select")).select
        await stream.say(available(model, request.request_id))
        assert (await soon(selecting)).is_available


async def test_update_between_two_attempts_goes_with_the_hello(model: ModelLobby) -> None:
    async with ScriptedServer() as server:
        guest = Guest(server, model)
        lobby, _ = await guest.__aenter__()
        port = server.port
    while lobby.state.retry_at is None:
        await soon(anext(lobby))
    await lobby.update(status_text="back soon")
    async with ScriptedServer(port) as server:
        stream = await server.accept()
        hello = await stream.resume(model)
        assert hello.profile.status_text == "back soon"
        sending = in_background(lobby.send(BOB, "x"))
        # It isn't said a second time.
        await stream.expect("send")
        sending.cancel()
        await guest.__aexit__()


async def test_update_after_the_hello_follows_the_welcome(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        stream.end()
        waiting = await server.accept()
        await until_phase(lobby, Phase.RECONNECTING)
        await lobby.update(status_text="back soon")
        hello = await waiting.resume(model)
        assert not hello.profile.status_text
        update = (await waiting.expect("update_profile")).update_profile
        assert update.profile.status_text == "back soon"


async def test_server_that_comes_back_is_found(model: ModelLobby) -> None:
    async with ScriptedServer() as server:
        guest = Guest(server, model)
        lobby, _ = await guest.__aenter__()
        port = server.port
    retry = await until(lobby, StateChanged, lambda event: event.state.retry_in_seconds is not None)
    assert retry.state.phase is Phase.RECONNECTING
    async with ScriptedServer(port) as server:
        await server.resume(model)
        await until_phase(lobby, Phase.LIVE)
        await soon(guest.__aexit__())


async def test_silent_server_is_left_for_another_connection(
    server: ScriptedServer, model: ModelLobby
) -> None:
    async with Guest(server, model, heartbeat_millis=100, lease_millis=400) as (lobby, stream):
        await until(lobby, StateChanged, lambda event: event.state.phase is Phase.STALE)
        assert not lobby.state.is_live
        lost = await until_phase(lobby, Phase.RECONNECTING)
        assert lost.state.cause == "nothing heard for 0.4 s"
        await server.resume(model)
        await until_phase(lobby, Phase.LIVE)
        await soon(stream.over.wait())
        assert not stream.has_left


async def test_draining_server_is_left_when_it_says(server: ScriptedServer, model: ModelLobby) -> None:
    loop = asyncio.get_running_loop()
    async with Guest(server, model) as (lobby, stream):
        asked_at = loop.time()
        await stream.say(Draining(deadline_millis=60_000, reconnect_delay_millis=300))
        # Until then everything goes on.
        sending = in_background(lobby.send(BOB, "x"))
        request = (await stream.expect("send")).send
        await stream.say(SendResult(request.request_id, SendOutcome.DELIVERED, 3))
        await soon(sending)
        assert lobby.state.is_live
        await server.resume(model)
        assert loop.time() - asked_at >= 0.3
        await soon(stream.over.wait())
        assert not stream.has_left
        await until(lobby, StateChanged, lambda event: event.state.cause == "the server is stopping")


async def test_draining_server_that_closes_early_is_given_its_time(
    server: ScriptedServer, model: ModelLobby
) -> None:
    loop = asyncio.get_running_loop()
    async with Guest(server, model) as (_, stream):
        asked_at = loop.time()
        await stream.say(Draining(deadline_millis=100, reconnect_delay_millis=300))
        stream.end(grpc.StatusCode.UNAVAILABLE, Reason.DRAINING)
        await server.resume(model)
        assert loop.time() - asked_at >= 0.3


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\xff\xff\xff",
        Challenge(NONCE, EXPIRES),
        a_welcome(),
        Delivery(1, b"short", 1, b"", SENT_AT),
    ],
    ids=["bytes", "challenge", "welcome", "key"],
)
async def test_nonsense_leads_to_another_connection(
    server: ScriptedServer, model: ModelLobby, nonsense: Response | bytes
) -> None:
    async with Guest(server, model) as (lobby, stream):
        await stream.say(nonsense)
        lost = await until_phase(lobby, Phase.RECONNECTING)
        assert lost.state.cause.startswith("the server sent ")
        await server.resume(model)
        await until_phase(lobby, Phase.LIVE)


@pytest.mark.parametrize("nonce", [b"", b"n" * 31, b"n" * 33])
async def test_wrong_nonce_is_not_signed(server: ScriptedServer, nonce: bytes) -> None:
    async def script() -> PresenceRequest | None:
        stream = await server.accept()
        await stream.expect("hello")
        await stream.say(Challenge(nonce, EXPIRES))
        return await stream.next()

    scripted = in_background(script())
    with pytest.raises(Unavailable, match="nonce"):
        async with connection(server, settings=replace(FAST, max_attempts=1)):
            pytest.fail("nobody is let in")
    assert await scripted is None


async def test_unknown_message_is_ignored(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model) as (lobby, stream):
        # Field 1000, which no version knows yet.
        await stream.say(b"\xc2\x3e\x00", model.heartbeat(nonce=4))
        assert (await stream.expect("heartbeat")).heartbeat.echo == 4
        assert lobby.state.is_live


async def test_last_words_before_the_end_are_heard(server: ScriptedServer, model: ModelLobby) -> None:
    async with Guest(server, model, settings=replace(FAST, leave_seconds=0.1)) as (lobby, stream):
        for number in range(100):
            base = model.revision
            model.join(key_of(f"Guest {number}"), f"Guest {number}")
            await stream.say(model.since(base))
        stream.end()
        await until(lobby, Joined, lambda event: event.member.name == "Guest 99")
        await until_phase(lobby, Phase.RECONNECTING)


async def test_attempts_are_given_up_when_told_so(model: ModelLobby) -> None:
    async with ScriptedServer() as server:
        guest = Guest(server, model, settings=replace(FAST, max_attempts=3))
        lobby, _ = await guest.__aenter__()
    with pytest.raises(Unavailable, match="no Adsum server answers"):
        await until(lobby, Left)
    await guest.__aexit__()


async def test_connection_serves_once(server: ScriptedServer, model: ModelLobby) -> None:
    admitted = in_background(server.admit(model))
    once = connection(server)
    async with once:
        await admitted
    with pytest.raises(RuntimeError):
        async with once:
            pytest.fail("it was used before")


def available(model: ModelLobby, request_id: int = 0) -> SelectionUpdate:
    """Confirm the selection of Bob."""
    incarnation = model.members[BOB].incarnation
    state, reason = SelectionState.AVAILABLE, SelectionReason.NONE
    return SelectionUpdate(request_id, BOB, incarnation, state, reason, model.revision)


async def select_bob(lobby: Lobby, stream: ScriptedStream, model: ModelLobby) -> None:
    selecting = in_background(lobby.select(BOB))
    await stream.say(available(model, (await stream.expect("select")).select.request_id))
    assert (await soon(selecting)).is_available


async def acknowledgement(stream: ScriptedStream) -> int:
    request = await stream.next()
    while request is not None and request.WhichOneof("request") == "heartbeat":
        request = await stream.next()
    assert request is not None
    return request.ack.delivery_id


def test_errors_are_one_tree() -> None:
    for error in (Closed, NotConnected, Refused, Unavailable, Unconfirmed):
        assert issubclass(error, AdsumError)
