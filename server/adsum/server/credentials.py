"""What the server shows to prove who it is, and the names that it answers to.

Decides whether a certificate and its key can be used, and which audiences a client may sign for. Doesn't
decide whether TLS is needed (`config.py`) and never looks at a client's certificate: clients prove themselves
by their Adsum key.

The names are read by shaking hands with ourselves, in memory: the certificate's own file is the only thing
that the dialling side trusts, and what `ssl` then tells about its peer is what a client would see. The
standard library has no other public way to read the names of a certificate that isn't an authority's, and
this one finds an expired or unfit certificate before the first client does.
"""

import re
import socket
import ssl
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import grpc

from adsum.server.config import Config

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
"""What a user dials to reach a server on the same machine."""
MOST_FLIGHTS = 10
"""A handshake takes two flights from each side; one that takes more than this hangs."""

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(rb"-----BEGIN ([A-Z]+ )*PRIVATE KEY-----")
_ENCRYPTED_KEY = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED", re.MULTILINE)
# How the public keys of Ed25519, Ed448 (RFC 8410) and P-521 (RFC 5480) start in a certificate. OpenSSL takes them, but
# gRPC's BoringSSL then fails every handshake: seen with grpcio 1.85.1.
_KEYS_NOT_FOR_GRPC = (
    bytes.fromhex("302a300506032b6570032100"),
    bytes.fromhex("3043300506032b6571033a00"),
    bytes.fromhex("301006072a8648ce3d020106052b8104002303818600"),
)
# Addresses for documentation (RFC 5737, RFC 3849): the route to them is the one to everywhere. Nothing is sent.
_ANYWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


class CredentialsError(Exception):
    """The certificate or its key can't be used; the message tells the operator why, and names the file."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Hold a certificate chain and its key in PEM, checked, and what the certificate says.

    `load_credentials` makes it. `names` are the hosts and IP addresses of the subjectAltName in lower case,
    some with a star as first label; `expires_at` is in seconds since 1970.
    """

    certificate: bytes
    key: bytes = field(repr=False)
    names: frozenset[str]
    expires_at: float

    def for_grpc(self) -> grpc.ServerCredentials:
        """Make what `add_secure_port` takes. Clients are not asked for a certificate."""
        return grpc.ssl_server_credentials([(self.key, self.certificate)])


@dataclass(frozen=True, slots=True)
class Audiences(Collection[str]):
    """The names that a server answers to, in lower case.

    `in` finds a name whatever its case, final dot or way of writing an IP address; `*.example.org` stands for
    exactly one label before `.example.org` (RFC 9525, section 6.3), and never for itself.
    """

    names: frozenset[str]

    def __contains__(self, audience: object) -> bool:
        if not isinstance(audience, str):
            return False
        name = _canonical(audience)
        label, dot, parent = name.partition(".")
        if "*" in name or not label:
            return False
        return name in self.names or (bool(dot) and not _is_ip(name) and f"*.{parent}" in self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.names))

    def __len__(self) -> int:
        return len(self.names)


def load_credentials(certificate: Path, key: Path) -> Credentials:
    """Read and check the certificate chain (the server's own first) and the key that belongs to it.

    Raises:
        CredentialsError: a file is missing, unreadable, not PEM, or encrypted; the key is of another
            certificate; gRPC can't use its algorithm; no client would accept the certificate, since it has
            expired, names no host, or is not meant for servers.
    """
    chain, secret = _read(certificate), _read(key)
    leaf = _CERTIFICATE.search(chain)
    if leaf is None:
        raise CredentialsError(f"{certificate} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")
    if _ENCRYPTED_KEY.search(secret):
        raise CredentialsError(
            f"{key} is protected by a password, and a server has nobody to ask: decrypt it"
        )
    if not _KEY.search(secret):
        raise CredentialsError(f"{key} holds no private key in PEM (-----BEGIN PRIVATE KEY-----)")
    server = _context_of_server(certificate, key)
    seen = _seen_by_client(server, leaf.group(), certificate)
    names = _names(seen)
    if not names:
        raise CredentialsError(f"{certificate} names no host in a subjectAltName: clients can't verify it")
    return Credentials(chain, secret, names, float(ssl.cert_time_to_seconds(str(seen["notAfter"]))))


def accepted_audiences(
    config: Config,
    certificate_names: Collection[str] | None,
    names_of_machine: Callable[[], Collection[str]] | None = None,
) -> Audiences:
    """Tell which names clients may sign for when they dial this server; no `certificate_names` means no TLS.

    These are the certificate's names, the hosts listened on, those that the operator added, and the loopback
    names if it listens on loopback. Listening on every address without a certificate, it has no name by which
    anybody could verify it: there it answers to the loopback names and to those of the machine
    (`names_of_machine`) as well.
    """
    names = {*(certificate_names or ()), *config.audiences}
    names |= {address.host for address in config.listen if not address.is_wildcard}
    open_to_all = certificate_names is None and any(address.is_wildcard for address in config.listen)
    if open_to_all or any(address.is_loopback for address in config.listen):
        names |= LOOPBACK_NAMES
    if open_to_all:
        names.update((names_of_machine or own_names)())
    return Audiences(frozenset(_canonical(name) for name in names))


def own_names() -> frozenset[str]:
    """Tell the name of this machine and its main IPv4 and IPv6 address, without asking anybody.

    Not `getfqdn`: whoever answers reverse lookups would choose a name that we answer to, and starting would
    wait for it.
    """
    names = {socket.gethostname()}
    for family, anywhere in _ANYWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((anywhere, 9))
                names.add(str(probe.getsockname()[0]).partition("%")[0])
        except OSError:
            # There is no route of this family.
            continue
    return frozenset(_canonical(name) for name in names if name)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CredentialsError(f"can't read {path}: {error.strerror or error}") from error


def _context_of_server(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a callback of ours, OpenSSL would ask the terminal for a password.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CredentialsError(
                f"{key} is not the key of the certificate in {certificate}; of several certificates the "
                "server's own must come first"
            ) from error
        raise CredentialsError(f"{certificate} and {key} can't be used: {error.reason or error}") from error
    except OSError as error:
        raise CredentialsError(f"can't read {certificate} or {key}: {error.strerror or error}") from error
    return context


def _seen_by_client(server: ssl.SSLContext, leaf: bytes, certificate: Path) -> dict[str, Any]:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    # The server's certificate is trusted by itself, whoever has issued it.
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        encoded = ssl.PEM_cert_to_DER_cert(leaf.decode("ascii"))
        client.load_verify_locations(cadata=encoded)
        seen = _shake_hands(server, client)
    except ssl.SSLCertVerificationError as error:
        message = f"no client would accept {certificate}: {error.verify_message}"
        raise CredentialsError(message) from error
    except (ssl.SSLError, ValueError) as error:
        raise CredentialsError(f"{certificate} can't be used: {error}") from error
    if any(start in encoded for start in _KEYS_NOT_FOR_GRPC):
        raise CredentialsError(
            f"{certificate} has a kind of key that gRPC can't use: take P-256, P-384 or RSA"
        )
    return seen


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, Any]:
    """Tell what the client learns of the server's certificate."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    dialling = client.wrap_bio(to_client, to_server)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(MOST_FLIGHTS):
        done = True
        for side in (dialling, answering):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                done = False
        if done:
            return dialling.getpeercert() or {}
    raise AssertionError("a handshake in memory has come to no end")


def _names(seen: dict[str, Any]) -> frozenset[str]:
    entries = seen.get("subjectAltName", ())
    return frozenset(_canonical(value) for kind, value in entries if kind in ("DNS", "IP Address"))


def _canonical(name: str) -> str:
    name = name.strip().lower().removesuffix(".")
    return str(ip_address(name)) if _is_ip(name) else name


def _is_ip(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
