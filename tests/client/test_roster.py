"""The list keeps its order and its digest through every change, and is only read by applications."""

from collections.abc import MutableMapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.client import Member, Roster, fingerprint
from adsum.client.roster import Members, digest_of, hash_of
from adsum.contract.digest import EMPTY
from tests.client.model_lobby import a_member, key_of
from tests.client.patient import patient

NAMES = ["Ann", "ann", "Bob", "bob", "Émile", "zoë", "Zoe", "  ", "k7q2-m4xd"]


def a_roster(*members: Member) -> Roster:
    held = Members()
    for member in members:
        held.put(member)
    return Roster(held)


def test_order_is_by_name_without_case_then_by_key() -> None:
    roster = a_roster(a_member("bob"), a_member("Ann"), a_member("Carol"), a_member("ann"), a_member("Bob"))
    assert [member.name for member in roster.values()] == ["Ann", "ann", "Bob", "bob", "Carol"]


def test_loop_is_not_disturbed_by_changes() -> None:
    held = Members()
    for name in ("Ann", "Bob", "Carol"):
        held.put(a_member(name))
    roster = Roster(held)
    seen = []
    for key in roster:
        seen.append(key)
        held.drop(key)
    assert seen == [key_of("Ann"), key_of("Bob"), key_of("Carol")]
    assert not roster


def test_roster_can_only_be_read() -> None:
    assert not isinstance(a_roster(), MutableMapping)
    assert repr(a_roster(a_member("Ann"))) == "<Roster of 1>"


def test_by_name_finds_all_who_claim_it() -> None:
    roster = a_roster(a_member("Ann"), a_member("ann"), a_member("Anna"), a_member("Bob"))
    assert [member.name for member in roster.by_name("ANN")] == ["Ann", "ann"]
    assert roster.by_name("Zoe") == []


def test_find_prefers_key_then_fingerprint_then_exact_name() -> None:
    ann, other = a_member("Ann"), a_member("ann")
    roster = a_roster(ann, other)
    assert roster.find(ann.public_key.hex()) == [ann]
    assert roster.find(ann.fingerprint.upper()) == [ann]
    assert roster.find(" Ann ") == [ann]
    assert roster.find("ANN") == [ann, other]
    assert roster.find("nobody") == []
    assert roster.find("") == []


def test_name_that_imitates_a_fingerprint_does_not_win() -> None:
    ann = a_member("Ann")
    impostor = a_member(fingerprint(ann.public_key))
    assert a_roster(impostor, ann).find(ann.fingerprint) == [ann]


@pytest.mark.parametrize("count", [0, 1, 50])
def test_replacing_everything_equals_putting_one_by_one(count: int) -> None:
    members = {key_of(f"{number}"): a_member(f"{number}", revision=number) for number in range(count)}
    held = Members()
    held.put(a_member("gone"))
    held.replace(members, {key: hash_of(member) for key, member in members.items()})
    other = Members()
    for member in members.values():
        other.put(member)
    assert (held.by_key, held.order, held.digest) == (other.by_key, other.order, other.digest)


changes = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 5), st.sampled_from(NAMES), st.integers(0, 2**64 - 1)),
        st.tuples(st.just("drop"), st.integers(0, 5), st.just(""), st.just(0)),
    ),
    max_size=60,
)


@patient
@given(changes)
def test_order_and_digest_are_always_those_of_the_members(
    changes: list[tuple[str, int, str, int]],
) -> None:
    held = Members()
    for change, number, name, revision in changes:
        key = key_of(str(number))
        before = held.by_key.get(key)
        if change == "put":
            member = a_member(name, revision, revision)
            member = Member(key, *(getattr(member, slot) for slot in Member.__slots__[1:]))
            assert held.put(member) is before
        else:
            assert held.drop(key) is before
        assert held.digest == digest_of(held.by_key.values())
        assert held.order == sorted((m.name.casefold(), m.public_key) for m in held.by_key.values())
        assert list(Roster(held)) == [key for _, key in held.order]
    for key in list(held.by_key):
        held.drop(key)
    assert held.digest == EMPTY
