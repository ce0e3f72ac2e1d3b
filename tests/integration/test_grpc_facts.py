"""What the design believes of grpc.aio, seen again on the version that is installed.

Nothing of Adsum's own behaviour is tested here but its server options. When one of these fails after an upgrade, the code that rests
on it (named in each docstring) has to be looked at again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import grpc
import pytest

from adsum.contract.limits import Limits
from adsum.server import app
from tests.integration.adsumd import running_adsumd
from tests.integration.raw_stream import WAIT_SECONDS, open_channel
from tests.integration.relay import relaying

Context: TypeAlias = grpc.aio.ServicerContext[bytes, bytes]
Handler: TypeAlias = Callable[[AsyncIterator[bytes], Context], Awaitable[None]]
Call: TypeAlias = grpc.aio.StreamStreamCall[bytes, bytes]

METHOD = "/facts/Stream"
SMALL_WINDOW = (("grpc.http2.lookahead_bytes", 64 * 1024), ("grpc.http2.bdp_probe", 0))


@asynccontextmanager
async def _serving(
    handler: Handler, options: Sequence[tuple[str, str | int]] = (), server: grpc.aio.Server | None = None
) -> AsyncIterator[str]:
    server = server or grpc.aio.server(options=options)
    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(handler)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("facts", {"Stream": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def _calling(target: str, options: Sequence[tuple[str, str | int]] = ()) -> AsyncIterator[Call]:
    async with open_channel(target, options=options) as channel:
        call: Call = channel.stream_stream(METHOD)()
        try:
            yield call
        finally:
            call.cancel()


class Handled:
    """A handler as the Presence RPC is one: a TaskGroup with a reader and a writer. Notes how it ended."""

    def __init__(self, *, aborts: bool = False) -> None:
        self.reading = asyncio.Event()
        self.ended = asyncio.Event()
        self.end_of_requests: list[str] = []
        self._written = asyncio.Event()
        self._aborts = aborts

    async def handle(self, requests: AsyncIterator[bytes], context: Context) -> None:
        over = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(self._read(requests, context, over))
                writer = tasks.create_task(self._write(context))
                await over.wait()
                reader.cancel()
                writer.cancel()
        finally:
            self.ended.set()

    async def _read(self, requests: AsyncIterator[bytes], context: Context, over: asyncio.Event) -> None:
        try:
            async for _ in requests:
                self.reading.set()
                # The first write sends gRPC's metadata, too: an abort beside it fails.
                await self._written.wait()
                if self._aborts:
                    await context.abort(grpc.StatusCode.ABORTED, "from a child")
            self.end_of_requests.append("end")
        except asyncio.CancelledError:
            self.end_of_requests.append("cancelled")
            raise
        finally:
            self.end_of_requests.append(f"context.cancelled() is {context.cancelled()}")
            over.set()

    async def _write(self, context: Context) -> None:
        await context.write(b"hello")
        self._written.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize("how", ["cancel", "half-close", "reset", "FIN"])
async def test_every_loss_ends_the_handlers_task_group_and_looks_alike(how: str) -> None:
    """server/service.py: one TaskGroup with a reader and a writer; the end of requests is a lost connection."""
    handled = Handled()
    async with (
        _serving(handled.handle) as target,
        relaying(target) as relay,
        _calling(relay.address) as call,
    ):
        await call.write(b"hello")
        async with asyncio.timeout(WAIT_SECONDS):
            await handled.reading.wait()
            match how:
                case "cancel":
                    call.cancel()
                case "half-close":
                    await call.done_writing()
                case "reset":
                    relay.reset()
                case _:
                    relay.finish()
            await handled.ended.wait()
    assert handled.end_of_requests[0] in ("end", "cancelled")
    assert handled.end_of_requests[1] == "context.cancelled() is False"


async def test_an_abort_from_a_child_ends_the_task_group_and_reaches_the_client() -> None:
    """server/service.py: a stream is refused from wherever the fault is found."""
    handled = Handled(aborts=True)
    async with _serving(handled.handle) as target, _calling(target) as call, asyncio.timeout(WAIT_SECONDS):
        await call.write(b"hello")
        await handled.ended.wait()
        # The status stands behind what hasn't been read.
        assert await call.read() == b"hello"
        assert await call.code() is grpc.StatusCode.ABORTED
        assert await call.details() == "from a child"


async def test_without_a_serializer_bytes_go_out_unchanged() -> None:
    """server/service.py and wire.py: a delta is encoded once, and its bytes are written to every stream."""
    content = bytes(range(256)) * 100

    async def handler(requests: AsyncIterator[bytes], context: Context) -> None:
        async for request in requests:
            await context.write(request)

    async with _serving(handler) as target, _calling(target) as call, asyncio.timeout(WAIT_SECONDS):
        for sent in (content, b""):
            await call.write(sent)
            assert await call.read() == sent


async def test_a_second_write_at_the_same_time_fails() -> None:
    """server/service.py: one writer for each stream."""
    failed: list[BaseException] = []
    tried = asyncio.Event()

    async def handler(_: AsyncIterator[bytes], context: Context) -> None:
        # Larger than the client lets through unread: the first write can't end.
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(context.write(b"x" * 1024 * 1024))
            await asyncio.sleep(0)
            try:
                await context.write(b"second")
            except Exception as error:  # noqa: BLE001  # which one it is doesn't matter
                failed.append(error)
            tried.set()
            first.cancel()

    async with (
        _serving(handler) as target,
        _calling(target, SMALL_WINDOW) as call,
        asyncio.timeout(WAIT_SECONDS),
    ):
        await call.write(b"go")
        await tried.wait()
    assert failed


async def test_after_a_cancelled_write_the_stream_is_unwritable() -> None:
    """server/service.py: a write is cancelled only when the stream is over."""
    outcome: list[str] = []
    tried = asyncio.Event()

    async def handler(_: AsyncIterator[bytes], context: Context) -> None:
        await context.write(b"first")
        try:
            async with asyncio.timeout(0.05):
                await context.write(b"x" * 1024 * 1024)
            outcome.append("the write was not blocked")
        except TimeoutError:
            try:
                async with asyncio.timeout(0.2):
                    await context.write(b"again")
                outcome.append("another write went through")
            except Exception as error:  # noqa: BLE001  # which one it is doesn't matter
                outcome.append(type(error).__name__)
        tried.set()

    async with (
        _serving(handler) as target,
        _calling(target, SMALL_WINDOW) as call,
        asyncio.timeout(WAIT_SECONDS),
    ):
        await call.write(b"go")
        await tried.wait()
    assert outcome[0] not in ("the write was not blocked", "another write went through")


@pytest.mark.parametrize("sends_metadata_first", [True, False])
async def test_a_stream_that_ends_during_its_first_write_ends_only_if_the_metadata_were_sent_before(
    sends_metadata_first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """server/service.py: send_initial_metadata comes first, since the writer may be cancelled at any time."""

    async def handler(_: AsyncIterator[bytes], context: Context) -> None:
        if sends_metadata_first:
            await context.send_initial_metadata(())
        with suppress(TimeoutError):
            async with asyncio.timeout(0):
                await context.write(b"first")
        await context.abort(grpc.StatusCode.ABORTED, "over")

    async with _serving(handler) as target, _calling(target) as call:
        with pytest.raises(grpc.aio.AioRpcError if sends_metadata_first else TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS if sends_metadata_first else 0.5):
                async for _ in call:
                    continue
    assert ("TOO_MANY_OPERATIONS" in caplog.text) is not sends_metadata_first


async def test_only_the_age_of_its_connection_throws_out_a_client_that_doesnt_read() -> None:
    """server/app.py: CONNECTION_AGE_SECONDS; server/door.py holds an address until such a stream has really ended."""
    aborting, ended = asyncio.Event(), asyncio.Event()

    async def handler(_: AsyncIterator[bytes], context: Context) -> None:
        context.add_done_callback(lambda _: ended.set())  # type: ignore[arg-type]  # the stubs want a class
        await context.write(b"first")
        try:
            async with asyncio.timeout(0.05):
                await context.write(b"x" * 1024 * 1024)
        except TimeoutError:
            aborting.set()
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "read!")

    age = (("grpc.max_connection_age_ms", 500), ("grpc.max_connection_age_grace_ms", 100))
    async with _serving(handler, age) as target, _calling(target, SMALL_WINDOW) as call:
        await call.write(b"go")
        async with asyncio.timeout(WAIT_SECONDS):
            await aborting.wait()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await ended.wait()
        async with asyncio.timeout(WAIT_SECONDS):
            await ended.wait()


async def test_an_abort_beside_a_blocked_write_reaches_a_client_that_reads_on() -> None:
    """server/service.py: the writer is cancelled, and the stream is refused all the same."""
    aborting = asyncio.Event()

    async def handler(_: AsyncIterator[bytes], context: Context) -> None:
        await context.write(b"first")
        try:
            async with asyncio.timeout(0.05):
                await context.write(b"x" * 1024 * 1024)
        except TimeoutError:
            aborting.set()
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "read!")

    async with (
        _serving(handler) as target,
        _calling(target, SMALL_WINDOW) as call,
        asyncio.timeout(WAIT_SECONDS),
    ):
        await call.write(b"go")
        await aborting.wait()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            while await call.read() is not grpc.aio.EOF:
                continue
        assert refused.value.details() == "read!"


async def test_stop_closes_the_listener_at_once_and_what_runs_at_the_end_of_the_grace() -> None:
    """server/app.py: streams are told to move before the server is stopped."""
    handled = Handled()
    server = grpc.aio.server()
    async with _serving(handled.handle, server=server) as target, _calling(target) as call:
        await call.write(b"hello")
        assert await call.read() == b"hello"
        async with asyncio.timeout(WAIT_SECONDS), asyncio.TaskGroup() as tasks:
            stopping = tasks.create_task(server.stop(0.3))
            # A newcomer is refused while the stream that runs goes on.
            async with _calling(target) as newcomer:
                assert await newcomer.code() is grpc.StatusCode.UNAVAILABLE
            assert not stopping.done()
            assert not call.done()
            assert await call.code() is grpc.StatusCode.UNAVAILABLE


async def test_two_servers_cant_have_one_port() -> None:
    """server/app.py: grpc.so_reuseport is 0, else two servers would each see half of a lobby."""
    first = app._server(Limits())
    port = first.add_insecure_port("127.0.0.1:0")
    await first.start()
    second = app._server(Limits())
    with pytest.raises(RuntimeError, match="bind"):
        second.add_insecure_port(f"127.0.0.1:{port}")
    await first.stop(0)
    await second.stop(0)


async def test_pings_and_keepalive_do_what_the_servers_options_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """server/app.py: SHORTEST_CLIENT_PING_SECONDS, KEEPALIVE_SECONDS, KEEPALIVE_TIMEOUT_SECONDS. Side by side: both take time."""
    monkeypatch.setattr(app, "KEEPALIVE_SECONDS", 1)
    monkeypatch.setattr(app, "KEEPALIVE_TIMEOUT_SECONDS", 1)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_who_pings_on_a_quiet_stream_is_sent_away_unless_that_is_allowed())
        tasks.create_task(_a_cut_link_is_found())


async def _who_pings_on_a_quiet_stream_is_sent_away_unless_that_is_allowed() -> None:
    pings = (
        ("grpc.keepalive_time_ms", 200),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    )
    # One warning less than by default, to be quicker: gRPC sends no more than a ping a second.
    one_strike = ("grpc.http2.max_ping_strikes", 1)
    lenient = (("grpc.http2.min_ping_interval_without_data_ms", 100), one_strike)
    async with (
        _serving(Handled().handle, lenient) as lenient_target,
        _serving(Handled().handle, (one_strike,)) as strict_target,
        _calling(lenient_target, pings) as tolerated,
        _calling(strict_target, pings) as punished,
        asyncio.timeout(WAIT_SECONDS),
    ):
        for call in (tolerated, punished):
            await call.write(b"hello")
            assert await call.read() == b"hello"
        assert await punished.code() is grpc.StatusCode.UNAVAILABLE
        assert not tolerated.done()


async def _a_cut_link_is_found() -> None:
    handled = Handled()
    async with (
        _serving(handled.handle, server=app._server(Limits())) as target,
        relaying(target) as relay,
        _calling(relay.address) as call,
    ):
        await call.write(b"hello")
        assert await call.read() == b"hello"
        relay.freeze()
        async with asyncio.timeout(WAIT_SECONDS):
            await handled.ended.wait()
        relay.thaw()


async def test_a_write_at_the_very_end_hides_the_servers_status_behind_one_of_grpcs_own() -> None:
    """client/connection.py (and raw_stream.py here): how the reason of an end is found out all the same.

    The true status comes when everything is read that came before, which `read` refuses then, and iterating doesn't.
    """
    ending = asyncio.Event()

    async def handler(requests: AsyncIterator[bytes], context: Context) -> None:
        await anext(requests)
        await context.write(b"last words")
        ending.set()
        await context.abort(grpc.StatusCode.ABORTED, "replaced")

    async with _serving(handler) as target, _calling(target) as call, asyncio.timeout(WAIT_SECONDS):
        await call.write(b"hello")
        await ending.wait()
        # gRPC's own threads learn of the end, and this loop hasn't yet.
        _stall(0.1)
        with pytest.raises(grpc.aio.AioRpcError, match="Internal error from Core"):
            await call.write(b"something")
        assert await anext(aiter(call)) == b"last words"
        with pytest.raises(grpc.aio.AioRpcError):
            await anext(aiter(call))
        while await call.details() != "replaced":  # noqa: ASYNC110
            # Nothing tells of the change.
            await asyncio.sleep(0.001)


def _stall(seconds: float) -> None:
    time.sleep(seconds)


@pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="needs Linux, which counts the turns of threads"
)
async def test_the_event_engine_stays_out_of_reading_and_writing(tmp_path: Path) -> None:
    """gRPC's poller watches the server's sockets itself: loop.py, `poll_directly`. Else a call takes its threads three turns."""

    def engine_turns(pid: int) -> int:
        turns = 0
        for thread in Path(f"/proc/{pid}/task").iterdir():
            if (thread / "comm").read_text().strip() == "event_engine":
                counts = dict(line.split(":\t") for line in (thread / "status").read_text().splitlines())
                turns += int(counts["voluntary_ctxt_switches"])
        return turns

    calls = 200
    async with running_adsumd(tmp_path) as server, open_channel(server.address) as channel:
        check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/grpc.health.v1.Health/Check"
        )
        await check(b"")
        before = engine_turns(server.pid)
        for _ in range(calls):
            await check(b"")
        assert engine_turns(server.pid) - before < 2 * calls
