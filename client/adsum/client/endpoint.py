"""Where to dial: what a user typed, checked, and the gRPC channel to it. Every attempt gets a channel of its own.

A connection that is dead without knowing it (a cut cable, a NAT that forgot) would swallow the next attempt
too, so none is ever shared. Audience and address both come from what the user typed and nothing else.
"""

from dataclasses import dataclass
from ipaddress import ip_address

import grpc
import grpc.aio

from adsum.client.settings import TLS, Settings
from adsum.contract.identity import audience_of


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Hold where to dial and how the connection is protected."""

    target: str
    audience: str
    address: str
    tls: TLS | None
    options: tuple[tuple[str, int | str], ...]

    @classmethod
    def of(cls, target: str, *, tls: TLS | None, insecure: bool, settings: Settings) -> "Endpoint":
        """Check what the user typed.

        Raises:
            ValueError: it is not HOST:PORT, or it is another host and neither TLS nor `insecure` was asked for.
        """
        target = target.strip()
        audience = audience_of(target)
        _, colon, port = target.rpartition(":")
        # Without brackets the last group of an IPv6 address would pass for a port.
        if not colon or not port.isdigit() or not int(port) or (":" in audience and target[0] != "["):
            raise ValueError(f"{target!r} is not HOST:PORT")
        is_loopback = _is_loopback(audience)
        if tls is None and not insecure and not is_loopback:
            raise ValueError(
                f"{audience} is another host: use TLS, or say that everybody on the way may read along (insecure)"
            )
        host = f"[{audience}]" if ":" in audience else audience
        # The scheme is written out, or a host named "ipv4" or "unix" would be taken for one.
        return cls(
            target, audience, f"dns:///{host}:{port}", tls, _options(settings, is_loopback=is_loopback)
        )

    def open(self) -> grpc.aio.Channel:
        """Make a channel. Nothing is dialled before its first call."""
        if self.tls is None:
            return grpc.aio.insecure_channel(self.address, self.options)
        credentials = grpc.ssl_channel_credentials(self.tls.ca, self.tls.key, self.tls.certificate)
        return grpc.aio.secure_channel(self.address, credentials, self.options)


def _options(settings: Settings, *, is_loopback: bool) -> tuple[tuple[str, int | str], ...]:
    options: list[tuple[str, int | str]] = [
        ("grpc.primary_user_agent", "adsum"),
        # Channels to one address would share a TCP connection, and a dead one would be inherited.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        # A second line: the heartbeat is the authority on whether the server lives.
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.http2.ping_timeout_ms", 5_000),
        ("grpc.http2.max_pings_without_data", 0),
        # Else gRPC measures the line by a ping after what it has read, and a server that stands still for as long as a ping may take
        # loses every client, whatever the lease says. The window is fixed then: as large as a lobby of some thousands.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 512 * 1024),
        # In spite of its name this is how long one attempt to connect may take. gRPC's own backoff never comes
        # to bear: no channel serves twice.
        ("grpc.min_reconnect_backoff_ms", int(settings.connect_seconds * 1000)),
        ("grpc.enable_retries", 0),
        ("grpc.service_config_disable_resolution", 1),
    ]
    if is_loopback:
        # A proxy set for the Internet can't reach this machine's own loopback.
        options.append(("grpc.enable_http_proxy", 0))
    return tuple(options)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
