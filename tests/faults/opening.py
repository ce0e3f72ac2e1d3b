"""Opening and closing a town: the server, the proxies, the people and the ears; at the end what the ears found wrong is taken over."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.faults.history import Diary, Findings, History, Seen
from tests.faults.proxy import proxying
from tests.faults.served import Served
from tests.faults.town import Town, Victims
from tests.integration.promises import BrokenPromiseError
from tests.integration.raw_client import RawClient

EAR = "ear"
BRIEF_FROM = 20
"""From how many people a process counts changes instead of telling them."""


@asynccontextmanager
async def opened_town(
    name: str,
    directory: Path,
    seed: int,
    findings: Findings,
    *,
    neighbours: int = 6,
    commuters: int = 2,
    victims: Sequence[int] = (),
    every: float = 1.0,
    victims_every: float = 2.0,
    options: Sequence[str] = (),
    listen: str = "127.0.0.1:0",
    handover: Path | None = None,
    hears: bool = True,
) -> AsyncIterator[Town]:
    """Open a place with so many neighbours and commuters, and a crew of victims behind a proxy for each number in `victims`."""
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(
            Served(directory, *options, listen=listen, handover=handover)
        )
        town = Town(name, served, seed, findings)
        history = town.history
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        watching = tasks.create_task(town.watch.run())
        company = town.company
        try:
            await company.__aenter__()
            if hears:
                town.ear = await company.join(EAR)
                history.diaries.append(Diary(EAR, town.ear.key.hex(), "ear"))
            names = [f"{name}-n{number}" for number in range(neighbours)]
            crew = await town.add_crew(
                "neighbour",
                names,
                every=every,
                commuters=[f"{name}-c{number}" for number in range(commuters)],
            )
            for number, size in enumerate(victims):
                proxy = await stack.enter_async_context(proxying(served.address, town.chance))
                people = [f"{name}-v{number}.{one}" for one in range(size)]
                crew = await town.add_crew(
                    "victim", people, target=proxy.address, every=victims_every, brief=size >= BRIEF_FROM
                )
                town.victims.append(Victims(crew, proxy.address, proxy))
            await town.entered(town.crews)
            history.opened = town.now()
            town.act()
            yield town
        finally:
            history.closed = town.now()
            for crew in town.crews:
                code = await crew.end()
                told = crew.stderr.decode("utf-8", "replace")
                findings.that("P9", code in (0, -9), town.now(), f"{crew.name} ended with {code}: {told}")
            try:
                await company.__aexit__(None, None, None)
            except BrokenPromiseError as error:
                note_broken(findings, error, town.now(), f"{name}: the ear")
            watching.cancel()
            note_heard(history, town.ear)
            for violation in town.watch.violations:
                note_broken(findings, violation, town.now(), f"{name}: the watch")
            findings.counts["P2"] += town.watch.deltas + (len(town.ear.heard) if town.ear is not None else 0)
    for complaint in served.complaints:
        findings.that("P9", False, history.closed, f"{name}: {complaint}")


def note_heard(history: History, ear: RawClient | None) -> None:
    """Write down which messages the ear has got. The rest of what it hears is judged by its own witness."""
    if ear is None:
        return
    diary = next(diary for diary in history.diaries if diary.role == "ear")
    for heard in ear.heard:
        if heard.kind == "delivery":
            delivery = heard.message.delivery
            key, text = delivery.sender.hex(), delivery.payload.decode()
            diary.seen.append(Seen(heard.at, "message", key=key, text=text))


def note_broken(findings: Findings, error: BrokenPromiseError, at: float, who: str) -> None:
    """Take over what a checker of the integration tests has raised."""
    promise = error.promise if error.promise in ("P1", "P2", "P3", "P5", "P7", "P8") else "P9"
    text = str(error)
    kind = "gap" if "gap" in text else "duplicate" if "again" in text or "twice" in text else "other"
    findings.that(promise, False, at, f"{who}: {text}", kind)
