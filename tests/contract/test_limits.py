"""What a server accepts: the defaults of protocol.md, section 4, and the rules between them."""

import math
from dataclasses import fields, replace

import pytest

from adsum.contract import limits
from adsum.contract.limits import LOBBY_PATTERN, Limits

NAMES = [field.name for field in fields(Limits)]
LARGEST = {"seconds": 4_294_967, "bytes": 2**31 - 1, "count": 2**32 - 1}


def test_defaults_are_those_of_the_protocol() -> None:
    """protocol.md, section 4."""
    given = Limits()
    assert (given.handshake_seconds, given.message_bytes, given.payload_bytes) == (5, 65536, 4096)
    assert (given.heartbeat_seconds, given.lease_seconds, given.grace_seconds) == (5, 12, 5)
    assert (given.sessions_per_member, given.members_per_lobby) == (8, 10_000)
    assert (given.updates_per_second, given.update_burst) == (5, 10)
    assert (given.sends_per_second, given.send_burst) == (10, 20)
    assert given.unproved_streams_per_address == 32
    assert (limits.NAME_CODE_POINTS, limits.NAME_COLUMNS, limits.STATUS_TEXT_CODE_POINTS) == (64, 32, 140)
    assert limits.ATTRIBUTES_BYTES == 1024
    assert (limits.SNAPSHOT_CHUNK_MEMBERS, limits.SNAPSHOT_CHUNK_BYTES) == (500, 65536)
    assert (limits.CHALLENGE_SECONDS, limits.HEARTBEAT_JITTER) == (10, 0.2)


def test_defaults_are_sound() -> None:
    assert Limits().faults() == []


@pytest.mark.parametrize("name", [name for name in NAMES if name != "grace_seconds"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, -math.inf])
def test_limit_that_is_no_positive_number_is_named(name: str, value: float) -> None:
    given = replace(Limits(), **{name: value})  # type: ignore[arg-type]  # counts are given as floats too
    assert any(fault.startswith(f"{name} must be a number greater than 0") for fault in given.faults())


def test_no_grace_is_sound() -> None:
    assert Limits(grace_seconds=0).faults() == []


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_grace_that_is_no_duration_is_named(value: float) -> None:
    assert [fault.split()[0] for fault in Limits(grace_seconds=value).faults()] == ["grace_seconds"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("factor", [1.01, 1e6, 1e290])
def test_limit_that_no_message_can_tell_is_named(name: str, factor: float) -> None:
    largest = LARGEST[name.rpartition("_")[2] if name.endswith(("_seconds", "_bytes")) else "count"]
    given = replace(Limits(), **{name: largest * factor})  # type: ignore[arg-type]  # counts are given as floats too
    assert f"{name} must be at most {largest}, not {largest * factor}" in given.faults()
    given = replace(Limits(), **{name: largest})
    assert not any(fault.startswith(f"{name} must be at most") for fault in given.faults())


def test_largest_limits_are_sound() -> None:
    largest = {
        name: LARGEST[
            "seconds" if name.endswith("_seconds") else "bytes" if name.endswith("_bytes") else "count"
        ]
        for name in NAMES
    }
    largest |= {"payload_bytes": LARGEST["bytes"] - 256, "heartbeat_seconds": LARGEST["seconds"] // 3}
    assert Limits(**largest).faults() == []


def test_lease_outlives_one_lost_heartbeat() -> None:
    assert Limits(heartbeat_seconds=5, lease_seconds=12).faults() == []
    assert Limits(heartbeat_seconds=5, lease_seconds=11.9).faults() == [
        "lease_seconds (11.9) must be at least 2.4 x heartbeat_seconds (5)"
    ]


def test_message_holds_its_payload() -> None:
    assert Limits(message_bytes=32768, payload_bytes=32768 - 256).faults() == []
    assert len(Limits(message_bytes=32768, payload_bytes=32768 - 255).faults()) == 1


def test_message_holds_a_hello() -> None:
    assert Limits(message_bytes=16384, payload_bytes=1024).faults() == []
    assert len(Limits(message_bytes=16383, payload_bytes=1024).faults()) == 1


def test_every_fault_is_named() -> None:
    faults = Limits(send_burst=0, grace_seconds=-1, lease_seconds=1).faults()
    assert [fault.split()[0] for fault in faults] == ["send_burst", "grace_seconds", "lease_seconds"]


@pytest.mark.parametrize(("grace", "kept"), [(0, 300), (5, 300), (150, 300), (151, 302), (3600, 7200)])
def test_tombstones_outlive_two_graces_and_five_minutes(grace: float, kept: float) -> None:
    assert Limits(grace_seconds=grace).tombstone_seconds == kept


def test_lobby_pattern_knows_no_other_digits_and_letters() -> None:
    accepted = {chr(point) for point in range(0x110000) if LOBBY_PATTERN.fullmatch("a" + chr(point))}
    assert accepted == set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    accepted = {chr(point) for point in range(0x110000) if LOBBY_PATTERN.fullmatch(chr(point))}
    assert accepted == set("abcdefghijklmnopqrstuvwxyz0123456789")
