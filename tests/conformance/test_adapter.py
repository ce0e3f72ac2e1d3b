"""The Python library's adapter: what a command asks for never overtakes the events that led to it."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from adsum.client import Identity, Joined, Liveness, Member, Profile, Settings
from adsum.client.endpoint import Endpoint
from adsum.client.lobby import Lobby
from adsum.client.session import Output, Purpose
from tests.conformance.python.adapter import Adapter

SETTINGS = Settings()
ENDPOINT = Endpoint.of("localhost:7557", tls=None, insecure=False, settings=SETTINGS)
CLEO = Member(b"c" * 32, 3, 3, Liveness.ONLINE, Profile("Cleo"), datetime(2026, 1, 1, tzinfo=UTC), 1)


async def test_roster_comes_after_the_events_that_made_it(capsys: pytest.CaptureFixture[str]) -> None:
    lobby = Lobby(Purpose("team", Identity.generate(), "localhost"), Profile("Ann"), ENDPOINT, SETTINGS)
    adapter = Adapter(lobby)
    async with asyncio.TaskGroup() as tasks:
        telling = tasks.create_task(adapter.tell())
        await asyncio.sleep(0)
        # Within one turn of the loop: `tell` has been woken, and hasn't run yet.
        lobby._deliver(Output(events=(Joined(CLEO),)))
        await adapter.obey({"command": "roster", "id": "Ann-1"})
        await asyncio.sleep(0)
        telling.cancel()
    assert [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()] == [
        "joined",
        "roster",
    ]
