"""gRPC's completions reach the server's event loop in batches, on uvloop and on asyncio's own."""

import asyncio
import contextlib
import functools
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator

import grpc.aio
import pytest

from adsum.server import loop as server_loop
from adsum.server.loop import AsyncioLoop, EventLoop, calm_poller, loop_factory


class PollerCompletionQueue:
    """What gRPC has by this name: a byte for each completion, and a handler that takes one byte and handles all."""

    def __init__(self) -> None:
        self.source, self._sink = socket.socketpair()
        self.source.setblocking(False)
        self.completed = self.handled = self.calls = 0

    def complete(self, count: int) -> None:
        self.completed += count
        self._sink.send(b"1" * count)

    def handle(self, _: object) -> None:
        self.calls += 1
        with contextlib.suppress(BlockingIOError):
            self.source.recv(1)
        self.handled = self.completed

    def close(self) -> None:
        self.source.close()
        self._sink.close()


@pytest.fixture
def poller() -> Iterator[PollerCompletionQueue]:
    poller = PollerCompletionQueue()
    yield poller
    poller.close()


@pytest.fixture(params=[EventLoop.ASYNCIO, EventLoop.AUTO])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    loop = loop_factory(request.param)()
    yield loop
    loop.close()


async def until(holds: Callable[[], bool]) -> None:
    # Turns of the loop, not time: nothing tells when a reader has been called.
    for _ in range(10_000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came")


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_many_completions_are_handled_in_one_turn(
    loop: asyncio.AbstractEventLoop, poller: PollerCompletionQueue
) -> None:
    loop.add_reader(poller.source, functools.partial(poller.handle, loop))
    poller.complete(1000)
    loop.run_until_complete(until(lambda: poller.handled == 1000))
    loop.run_until_complete(turns(10))
    assert poller.calls == 1
    poller.complete(1)
    loop.run_until_complete(until(lambda: poller.handled == 1001))


def test_other_readers_are_left_alone(loop: asyncio.AbstractEventLoop, poller: PollerCompletionQueue) -> None:
    seen: list[bytes] = []
    loop.add_reader(poller.source, lambda: seen.append(poller.source.recv(1)))
    poller.complete(3)
    loop.run_until_complete(until(lambda: len(seen) == 3))


def test_this_grpcio_is_heard_in_batches(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What this relies on and nobody promises: the names of the class and of the thread, and how the method is handed over.
    heard: list[socket.socket] = []
    take_all = server_loop._take_all

    def note(wakeups: socket.socket, handle: Callable[[], object]) -> None:
        heard.append(wakeups)
        take_all(wakeups, handle)

    monkeypatch.setattr(server_loop, "_take_all", note)

    async def serve() -> None:
        server = grpc.aio.server()
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await channel.unary_unary("/nothing/here")(b"")  # type: ignore[arg-type]  # not serialized
            if sys.platform == "linux":
                calm_poller()
                pollers = [thread for thread in threading.enumerate() if "_poll_wrapper" in thread.name]
                assert pollers
                policies = {os.sched_getscheduler(thread.native_id or 0) for thread in pollers}
                assert policies == {os.SCHED_BATCH}
        await server.stop(None)

    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(serve())
    finally:
        asyncio.set_event_loop(None)
    assert heard


def test_uvloop_is_used_where_it_is_and_asked_for_in_vain_where_it_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert loop_factory(EventLoop.AUTO) is AsyncioLoop
    assert loop_factory(EventLoop.ASYNCIO) is AsyncioLoop
    with pytest.raises(ModuleNotFoundError):
        loop_factory(EventLoop.UVLOOP)


def test_uvloop_is_used_where_it_is_installed() -> None:
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
    assert issubclass(loop_factory(EventLoop.AUTO), uvloop.Loop)  # type: ignore[arg-type]  # a class
