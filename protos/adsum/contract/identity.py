"""Who someone is: an Ed25519 key, its fingerprint, and the exact bytes that prove possession of it.

A proof is a signature over a fixed, length-prefixed transcript and never over protobuf bytes, which have no canonical form.
The transcript names the audience that the *user* dialled, so that a signature given to one server is worth nothing to another.
"""

import base64
import hashlib
from dataclasses import dataclass, field

from nacl.bindings import crypto_core_ed25519_is_valid_point
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

KEY_BYTES = 32
"""The length of a public key, and of the seed of a private one."""
NONCE_BYTES = 32
"""The length of either side's nonce in the handshake."""
SIGNATURE_BYTES = 64
"""The length of an Ed25519 signature."""
PROOF_DOMAIN = b"adsum/1 proof\r\n"
"""What every signed transcript starts with: no other protocol signs bytes that start so."""
FINGERPRINT_CHARACTERS = 8
"""40 bits of the key's hash: enough to tell namesakes apart at a glance, not to authenticate anyone by itself."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Hold a member's private key. Its `repr` never shows the key's secret half.

    Two identities are equal if their public keys are.
    """

    public_key: bytes
    _seed: bytes = field(repr=False, compare=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> "Identity":
        """Derive the identity from the 32 secret bytes of its private key (RFC 8032, section 5.1.5).

        Raises:
            ValueError: the seed is not 32 bytes.
        """
        if len(seed) != KEY_BYTES:
            raise ValueError(f"a private key has {KEY_BYTES} bytes, not {len(seed)}")
        return cls(bytes(SigningKey(seed).verify_key), seed)

    @classmethod
    def generate(cls) -> "Identity":
        """Make a new identity from the operating system's randomness."""
        return cls.from_seed(bytes(SigningKey.generate()))

    @property
    def seed(self) -> bytes:
        """The 32 secret bytes. Whoever has them is this member."""
        return self._seed

    @property
    def fingerprint(self) -> str:
        """The short name of the public key, such as `k7q2-m4xd`."""
        return fingerprint(self.public_key)

    def sign(self, transcript: bytes) -> bytes:
        """Sign the bytes that `proof_transcript` made: 64 bytes of plain Ed25519."""
        return SigningKey(self._seed).sign(transcript).signature


def fingerprint(public_key: bytes) -> str:
    """Name a key in eight characters for the human eye.

    The first 40 bits of SHA-256(public key) in lower-case base32 (RFC 4648), as two groups of four.
    """
    short = base64.b32encode(hashlib.sha256(public_key).digest()[:5]).decode("ascii").lower()
    return f"{short[:4]}-{short[4:]}"


def proof_transcript(
    *,
    audience: str,
    server_nonce: bytes,
    client_nonce: bytes,
    public_key: bytes,
    lobby: str,
    expires_at_unix_millis: int,
) -> bytes:
    """Lay out the bytes that a client signs to prove its key: the domain, then each field after its length (u32, big endian)."""
    fields = (
        audience.encode(),
        server_nonce,
        client_nonce,
        public_key,
        lobby.encode(),
        expires_at_unix_millis.to_bytes(8, "big"),
    )
    return PROOF_DOMAIN + b"".join(len(value).to_bytes(4, "big") + value for value in fields)


def is_valid_key(public_key: bytes) -> bool:
    """Tell whether these bytes can be somebody's public key: 32 bytes, canonical, a point of the prime-order group.

    Every key that Ed25519 derives from a seed is. With a key of small order one signature fits every transcript: it proves nothing.
    """
    return len(public_key) == KEY_BYTES and crypto_core_ed25519_is_valid_point(public_key)


def is_valid_signature(public_key: bytes, transcript: bytes, signature: bytes) -> bool:
    """Tell whether the signature proves the key. False for anything malformed, and for keys of small order.

    PyNaCl (libsodium) refuses small-order and non-canonical keys, with which one signature would fit every transcript.
    """
    if len(public_key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        VerifyKey(public_key).verify(transcript, signature)
    except CryptoError:
        return False
    return True


def audience_of(target: str) -> str:
    """Take the audience from what a user dialled: the host of `host`, `host:port`, `[v6]:port` or `v6`.

    In lower case, without brackets, port or final dot.

    Raises:
        ValueError: there is no host in it, or the port is not a number.
    """
    target = target.strip()
    if target.startswith("["):
        host, closed, rest = target[1:].partition("]")
        if not closed or (rest and not _is_port(rest)):
            raise ValueError(f"{target!r} is not HOST:PORT")
    elif target.count(":") > 1:
        host = target
    else:
        host, colon, port = target.partition(":")
        if colon and not _is_port(":" + port):
            raise ValueError(f"{target!r} is not HOST:PORT: {port!r} is not a port")
    host = host.lower().removesuffix(".")
    if not host or any(character.isspace() or character == "/" for character in host):
        raise ValueError(f"{target!r} is not HOST:PORT: there is no host in it")
    return host


def _is_port(text: str) -> bool:
    return text.startswith(":") and text[1:].isascii() and text[1:].isdigit() and int(text[1:]) < 65536
