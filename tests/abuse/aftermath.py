"""What must be true after an attack: nobody is left of it, every list is the server's, and newcomers are let in."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from adsum.v1.member_pb2 import Member
from tests.abuse.neighbourhood import Neighbourhood
from tests.abuse.people import LOBBY, Person, enter
from tests.abuse.watching import Watch
from tests.abuse.wire import HungUpError, Wire
from tests.integration.admin_client import Admin
from tests.integration.adsumd import Adsumd

REST_SECONDS = 30.0
"""How long the traces of an attack may stay: a lease, a grace, and time to spare."""
LEFT_FILES = 4


@dataclass(slots=True)
class Field:
    """A server with its neighbours, and somebody who watches both."""

    server: Adsumd
    neighbours: Neighbourhood
    watch: Watch
    admin: Admin
    directory: Path


async def rest(on: Field, files: int) -> list[str]:
    """Wait until nobody but the neighbours is left, and no file or socket of the attack."""
    try:
        async with asyncio.timeout(REST_SECONDS):
            while True:
                keys = set(await on.admin.members(LOBBY))
                left = on.watch.open_files - files
                if keys == on.neighbours.keys and left <= LEFT_FILES:
                    return []
                await asyncio.sleep(0.1)
    except TimeoutError:
        strangers, missing = keys - on.neighbours.keys, on.neighbours.keys - keys
        return [
            f"P5: {REST_SECONDS:g} s later {len(strangers)} strangers are present, {len(missing)} neighbours are missing,"
            f" and {left} more files are open"
        ]


async def compare(on: Field) -> list[str]:
    """Compare each neighbour's list with the server's."""
    lists = await on.neighbours.rest()
    truth, members = await on.admin.lobby(LOBBY), await on.admin.members(LOBBY)
    await on.neighbours.live()
    expected = {key.hex(): list(record_of(member)) for key, member in members.items()}
    faults = []
    for number, held in enumerate(lists):
        if (held["epoch"], held["revision"], held["digest"]) != (truth.epoch, truth.revision, truth.digest):
            faults.append(
                f"P3: neighbour {number} stands at {held['revision']}, the server at {truth.revision}"
            )
        elif _plain(held["members"]) != _plain(expected):
            faults.append(f"P3: neighbour {number} holds other records than the server")
    return faults


def record_of(member: Member) -> list[Any]:
    """Write a record as the neighbours do."""
    profile = member.profile
    return [
        member.incarnation,
        member.revision,
        int(member.liveness),
        profile.name,
        int(profile.status),
        profile.status_text,
        sorted(profile.attributes.items()),
        member.session_count,
    ]


def _plain(records: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    return {
        key: [[list(one) for one in part] if isinstance(part, list) else part for part in record]
        for key, record in records.items()
    }


async def open_to_others(on: Field, random: Random) -> list[str]:
    """Check that somebody new is let in."""
    wire = await Wire.dial(on.server.address)
    try:
        person = Person(random)
        stream, _ = await enter(wire, person)
        stream.say(person.request("leave"))
        ending = await stream.ended()
        return [] if ending.code == 0 else [f"P9: a newcomer's Leave ended with {ending}"]
    except (HungUpError, TimeoutError) as error:
        return [f"P9: a newcomer isn't let in afterwards: {type(error).__name__} {error}"]
    finally:
        wire.close()
