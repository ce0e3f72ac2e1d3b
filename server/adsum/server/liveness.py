"""When silence is believed: lease, grace and the server's own health.

A session whose connection is lost is suspect at once. One that is merely silent is suspect when its lease has run out; so is one whose
client sends but doesn't read. A suspect session is gone when the grace has run out, counted from when it became suspect.

But silence of everybody is the observer's deafness. If this process was stalled, or if most sessions have missed a heartbeat by the
time that one of them is to expire, the deadlines are put off once, long enough for everybody to be heard again.

Pure policy: moments in, moments and judgements out, all in seconds of the clock that is passed in as `now`.
"""

from dataclasses import dataclass

from adsum.contract.limits import HEARTBEAT_JITTER, Limits

STALL_SECONDS = 1.0
"""A tick that comes so much later than asked for shows that this process was stalled."""
CROWD = 8
"""Among fewer sessions than this, many that are silent at once prove nothing about the server."""
UNREAD_LEASES = 2
"""After how many leases without an echo a client is taken not to read: one is not enough for a long message on a slow link."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known of the life of one stream.

    `heard_at` is when its client last said anything, `writing_since` since when a write has been stuck (None: none is), and
    `unechoed_since` when the oldest heartbeat was sent that has not been echoed (None: all have been).
    """

    heard_at: float
    writing_since: float | None = None
    unechoed_since: float | None = None


def silent_at(signs: Signs, limits: Limits) -> float:
    """Tell when a stream is to be taken for dead if it shows no further sign."""
    moment = signs.heard_at + limits.lease_seconds
    if signs.writing_since is not None:
        moment = min(moment, signs.writing_since + limits.lease_seconds)
    if signs.unechoed_since is not None:
        moment = min(moment, signs.unechoed_since + UNREAD_LEASES * limits.lease_seconds)
    return moment


def is_crowd(overdue: int, sessions: int) -> bool:
    """Tell whether so many of the sessions have missed a heartbeat that the fault is likely the server's."""
    return sessions >= CROWD and 2 * overdue > sessions


@dataclass(slots=True)
class OwnHealth:
    """Judge whether this server may believe what it doesn't hear. One for each process."""

    limits: Limits
    lenient_until: float = float("-inf")
    _next_tick: float | None = None
    _crowd_forgiven_until: float = float("-inf")

    def tick(self, now: float, next_tick: float) -> float:
        """Note a tick and when the next is expected; return by how many seconds this one was late if that is a stall, else 0."""
        late = now - self._next_tick if self._next_tick is not None else 0.0
        self._next_tick = next_tick
        if late < STALL_SECONDS:
            return 0.0
        self.lenient_until = max(self.lenient_until, now + self._one_round)
        return late

    def may_forgive(self, now: float) -> bool:
        """Tell whether the silence of a crowd would still be put down to the server: once, then not for a lease."""
        return now >= self._crowd_forgiven_until

    def forgive_crowd(self, now: float) -> None:
        """Put deadlines off once because most sessions are silent. Does nothing while they are put off already."""
        if self.is_lenient(now):
            return
        self.lenient_until = now + self._one_round
        # Those who are silent after that are silent, and the next judgement has a whole lease to come about.
        self._crowd_forgiven_until = self.lenient_until + self.limits.lease_seconds

    def is_lenient(self, now: float) -> bool:
        """Tell whether deadlines are put off because of the server itself."""
        return now < self.lenient_until

    @property
    def _one_round(self) -> float:
        return self.limits.heartbeat_seconds * (1 + HEARTBEAT_JITTER)
