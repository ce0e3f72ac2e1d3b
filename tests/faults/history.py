"""What a run has seen, as values: what each person was told and did, what the server told, which faults were injected, and what was wrong.

Every moment is by CLOCK_MONOTONIC, which all processes of one machine share.
"""

import itertools
from collections import Counter
from dataclasses import dataclass, field

from tests.conformance.mirror import Json, Mirror
from tests.model.promises import PROMISES

SERVER = "the server"
"""Who the diary belongs to that is kept by the server's own word."""
LIVE = ("live", "degraded")
"""The phases of a client whose list is the server's."""
CHANGES = ("joined", "updated", "suspect", "back", "left")


@dataclass(frozen=True, slots=True)
class Seen:
    """Hold one thing that somebody was told or did. What doesn't apply is empty."""

    at: float
    event: str
    held: int = 0
    """The revision of their list then."""
    key: str = ""
    """The member it is about: who changed, who was selected, who a message is from or to."""
    incarnation: int = 0
    revision: int = 0
    is_online: bool = False
    text: str = ""
    """A status text, the id of a message, a phase."""
    word: str = ""
    """An outcome, a reason, a state, a cause."""


@dataclass(slots=True, eq=False)
class Diary:
    """Hold what one person has seen, and follow their list meanwhile."""

    name: str
    key: str
    role: str
    """`neighbour` (nothing is done to them), `commuter` (leaves and comes back by themselves), `victim`, `ear` or `server`."""
    seen: list[Seen] = field(default_factory=list)
    mirror: Mirror = field(default_factory=Mirror)
    faults: list[tuple[float, str]] = field(default_factory=list)
    """Where an event contradicts those before it."""
    kills: list[float] = field(default_factory=list)
    is_brief: bool = False
    """Whether changes are checked in the person's own process, and only `counted` here."""
    counted: int = 0
    phase: str = "away"
    _by_key: dict[str, list[Seen]] = field(default_factory=dict)
    _sorted: int = 0
    roster: Json | None = None
    """The answer to the last question for the whole list."""

    def take(self, record: Json) -> None:
        """Note what the person's process has written."""
        at, event = record["at"], record["event"]
        if event == "dials":
            self.mirror, self.phase = Mirror(), "connecting"
        elif event == "roster":
            self.roster = record
            self.counted += record["changes"]
            self.faults += [(at, fault) for fault in record["faults"]]
        elif event in ("leaves", "lost"):
            self.phase = "away"
        elif event == "state" and self.phase != "away":
            # Who is leaving may still come back on a new connection, only to leave.
            self.phase = record["phase"]
        if event in ("snapshot", "state", "repaired", "selection", *CHANGES) and (
            fault := self.mirror.take(record)
        ):
            self.faults.append((at, fault))
        if event != "roster":
            self.seen.append(seen_in(record, self.key))

    @property
    def is_live(self) -> bool:
        """Whether they are connected, and their list is the server's."""
        return self.phase in LIVE

    def shows(self, key: str) -> str:
        """Tell what the person's list says of a member: online, suspect or absent."""
        member = self.mirror.members.get(key)
        return "absent" if member is None else str(member["liveness"])

    def was_cut_off_since(self, moment: float) -> bool:
        """Tell whether they have lost their connection since then, whatever they have now."""
        recent = itertools.takewhile(lambda one: one.at >= moment, reversed(self.seen))
        return any(one.event == "state" and one.text not in LIVE for one in recent)

    def about(self, key: str) -> list[Seen]:
        """List what was seen of one member."""
        for one in self.seen[self._sorted :]:
            self._by_key.setdefault(one.key, []).append(one)
        self._sorted = len(self.seen)
        return self._by_key.get(key, [])

    def killed(self, at: float) -> None:
        """Note that the person's process is gone."""
        self.kills.append(at)
        self.phase = "away"


def seen_in(record: Json, own_key: str) -> Seen:
    """Read a record; of a first list remember only whether it holds oneself."""
    at, event, held = record["at"], record["event"], record.get("held", 0)
    match event:
        case "snapshot":
            keys = {member["key"] for member in record["members"]}
            return Seen(at, event, held, own_key, revision=record["revision"], is_online=own_key in keys)
        case "joined" | "updated" | "suspect" | "back" | "left":
            one = record["member"]
            return Seen(
                *(
                    at,
                    event,
                    held,
                    one["key"],
                    one["incarnation"],
                    record["revision"],
                    one["liveness"] == "online",
                ),
                text=one["status_text"],
                word=record.get("reason", ""),
            )
        case "message":
            return Seen(at, event, held, record["sender_key"], text=record["text"])
        case "sends" | "sent":
            return Seen(
                *(
                    at,
                    event,
                    held,
                    record["to"],
                    0,
                    record.get("revision", 0),
                    record.get("shown") == "online",
                ),
                text=record["id"],
                word=record.get("outcome", ""),
            )
        case "selection":
            return Seen(at, event, held, record["key"], text=record["reason"], word=record["state"])
        case "selects" | "selected":
            return Seen(at, event, held, record["key"], word=record.get("answer", ""))
        case "state":
            return Seen(at, event, held, text=record["phase"], word=record["cause"])
        case "repaired":
            return Seen(at, event, held, revision=record["revision"], word=record["cause"])
        case _:
            return Seen(at, event, held, text=str(record.get("text") or record.get("why") or ""))


@dataclass(slots=True, eq=False)
class Injection:
    """Hold one fault as it was injected, and what the promises allow and demand because of it.

    `suspect_within` and `gone_within` bound, counted from the beginning, when everybody else must have seen it; None: needn't happen.
    """

    fault: str
    promise: str
    """What is broken if somebody is shown as gone who may not be."""
    victims: tuple[str, ...]
    began: float
    ended: float = float("inf")
    """When the fault itself was over."""
    settled: float = float("inf")
    """When everything was well again."""
    watched: float = float("inf")
    """Until when the life of the lobby was watched because of it."""
    waited: float = 0.0
    """Which share of that time the server and the neighbours have waited for a core: how busy others kept the machine."""
    may_suspect: bool = False
    may_go: bool = False
    suspect_within: float | None = None
    gone_within: float | None = None
    spares_neighbours: bool = True
    """Whether others must notice nothing but the victims' loss: not if the server itself is the victim."""
    revision: int = 0
    """The server's revision when the fault was over: who was cut off has recovered when they hold it."""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Violation:
    """Hold one broken promise. `kind` is the column of the table that counts it."""

    promise: str
    kind: str
    at: float
    what: str


class Findings:
    """Count what is checked, and keep what is broken."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.violations: list[Violation] = []

    def that(self, promise: str, holds: object, at: float, what: str, kind: str = "other") -> bool:
        """Check something."""
        assert promise in PROMISES
        self.counts[promise] += 1
        if not holds:
            self.violations.append(Violation(promise, kind, at, what))
        return bool(holds)


@dataclass(slots=True, eq=False)
class History:
    """Hold everything that one company of people and its server have seen."""

    place: str
    diaries: list[Diary] = field(default_factory=list)
    injections: list[Injection] = field(default_factory=list)
    opened: float = 0.0
    closed: float = float("inf")

    @property
    def observers(self) -> list[Diary]:
        """Those to whom nothing is done, and the server's own word."""
        return [diary for diary in self.diaries if diary.role in ("neighbour", "server")]

    @property
    def neighbours(self) -> list[Diary]:
        """Those whose moments are exact: noted in a process that nothing is done to, and that has little else to do."""
        return [diary for diary in self.diaries if diary.role == "neighbour"]

    def name_of(self, key: str) -> str:
        """Tell whose key it is."""
        return next((diary.name for diary in self.diaries if diary.key == key), key[:8])
