"""The event loop that the server runs on, and how it hears from gRPC.

For each operation that completes, gRPC's poller thread writes a byte into a socket, and whoever reads that socket then handles everything
that has completed. Read as gRPC does it, one byte a turn, a wave to N streams is followed by N turns of the loop with
nothing to do. Here all the bytes are taken at once, after the poller has had its turn; and the poller doesn't interrupt the loop for each
completion. With 1,000 streams that took a write from 55 us of CPU to 45, and a storm of 1,000 joins from 3 s to 1.5.

And that thread is to watch the sockets itself. gRPC's newer event engine watches them with threads of its own, so each message that is
read or written goes from thread to thread once more: with 1,000 members, joins waited for seconds at 500 changes/s.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, MutableMapping
from enum import StrEnum
from functools import partial
from socket import socket

GRPC_POLLER = "PollerCompletionQueue"
"""The class of grpcio whose method handles what has completed."""
GRPC_POLLER_THREAD = "_poll_wrapper"
"""Stands in the name of the thread that it runs."""
_MANY_BYTES = 65_536
_EXPERIMENTS = "GRPC_EXPERIMENTS"


def poll_directly(environ: MutableMapping[str, str]) -> None:
    """Have gRPC's poller thread watch the sockets. Works before gRPC is imported; whoever has set the variable knows better."""
    environ.setdefault(_EXPERIMENTS, "-event_engine_listener")


class EventLoop(StrEnum):
    """Which event loop to run on; `auto` is uvloop's where it is installed."""

    AUTO = "auto"
    ASYNCIO = "asyncio"
    UVLOOP = "uvloop"


class _Batching:
    """What is added to an event loop."""

    def add_reader(self, fd: object, callback: Callable[..., object], *args: object) -> None:
        """Watch a file descriptor. gRPC's wake-ups are taken all at once."""
        if isinstance(fd, socket) and isinstance(callback, partial):
            poller = getattr(callback.func, "__self__", None)
            if type(poller).__name__ == GRPC_POLLER:
                callback = partial(_take_all, fd, callback)
        super().add_reader(fd, callback, *args)  # type: ignore[misc]  # that of the loop


def _take_all(wakeups: socket, handle: Callable[[], object]) -> None:
    # On one core the poller has more to tell as soon as it may run. Elsewhere this costs nothing.
    os.sched_yield()
    with contextlib.suppress(BlockingIOError):
        wakeups.recv(_MANY_BYTES)
    # It tries to take a byte, too, and copes when there is none.
    handle()


class AsyncioLoop(_Batching, asyncio.SelectorEventLoop):
    """The standard library's loop."""


def loop_factory(kind: EventLoop) -> Callable[[], asyncio.AbstractEventLoop]:
    """Tell how to make the event loop.

    Raises:
        ModuleNotFoundError: uvloop is asked for, and isn't installed.
    """
    if kind is EventLoop.ASYNCIO:
        return AsyncioLoop
    try:
        import uvloop
    except ModuleNotFoundError:
        if kind is EventLoop.UVLOOP:
            raise
        return AsyncioLoop

    # Not a class statement: uvloop's stubs don't fit those of the standard library.
    loop: type[asyncio.AbstractEventLoop] = type("UvLoop", (_Batching, uvloop.Loop), {})
    return loop


def calm_poller() -> None:
    """Keep gRPC's poller thread from interrupting the loop for each completion. Where a system has no such thing, nothing changes."""
    if not hasattr(os, "SCHED_BATCH"):
        return
    for thread in threading.enumerate():
        if GRPC_POLLER_THREAD in thread.name and thread.native_id is not None:
            with contextlib.suppress(OSError):
                os.sched_setscheduler(thread.native_id, os.SCHED_BATCH, os.sched_param(0))
