"""The feed of what has happened: a line for each event, and one line for a crowd of them.

Pure. Comings, goings and changes that come fast are merged ("37 people came, 12 left"); everything else keeps
a line of its own. The feed is a tuple, oldest first, and never longer than `MAX_ENTRIES`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from adsum.client import MembershipEvent
from adsum.console.inputs import Moment
from adsum.console.rows import Mark
from adsum.console.text import Line, line
from adsum.console.wording import count_words, event_line

MAX_ENTRIES = 300
"""How much is kept to scroll back to."""
CROWD_SECONDS = 2.0
"""Changes closer together than this may be one crowd."""
CROWD_COUNT = 6
"""From how many changes on within that time they are one."""
CROWD_SIGN = "±"
CROWD_WORDS = {
    Mark.CAME: ("person came", "people came"),
    Mark.GONE: ("left", "left"),
    Mark.LOST: ("lost the connection", "lost the connection"),
    Mark.BACK: ("is back", "are back"),
    Mark.CHANGED: ("changed", "changed"),
}
"""What a crowd does, in the order in which it is told, for one and for many."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Hold one line of the feed; `tally` counts what is merged in it, and is empty for what never is."""

    at: datetime
    seconds: float
    shown: Line
    tally: Mapping[Mark, int] = field(default_factory=dict, hash=False)

    @property
    def is_crowd(self) -> bool:
        """True if more than one change is told by this line."""
        return sum(self.tally.values()) > 1


Feed = tuple[Entry, ...]


def with_line(feed: Feed, shown: Line, moment: Moment) -> Feed:
    """Add a line that stands for itself."""
    return (*feed, Entry(moment.local, moment.seconds, shown))[-MAX_ENTRIES:]


def with_change(feed: Feed, event: MembershipEvent, mark: Mark, moment: Moment) -> Feed:
    """Add a change of the lobby, alone or to the crowd that it belongs to."""
    entry = Entry(moment.local, moment.seconds, event_line(event), {mark: 1})
    since = moment.seconds - CROWD_SECONDS
    if feed and feed[-1].is_crowd and feed[-1].seconds > since:
        return (*feed[:-1], _merged(feed[-1:], entry))
    start = len(feed)
    while start > 0 and feed[start - 1].seconds > since and sum(feed[start - 1].tally.values()) == 1:
        start -= 1
    if len(feed) - start + 1 >= CROWD_COUNT:
        return (*feed[:start], _merged(feed[start:], entry))
    return (*feed, entry)[-MAX_ENTRIES:]


def crowd_line(tally: Mapping[Mark, int]) -> Line:
    """Tell what a crowd did."""
    told: list[str] = []
    for mark, (one, many) in CROWD_WORDS.items():
        if count := tally.get(mark, 0):
            # "12 left" after "37 people came" needs no noun; at the start it does.
            noun = "" if told or mark is Mark.CAME else "person " if count == 1 else "people "
            told.append(count_words(count, f"{noun}{one}", f"{noun}{many}"))
    return line(CROWD_SIGN, ", ".join(told))


def _merged(entries: Feed, last: Entry) -> Entry:
    tally: dict[Mark, int] = {}
    for entry in (*entries, last):
        for mark, count in entry.tally.items():
            tally[mark] = tally.get(mark, 0) + count
    return Entry(entries[0].at, last.seconds, crowd_line(tally), tally)
