"""What proves that two lists are equal: a 64-bit sum that costs one addition for each change.

The digest of a lobby is the sum, modulo 2^64, of a hash for each member. A sum doesn't depend on order and can be
kept up to date by adding and subtracting; SHA-256 because every language has it. It covers who is there, in which incarnation, and at
which revision each last changed; the store gives no revision twice, so equal revisions mean equal records.
"""

import hashlib

EMPTY = 0
"""The digest of a lobby without members."""
_DOMAIN = b"adsum/1"
_MODULUS = 1 << 64


def member_digest(public_key: bytes, incarnation: int, revision: int) -> int:
    """Hash one member: the first 8 bytes, big endian, of SHA-256 over domain, key with its length, incarnation and revision."""
    content = b"".join(
        (
            _DOMAIN,
            len(public_key).to_bytes(4, "big"),
            public_key,
            incarnation.to_bytes(8, "big"),
            revision.to_bytes(8, "big"),
        )
    )
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big")


def add(digest: int, member: int) -> int:
    """Put a member's hash into a digest."""
    return (digest + member) % _MODULUS


def remove(digest: int, member: int) -> int:
    """Take a member's hash out of a digest."""
    return (digest - member) % _MODULUS
