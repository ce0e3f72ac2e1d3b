"""What the README shows, done as it says."""

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from types import CodeType

import pytest

from adsum.client import Identity, MessageReceived, connect
from tests.integration.local_server import local_server

README = Path(__file__).parents[2] / "README.md"
WAIT_SECONDS = 10.0


def _example(address: str) -> CodeType:
    block = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert block is not None, "the README has no example"
    program = block[1]
    assert '"localhost:7557"' in program
    assert program.endswith("\nasyncio.run(main())\n")
    # It runs inside this test's event loop, against this test's server.
    program = program.replace('"localhost:7557"', repr(address)).replace("\nasyncio.run(main())\n", "")
    return compile(program, str(README), "exec")


async def test_example_welcomes_whoever_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    printed: list[str] = []
    is_in = asyncio.Event()

    def note(*values: object) -> None:
        printed.append(" ".join(map(str, values)))
        # Who comes before the example has its list is in that list, and not welcomed.
        is_in.set()

    async with asyncio.timeout(WAIT_SECONDS), local_server() as server:
        names: dict[str, object] = {"print": note}
        exec(_example(server.address), names)
        main = names["main"]
        assert callable(main)
        example = asyncio.create_task(main())
        await is_in.wait()
        async with connect(server.address, lobby="team", identity=Identity.generate(), name="Bob") as lobby:
            welcome = await anext(event async for event in lobby if isinstance(event, MessageReceived))
        example.cancel()
        with suppress(asyncio.CancelledError):
            await example
    assert welcome.text == "welcome!"
    assert welcome.sender is not None
    assert welcome.sender.name == "Ann"
    assert printed[0].startswith("here now: ['Ann'")
