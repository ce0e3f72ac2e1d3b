"""Faults of the server's machine: no file descriptors left, and no room on the disk, neither for the log nor for the handover."""

import asyncio

from tests.faults.disks import Disk
from tests.faults.history import Injection
from tests.faults.processes import BACK_SECONDS
from tests.faults.town import Town, Victims
from tests.integration.raw_client import RefusedError

FILES_LEFT = 8
"""How many more descriptors the server may have than it has."""
NEWCOMERS = 16
FULL_SECONDS = 6.0
"""How long nobody gets in: longer than an attempt, so that each has failed at least once."""
LEAVERS = 4
MOST_LINES = 200
"""A log that isn't flooded: for all of the fault."""
REFUSALS = 5
MOST_REFUSALS = 100
WRITING_SECONDS = 0.5
BAD_LOBBY = "No Such Name!"
UNHEARD = "stream refused"
LEFT_NOTHING = "nothing could be left for a successor"


async def no_files(town: Town) -> None:
    """Let the server run out of file descriptors: those in stay served, those outside get in as soon as there is room."""
    served = town.served
    lines_before = len(served.log())
    crew_name = f"files{len(town.crews)}"
    limit = served.open_files + FILES_LEFT
    served.allow_files(limit)
    names = [f"{crew_name}-{number}" for number in range(NEWCOMERS)]
    injection = town.injected(Injection("no-files", "P9", (), town.now()))
    crew = await town.add_crew("victim", names, every=2.0)
    town.victims.append(Victims(crew, served.address, None))
    crew.tell("act")
    await asyncio.sleep(FULL_SECONDS)
    inside = [diary for diary in crew.diaries.values() if diary.is_live]
    outside = [diary for diary in crew.diaries.values() if not diary.is_live]
    at = town.now()
    town.findings.that("P9", outside, at, "no-files: everybody found room, so nothing was tried")
    town.findings.that("P9", served.is_running, at, "no-files: the server has died of it")
    # Room for some: by those who leave.
    injection.victims = tuple(diary.key for diary in outside)
    leavers = inside[:LEAVERS]
    for diary in leavers:
        crew.tell("leave", name=diary.name)
    injection.ended = town.now()
    expected = min(len(leavers), len(outside))

    def found_room() -> bool:
        return sum(diary.is_live for diary in outside) >= expected

    in_time = await town.until(found_room, BACK_SECONDS)
    took = town.now() - injection.ended
    town.findings.that(
        "P9", in_time, town.now(), "no-files: nobody got in although there was room", "missing"
    )
    # Room for all.
    served.allow_files(4096)
    await town.recovered(injection, BACK_SECONDS)
    lines = len(served.log()) - lines_before
    town.findings.that("P9", lines <= MOST_LINES, town.now(), f"no-files: {lines} lines were logged")
    injection.notes.append(
        f"{len(inside)} of {NEWCOMERS} newcomers found room among {limit} descriptors; {expected} got in {took:.1f} s"
        f" after as many had left; {lines} lines were logged"
    )


async def full_log(town: Town, disk: Disk) -> None:
    """Fill the disk under the log: the server goes on, and so does its log when there is room again."""
    await _refusals(town)
    written = _refusals_logged(town)
    town.findings.that(
        "P9", written >= REFUSALS, town.now(), "full-log: refusals aren't logged, so nothing is tried"
    )
    injection = town.injected(Injection("full-log", "P9", town.all_keys, town.now()))
    bytes_taken = disk.fill()
    sent = lost = 0
    # The last page of the log has room of its own.
    while lost < REFUSALS and sent < MOST_REFUSALS:
        await _refusals(town)
        sent += REFUSALS
        lost = sent - (_refusals_logged(town) - written)
    await asyncio.sleep(FULL_SECONDS)
    lost = sent - (_refusals_logged(town) - written)
    written = _refusals_logged(town)
    town.findings.that(
        "P9", lost >= REFUSALS, town.now(), "full-log: no line was lost, so the disk wasn't full"
    )
    town.findings.that("P9", town.served.is_running, town.now(), "full-log: the server has died of it")
    disk.free()
    await _refusals(town)
    goes_on = await town.until_true(lambda: _refusals_logged(town) > written, 5.0)
    town.findings.that("P9", goes_on, town.now(), "full-log: the log doesn't go on when there is room again")
    await town.recovered(injection, BACK_SECONDS)
    injection.notes.append(
        f"{bytes_taken} bytes filled the disk, {lost} of {sent} lines were lost; the log goes on: {goes_on}"
    )


async def full_handover(town: Town, disk: Disk) -> None:
    """Restart the server while it can leave nothing for its successor: it says so, and everybody comes back all the same."""
    injection = town.injected(
        Injection(
            *("full-handover", "P3", town.all_keys, town.now()),
            may_suspect=True,
            may_go=True,
            spares_neighbours=False,
        )
    )
    disk.fill()
    code = await town.served.stop()
    town.findings.that("P9", code == 0, town.now(), f"full-handover: the server ended with {code}")
    said = any(LEFT_NOTHING in line for line in town.served.log())
    town.findings.that(
        "P9", said, town.now(), "full-handover: the server doesn't say that it could leave nothing"
    )
    expected = [complaint for complaint in town.served.complaints if LEFT_NOTHING in complaint]
    for complaint in expected:
        town.served.complaints.remove(complaint)
    await town.served.start()
    disk.free()
    await town.recovered(injection, BACK_SECONDS, is_new_history=True)


def _refusals_logged(town: Town) -> int:
    # Not lines: after a write that failed, the rest of a line may stand before the next one.
    return "\n".join(town.served.log()).count(UNHEARD)


async def _refusals(town: Town) -> None:
    """Be refused several times: each leaves a line in the log."""
    for _ in range(REFUSALS):
        client = town.company.client("nobody", lobby=BAD_LOBBY)
        try:
            await client.join()
        except RefusedError:
            continue
        finally:
            await client.hang_up()
    # The log has a thread of its own.
    await asyncio.sleep(WRITING_SECONDS)
