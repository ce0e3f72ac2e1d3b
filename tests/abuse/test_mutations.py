"""Mutated bytes come from their seed alone, are bounded, and reach both what can't be read and what can."""

from random import Random

import pytest
from google.protobuf.message import DecodeError

from adsum.v1.presence_pb2 import PresenceRequest, PresenceResponse
from tests.abuse.bending import bend
from tests.abuse.mutations import LARGEST_BYTES, MUTATORS, Mutator, fields_of, mutate, varint
from tests.abuse.nasty_texts import NOT_TEXTS, TEXTS
from tests.abuse.people import KINDS, Person
from tests.client.encoding import encode_response
from tests.client.model_lobby import ModelLobby


def is_readable(content: bytes) -> bool:
    try:
        PresenceRequest.FromString(content)
    except DecodeError:
        return False
    return True


@pytest.mark.parametrize("mutator", MUTATORS)
def test_a_mutator_makes_the_same_from_the_same_seed_and_something_else_from_another(
    mutator: Mutator,
) -> None:
    message = Person(Random(1)).request("hello")
    made = [[mutator(Random(seed), message) for seed in range(20)] for _ in range(2)]
    assert made[0] == made[1]
    assert len(set(made[0])) > 1
    assert any(content != message for content in made[0])


def test_mutations_are_bounded_and_of_both_kinds() -> None:
    random = Random(2)
    person = Person(random)
    contents = [mutate(random, person.request(random.choice(KINDS))) for _ in range(400)]
    readable = sum(map(is_readable, contents))
    assert 20 < readable < 380
    assert max(map(len, contents)) <= LARGEST_BYTES


def test_what_is_bent_can_still_be_read_and_is_not_what_it_was() -> None:
    random = Random(3)
    person = Person(random)
    changed = 0
    for _ in range(300):
        request = PresenceRequest.FromString(person.request(random.choice(KINDS)))
        bent = bend(random, request)
        assert is_readable(bent.SerializeToString())
        changed += bent != request
    assert changed > 150


def test_lists_are_bent_too() -> None:
    snapshot = PresenceResponse.FromString(encode_response(ModelLobby("Ann", "Bob", "Cleo").snapshot()[0]))
    sizes = {len(bend(Random(seed), snapshot).snapshot.members) for seed in range(300)}
    assert {2, 3, 4} <= sizes
    assert max(sizes) > 100


def test_the_fields_of_a_message_are_found_where_they_stand() -> None:
    assert fields_of(b"\x08\x96\x01\x12\x02hi\x1d\0\0\0\0\x21" + bytes(8)) == [
        (0, 3),
        (3, 7),
        (7, 12),
        (12, 21),
    ]


def test_a_padded_varint_says_the_same() -> None:
    assert varint(300) == b"\xac\x02"
    assert varint(300, padding=2) == b"\xac\x82\x80\0"


def test_texts_are_texts_and_the_others_are_not() -> None:
    assert len(TEXTS) > 200
    for text in TEXTS:
        assert text.encode().decode() == text
    for content in NOT_TEXTS:
        with pytest.raises(UnicodeDecodeError):
            content.decode()
