"""What the demo starts, and what it tells a newcomer."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from adsum.console.arguments import read_command
from adsum.console.commands import BotsCommand, DemoCommand
from adsum.console.demo import (
    adsum_words,
    bots_command,
    demonstrator_name,
    introduction,
    own_environment,
    server_command,
)

DEMO = DemoCommand(None, "Ada", None, "lobby", plain=False, count=12, seed=None, pace_seconds=2.0)


def test_server_listens_on_free_ports_of_this_machine_and_ends_with_the_demo() -> None:
    words = server_command("python", Path("/t/ports.json"))
    assert words[:3] == ["python", "-m", "adsum.server"]
    assert words[3:7] == ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    assert words[7:9] == ["--port-file", "/t/ports.json"]
    assert "--until-stdin-closes" in words


def test_bots_are_started_by_words_that_adsum_understands() -> None:
    command = replace(DEMO, seed=7, pace_seconds=0.5)
    words = bots_command("python", command, "127.0.0.1:1")
    assert words[:3] == ["python", "-m", "adsum.console"]
    bots = read_command(words[3:], {})
    assert isinstance(bots, BotsCommand)
    assert (bots.lobby, bots.count, bots.seed, bots.pace_seconds) == ("lobby", 12, 7, 0.5)
    assert bots.access.server == "127.0.0.1:1"
    assert bots.until_stdin_closes


def test_settings_for_the_users_own_server_are_not_for_the_demos() -> None:
    environment = {"PATH": "/bin", "ADSUM_AUTH": "none", "ADSUM_SERVER": "h"}
    assert own_environment(environment) == {"PATH": "/bin"}


def test_introduction_tells_how_to_stop_and_commands_that_work() -> None:
    shown = introduction(DEMO, "127.0.0.1:1", adsum=".venv/bin/adsum", process_id=42, log=Path("/t/log"))
    lines = shown.splitlines()
    assert "Ctrl-C" in lines[1]
    assert "kill 42" in lines[1]
    commands = [line.split() for line in lines if line.startswith("  .venv/bin/adsum ")]
    assert [words[1] for words in commands] == ["join", "who", "send", "watch"]
    for words in commands:
        read_command(words[1:], {})


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / ".venv/bin/adsum"
    path.parent.mkdir(parents=True)
    path.touch()
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def words_for(script: Path, *, path: str, folder: Path) -> str:
    return adsum_words(python=str(script.with_name("python")), path=path, folder=folder)


def test_adsum_on_the_path_is_called_by_its_name(script: Path, tmp_path: Path) -> None:
    assert words_for(script, path=str(script.parent), folder=tmp_path) == "adsum"


def test_adsum_below_the_folder_is_called_by_its_relative_path(script: Path, tmp_path: Path) -> None:
    assert words_for(script, path="", folder=tmp_path) == ".venv/bin/adsum"


def test_adsum_elsewhere_is_called_by_its_whole_path(script: Path, tmp_path: Path) -> None:
    assert words_for(script, path="", folder=tmp_path / "other") == str(script)


def test_another_adsum_on_the_path_is_not_taken_for_this_one(script: Path, tmp_path: Path) -> None:
    other = tmp_path / "other/adsum"
    other.parent.mkdir()
    other.touch()
    other.chmod(0o755)
    assert words_for(script, path=str(other.parent), folder=tmp_path) == ".venv/bin/adsum"


def test_without_a_script_adsum_is_called_as_a_module(tmp_path: Path) -> None:
    python = str(tmp_path / "python")
    assert adsum_words(python=python, path="", folder=tmp_path) == f"{python} -m adsum.console"


def test_person_is_told_apart_from_the_same_user_elsewhere() -> None:
    assert demonstrator_name(DEMO) == "Ada (demo)"
    assert demonstrator_name(replace(DEMO, name="Eve")) == "Eve"
    assert demonstrator_name(replace(DEMO, usual_name="A" * 30)) == "A" * 30
