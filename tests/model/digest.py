"""The digest of a list, as section 2 of the protocol defines it, computed from nothing each time."""

import hashlib
from collections.abc import Mapping

from tests.model.lobby import Record


def digest_of(members: Mapping[bytes, Record]) -> int:
    """Sum over the members, modulo 2^64, the first 8 bytes of SHA-256 over domain, key with its length, incarnation and revision."""
    total = 0
    for key, record in members.items():
        content = b"adsum/1" + len(key).to_bytes(4, "big") + key
        content += record.incarnation.to_bytes(8, "big") + record.revision.to_bytes(8, "big")
        total += int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
    return total % 2**64
