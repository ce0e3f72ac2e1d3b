"""What is asked of `connect` is checked before anything is dialled."""

from typing import Any

import pytest

from adsum.client import Connection, Identity, InvalidProfile, Profile, Settings, connect

ANN = Identity.from_seed(b"a" * 32)


def prepare(target: str = "localhost:1", lobby: str = "lounge", **given: object) -> Connection:
    return connect(target, lobby=lobby, identity=ANN, **given)  # type: ignore[arg-type]  # each test's own


def test_sound_arguments_are_taken() -> None:
    prepare()
    prepare(name="Ann", settings=Settings(max_attempts=3))
    prepare(profile=Profile("Ann"), observer=True)
    prepare(target="example.org:1", insecure=True)


@pytest.mark.parametrize("lobby", ["", "Lounge", "-lounge", "a b", "x" * 65, "lounge\n"])
def test_lobbys_name_is_checked(lobby: str) -> None:
    with pytest.raises(ValueError, match="not a lobby's name"):
        prepare(lobby=lobby)


def test_target_is_checked() -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        prepare(target="localhost")
    with pytest.raises(ValueError, match="another host"):
        prepare(target="example.org:1")


def test_profile_is_checked() -> None:
    with pytest.raises(InvalidProfile):
        prepare(name="")
    with pytest.raises(ValueError, match="not both"):
        prepare(name="Ann", profile=Profile("Ann"))


@pytest.mark.parametrize(
    "wrong", [{"connect_seconds": 0}, {"inbox": -1}, {"max_attempts": 0}, {"first_backoff_seconds": 20}]
)
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        Settings(**wrong)
