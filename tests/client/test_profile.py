"""A profile is checked before it is sent, in the words of the contract."""

from typing import Any

import pytest

from adsum.client import InvalidProfile, Profile, Status
from adsum.client.profile import checked


def test_profile_is_brought_into_form() -> None:
    wanted = checked(Profile(" Zoe\u0308 ", Status.AWAY, "  lunch ", {"team": "red"}))
    assert wanted == Profile("Zo\u00eb", Status.AWAY, "lunch", {"team": "red"})


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"name": " "}, "the name is empty"),
        ({"name": "x" * 65}, "65 characters"),
        ({"name": "\x1b[31m"}, r"U\+001B"),
        ({"status_text": "x" * 141}, "141 characters"),
        ({"attributes": {"key": "x" * 1024}}, "bytes"),
        ({"status": 9}, "9 is not a status"),
    ],
)
def test_wrong_profile_says_why(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidProfile, match=why):
        checked(Profile(**({"name": "Ann"} | wrong)))


def test_invalid_profile_is_a_value_error() -> None:
    assert issubclass(InvalidProfile, ValueError)
