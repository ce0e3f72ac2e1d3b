"""What a server accepts: one table with the defaults, and the rules between them."""

import math
import re
from dataclasses import dataclass

LOBBY_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
"""The name of a lobby, matched as a whole."""
NAME_CODE_POINTS = 64
"""The longest display name in code points."""
NAME_COLUMNS = 32
"""The widest display name in terminal columns."""
STATUS_TEXT_CODE_POINTS = 140
"""The longest status text in code points."""
ATTRIBUTES_BYTES = 1024
"""Keys and values of all attributes together, in bytes of UTF-8."""
SNAPSHOT_CHUNK_MEMBERS = 500
"""The most members in one chunk of a snapshot."""
SNAPSHOT_CHUNK_BYTES = 64 * 1024
"""About the most bytes in one chunk of a snapshot: a chunk is closed by the record that would pass it."""
DELTA_BYTES = 256 * 1024
"""A delta that would be larger is not sent; a snapshot comes instead, in chunks. Clients limit what they take in one message."""
CHALLENGE_SECONDS = 10.0
"""How long a challenge can be answered."""
SMALLEST_MESSAGE_BYTES = 16 * 1024
"""What `message_bytes` must allow: 1 KiB of attributes with keys of one byte takes some 7 KiB on the wire, beside name and text."""
LONGEST_SECONDS = 4_294_967
"""What a message can tell of a duration: 32 bits of milliseconds, some 49 days."""
LARGEST_BYTES = 2**31 - 1
"""What gRPC takes as the largest size of a message."""
LARGEST_NUMBER = 2**32 - 1
"""What a message can tell of a count or a rate: 32 bits."""
HEARTBEAT_JITTER = 0.2
"""By which part of itself the interval between two heartbeats varies."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Hold the limits that an operator may change. All durations are seconds, all sizes bytes, all rates per second."""

    handshake_seconds: float = 5.0
    heartbeat_seconds: float = 5.0
    lease_seconds: float = 12.0
    grace_seconds: float = 5.0
    message_bytes: int = 64 * 1024
    payload_bytes: int = 4 * 1024
    members_per_lobby: int = 10_000
    sessions_per_member: int = 8
    lobbies: int = 10_000
    tombstones_per_lobby: int = 10_000
    observers_per_lobby: int = 1_000
    updates_per_second: float = 5.0
    update_burst: int = 10
    sends_per_second: float = 10.0
    send_burst: int = 20
    requests_per_second: float = 100.0
    request_burst: int = 400
    errors_per_stream: int = 32
    unproved_streams_per_address: int = 32
    unproved_streams: int = 4_096
    pending_deliveries: int = 64
    ack_seconds: float = 10.0
    results_kept: int = 128

    @property
    def tombstone_seconds(self) -> float:
        """How long a departure is remembered, so that a client that was away can be told of it: max(2 x grace, 5 minutes)."""
        return max(2 * self.grace_seconds, 300.0)

    def faults(self) -> list[str]:
        """Name every rule between the limits that these break; an empty list if they are sound."""
        faults = [
            f"{name} must be a number greater than 0, not {value}"
            for name in self.__slots__
            if name != "grace_seconds" and not 0 < (value := getattr(self, name)) < math.inf
        ]
        if not 0 <= self.grace_seconds < math.inf:
            faults.append(f"grace_seconds must be 0 or a number greater than 0, not {self.grace_seconds}")
        faults += [
            f"{name} must be at most {largest}, not {value}"
            for name in self.__slots__
            if (largest := _largest(name)) < (value := getattr(self, name)) < math.inf
        ]
        # One heartbeat may be lost, and the next is up to a fifth late: less patience would remove healthy members.
        if self.lease_seconds < 2 * self.heartbeat_seconds * (1 + HEARTBEAT_JITTER):
            faults.append(
                f"lease_seconds ({self.lease_seconds:g}) must be at least 2.4 x heartbeat_seconds ({self.heartbeat_seconds:g})"
            )
        if self.payload_bytes + 256 > self.message_bytes:
            faults.append(
                f"message_bytes ({self.message_bytes}) must leave 256 bytes beside payload_bytes ({self.payload_bytes})"
            )
        # A hello carries name, text, attributes, key, nonce and token.
        if self.message_bytes < SMALLEST_MESSAGE_BYTES:
            faults.append(
                f"message_bytes must be at least {SMALLEST_MESSAGE_BYTES} to hold a hello, not {self.message_bytes}"
            )
        return faults


def _largest(name: str) -> int:
    """Tell the bound of a limit: clients are told of most in messages, and gRPC of one."""
    if name.endswith("_seconds"):
        return LONGEST_SECONDS
    return LARGEST_BYTES if name.endswith("_bytes") else LARGEST_NUMBER
