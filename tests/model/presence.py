"""Who must be present, who must be suspect, who must be gone, and from when to when: P5, P6 and P10 for each session.

    what was seen                                   what follows
    the stream is lost                              suspect at once (gone at once if the grace is 0)
    nothing heard for a lease                       suspect then, and not before
    something comes when the lease is over          the same, until the server has read it
    a write stuck for a lease                       the same: the client doesn't read
    heartbeats not echoed for two leases            the same
    rules broken                                    suspect, as soon as the server has heard enough
    suspect for the grace                           gone then, and not before
    a resume, or heard again                        online, in the same incarnation
    Leave                                           gone at once
    a planned restart                               suspect, and kept for the longer of lease and grace
    while draining                                  nobody is suspect because their stream ended, or gone but by Leave

When the server itself was stalled, what falls due is put off by a round of heartbeats, and a grace by as long as the stall was.
What "not before" and "at once" mean to a machine is `SLACK_SECONDS`.
"""

from dataclasses import dataclass, field

from tests.model.promises import Checks
from tests.model.session import SessionModel

SLACK_SECONDS = 0.35
"""Deadlines are looked at every 0.1 s, and code takes its time."""
STALL_SECONDS = 1.3
"""From how long a stall on a server must have noticed it."""
CROWD = 8
"""From so many sessions on the silence of most may be put down to the server, once."""


@dataclass(slots=True)
class Times:
    """The durations that a server has promised."""

    heartbeat: float
    lease: float
    grace: float

    @property
    def round(self) -> float:
        """The longest time between two heartbeats."""
        return self.heartbeat * 1.2


@dataclass(slots=True, eq=False)
class Life:
    """The signs of life on one stream: when something came to the server's host, and when the server read it.

    `is_unruly` tells that its client breaks the rules: the server may throw it out when it hears from it, or when it doesn't read.
    `has_missed` tells that the lease had run out when something came, which the server has not read yet.
    """

    arrived_at: float
    heard_at: float
    stuck_since: float | None = None
    nonce: int = 0
    unechoed_since: float | None = None
    ended_at: float | None = None
    is_reading: bool = True
    is_unruly: bool = False
    has_missed: bool = False

    def arrived(self, times: Times, now: float) -> None:
        """Note that something has come to the server's host: a lease that had run out by then was missed all the same."""
        self.has_missed = self.has_missed or now >= self.arrived_at + times.lease
        self.arrived_at = now

    def heard(self, now: float) -> None:
        """Note that the server has read something: from now on it knows better."""
        self.heard_at = now
        self.has_missed = False

    def silent_at(self, times: Times, since: float) -> float:
        """Tell when it must be taken for dead, if it was heard last at `since`."""
        moment = since + times.lease
        if self.stuck_since is not None:
            moment = min(moment, self.stuck_since + times.lease)
        if self.unechoed_since is not None:
            moment = min(moment, self.unechoed_since + 2 * times.lease)
        return moment


@dataclass(slots=True, eq=False)
class Presence:
    """One session's presence. `lives` are the streams that carry it or ask to."""

    session: SessionModel
    is_online: bool
    since: float
    generation: int = 1
    lives: list[Life] = field(default_factory=list)
    kept_until: float = float("-inf")


class PresenceModel:
    """Everybody's presence on one server."""

    def __init__(self, times: Times, checks: Checks) -> None:
        self.times = times
        self.sessions: dict[bytes, Presence] = {}
        self.draining_since: float | None = None
        self.stalls: list[tuple[float, float]] = []
        """When the server was stalled, from and to."""
        self._crowded_at = float("-inf")
        self._checks = checks

    # What happens.

    def joined(self, session: SessionModel, now: float, life: Life | None) -> None:
        """Note a new session."""
        known = self.sessions.get(session.id)
        self._checks.that("P6", known is None, "a session joins twice")
        self.sessions[session.id] = Presence(session, True, now, lives=[life] if life is not None else [])

    def kept(self, session: SessionModel, generation: int, now: float) -> None:
        """Note that a successor has taken a session over."""
        kept_until = now + max(self.times.lease, self.times.grace)
        self.sessions[session.id] = Presence(session, False, now, generation, kept_until=kept_until)

    def changed(self, session_id: bytes, generation: int, is_online: bool, now: float) -> None:
        """Check a change of a session that goes on."""
        one, checks = self.sessions[session_id], self._checks
        checks.that("P6", generation >= one.generation, "generation {} after {}", generation, one.generation)
        if one.is_online and not is_online:
            checks.that("P5", self._may_suspect(one, now), "suspect, though everything is well")
        elif is_online and not one.is_online and generation == one.generation:
            heard = any(life.heard_at > now - SLACK_SECONDS for life in one.lives)
            checks.that("P5", heard, "online again, though nothing was heard")
        one.generation = generation
        if is_online is not one.is_online:
            one.is_online, one.since = is_online, now
            one.kept_until = float("-inf")

    def gone(self, session_id: bytes, now: float) -> None:
        """Check that a session may be gone."""
        self._note_crowd(now)
        one, checks = self.sessions.pop(session_id), self._checks
        if one.session.has_left:
            return
        if one.is_online:
            # Without a grace, a loss is a leave, but who is silent while the server drains is kept for its successor.
            is_draining = self.draining_since is not None
            may_suspect = self._is_lost(one) if is_draining else self._may_suspect(one, now)
            may = self.times.grace == 0 and may_suspect
            checks.that("P10" if is_draining else "P5", may, "gone without having been suspect")
        elif self.draining_since is not None:
            checks.that("P10", False, "gone while the server drains")
        else:
            early = max(one.since + self.times.grace, one.kept_until) - now
            for began, ended in self.stalls:
                if ended - began >= STALL_SECONDS and one.since <= ended <= now:
                    early = max(early, ended + self.times.grace - now)
            promise = "P10" if one.kept_until > one.since + self.times.grace else "P6"
            checks.that(promise, early <= SLACK_SECONDS, "gone {:.2f} s before the grace had ended", early)

    def _is_lost(self, one: Presence) -> bool:
        # What was lost before the server began to drain may still become known.
        until = float("inf") if self.draining_since is None else self.draining_since + 0.01
        return any(life.ended_at is not None and life.ended_at <= until for life in one.lives)

    def _may_suspect(self, one: Presence, now: float) -> bool:
        if self._is_lost(one):
            return True
        if any(_may_be_thrown_out(life, now) for life in one.lives):
            return True
        # Silence proves nothing while the server has not listened for a round of heartbeats.
        if any(
            ended - began >= STALL_SECONDS and now < ended + self.times.round - 0.05
            for began, ended in self.stalls
        ):
            return False
        return all(
            life.has_missed or life.silent_at(self.times, life.arrived_at) <= now + 0.05 for life in one.lives
        )

    # What is due.

    def look(self, now: float) -> None:
        """Check that whatever is due has happened."""
        if self.draining_since is not None:
            return
        checks, times = self._checks, self.times
        self._note_crowd(now)
        # A silence that was forgiven counts until it could have been believed, also when some have gone since.
        was_crowded = now <= self._crowded_at + times.lease + times.round
        crowd = times.round if was_crowded else 0.0
        for one in self.sessions.values():
            if one.session.has_left:
                left_at = max((life.heard_at for life in one.lives), default=now)
                checks.that(
                    "P5", now <= self._after_stalls(left_at, 0) + SLACK_SECONDS, "has left, but is there"
                )
            elif one.is_online:
                open_lives = [life for life in one.lives if life.ended_at is None]
                if not open_lives:
                    lost_at = max((life.ended_at or 0.0 for life in one.lives), default=one.since)
                    due = self._after_stalls(max(lost_at, one.since), 0)
                    checks.that(
                        "P5", now <= due + SLACK_SECONDS, "lost, but online {:.1f} s later", now - lost_at
                    )
                else:
                    due = max(
                        self._after_stalls(life.silent_at(times, life.heard_at), times.round)
                        for life in open_lives
                    )
                    checks.that(
                        "P5",
                        now <= due + crowd + SLACK_SECONDS,
                        "silent, but online {:.1f} s too long",
                        now - due,
                    )
            else:
                ends_at = max(one.since + times.grace, one.kept_until)
                due = self._after_stalls(ends_at, times.grace, is_grace=True)
                checks.that("P5", now <= due + SLACK_SECONDS, "a ghost {:.1f} s after its grace", now - due)

    def _note_crowd(self, now: float) -> None:
        if len(self.sessions) >= CROWD:
            self._crowded_at = now

    def _after_stalls(self, due: float, put_off: float, *, is_grace: bool = False) -> float:
        for began, ended in self.stalls:
            if began <= due + put_off:
                extra = max(put_off, ended - began) if is_grace else put_off
                due = max(due, ended + extra)
        return due


def _may_be_thrown_out(life: Life, now: float) -> bool:
    # Not for its silence: that is judged like anybody's, and a stall excuses it.
    return life.is_unruly and (life.heard_at > now - SLACK_SECONDS or life.stuck_since is not None)
