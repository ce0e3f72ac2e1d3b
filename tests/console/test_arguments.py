"""What the command line may say."""

from pathlib import Path

import pytest

from adsum.console.arguments import read_command
from adsum.console.commands import (
    Access,
    BotsCommand,
    Command,
    DemoCommand,
    JoinCommand,
    KeyCommand,
    SendCommand,
    WatchCommand,
    WhoCommand,
)

HERE = Access("localhost:7557")


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("join team", JoinCommand(HERE, "team", plain=False)),
        (
            "join team --name Ada --key k --server example.org:1 --ca c.pem --plain",
            JoinCommand(
                Access("example.org:1", "Ada", None, Path("k"), tls=True, ca=Path("c.pem")),
                "team",
                plain=True,
            ),
        ),
        (
            "join team --tls --insecure",
            JoinCommand(Access("localhost:7557", tls=True, insecure=True), "team", plain=False),
        ),
        (
            "watch team",
            WatchCommand(HERE, "team", plain=False, json=False, for_seconds=None, event_count=None),
        ),
        (
            "watch team --json --for 1.5 --count-events 3",
            WatchCommand(HERE, "team", plain=False, json=True, for_seconds=1.5, event_count=3),
        ),
        ("who team --json", WhoCommand(HERE, "team", plain=False, json=True)),
        ("send team Ada hi there", SendCommand(HERE, "team", plain=False, recipient="Ada", text="hi there")),
        ("send team Ada -", SendCommand(HERE, "team", plain=False, recipient="Ada", text="-")),
        (
            "send team Ada hi --server h",
            SendCommand(Access("h:7557"), "team", plain=False, recipient="Ada", text="hi"),
        ),
        ("key", KeyCommand(None, plain=False, make=False, show=False)),
        ("key --make --path f", KeyCommand(Path("f"), plain=False, make=True, show=False)),
        ("key --show --key f", KeyCommand(Path("f"), plain=False, make=False, show=True)),
        (
            "bots team --count 3 --seed 7 --pace 0.5 --until-stdin-closes",
            BotsCommand(
                HERE, "team", plain=False, count=3, seed=7, pace_seconds=0.5, until_stdin_closes=True
            ),
        ),
        (
            "demo",
            DemoCommand(None, None, None, "lobby", plain=False, count=12, seed=None, pace_seconds=2.0),
        ),
    ],
)
def test_command_is_understood(words: str, command: Command) -> None:
    assert read_command(words.split(), {}) == command


def test_environment_stands_in_for_options() -> None:
    environment = {"ADSUM_SERVER": "h:1", "ADSUM_NAME": "Ada", "ADSUM_KEY": "k"}
    assert read_command(["who", "team"], environment) == WhoCommand(
        Access("h:1", None, "Ada", Path("k")), "team", plain=False, json=False
    )


def test_options_come_before_the_environment() -> None:
    environment = {"ADSUM_SERVER": "h:1", "ADSUM_KEY": "k"}
    command = read_command(["who", "team", "--server", "g:2", "--key", "l"], environment)
    assert isinstance(command, WhoCommand)
    assert command.access == Access("g:2", key=Path("l"))


def test_demo_does_not_take_the_users_own_key() -> None:
    command = read_command(["demo"], {"ADSUM_KEY": "k", "ADSUM_SERVER": "h:1"})
    assert isinstance(command, DemoCommand)
    assert command.key is None
    join = read_command(["join", "team"], {"ADSUM_KEY": "k"})
    assert isinstance(join, JoinCommand)
    assert join.access.key == Path("k")


@pytest.mark.parametrize(
    ("given", "server"),
    [("h", "h:7557"), ("h:1", "h:1"), ("[::1]:1", "[::1]:1"), ("[::1]", "[::1]:7557"), ("::1", "[::1]:7557")],
)
def test_server_may_come_without_port(given: str, server: str) -> None:
    command = read_command(["who", "team", "--server", given], {})
    assert isinstance(command, WhoCommand)
    assert command.access.server == server


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "COMMAND"),
        (["dance"], "dance"),
        (["join"], "LOBBY"),
        (["join", "Team!"], "lobby's name"),
        (["join", "team", "--server", "h:x"], "HOST:PORT"),
        (["join", "team", "--name", "\x1b[31m"], "U+001B"),
        (["watch", "team", "--for", "-1"], "seconds"),
        (["watch", "team", "--for", "nan"], "seconds"),
        (["watch", "team", "--count-events", "0"], "greater than 0"),
        (["bots", "team"], "--count"),
        (["bots", "team", "--count", "x"], "greater than 0"),
        (["send", "team", "Ada"], "TEXT"),
        (["key", "--make", "--show"], "not allowed"),
    ],
)
def test_mistake_is_told_with_code_2(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        read_command(words, {})
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_bad_environment_is_told_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_command(["who", "team"], {"ADSUM_NAME": "\x07"})
    assert ended.value.code == 2
    assert "ADSUM_NAME" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", "join", "watch", "who", "send", "key", "bots", "demo"])
def test_help_has_examples_and_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_command([*command.split(), "--help"], {})
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"adsum {command}".strip() in shown
    assert "examples:" in shown
    assert "exit codes:" in shown
    assert "--until-stdin-closes" not in shown
