"""Where faults are injected: each place opens a town, injects its faults so often, rests in between, and hands over what was seen."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import cast

from tests.faults import crowds, disks, wires
from tests.faults.faults import AtDisk, AtTown, AtVictims, AtWire, Fault
from tests.faults.history import Findings
from tests.faults.opening import opened_town
from tests.faults.town import Town, Victims

CREWS = (2, 2, 2, 2)
SILENT_CREWS = (1, 1, 1, 1)
MOST_LONG = 2
"""How many hang for 90 s: all at once, so more would take the same time and be half of the lobby."""
CROWD = (50, 50, 50, 50)
CROWD_SECONDS = 25.0
"""How seldom one of a crowd does something, so that all together are as busy as a small lobby."""
MOST_CROWDS = 2

Judge = Callable[[Town], None]
Place = Callable[[int, Sequence[Fault], int, Judge], Awaitable[None]]


async def clients(seed: int, faults: Sequence[Fault], times: int, judge: Judge) -> None:
    """Inject faults at clients, one kind after the other, each at several crews at the same time."""
    with _folder() as folder:
        async with opened_town("clients", Path(folder), seed, Findings(), victims=CREWS) as town:
            await town.quiet_point()
            for fault in faults:
                inject = cast("AtVictims", fault.inject)
                left = times
                while left > 0:
                    batch = town.chance.sample(town.victims, min(left, len(town.victims)))
                    async with asyncio.TaskGroup() as tasks:
                        for victims in batch:
                            tasks.create_task(_repeat(town, victims, inject, 1))
                    left -= len(batch)
                    await town.quiet_point()
        judge(town)


async def silence(seed: int, faults: Sequence[Fault], times: int, judge: Judge) -> None:
    """Inject what takes long, all at the same time at different victims."""
    by_name = {fault.name: fault for fault in faults}
    wired = [fault for fault in faults if fault.place == "wire"]
    with _folder() as folder, ExitStack() as stack:
        laid = stack.enter_context(wires.laid_wires(1)) if wired else []
        options = [
            word
            for wire in laid
            for word in ("--insecure", "--audience", "127.0.0.1", "--audience", wire.ours)
        ]
        async with opened_town(
            *("silence", Path(folder), seed, Findings()),
            neighbours=8,
            victims=SILENT_CREWS,
            options=options,
            listen="0.0.0.0:0" if laid else "127.0.0.1:0",
        ) as town:
            behind_wires: list[Victims] = []
            for wire in laid:
                target = f"{wire.ours}:{town.served.address.rpartition(':')[2]}"
                names = [f"silence-w{wire.number}.{number}" for number in range(2)]
                crew = await town.add_crew("victim", names, target=target, every=2.0, prefix=wire.prefix)
                behind_wires.append(Victims(crew, target, None))
                await town.entered([crew])
                crew.tell("act")
            await town.quiet_point()
            async with asyncio.TaskGroup() as tasks:
                for name, crews in (("silent-cut", town.victims[:2]), ("stop-90s", town.victims[2:])):
                    if name in by_name:
                        count = min(times, MOST_LONG) if name == "stop-90s" else times
                        for number, victims in enumerate(crews):
                            rounds = (count - number + len(crews) - 1) // len(crews)
                            tasks.create_task(
                                _repeat(town, victims, cast("AtVictims", by_name[name].inject), rounds)
                            )
                for wire, victims in zip(laid, behind_wires, strict=True):
                    tasks.create_task(_at_wire(town, victims, wire, wired, times))
            await town.quiet_point()
        judge(town)


async def server(seed: int, faults: Sequence[Fault], times: int, judge: Judge) -> None:
    """Inject faults at the server. Who hears the raw stream couldn't follow a restart, so there is no ear."""
    with _folder() as folder:
        async with opened_town("server", Path(folder), seed, Findings(), neighbours=10, hears=False) as town:
            await _at_town(town, faults, times)
        judge(town)


async def crowd(seed: int, faults: Sequence[Fault], times: int, judge: Judge) -> None:
    """Inject faults at two hundred clients."""
    with _folder() as folder:
        async with opened_town(
            *("crowd", Path(folder), seed, Findings()),
            victims=CROWD,
            victims_every=CROWD_SECONDS,
            options=crowds.OPTIONS,
        ) as town:
            await _at_town(town, faults, min(times, MOST_CROWDS))
        judge(town)


async def files(seed: int, faults: Sequence[Fault], times: int, judge: Judge) -> None:
    """Let a server run out of file descriptors. Each time needs a server of its own, and one is enough to see it."""
    del times
    with _folder() as folder:
        async with opened_town("files", Path(folder), seed, Findings(), commuters=0) as town:
            await _at_town(town, faults, 1)
        judge(town)


async def disk(seed: int, faults: Sequence[Fault], times: int, judge: Judge) -> None:
    """Fill the disks under the log and under the handover."""
    with _folder() as folder:
        root = Path(folder)
        with disks.small_disk(root / "log") as log, disks.small_disk(root / "state") as state:
            async with opened_town(
                *("disk", log.folder, seed, Findings()), handover=state.folder / "handover.bin", hears=False
            ) as town:
                await town.quiet_point()
                for fault in faults:
                    for _ in range(times):
                        inject = cast("AtDisk", fault.inject)
                        await inject(town, log if fault.name == "full-log" else state)
                        await town.quiet_point()
            judge(town)


def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="adsum-faults-")


async def _at_town(town: Town, faults: Sequence[Fault], times: int) -> None:
    await town.quiet_point()
    for fault in faults:
        for _ in range(times):
            await cast("AtTown", fault.inject)(town)
            await town.quiet_point()


async def _repeat(town: Town, victims: Victims, inject: AtVictims, times: int) -> None:
    for _ in range(times):
        await inject(town, victims)


async def _at_wire(
    town: Town, victims: Victims, wire: wires.Wire, faults: Sequence[Fault], times: int
) -> None:
    for fault in faults:
        for _ in range(times):
            await cast("AtWire", fault.inject)(town, victims, wire)
