"""Vectors of the roster rules: what a server says in a stream, and what a client holds, sends and reports.

There is no client in here. A small lobby makes the messages (`roster_lobby`), and each case says by hand
which state of that lobby the client then holds, what it sends and which events it reports. So what is expected
comes from member.proto and presence.proto, and not from anybody's code.
"""

from collections.abc import Callable

from vectors import roster_deltas, roster_repairs, roster_streams
from vectors.roster_lobby import LOBBY_NAME, ME, NAMES, Json, public_key, seed
from vectors.roster_script import AUDIENCE, Case

STORIES = [*roster_deltas.STORIES, *roster_repairs.STORIES, *roster_streams.STORIES]


def vectors() -> dict[str, object]:
    """Make the content of `roster.json`."""
    return {
        "about": "What a server says in a stream, and what a client then holds, sends and reports.",
        "lobby": LOBBY_NAME,
        "audience": AUDIENCE,
        "me": {"name": ME, "seed": seed(ME).hex()},
        "people": {name: public_key(name) for name in NAMES},
        "cases": [_tell(story) for story in STORIES],
    }


def _tell(story: Callable[[Case], None]) -> Json:
    about = " ".join((story.__doc__ or "").split())
    case = Case()
    story(case)
    return {
        "name": story.__name__.replace("_", "-"),
        "about": about,
        "observer": case.observer,
        "steps": case.steps,
    }
