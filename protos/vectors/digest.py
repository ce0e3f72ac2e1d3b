"""Vectors of the digest: the bytes that are hashed for a member, its hash, and sums of hashes."""

import hashlib

HIGHEST = 2**64 - 1

MEMBERS = [
    ("a member at the lobby's first revision", hashlib.sha256(b"one").digest(), 1, 1),
    ("the same member after a change", hashlib.sha256(b"one").digest(), 1, 7),
    ("the same member in another incarnation", hashlib.sha256(b"one").digest(), 7, 7),
    ("another member with those numbers", hashlib.sha256(b"two").digest(), 7, 7),
    ("a third member", hashlib.sha256(b"three").digest(), 2, 9),
    ("zeros", bytes(32), 0, 0),
    ("the highest numbers", b"\xff" * 32, HIGHEST, HIGHEST),
    ("the lowest incarnation, the highest revision", bytes(range(32)), 0, HIGHEST),
    ("the highest incarnation, the lowest revision", bytes(range(32)), HIGHEST, 0),
    ("numbers above 2^53 and above 2^63", hashlib.sha256(b"one").digest(), 2**53 + 1, 2**63 + 1),
]
"""Name, public key, incarnation, revision."""

SUMS: list[tuple[str, list[str]]] = [
    ("an empty lobby", []),
    ("one member", ["+0"]),
    ("three members", ["+0", "+3", "+4"]),
    ("the same three in another order", ["+4", "+0", "+3"]),
    ("a member changes: the old record out, the new one in", ["+0", "+3", "-0", "+1"]),
    ("one of two leaves", ["+0", "+3", "-0"]),
    ("the last one leaves", ["+6", "-6"]),
    ("taken out before it is put in: below zero and back", ["-4", "+0", "+4"]),
    ("everybody, so that the sum passes 2^64", [f"+{index}" for index in range(len(MEMBERS))]),
]
"""Name, and what is put in (+) or taken out (-), by the member's place in the list above."""


def preimage(public_key: bytes, incarnation: int, revision: int) -> bytes:
    """Lay out the bytes that are hashed for a member."""
    numbers = incarnation.to_bytes(8, "big") + revision.to_bytes(8, "big")
    return b"adsum/1" + len(public_key).to_bytes(4, "big") + public_key + numbers


def member_hash(public_key: bytes, incarnation: int, revision: int) -> int:
    """Hash a member: what it adds to the digest of its lobby."""
    return int(hashlib.sha256(preimage(public_key, incarnation, revision)).hexdigest()[:16], 16)


def vectors() -> dict[str, object]:
    """Make the content of `digest.json`."""
    members = [
        {
            "name": name,
            "public_key": key.hex(),
            "incarnation": str(incarnation),
            "revision": str(revision),
            "preimage": preimage(key, incarnation, revision).hex(),
            "digest": str(member_hash(key, incarnation, revision)),
        }
        for name, key, incarnation, revision in MEMBERS
    ]
    return {
        "about": "What each member adds to the digest of its lobby, and sums of it, modulo 2^64.",
        "members": members,
        "sums": [{"name": name, "steps": steps, "digests": _running(steps)} for name, steps in SUMS],
    }


def _running(steps: list[str]) -> list[str]:
    total = 0
    digests = [str(total)]
    for step in steps:
        _, key, incarnation, revision = MEMBERS[int(step[1:])]
        hashed = member_hash(key, incarnation, revision)
        total = (total + (hashed if step[0] == "+" else -hashed)) % 2**64
        digests.append(str(total))
    return digests
