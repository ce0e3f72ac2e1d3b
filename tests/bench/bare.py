"""The baseline: what grpc.aio itself costs, without anything that Adsum does.

A queue and a writer task for each stream, and a ready message of 200 bytes put into every queue for each event: the usual shape of such a
server. No proof of keys, no protobuf, no merging, no digests, no heartbeats. What it is given:

- first `J`, key (32 bytes): join, told to everybody, and answered by the list of those who joined so, 200 bytes for each;
  or `Q`, key: come in quietly, told to nobody, so that a crowd is there without a storm;
- then `U`, token (16): an event; `L`: leave.

What it tells starts with the byte of the same kind in Adsum's own responses: 0x22 for an event, 0x1A for the list; then the
revision (8), the number of members (4), and for an event its kind, key and token, padded to 200 bytes.
"""

import argparse
import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from tests.bench.events import EventLog
from tests.bench.lean import LeanMember
from tests.bench.reading import LobbyReader, Reading

SERVICE_NAME = "adsum.bench.Bare"
EVENT_BYTES = 200
KEY_BYTES, TOKEN_BYTES = 32, 16
EVENT, LIST = 0x22, 0x1A
_HEAD_BYTES = 13
_KEY = slice(14, 46)
_TOKEN = slice(46, 62)
PENDING_REQUESTS = 16_384
"""How many new streams may wait; gRPC refuses a storm otherwise."""


class Bare:
    """Serve one lobby of streams, by the simplest means."""

    def __init__(self) -> None:
        self._revision = 0
        self._queues: dict[bytes, asyncio.Queue[bytes | None]] = {}
        self._records: dict[bytes, bytes] = {}

    async def presence(
        self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> None:
        """Carry one member."""
        first = await anext(requests)
        key = first[1 : 1 + KEY_BYTES]
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        if first[:1] == b"J":
            self._records[key] = self._tell(b"J", key, b"", 1)
        self._queues[key] = queue
        await context.write(
            bytes([LIST])
            + self._revision.to_bytes(8, "big")
            + len(self._records).to_bytes(4, "big")
            + b"".join(self._records.values())
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(queue, context))
                async for request in requests:
                    if request[:1] == b"L":
                        break
                    self._tell(b"U", key, request[1:], 0)
                writer.cancel()
        finally:
            del self._queues[key]
            was_listed = self._records.pop(key, None) is not None
            self._tell(b"L" if was_listed else b"l", key, b"", 0)

    def _tell(self, kind: bytes, key: bytes, token: bytes, joining: int) -> bytes:
        self._revision += 1
        head = bytes([EVENT]) + self._revision.to_bytes(8, "big")
        count = (len(self._records) + joining).to_bytes(4, "big")
        event = (head + count + kind + key + token.ljust(TOKEN_BYTES)).ljust(EVENT_BYTES)
        for queue in self._queues.values():
            queue.put_nowait(event)
        return event

    @staticmethod
    async def _write(
        queue: asyncio.Queue[bytes | None], context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> None:
        with contextlib.suppress(grpc.aio.UsageError, grpc.aio.InternalError):
            while (event := await queue.get()) is not None:
                await context.write(event)


class BareReader(LobbyReader):
    """Read what the baseline tells."""

    def _read_delta(self, reading: Reading) -> None:
        data = reading.payload
        self._read_head(reading)
        reading.base = reading.revision - 1
        kind, key = data[13:14], data[_KEY]
        bit = self.bit(key)
        if kind == b"L":
            reading.left = bit
        elif kind == b"J":
            reading.changed = reading.joined = bit
        log: EventLog | None = self.log
        if log is not None and kind in b"Ll":
            log.depart(key, reading.revision)
        elif log is not None:
            log.show(key, reading.revision, reading.revision, data[_TOKEN].decode("ascii").strip())

    def _read_snapshot(self, reading: Reading) -> None:
        self._read_head(reading)
        reading.is_last = True
        for start in range(_HEAD_BYTES, len(reading.payload), EVENT_BYTES):
            reading.joined |= self.bit(reading.payload[start + _KEY.start : start + _KEY.stop])

    @staticmethod
    def _read_head(reading: Reading) -> None:
        reading.revision = int.from_bytes(reading.payload[1:9], "big")
        reading.count = int.from_bytes(reading.payload[9:13], "big")


class BareMember(LeanMember):
    """Be a member of the baseline's lobby."""

    path = f"/{SERVICE_NAME}/Presence"
    is_quiet = False
    """Whether to come in without a word."""

    def join(self, *, resume: bool = False) -> None:
        """Say who one is; the baseline can't resume."""
        self.is_leaving = self.is_live = False
        self.open_stream((b"Q" if self.is_quiet else b"J") + self.person.public_key)

    def update(self, text: str) -> None:
        """Let everybody be sent something."""
        self.say(b"U" + text.encode("ascii"))

    def leave(self) -> None:
        """Leave."""
        self.is_leaving = True
        self.is_live = False
        self.say_last(b"L")

    def _beat(self, echo: int) -> None:
        """There are no heartbeats."""


async def serve(port_file: Path) -> None:
    """Serve until killed."""
    server = grpc.aio.server(
        options=(
            ("grpc.so_reuseport", 0),
            ("grpc.server.max_pending_requests", PENDING_REQUESTS),
            ("grpc.server.max_pending_requests_hard_limit", 2 * PENDING_REQUESTS),
            ("grpc.server_max_unrequested_time_in_server", 60),
        )
    )
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(Bare().presence)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE_NAME, {"Presence": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    gc.collect()
    gc.freeze()
    _write_port(port_file, port)
    await server.wait_for_termination()


def _write_port(port_file: Path, port: int) -> None:
    port_file.write_text(f'{{"listen": "127.0.0.1:{port}", "admin": null}}', encoding="ascii")


def run(main: Coroutine[Any, Any, None], *, uvloop: bool) -> None:
    """Run on uvloop, if that is wanted and there."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if uvloop:
        with contextlib.suppress(ImportError):
            factory = __import__("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port_file", type=Path)
    parser.add_argument("--no-uvloop", action="store_true")
    arguments = parser.parse_args()
    run(serve(arguments.port_file), uvloop=not arguments.no_uvloop)
