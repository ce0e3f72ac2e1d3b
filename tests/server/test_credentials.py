import datetime
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import grpc
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from adsum.server.config import Config, load
from adsum.server.credentials import (
    LOOPBACK_NAMES,
    Audiences,
    Credentials,
    CredentialsError,
    accepted_audiences,
    load_credentials,
    own_names,
)

AUTHORITY = trustme.CA()
EdwardsKey: TypeAlias = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
Key: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | EdwardsKey


class Files:
    """Writes certificates and keys."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "cert.pem"
        self.key = folder / "key.pem"

    def hold(self, issued: trustme.LeafCert) -> "Files":
        self.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        self.key.write_bytes(issued.private_key_pem.bytes())
        return self

    def load(self) -> Credentials:
        return load_credentials(self.certificate, self.key)

    def refusal(self) -> str:
        with pytest.raises(CredentialsError) as caught:
            self.load()
        return str(caught.value)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path).hold(AUTHORITY.issue_cert("lobby.example.org"))


def test_names_are_those_of_the_certificate(files: Files) -> None:
    names = ("Lobby.Example.ORG", "*.example.net", "10.0.0.7", "2001:db8::a", "bücher.example")
    assert files.hold(AUTHORITY.issue_cert(*names, common_name="cn.example")).load().names == {
        *("lobby.example.org", "*.example.net", "10.0.0.7", "2001:db8::a", "xn--bcher-kva.example"),
    }


def test_chain_is_handed_on_whole_and_the_first_certificate_counts(files: Files) -> None:
    between = AUTHORITY.create_child_ca()
    found = files.hold(between.issue_cert("leaf.example")).load()
    assert found.names == {"leaf.example"}
    assert found.certificate == files.certificate.read_bytes()
    assert found.certificate.count(b"BEGIN CERTIFICATE") == 2
    assert found.key == files.key.read_bytes()


def test_one_file_may_hold_certificate_and_key(files: Files) -> None:
    issued = AUTHORITY.issue_cert("both.example")
    files.certificate.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    files.key = files.certificate
    assert files.load().names == {"both.example"}


def test_text_around_the_certificate_is_ignored(files: Files) -> None:
    files.certificate.write_bytes(
        b"subject=lobby\r\n" + files.certificate.read_bytes().replace(b"\n", b"\r\n")
    )
    assert files.load().names == {"lobby.example.org"}


def test_expiry_is_told(files: Files) -> None:
    moment = datetime.datetime(2099, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    found = files.hold(AUTHORITY.issue_cert("x", not_after=moment)).load()
    assert found.expires_at == moment.timestamp()
    assert found.expires_at > time.time()


def test_grpc_takes_them(files: Files) -> None:
    assert isinstance(files.load().for_grpc(), grpc.ServerCredentials)


def test_repr_hides_the_key(files: Files) -> None:
    assert "PRIVATE" not in repr(files.load())


@pytest.mark.parametrize("missing", ["certificate", "key"])
def test_missing_file_is_named(missing: str, files: Files) -> None:
    path = getattr(files, missing)
    path.unlink()
    assert files.refusal() == f"can't read {path}: No such file or directory"
    path.mkdir()
    assert files.refusal() == f"can't read {path}: Is a directory"


def test_key_must_belong_to_the_certificate(files: Files) -> None:
    files.key.write_bytes(AUTHORITY.issue_cert("lobby.example.org").private_key_pem.bytes())
    assert files.refusal().startswith(f"{files.key} is not the key of the certificate in {files.certificate}")


def test_authority_in_front_of_the_certificate_is_explained(files: Files) -> None:
    files.certificate.write_bytes(AUTHORITY.cert_pem.bytes() + files.certificate.read_bytes())
    assert files.refusal().endswith("the server's own must come first")


def test_exchanged_files_are_recognised(files: Files) -> None:
    files.certificate, files.key = files.key, files.certificate
    assert files.refusal().startswith(f"{files.certificate} holds no certificate in PEM")
    files.certificate = files.key
    assert files.refusal().startswith(f"{files.key} holds no private key in PEM")


@pytest.mark.parametrize("kind", ["certificate", "key"])
@pytest.mark.parametrize("content", ["AAAA", "not base64!", "\u00e9"])
def test_damaged_pem_is_a_fault(kind: str, content: str, files: Files) -> None:
    label = "CERTIFICATE" if kind == "certificate" else "PRIVATE KEY"
    path: Path = getattr(files, kind)
    path.write_text(f"-----BEGIN {label}-----\n{content}\n-----END {label}-----\n", encoding="utf-8")
    assert "can't be used" in files.refusal()


@pytest.mark.parametrize(
    "layout", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
)
def test_key_with_a_password_is_refused_without_asking(
    layout: serialization.PrivateFormat, files: Files
) -> None:
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    protection = serialization.BestAvailableEncryption(b"hunter2")
    files.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, layout, protection))
    assert files.refusal().startswith(f"{files.key} is protected by a password")


def test_certificate_out_of_its_time_is_refused(files: Files) -> None:
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    future = datetime.datetime(2990, 1, 1, tzinfo=datetime.UTC)
    refusal = files.hold(AUTHORITY.issue_cert("x", not_after=past)).refusal()
    assert refusal == f"no client would accept {files.certificate}: certificate has expired"
    refusal = files.hold(AUTHORITY.issue_cert("x", not_before=future)).refusal()
    assert refusal == f"no client would accept {files.certificate}: certificate is not yet valid"


def test_certificate_without_names_is_refused(files: Files) -> None:
    refusal = files.hold(AUTHORITY.issue_cert(common_name="lobby.example.org")).refusal()
    assert "names no host" in refusal


def test_certificate_for_clients_only_is_refused(files: Files) -> None:
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    sign(files, ec.generate_private_key(ec.SECP256R1()), usage)
    assert files.refusal().startswith(f"no client would accept {files.certificate}: ")


@pytest.mark.parametrize(
    "make",
    [
        ed25519.Ed25519PrivateKey.generate,
        ed448.Ed448PrivateKey.generate,
        lambda: ec.generate_private_key(ec.SECP521R1()),
    ],
)
def test_key_that_only_openssl_can_use_is_refused(make: Callable[[], Key], files: Files) -> None:
    sign(files, make())
    assert "gRPC can't use" in files.refusal()


def test_key_that_nobody_can_use_is_refused(files: Files) -> None:
    sign(files, ec.generate_private_key(ec.SECP256K1()))
    assert files.refusal().startswith(f"{files.certificate} can't be used: ")


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: rsa.generate_private_key(65537, 2048),
    ],
)
def test_usual_key_is_taken(make: Callable[[], Key], files: Files) -> None:
    sign(files, make())
    assert files.load().names == {"self.example"}


def sign(files: Files, key: Key, *extensions: x509.ExtensionType) -> None:
    """Hold a certificate for self.example that is signed by its own key."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "self")])
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC))
    )
    for extension in (x509.SubjectAlternativeName([x509.DNSName("self.example")]), *extensions):
        builder = builder.add_extension(extension, critical=False)
    # The algorithm of an Edwards key says what it hashes with.
    certificate = builder.sign(key, None if isinstance(key, EdwardsKey) else hashes.SHA256())
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


AUDIENCES = Audiences(frozenset({"lobby.example.org", "*.example.net", "10.0.0.7", "2001:db8::a"}))


@pytest.mark.parametrize(
    "audience",
    [
        *("lobby.example.org", "LOBBY.example.org", "lobby.example.org."),
        *("a.example.net", "xn--bcher-kva.example.net", "A.EXAMPLE.NET."),
        *("10.0.0.7", "2001:db8::a", "2001:DB8:0:0::A"),
    ],
)
def test_audience_is_accepted(audience: str) -> None:
    assert audience in AUDIENCES


@pytest.mark.parametrize(
    "audience",
    [
        *(
            "",
            ".",
            "example.org",
            "a.lobby.example.org",
            "lobby.example.org.evil.example",
            "xlobby.example.org",
        ),
        # A star is one label: not none, not two, not itself.
        *("example.net", ".example.net", "a.b.example.net", "*.example.net", "a*.example.net", "*", "net"),
        *("10.0.0.8", "010.0.0.7", "2001:db8::b", "lobby.example.org:443", None, b"lobby.example.org"),
    ],
)
def test_audience_is_not_accepted(audience: object) -> None:
    assert audience not in AUDIENCES


def test_star_never_stands_for_a_part_of_an_ip_address() -> None:
    assert "10.0.0.7" not in Audiences(frozenset({"*.0.0.7"}))


def test_audiences_can_be_listed() -> None:
    assert list(AUDIENCES) == ["*.example.net", "10.0.0.7", "2001:db8::a", "lobby.example.org"]
    assert len(AUDIENCES) == 4


def config(*argv: str) -> Config:
    return load(argv, {})


def no_names() -> frozenset[str]:
    raise AssertionError("this server has names of its own")


def machine() -> frozenset[str]:
    return frozenset({"Ada-PC", "192.168.1.5"})


@pytest.mark.parametrize("listen", ["localhost", "127.0.0.1", "[::1]"])
def test_loopback_names_are_accepted_on_loopback(listen: str) -> None:
    assert set(accepted_audiences(config("--listen", listen), None, no_names)) == LOOPBACK_NAMES
    both = accepted_audiences(config("--listen", listen), {"a.example"}, no_names)
    assert set(both) == LOOPBACK_NAMES | {"a.example"}


def test_address_listened_on_is_accepted() -> None:
    given = config("--insecure", "--listen", "10.0.0.1,Lobby.example,[2001:DB8::1]", "--listen", "127.0.0.9")
    assert set(accepted_audiences(given, None, no_names)) == {
        *LOOPBACK_NAMES,
        *("10.0.0.1", "lobby.example", "2001:db8::1", "127.0.0.9"),
    }
    given = config("--insecure", "--listen", "10.0.0.1")
    assert set(accepted_audiences(given, None, no_names)) == {"10.0.0.1"}


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "[::]"])
def test_everywhere_with_tls_only_the_certificate_says_the_names(wildcard: str) -> None:
    given = config("--listen", wildcard, "--tls-cert", "c", "--tls-key", "k")
    assert set(accepted_audiences(given, {"a.example", "*.b.example"}, no_names)) == {
        "a.example",
        "*.b.example",
    }


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "[::]"])
def test_everywhere_without_tls_the_machine_says_the_names(wildcard: str) -> None:
    given = config("--listen", wildcard, "--insecure")
    assert set(accepted_audiences(given, None, machine)) == LOOPBACK_NAMES | {"ada-pc", "192.168.1.5"}
    assert set(accepted_audiences(given, None)) == LOOPBACK_NAMES | own_names()


def test_operator_may_add_names() -> None:
    given = config("--audience", "Lobby.example.", "--audience", "*.c.example,2001:DB8::7")
    accepted = accepted_audiences(given, None, no_names)
    assert set(accepted) == LOOPBACK_NAMES | {"lobby.example", "*.c.example", "2001:db8::7"}
    assert "x.c.example" in accepted


def test_own_names_ask_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> str:
        raise AssertionError("a name server was asked")

    for name in ("getfqdn", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getaddrinfo"):
        monkeypatch.setattr(socket, name, asked)
    assert socket.gethostname().lower() in own_names()


def test_own_names_do_without_a_route(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoRoute(socket.socket):
        def connect(self, _: object) -> None:
            raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "socket", NoRoute)
    assert own_names() == {socket.gethostname().lower()}
