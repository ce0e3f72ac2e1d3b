"""With TLS only the right server is talked to; without it, nobody beyond this machine."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import trustme

from adsum.client import TLS, Settings, Unavailable
from adsum.contract.reasons import Reason
from adsum.v1.admin_pb2 import ListLobbiesRequest
from adsum.v1.admin_pb2_grpc import AdminServiceStub
from tests.integration.adsumd import STOP_SECONDS, adsumd_environment, running_adsumd
from tests.integration.company import Company
from tests.integration.followers import Followers
from tests.integration.promises import promised
from tests.integration.raw_client import RefusedError
from tests.integration.raw_stream import WAIT_SECONDS, open_channel
from tests.integration.refusal import Ending

NAMED = "adsum.example"
"""A name that only the certificate knows."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A private authority, and the files of a server's certificate from it."""

    root: bytes
    certificate: Path
    key: Path

    @property
    def credentials(self) -> grpc.ChannelCredentials:
        """What a client needs that trusts this authority alone."""
        return grpc.ssl_channel_credentials(self.root)

    @property
    def flags(self) -> tuple[str, ...]:
        """What `adsumd` needs."""
        return ("--tls-cert", str(self.certificate), "--tls-key", str(self.key))


def _authority(directory: Path, *names: str) -> Authority:
    directory.mkdir()
    ca = trustme.CA()
    issued = ca.issue_cert(*names)
    certificate, key = directory / "server.pem", directory / "server.key"
    for blob in issued.cert_chain_pems:
        blob.write_to_path(certificate, append=True)
    issued.private_key_pem.write_to_path(key)
    return Authority(ca.cert_pem.bytes(), certificate, key)


async def _ending(company: Company, audience: str = "127.0.0.1") -> Ending:
    with pytest.raises(RefusedError) as refused:
        await company.client("Eve", audience=audience).join()
    return refused.value.ending


@pytest.mark.promise("contract")
async def test_tls_with_a_private_authority(tmp_path: Path) -> None:
    right = _authority(tmp_path / "right", "127.0.0.1", NAMED, "*.adsum.example")
    wrong = _authority(tmp_path / "wrong", "127.0.0.1")
    async with running_adsumd(tmp_path, *right.flags) as daemon:
        async with Company(daemon.address, credentials=right.credentials) as company:
            ann, bob = await company.join_all(["Ann", "Bob"])
            await ann.delivery_of(bob, b"secretly")
            # The names in the certificate are whom this server is; no other name is.
            for audience in (NAMED, "eu.adsum.example"):
                await company.client("Cleo", audience=audience).join()
            for audience in ("evil.example", "a.b.adsum.example", "adsum.example.evil"):
                ending = await _ending(company, audience)
                promised(
                    "contract", ending.reason is Reason.WRONG_AUDIENCE, f"{audience} ended with {ending}"
                )
        # Somebody else's authority, and none at all.
        async with Company(daemon.address, credentials=wrong.credentials) as strangers:
            ending = await _ending(strangers)
            promised("contract", ending.code is grpc.StatusCode.UNAVAILABLE, f"it ended with {ending}")
        async with Company(daemon.address) as strangers:
            ending = await _ending(strangers)
            promised("contract", ending.code is grpc.StatusCode.UNAVAILABLE, f"plaintext ended with {ending}")
        await _library_verifies(daemon.address, right, wrong)


async def _library_verifies(target: str, right: Authority, wrong: Authority) -> None:
    async with Followers(target, lobby="another", tls=TLS(ca=right.root)) as followers:
        ann, bob = await followers.join_all(["Ann", "Bob"])
        await ann.lobby.send(bob.key, "secretly")
    settings = Settings(first_connect_seconds=0.5)
    for tls in (TLS(ca=wrong.root), None):
        async with Followers(target, tls=tls, settings=settings) as strangers:
            with pytest.raises(Unavailable):
                await strangers.join("Eve")


@pytest.mark.promise("contract")
async def test_a_certificate_for_another_name_is_refused_by_the_client_and_not_needed_by_operators(
    tmp_path: Path,
) -> None:
    other = _authority(tmp_path / "other", NAMED)
    async with running_adsumd(tmp_path, *other.flags) as daemon:
        async with Company(daemon.address, credentials=other.credentials) as company:
            ending = await _ending(company)
            promised("contract", ending.code is grpc.StatusCode.UNAVAILABLE, f"it ended with {ending}")
        # The same client that dials the right name gets in.
        named = ("grpc.ssl_target_name_override", NAMED)
        async with Company(daemon.address, credentials=other.credentials, options=(named,)) as company:
            await company.client("Ann", audience=NAMED).join()
        # The admin listener is for this machine, and the certificate for the others: it needs none.
        async with open_channel(daemon.admin_address) as channel:
            answer = await AdminServiceStub(channel).ListLobbies(ListLobbiesRequest(), timeout=WAIT_SECONDS)
            names = [lobby.name for lobby in answer.lobbies]
            promised("contract", names == ["lobby"], f"the admin listener answers {answer}")


EXPOSED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "every address": (("--listen", "0.0.0.0:0"), ("0.0.0.0", "--tls-cert", "--insecure")),
    "every v6 address": (("--listen", "[::]:0"), ("[::]", "--insecure")),
    "admin": (("--listen", "127.0.0.1:0", "--admin-listen", "0.0.0.0:0"), ("--admin-listen",)),
    "no authentication": (("--listen", "0.0.0.0:0", "--insecure", "--auth", "none"), ("--auth", "loopback")),
}


@pytest.mark.promise("contract")
async def test_it_refuses_to_be_open_to_others_by_accident(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as tasks:
        for name, (arguments, words) in EXPOSED.items():
            tasks.create_task(_is_refused(arguments, words, tmp_path / name))


async def _is_refused(arguments: tuple[str, ...], words: tuple[str, ...], port_file: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "adsum.server", *arguments, "--port-file", str(port_file)),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=adsumd_environment(),
    )
    try:
        async with asyncio.timeout(STOP_SECONDS):
            _, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    text = complaint.decode()
    promised("contract", process.returncode == 2, f"{arguments} ended with {process.returncode}: {text}")
    promised(
        "contract", all(word in text for word in words), f"{arguments}: it doesn't say what to do: {text}"
    )
    promised("contract", not _exists(port_file), f"{arguments}: it was open for a moment")


def _exists(file: Path) -> bool:
    return file.exists()


@pytest.mark.promise("contract")
async def test_on_a_trusted_network_it_can_be_told_to_do_without_tls(tmp_path: Path) -> None:
    async with running_adsumd(tmp_path, "--insecure", listen="0.0.0.0:0") as daemon:
        port = daemon.address.rpartition(":")[2]
        async with Company(f"127.0.0.1:{port}") as company:
            await company.join("Ann")


@pytest.mark.promise("contract")
async def test_a_broken_certificate_is_an_error_at_the_start(tmp_path: Path) -> None:
    good = _authority(tmp_path / "good", "127.0.0.1")
    other = _authority(tmp_path / "other", "127.0.0.1")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_does_not_start(other.certificate.parent / "nowhere.pem", other.key))
        tasks.create_task(_does_not_start(good.certificate, other.key))


async def _does_not_start(certificate: Path, key: Path) -> None:
    with pytest.raises(AssertionError, match=r"adsumd ended with 1"):
        async with running_adsumd(certificate.parent, "--tls-cert", str(certificate), "--tls-key", str(key)):
            pass
