"""Vectors of the proof: fingerprints, the bytes that are signed, signatures, and what is not one."""

import base64
import hashlib
from dataclasses import dataclass, replace

from nacl.bindings import crypto_core_ed25519_add
from nacl.signing import SigningKey

DOMAIN = b"adsum/1 proof\r\n"
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of Ed25519's prime-order group (RFC 8032, section 5.1)."""
RFC_8032_SEEDS = [
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
    bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
]
"""The seeds of tests 1 and 2 in RFC 8032, section 7.1, whose public keys are printed there."""

SMALL_ORDER_KEYS = {
    "order 1: the neutral element": "01" + "00" * 31,
    "order 2": "ec" + "ff" * 30 + "7f",
    "order 4": "00" * 32,
    "order 4, the other": "00" * 31 + "80",
    "order 8": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order 8, another": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
}
"""Points with which one signature fits every transcript, or one in eight."""

NON_CANONICAL_KEYS = {
    "not canonical: y = p, the same as y = 0": "ed" + "ff" * 30 + "7f",
    "not canonical: y = p + 1, the same as y = 1": "ee" + "ff" * 30 + "7f",
    "not canonical: the neutral element with a sign": "01" + "00" * 30 + "80",
}
"""Second spellings of a point: whoever compares keys as bytes must not take two of them for one member."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """Hold what a proof is made of."""

    name: str
    seed: bytes
    audience: str
    server_nonce: bytes
    client_nonce: bytes
    lobby: str
    expires_at_unix_millis: int

    @property
    def public_key(self) -> bytes:
        """The key that is proved."""
        return bytes(SigningKey(self.seed).verify_key)

    @property
    def transcript(self) -> bytes:
        """The bytes that are signed."""
        parts = [
            self.audience.encode("utf-8"),
            self.server_nonce,
            self.client_nonce,
            self.public_key,
            self.lobby.encode("utf-8"),
            self.expires_at_unix_millis.to_bytes(8, "big"),
        ]
        result = DOMAIN
        for part in parts:
            result += len(part).to_bytes(4, "big")
            result += part
        return result

    @property
    def signature(self) -> bytes:
        """The proof."""
        return SigningKey(self.seed).sign(self.transcript).signature


def _nonce(label: str) -> bytes:
    return hashlib.sha256(f"adsum vectors: nonce {label}".encode()).digest()


PLAIN = Handshake(
    name="plain",
    seed=RFC_8032_SEEDS[0],
    audience="lobby.example",
    server_nonce=_nonce("server"),
    client_nonce=_nonce("client"),
    lobby="lobby",
    expires_at_unix_millis=1_767_225_610_000,
)
LONGEST_AUDIENCE = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])

PROOFS = [
    PLAIN,
    replace(PLAIN, name="another key", seed=RFC_8032_SEEDS[1]),
    replace(PLAIN, name="IPv4", audience="127.0.0.1"),
    replace(PLAIN, name="IPv6", audience="::1"),
    replace(PLAIN, name="a name beyond ASCII, as UTF-8", audience="b\u00fccher.example"),
    replace(PLAIN, name="the shortest audience and lobby", audience="a", lobby="0"),
    replace(PLAIN, name="the longest audience and lobby", audience=LONGEST_AUDIENCE, lobby="z" * 64),
    replace(PLAIN, name="a lobby with each kind of character", lobby="9a.b_c-"),
    replace(
        PLAIN,
        name="zeros are values like others",
        server_nonce=bytes(32),
        client_nonce=bytes(32),
        expires_at_unix_millis=0,
    ),
    replace(
        PLAIN,
        name="the highest values",
        server_nonce=b"\xff" * 32,
        client_nonce=b"\xff" * 32,
        expires_at_unix_millis=2**64 - 1,
    ),
    replace(
        PLAIN,
        name="nonces that look like the domain and like a length",
        server_nonce=(DOMAIN * 3)[:32],
        client_nonce=bytes([0, 0, 0, 32]) * 8,
    ),
    replace(PLAIN, name="both nonces equal", client_nonce=PLAIN.server_nonce),
    replace(PLAIN, name="a seed of zeros", seed=bytes(32)),
]


def fingerprint(public_key: bytes) -> str:
    """Name a key for the human eye: the first 40 bits of its SHA-256 in base32, four and four."""
    letters = base64.b32encode(hashlib.sha256(public_key).digest())[:8].decode("ascii").lower()
    return letters[:4] + "-" + letters[4:]


def vectors() -> dict[str, object]:
    """Make the content of `signing.json`."""
    return {
        "about": "Fingerprints, the bytes that are signed, and signatures that prove a key or don't.",
        "domain": DOMAIN.hex(),
        "proofs": [_proof(handshake) for handshake in PROOFS],
        "refusals": _refusals(),
        "keys": _keys(),
    }


def _proof(handshake: Handshake) -> dict[str, str]:
    return {
        "name": handshake.name,
        "seed": handshake.seed.hex(),
        "public_key": handshake.public_key.hex(),
        "fingerprint": fingerprint(handshake.public_key),
        "audience": handshake.audience,
        "server_nonce": handshake.server_nonce.hex(),
        "client_nonce": handshake.client_nonce.hex(),
        "lobby": handshake.lobby,
        "expires_at_unix_millis": str(handshake.expires_at_unix_millis),
        "transcript": handshake.transcript.hex(),
        "signature": handshake.signature.hex(),
    }


def _refusals() -> list[dict[str, str]]:
    """Pair transcripts that a server expects with signatures that don't prove the key for them."""
    key, transcript, signature = PLAIN.public_key, PLAIN.transcript, PLAIN.signature
    other = replace(PLAIN, seed=RFC_8032_SEEDS[1])
    neutral = bytes.fromhex(SMALL_ORDER_KEYS["order 1: the neutral element"])
    # With a key of order 1 this satisfies the equation S·B = R + h·A for every transcript.
    forged = neutral + bytes(32)
    scalar = int.from_bytes(signature[32:], "little")
    shifted = signature[:32] + (scalar + GROUP_ORDER).to_bytes(32, "little")
    moved = replace(PLAIN, audience="lobby.exampl", lobby="elobby")

    def expecting(name: str, expected: Handshake) -> tuple[str, bytes, bytes, bytes]:
        return name, key, expected.transcript, signature

    cases = [
        expecting("made for another lobby", replace(PLAIN, lobby="lobby2")),
        expecting("made for another audience", replace(PLAIN, audience="evil.example")),
        expecting("made for the same audience in other letters", replace(PLAIN, audience="Lobby.example")),
        expecting("made for another server nonce", replace(PLAIN, server_nonce=_nonce("another"))),
        expecting("made for another client nonce", replace(PLAIN, client_nonce=_nonce("another"))),
        expecting(
            "made with the nonces exchanged",
            replace(PLAIN, server_nonce=PLAIN.client_nonce, client_nonce=PLAIN.server_nonce),
        ),
        expecting(
            "made for another expiry", replace(PLAIN, expires_at_unix_millis=PLAIN.expires_at_unix_millis + 1)
        ),
        ("made with another key", key, transcript, SigningKey(RFC_8032_SEEDS[1]).sign(transcript).signature),
        ("given for another key", other.public_key, other.transcript, signature),
        ("a letter moved from one field to the next", key, moved.transcript, signature),
        ("signed without lengths", key, transcript, _sign(_without_lengths(PLAIN))),
        ("signed without the domain", key, transcript, _sign(transcript.removeprefix(DOMAIN))),
        ("signed as a hash of the transcript", key, transcript, _sign(hashlib.sha512(transcript).digest())),
        ("one bit of the transcript altered", key, _flip(transcript, len(transcript) - 1), signature),
        ("one bit of R altered", key, transcript, _flip(signature, 0)),
        ("one bit of S altered", key, transcript, _flip(signature, 40)),
        ("S + L: a second signature from the first", key, transcript, shifted),
        ("zeros", key, transcript, bytes(64)),
        ("63 bytes", key, transcript, signature[:63]),
        ("65 bytes", key, transcript, signature + b"\x00"),
        ("no signature", key, transcript, b""),
        ("a key of 31 bytes", key[:31], transcript, signature),
        ("a key of 33 bytes", key + b"\x00", transcript, signature),
        ("no key", b"", transcript, signature),
    ]
    for name, text in (SMALL_ORDER_KEYS | NON_CANONICAL_KEYS).items():
        point = bytes.fromhex(text)
        cases.append(
            (f"a signature that fits every transcript, key of {name}", point, _transcript_for(point), forged)
        )
    return [
        {"name": name, "public_key": point.hex(), "transcript": expected.hex(), "signature": given.hex()}
        for name, point, expected, given in cases
    ]


def _keys() -> list[dict[str, str]]:
    mixed = crypto_core_ed25519_add(PLAIN.public_key, bytes.fromhex(SMALL_ORDER_KEYS["order 8"]))
    cases = [
        ("RFC 8032, test 1", PLAIN.public_key, True),
        ("RFC 8032, test 2", bytes(SigningKey(RFC_8032_SEEDS[1]).verify_key), True),
        ("of a seed of zeros", bytes(SigningKey(bytes(32)).verify_key), True),
        ("a good point with one of order 8 added", mixed, False),
        ("on no curve", bytes([2]) + bytes(31), False),
        ("all ones", b"\xff" * 32, False),
        ("31 bytes", PLAIN.public_key[:31], False),
        ("33 bytes", PLAIN.public_key + b"\x00", False),
        ("nothing", b"", False),
        *(
            (name, bytes.fromhex(text), False)
            for name, text in (SMALL_ORDER_KEYS | NON_CANONICAL_KEYS).items()
        ),
    ]
    return [
        {"name": name, "public_key": point.hex(), "refusal": "" if is_valid else "REASON_BAD_KEY"}
        for name, point, is_valid in cases
    ]


def _transcript_for(public_key: bytes) -> bytes:
    return PLAIN.transcript.replace(PLAIN.public_key, public_key)


def _without_lengths(handshake: Handshake) -> bytes:
    numbers = handshake.expires_at_unix_millis.to_bytes(8, "big")
    nonces = handshake.server_nonce + handshake.client_nonce
    return (
        DOMAIN
        + handshake.audience.encode()
        + nonces
        + handshake.public_key
        + handshake.lobby.encode()
        + numbers
    )


def _sign(message: bytes) -> bytes:
    return SigningKey(PLAIN.seed).sign(message).signature


def _flip(content: bytes, index: int) -> bytes:
    return content[:index] + bytes([content[index] ^ 1]) + content[index + 1 :]
