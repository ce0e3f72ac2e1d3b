"""Programs that end when we end. Real processes, small ones."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from adsum.console import children
from adsum.console.children import child, last_lines

WAIT_SECONDS = 10.0
OBEDIENT = "import sys; print('ready', flush=True); sys.stdin.read()"
DEAF = "import signal, sys, time; print('ready', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {DEAF}"


async def until_ready(log: Path) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            if last_lines(log, 1) == ["ready"]:
                return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("program", "code"),
    [(OBEDIENT, 0), (DEAF, -signal.SIGTERM), (STUBBORN, -signal.SIGKILL)],
    ids=["obedient", "deaf", "stubborn"],
)
async def test_child_is_gone_when_the_context_ends(
    program: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The obedient one is the only one that shouldn't be hurried.
    monkeypatch.setattr(children, "PATIENCE_SECONDS", WAIT_SECONDS if program == OBEDIENT else 0.3)
    log = tmp_path / "log"
    async with child([sys.executable, "-c", program], log=log) as process:
        await until_ready(log)
        assert os.getpgid(process.pid) == process.pid, "a Ctrl-C meant for us must not reach it"
    assert process.returncode == code
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


async def test_child_that_has_ended_by_itself_is_no_trouble(tmp_path: Path) -> None:
    started = time.monotonic()
    async with child([sys.executable, "-c", "print('so long')"], log=tmp_path / "log") as process:
        async with asyncio.timeout(WAIT_SECONDS):
            await process.wait()
    assert last_lines(tmp_path / "log", 3) == ["so long"]
    assert time.monotonic() - started < WAIT_SECONDS


def test_log_that_is_missing_has_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "nothing", 3) == []
