"""Where `adsum` starts, and what becomes of a command from its words to its exit code."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adsum.client import load_identity
from adsum.console.program import run_program

WAIT_SECONDS = 20.0
WITHOUT_RICH = """
import importlib.util, sys
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "rich" else find_spec(name, *rest)
sys.modules["rich"] = None
from adsum.console.__main__ import main
sys.exit(main())
"""
INTERRUPTED = """
import asyncio, sys
from adsum.console.interrupts import run
async def command():
    print("ready", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.01)
        print("left properly", flush=True)
    return 0
sys.exit(run(command))
"""
STUCK = """
import asyncio, sys
from adsum.console import interrupts
async def command():
    print("ready", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(interrupts.IMPATIENCE_SECONDS + 0.05)
        print("stuck", flush=True)
        await asyncio.sleep(60)
    return 0
try:
    sys.exit(interrupts.run(command))
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_without_rich_it_says_what_to_install() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_RICH],
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == "adsum: the command line needs: pip install 'adsum[console]'\n"


def test_help_is_shown_in_a_process_of_its_own() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "adsum.console", "--help"],
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert ended.returncode == 0
    assert "adsum demo" in ended.stdout


def test_key_is_made_shown_and_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys/mine.key"
    assert run_program(["key", "--show", "--path", str(path)], {}) == 1
    assert run_program(["key", "--make"], {"ADSUM_KEY": str(path)}) == 0
    made = capsys.readouterr().out
    identity = load_identity(path, create=False)
    assert str(path) in made
    assert identity.fingerprint in made
    assert identity.public_key.hex() in made
    assert run_program(["key", "--path", str(path)], {}) == 0
    assert capsys.readouterr().out == made
    assert run_program(["key", "--make", "--path", str(path)], {}) == 1
    assert "not written over" in capsys.readouterr().err
    assert load_identity(path, create=False) == identity


def test_key_that_others_can_read_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.key"
    load_identity(path)
    path.chmod(0o644)
    assert run_program(["key", "--show", "--path", str(path)], {}) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("adsum: others can read the key")
    assert captured.err.count("\n") == 1


@pytest.fixture
def hangups_end() -> Iterator[None]:
    """Let programs that are started be ended by SIGHUP, also where the suite itself was started with `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangups_end")
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: signal.Signals(number).name
)
def test_signal_ends_a_command_properly(number: int) -> None:
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "left properly\n"
        assert process.wait(WAIT_SECONDS) == 128 + number


def test_signal_that_is_sent_twice_is_one_wish() -> None:
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        # Another number, because two equal signals that both wait are one to the system.
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "left properly\n"
        assert process.wait(WAIT_SECONDS) > 128


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)])
def test_second_signal_after_a_while_ends_a_command_at_once(number: int, code: int) -> None:
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "stuck\n"
        process.send_signal(number)
        assert process.wait(WAIT_SECONDS) == code


def test_command_that_ignores_hangups_outlives_its_terminal() -> None:
    with subprocess.Popen(
        ["sh", "-c", 'trap "" HUP; exec "$0" -c "$1"', sys.executable, INTERRUPTED],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGHUP)
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(WAIT_SECONDS) == 130
