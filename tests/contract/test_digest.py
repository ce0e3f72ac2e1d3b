"""What proves that two lists are equal: a sum that doesn't depend on order and can be kept up to date."""

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.contract.digest import EMPTY, add, member_digest, remove

U64 = st.integers(0, 2**64 - 1)
RECORDS = st.tuples(st.binary(min_size=32, max_size=32), U64, U64)
KEY = bytes(range(32))


@given(
    st.lists(RECORDS, max_size=8).flatmap(
        lambda records: st.tuples(st.just(records), st.permutations(records))
    )
)
def test_order_does_not_matter(
    lists: tuple[list[tuple[bytes, int, int]], list[tuple[bytes, int, int]]],
) -> None:
    one, other = (reduce(add, (member_digest(*record) for record in records), EMPTY) for records in lists)
    assert one == other


@given(U64, U64)
def test_removing_undoes_adding(digest: int, member: int) -> None:
    assert remove(add(digest, member), member) == digest
    assert add(remove(digest, member), member) == digest


@given(U64, U64)
def test_sum_stays_within_64_bits(digest: int, member: int) -> None:
    assert 0 <= add(digest, member) < 2**64
    assert 0 <= remove(digest, member) < 2**64


@given(RECORDS, RECORDS)
def test_every_field_counts(one: tuple[bytes, int, int], other: tuple[bytes, int, int]) -> None:
    assert (member_digest(*one) == member_digest(*other)) is (one == other)


def test_neighbouring_fields_are_not_confused() -> None:
    digests = {
        member_digest(KEY, 1, 2),
        member_digest(KEY, 2, 1),
        member_digest(KEY, 1 << 32, 2),
        member_digest(KEY + bytes(8), 1, 2),
        member_digest(KEY + (1).to_bytes(8, "big"), 2, 0),
    }
    assert len(digests) == 5


def test_empty_lobby_has_digest_zero() -> None:
    assert EMPTY == 0


@pytest.mark.parametrize("number", [-1, 2**64])
def test_number_beyond_64_bits_is_our_callers_fault(number: int) -> None:
    with pytest.raises(OverflowError):
        member_digest(KEY, number, 1)
    with pytest.raises(OverflowError):
        member_digest(KEY, 1, number)
