"""Who may knock: how many streams wait outside, from one address and in all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.contract.limits import Limits
from adsum.server.door import Door, address_of

LIMITS = Limits(unproved_streams_per_address=2, unproved_streams=5)


def test_address_has_only_so_much_room() -> None:
    door = Door(LIMITS)
    assert [door.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert door.enter("192.0.2.2")
    assert door.waiting == 3


def test_all_together_have_only_so_much_room() -> None:
    door = Door(LIMITS)
    assert [door.enter(f"192.0.2.{last}") for last in range(6)] == [True] * 5 + [False]


def test_who_leaves_makes_room_for_the_next() -> None:
    door = Door(LIMITS)
    door.enter("192.0.2.1")
    door.enter("192.0.2.1")
    door.leave("192.0.2.1")
    assert door.enter("192.0.2.1")
    assert not door.enter("192.0.2.1")


def test_loopback_is_counted_in_all_but_not_by_itself() -> None:
    door = Door(LIMITS)
    assert [door.enter("loopback") for _ in range(6)] == [True] * 5 + [False]


def test_stream_that_can_not_be_got_rid_of_is_counted_beyond_the_room() -> None:
    door = Door(LIMITS)
    for _ in range(4):
        door.hold("192.0.2.1")
    assert door.waiting == 4
    assert not door.enter("192.0.2.1")
    for _ in range(3):
        door.leave("192.0.2.1")
    assert door.enter("192.0.2.1")


def test_addresses_that_have_left_are_forgotten() -> None:
    door = Door(Limits(unproved_streams=5))
    for number in range(1000):
        address = f"192.0.2.{number}"
        door.enter(address)
        door.leave(address)
    assert door.waiting == 0
    assert not door._waiting


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.1:40112", "192.0.2.1"),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:40112", "2001:db8:1:2::"),
        ("ipv6:[2001:db8:1:2:3:4:5:6]:40112", "2001:db8:1:2::"),
        ("ipv6:%5Bfe80::1%25eth0%5D:40112", "fe80::"),
        ("ipv6:%5B::ffff:192.0.2.1%5D:40112", "192.0.2.1"),
        ("ipv4:127.0.0.1:40112", "loopback"),
        ("ipv4:127.8.9.10:40112", "loopback"),
        ("ipv6:%5B::1%5D:40112", "loopback"),
        ("ipv6:%5B::ffff:127.0.0.1%5D:40112", "loopback"),
        ("unix:/run/adsum.sock", "loopback"),
        ("unix:", "loopback"),
        ("ipv4:nonsense", "ipv4:nonsense"),
        ("vsock:3:5000", "vsock:3:5000"),
        ("", ""),
    ],
)
def test_peer_is_counted_by_its_address(peer: str, address: str) -> None:
    assert address_of(peer) == address


def test_one_customer_does_not_become_many_by_its_ipv6_addresses() -> None:
    assert len({address_of(f"ipv6:%5B2001:db8::{last:x}%5D:{last + 1}") for last in range(1, 100)}) == 1


@given(st.text())
def test_no_peer_makes_it_raise(peer: str) -> None:
    address_of(peer)
    address_of("ipv4:" + peer)
    address_of("ipv6:" + peer)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", "loopback"]), st.booleans()), max_size=60))
def test_count_is_never_wrong(visits: list[tuple[str, bool]]) -> None:
    door = Door(LIMITS)
    inside: list[str] = []
    for address, comes in visits:
        if not comes and address in inside:
            door.leave(address)
            inside.remove(address)
        elif comes:
            there_is_room = len(inside) < 5 and (address == "loopback" or inside.count(address) < 2)
            assert door.enter(address) is there_is_room
            inside += [address] * there_is_room
        assert door.waiting == len(inside)
