"""Whom a person means."""

import pytest

from adsum.client import Member
from adsum.console.recipients import Ambiguous, Found, Nobody, absence_words, ambiguity_words, find_recipient
from tests.console.people import member

ADA = member()
OTHER_ADA = member(key=2)
GRACE = member("Grace Hopper", key=3)
CHLOE = member("Chlo\u00e9", key=4)
HYPHENATED = member("mary-jane", key=5)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ada", ADA),
        (" Ada ", ADA),
        ("Grace Hopper", GRACE),
        ("Chloe\u0301", CHLOE),
        (ADA.fingerprint, ADA),
        (ADA.fingerprint.upper(), ADA),
        (GRACE.public_key.hex(), GRACE),
        (GRACE.public_key.hex().upper(), GRACE),
    ],
)
def test_name_fingerprint_and_key_find_one_member(text: str, found: Member) -> None:
    assert find_recipient([ADA, GRACE, CHLOE], text) == Found(found)


def test_name_of_two_is_ambiguous() -> None:
    assert find_recipient([ADA, OTHER_ADA, GRACE], "Ada") == Ambiguous((ADA, OTHER_ADA))


def test_fingerprint_tells_two_of_one_name_apart() -> None:
    assert find_recipient([ADA, OTHER_ADA], OTHER_ADA.fingerprint) == Found(OTHER_ADA)


def test_name_in_another_case_is_a_hint_and_not_a_match() -> None:
    assert find_recipient([ADA, GRACE], "ada") == Nobody((ADA,))


def test_nobody_can_catch_a_message_by_being_named_like_a_fingerprint() -> None:
    impostor = member(ADA.fingerprint, key=6)
    assert find_recipient([ADA, impostor], ADA.fingerprint) == Found(ADA)
    assert find_recipient([impostor], ADA.fingerprint) == Nobody((impostor,))


def test_nobody_can_catch_a_message_by_being_named_like_a_key() -> None:
    impostor = member(ADA.public_key.hex(), key=6)
    assert find_recipient([impostor], ADA.public_key.hex()) == Nobody((impostor,))


def test_name_that_looks_like_a_fingerprint_is_found_by_the_fingerprint() -> None:
    assert find_recipient([HYPHENATED], "mary-jane") == Nobody((HYPHENATED,))
    assert find_recipient([HYPHENATED], HYPHENATED.fingerprint) == Found(HYPHENATED)


def test_words_name_the_candidates_with_their_fingerprints() -> None:
    words = ambiguity_words("Ada", (ADA, OTHER_ADA))
    assert f"Ada ({ADA.fingerprint}), Ada ({OTHER_ADA.fingerprint})" in words
    assert absence_words("Eve", (), "team") == "Eve is not in team"
    assert f"Perhaps you mean Ada ({ADA.fingerprint})?" in absence_words("ada", (ADA,), "team")
