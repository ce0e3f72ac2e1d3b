"""A hostile server against the client library and the console: no crash, no hang, no errors but the library's own, no raw control."""

import asyncio
import json
import os
import sys
from random import Random
from typing import Any

from tests.abuse.attack import Attack, Ground
from tests.abuse.hostile_server import HostileServer
from tests.abuse.people import LOBBY
from tests.abuse.screens import consoles, forbidden_in
from tests.integration.adsumd import adsumd_environment

ROUNDS = 24
VICTIMS = 2
PATIENCE_SECONDS = 120.0
CONSOLE_SECONDS = 10.0
GROWTH_MIB = 150.0
"""What a client may hold more while it is told lists of 400 members, messages of a MiB and thousands of events."""
_FINE_EXITS = frozenset({0, 1, 3, 4, None})
"""How the console may end: refused, unavailable, told that the server broke the rules; or not at all."""
_CRASHES = (b"Traceback (most recent call last)", b"never retrieved", b"never awaited", b"Error in ")


async def _run(ground: Ground) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(VICTIMS):
            tasks.create_task(_torment(ground, Random(ground.random.getrandbits(64))))
    for gentle in (True, False):
        await _show(ground, Random(ground.random.getrandbits(64)), gentle=gentle)


async def _torment(ground: Ground, random: Random) -> None:
    async with HostileServer(random) as server:
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-X",
                "dev",
                "-m",
                "tests.abuse.victim",
                server.target,
                str(random.getrandbits(32)),
            ),
            str(ground.amount(ROUNDS)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**adsumd_environment(), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                stdout, stderr = await process.communicate()
        except TimeoutError:
            ground.tally.blame("P9: the library hangs")
            return
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    tally = ground.tally
    tally.count("responses to the library", server.said["responses"])
    for what, times in server.said.items():
        tally.answers[f"said {what}"] += times
    if process.returncode != 0 or not stdout:
        tally.crashes += 1
        tally.blame(f"P9: the library's process ended with {process.returncode}: {stderr.decode()[-500:]}")
        return
    _judge(ground, json.loads(stdout), stderr.decode())


def _judge(ground: Ground, report: dict[str, Any], stderr: str) -> None:
    tally = ground.tally
    for name, times in report["raised"].items():
        tally.answers[f"raised {name}"] += times
    tally.figures["events"] = tally.figures.get("events", 0) + sum(report["events"].values())
    tally.figures["longest round, s"] = round(
        max(tally.figures.get("longest round, s", 0), report["longest_seconds"]), 2
    )
    tally.figures["library grew by, MiB"] = round(report["peak_mib"] - report["before_mib"], 1)
    for fault, times in report["faults"].items():
        tally.blame(f"{times} x {fault}")
    for lost, times in report["lost"].items():
        tally.blame(f"P9: {times} x an exception got lost: {lost}")
    if stderr:
        tally.blame(f"P9: the library wrote: {stderr[-500:]!r}")
    growth = report["peak_mib"] - report["before_mib"]
    tally.expect(growth < GROWTH_MIB, f"P9: the library grew by {growth:.0f} MiB")
    tally.expect(sum(report["events"].values()) > 0, "harness: the library was never let in")


async def _show(ground: Ground, random: Random, *, gentle: bool) -> None:
    """Let four consoles look at it for a while."""
    directory = ground.directory / f"hostile-{gentle}"
    directory.mkdir(exist_ok=True)
    async with (
        HostileServer(random, gentle=gentle) as server,
        consoles(directory, server.target, LOBBY) as terminals,
    ):
        await asyncio.sleep(CONSOLE_SECONDS)
        for name, terminal in terminals.items():
            ground.tally.expect(
                terminal.process.returncode in _FINE_EXITS,
                f"P9: {name} ended with {terminal.process.returncode}",
            )
            ground.tally.expect(len(terminal.written) > 0, f"harness: {name} showed nothing")
            for crash in _CRASHES:
                if (at := terminal.written.find(crash)) >= 0:
                    ground.tally.crashes += 1
                    ground.tally.blame(
                        f"P9: {name}: {terminal.written[at:].decode('utf-8', 'replace')[-600:]}"
                    )
                    break
            for found in forbidden_in(terminal.written):
                ground.tally.blame(f"P9: {name} wrote {found}")
    ground.tally.count("responses to consoles", server.said["responses"])


ATTACK = Attack(
    "hostile",
    "P9",
    "a hostile server against the client library and four consoles",
    _run,
    minimum=1_000,
    is_aimed_at_server=False,
)
