"""What a server holds, counted from within its process: the figures that must not grow.

Nothing in Adsum keeps these figures for us: they are found by walking the objects that are there. Cycles are collected first, so what is
counted is what something still refers to.
"""

import asyncio
import ctypes
import gc
import sys
from collections import Counter
from collections.abc import Iterable

from adsum.server.hub import Hub
from adsum.server.member import Tombstone

TYPES_NAMED = 30
"""Of how many types the number of objects is told, the most frequent first: where a leak is, it stands there."""


class _Heap(ctypes.Structure):
    """glibc's `struct mallinfo2`: what all arenas of malloc hold."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def heap_bytes() -> int:
    """Tell how much malloc has given out and not got back; 0 where the C library can't tell."""
    look = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if look is None:
        return 0
    look.restype = _Heap
    heap = look()
    return int(heap.uordblks) + int(heap.hblkhd)


def process_figures() -> dict[str, object]:
    """Count what any process on asyncio has. Collects cycles."""
    cycles = gc.collect()
    objects = gc.get_objects()
    types = Counter(type(one).__name__ for one in objects)
    tasks = len(asyncio.all_tasks())
    return {
        "tasks": tasks,
        "loop_timers": types["TimerHandle"],
        "objects": len(objects),
        "blocks": sys.getallocatedblocks(),
        "heap_bytes": heap_bytes(),
        "cycles_collected": cycles,
        "uncollectable": len(gc.garbage),
        "types": dict(types.most_common(TYPES_NAMED)),
    }


def hub_figures(hub: Hub) -> dict[str, int]:
    """Count what a hub holds, all its lobbies together."""
    places = list(hub.lobbies)
    desks = [place.desk for place in places]
    seats = [seat for desk in desks for seat in desk.seats]
    lines = [line for desk in desks for line in desk.lines]
    shelves: dict[str, object] = getattr(hub._store, "_shelves", {})
    return {
        "lobbies": len(places),
        "shelves": len(shelves),
        "streams": len(hub._streams),
        "waiting": hub.door.waiting,
        "addresses": len(hub.door._waiting),
        "members": sum(len(desk.lobby) for desk in desks),
        "seats": len(seats),
        "keys": sum(len(desk._seats_of) for desk in desks),
        "lines": len(lines),
        "timers": sum(len(desk._timers) for desk in desks),
        "timer_heap": sum(len(desk._timers._heap) for desk in desks),
        "tombstones": sum(_tombstones(desk.lobby._entries.values()) for desk in desks),
        "graves": sum(len(desk.lobby._graves) for desk in desks),
        "first_incarnations": sum(len(desk.lobby._first_incarnation) for desk in desks),
        "records": sum(len(place.codec._records) for place in places),
        "mail": sum(len(line.outbox) for line in lines),
        "parcels": sum(desk._courier.pending for desk in desks),
        "results": sum(len(seat.correspondent.results) for seat in seats),
        "effects": sum(len(place.effects) for place in places),
        "watchers": sum(len(place.waves.watchers) for place in places),
        "writes": sum(place.waves.writes for place in places),
        "pins": sum(place.pins for place in places),
        "divergences": sum(desk.divergences for desk in desks),
    }


def _tombstones(entries: Iterable[object]) -> int:
    return sum(isinstance(entry, Tombstone) for entry in entries)
