"""The composition root of `adsumd`: store, hub, listeners, health, signals, and what happens at start and stop.

Start: take over what a predecessor left, bind both listeners, and only then say that the server is ready.

Stop (SIGTERM, SIGINT, or the end of standard input if asked for): health says NOT_SERVING, nobody new is let in, everybody is told to
move within the drain time, each at another moment; then what the sessions need to go on is left for a successor, and what is still open
is closed. A second signal skips the drain, not the handover.
"""

import asyncio
import gc
import json
import os
import secrets
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import SERVICE_NAME as HEALTH_SERVICE_NAME
from grpc_health.v1.health import aio as health_aio

from adsum.contract.limits import Limits
from adsum.server import admin, service
from adsum.server.config import Config, load
from adsum.server.credentials import CredentialsError, accepted_audiences, load_credentials, own_names
from adsum.server.handover import Handover, HandoverError, take_handover, write_handover
from adsum.server.hub import Hub
from adsum.server.logs import configured, get_log
from adsum.server.loop import calm_poller, loop_factory
from adsum.server.memory_store import MemoryStore
from adsum.server.options import Address, Auth
from adsum.server.stock import health_handler, reflection_handler

CONNECTION_AGE_SECONDS = 3600
"""After this time a connection is closed and its clients resume on another: the only way to be rid of one that isn't read."""
CONNECTION_AGE_GRACE_SECONDS = 10
CONNECTION_IDLE_SECONDS = 300
"""A connection without any call is closed after this time: nobody needs it."""
PREFACE_SECONDS = 10
"""Within this time a connection has to say that it speaks HTTP/2; gRPC's default is two minutes."""
KEEPALIVE_SECONDS = 10
KEEPALIVE_TIMEOUT_SECONDS = 5
SHORTEST_CLIENT_PING_SECONDS = 5
"""Clients may ping as often: the default policy would drop them from quiet streams."""
STREAMS_PER_CONNECTION = 256
PENDING_REQUESTS = 16_384
"""Calls that gRPC may hold before we accept them. Its default refuses a storm with CANCELLED; our own door refuses with a reason."""
GARBAGE_THRESHOLDS = (50_000, 20, 100)
"""A wave to a thousand streams makes thousands of objects that live until its writes are done: none of them is garbage."""
STOP_SECONDS = 1.0
"""How long the closing of what is still open may take."""

log = get_log(__name__)


class StartError(Exception):
    """The server can't start; the message says why."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `adsumd` until it is told to stop; return its exit code: 0 after a stop, 1 if it could not start, 2 for a usage error."""
    config = load(sys.argv[1:] if argv is None else argv, os.environ)
    with configured(config.log_format, config.log_level):
        for warning in config.warnings:
            log.warning(warning)
        try:
            with asyncio.Runner(loop_factory=loop_factory(config.event_loop)) as runner:
                runner.run(run(config))
        except ModuleNotFoundError as error:
            log.error("the server can not start", why=f"{error.name} is not installed")
            return 1
        except (StartError, CredentialsError) as error:
            log.error("the server can not start", why=str(error))
            return 1
        except Exception:
            log.exception("the server has failed")
            return 1
    return 0


async def run(config: Config) -> None:
    """Serve until told to stop.

    Raises:
        StartError: an address can't be bound.
        CredentialsError: the certificate or its key can't be used.
    """
    credentials = None
    if config.tls_certificate is not None and config.tls_key is not None:
        credentials = load_credentials(config.tls_certificate, config.tls_key)
    store = MemoryStore(config.limits, lambda: secrets.randbits(64))
    handover = _take_over(config)
    if handover is not None:
        store.restore(stored for stored, _ in handover.lobbies)
    hub = Hub(
        store,
        config.limits,
        secrets.token_bytes,
        audiences=accepted_audiences(config, credentials.names if credentials else None, own_names),
        proves_keys=config.auth is Auth.KEY,
    )
    async with hub:
        if handover is not None:
            for stored, held in handover.lobbies:
                await hub.adopt(stored.name, held)
            log.info("took over from a predecessor", lobbies=len(handover.lobbies))
        await _serve(config, hub, store, credentials.for_grpc() if credentials else None)


async def _serve(
    config: Config, hub: Hub, store: MemoryStore, credentials: grpc.ServerCredentials | None
) -> None:
    health = health_aio.HealthServicer()
    presence = _server(config.limits)
    _add_services(presence, service.SERVICE_NAME, service.LobbyService(hub).handler(), health)
    bound = [_bind(presence, address, credentials) for address in config.listen]
    servers = [presence]
    admin_bound = None
    if config.admin_listen is not None:
        operators = _server(config.limits)
        _add_services(operators, admin.SERVICE_NAME, admin.AdminService(hub).handler(), health)
        admin_bound = _bind(operators, config.admin_listen, None)
        servers.append(operators)
    _settle_down()
    stop = _StopRequests()
    with stop.listening(until_stdin_closes=config.until_stdin_closes):
        for server in servers:
            await server.start()
        for name in ("", service.SERVICE_NAME, admin.SERVICE_NAME):
            await health.set(name, health_pb2.HealthCheckResponse.SERVING)
        if config.port_file is not None:
            _write_ports(config.port_file, bound[0], admin_bound)
        log.info(
            "listening",
            address=", ".join(str(address) for address in bound),
            admin=str(admin_bound) if admin_bound else "none",
            tls=credentials is not None,
            store="memory",
        )
        await stop.first.wait()
        log.info("stopping", drain_seconds=config.drain_seconds)
        await health.enter_graceful_shutdown()
        await _drain(hub, config.drain_seconds, stop)
        hub.seal()
        _hand_over(config, hub, store)
        for server in servers:
            await server.stop(STOP_SECONDS if not stop.second.is_set() else 0)
    log.info("stopped")


def _settle_down() -> None:
    """Spare the loop what would hold it up: gRPC's poller, and looking for garbage among what will never be garbage."""
    calm_poller()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


async def _drain(hub: Hub, seconds: float, stop: "_StopRequests") -> None:
    async with asyncio.TaskGroup() as tasks:
        drained = tasks.create_task(hub.drain(seconds))
        hurried = tasks.create_task(stop.second.wait())
        await asyncio.wait((drained, hurried), return_when=asyncio.FIRST_COMPLETED)
        drained.cancel()
        hurried.cancel()


def _server(limits: Limits) -> grpc.aio.Server:
    return grpc.aio.server(
        options=(
            # Two servers on one port would each see half of a lobby.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", limits.message_bytes),
            ("grpc.max_concurrent_streams", STREAMS_PER_CONNECTION),
            ("grpc.max_connection_age_ms", CONNECTION_AGE_SECONDS * 1000),
            ("grpc.max_connection_age_grace_ms", CONNECTION_AGE_GRACE_SECONDS * 1000),
            ("grpc.max_connection_idle_ms", CONNECTION_IDLE_SECONDS * 1000),
            ("grpc.server_handshake_timeout_ms", PREFACE_SECONDS * 1000),
            ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
            ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_SECONDS * 1000),
            # The documented timeout alone left a hung peer for a minute.
            ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_SECONDS * 1000),
            ("grpc.http2.min_ping_interval_without_data_ms", SHORTEST_CLIENT_PING_SECONDS * 1000),
            ("grpc.http2.max_pings_without_data", 0),
            # A ping for each request that is read, to find out how large a window may be: requests here are small.
            ("grpc.http2.bdp_probe", 0),
            ("grpc.server.max_pending_requests", PENDING_REQUESTS),
            ("grpc.server.max_pending_requests_hard_limit", 2 * PENDING_REQUESTS),
            ("grpc.server_max_unrequested_time_in_server", 30),
        )
    )


def _add_services(
    server: grpc.aio.Server, name: str, handler: grpc.GenericRpcHandler, health: health_aio.HealthServicer
) -> None:
    """Add one service of ours, and gRPC's own beside it."""
    stock = (health_handler(health), reflection_handler((name, HEALTH_SERVICE_NAME)))
    server.add_generic_rpc_handlers((handler, *stock))


def _bind(server: grpc.aio.Server, address: Address, credentials: grpc.ServerCredentials | None) -> Address:
    try:
        port = (
            server.add_insecure_port(str(address))
            if credentials is None
            else server.add_secure_port(str(address), credentials)
        )
    except RuntimeError as error:
        raise StartError(f"{address} can't be listened on: is it taken by another program?") from error
    if port == 0:
        raise StartError(f"{address} can't be listened on")
    return Address(address.host, port)


def _write_ports(path: Path, listen: Address, admin_listen: Address | None) -> None:
    content = {"listen": str(listen), "admin": str(admin_listen) if admin_listen else None}
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
    Path(temporary).replace(path)


def _take_over(config: Config) -> Handover | None:
    if config.handover_file is None:
        return None
    try:
        return take_handover(config.handover_file, time.time())
    except HandoverError as error:
        log.warning("what a predecessor left can not be used: starting empty", why=str(error))
        return None


def _hand_over(config: Config, hub: Hub, store: MemoryStore) -> None:
    lobbies = tuple((stored, tuple(hub.bequeath(stored.name))) for stored in store.dump())
    if config.handover_file is None or not lobbies:
        return
    try:
        write_handover(config.handover_file, Handover(lobbies), time.time())
    except OSError as error:
        log.error("nothing could be left for a successor", why=str(error))
        return
    log.info("left for a successor", lobbies=len(lobbies), sessions=sum(len(held) for _, held in lobbies))


class _StopRequests:
    """Hear when the server is to stop: `first` for once, `second` for at once."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()

    @contextmanager
    def listening(self, *, until_stdin_closes: bool) -> Iterator[None]:
        """Listen to SIGTERM and SIGINT, and to the end of standard input if asked for."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._request)
        if until_stdin_closes:
            # A daemon: nothing can interrupt a read of standard input, and the process must not wait for it.
            threading.Thread(target=_read_to_end, args=(loop, self._request), daemon=True).start()
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _request(self) -> None:
        if self.first.is_set():
            self.second.set()
        self.first.set()


def _read_to_end(loop: asyncio.AbstractEventLoop, ended: Callable[[], None]) -> None:
    try:
        while os.read(0, 4096):
            continue
    except OSError:
        # Standard input is closed already: that is an end, too.
        pass
    try:
        loop.call_soon_threadsafe(ended)
    except RuntimeError:
        # The loop is closed: the server has stopped by itself.
        return
