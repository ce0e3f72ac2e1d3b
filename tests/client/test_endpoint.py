"""What a user types is dialled as it is meant, and plaintext stays on this machine."""

import pytest

from adsum.client import TLS, Settings
from adsum.client.endpoint import Endpoint


def endpoint(target: str, *, tls: TLS | None = None, insecure: bool = False) -> Endpoint:
    return Endpoint.of(target, tls=tls, insecure=insecure, settings=Settings())


@pytest.mark.parametrize(
    ("target", "audience", "address"),
    [
        ("localhost:7557", "localhost", "dns:///localhost:7557"),
        (" LOCALHOST.:7557 ", "localhost", "dns:///localhost:7557"),
        ("127.0.0.1:7557", "127.0.0.1", "dns:///127.0.0.1:7557"),
        ("[::1]:7557", "::1", "dns:///[::1]:7557"),
        ("me.localhost:1", "me.localhost", "dns:///me.localhost:1"),
    ],
)
def test_this_machine_may_be_dialled_in_plaintext(target: str, audience: str, address: str) -> None:
    dialled = endpoint(target)
    assert (dialled.audience, dialled.address) == (audience, address)


@pytest.mark.parametrize(
    "target", ["example.org:1", "10.0.0.1:1", "[2001:db8::1]:1", "localhost.example.org:1"]
)
def test_other_machines_need_tls_or_a_word(target: str) -> None:
    with pytest.raises(ValueError, match="another host"):
        endpoint(target)
    assert endpoint(target, insecure=True).tls is None
    assert endpoint(target, tls=TLS()).audience == endpoint(target, insecure=True).audience


@pytest.mark.parametrize(
    "target",
    [
        "",
        ":",
        "localhost",
        "localhost:",
        "localhost:0",
        "localhost:x",
        "localhost:65536",
        "7557",
        "::1",
        "::1:7557",
        "[::1]",
        "[::1",
        "unix:/tmp/socket",
        "dns:///localhost:1",
        "http://localhost:1",
        "a b:1",
        "localhost:٣",
    ],
)
def test_what_is_no_host_and_port_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        endpoint(target, insecure=True)


def test_proxies_are_for_other_machines() -> None:
    assert ("grpc.enable_http_proxy", 0) in endpoint("localhost:1").options
    assert ("grpc.enable_http_proxy", 0) not in endpoint("example.org:1", insecure=True).options


def test_a_server_that_stands_still_is_judged_by_its_heartbeats_and_not_by_pings_that_measure_the_line() -> (
    None
):
    assert ("grpc.http2.bdp_probe", 0) in endpoint("localhost:1").options


async def test_every_channel_is_its_own() -> None:
    dialled = endpoint("localhost:1")
    assert ("grpc.use_local_subchannel_pool", 1) in dialled.options
    first, second = dialled.open(), dialled.open()
    assert first is not second
    await first.close()
    await second.close()


def test_half_a_client_certificate_is_refused() -> None:
    with pytest.raises(ValueError, match="needs its key"):
        TLS(certificate=b"x")
