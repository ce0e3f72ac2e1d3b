"""The desk of one lobby on this node: who is here by which stream, and what follows from what they say and don't say.

A desk owns the fold of its lobby (`lobby`), the seats of the sessions held on this node, the lines of the streams that were let
in, their messages (`courier`) and every deadline of theirs. It is told of requests, of lost streams, of the store's answers and
changes, and of the time; it answers with effects for the shell to carry out, in order. It never waits, never calls back and knows
no clock.

Invariants:

- A seat exists from the moment its session is to be written until its drop is answered. A seat has at most one line; a line
  that isn't its seat's line any more is being ended and changes nothing.
- Every write names the seat's generation, so the store refuses what comes too late.
- A line is live when the fold includes the session it carries: the first list shows its own member.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import Enum
from typing import TypeAlias, assert_never

from adsum.contract.identity import KEY_BYTES
from adsum.contract.limits import HEARTBEAT_JITTER, Limits
from adsum.contract.reasons import TABLE, Reason
from adsum.server.courier import Courier, Errand, Expect, HandOver, Report
from adsum.server.effects import Drop, Effect, End, Put, Wake
from adsum.server.history import Change, Refusal
from adsum.server.liveness import OwnHealth, is_crowd, silent_at
from adsum.server.lobby import Lobby
from adsum.server.member import DepartureReason, Liveness, Profile, Session
from adsum.server.messages import (
    Ack,
    ClientHeartbeat,
    Draining,
    Hello,
    Leave,
    Proof,
    Request,
    RequestError,
    Resume,
    Resync,
    Select,
    Send,
    ServerHeartbeat,
    Unsupported,
    UpdateProfile,
    Welcome,
)
from adsum.server.rates import Bucket
from adsum.server.seat import HeldSession, Line, Seat, hash_token, open_line
from adsum.server.selection import Selection
from adsum.server.session import Fault, Introduction, check_profile
from adsum.server.spread import Spread
from adsum.server.timers import Timers

FORGET_SECONDS = 5.0
"""How often tombstones are looked through."""

REASON_OF_REFUSAL = {
    Refusal.FENCED: Reason.SESSION_REPLACED,
    Refusal.ABSENT: Reason.SESSION_UNKNOWN,
    Refusal.LOBBY_FULL: Reason.LOBBY_FULL,
    Refusal.TOO_MANY_SESSIONS: Reason.TOO_MANY_SESSIONS,
    Refusal.TOO_MANY_LOBBIES: Reason.TOO_MANY_LOBBIES,
    Refusal.UNAVAILABLE: Reason.STORE_UNAVAILABLE,
}
"""What a client is told when the store did not write."""


class _Due(Enum):
    BEAT = "beat"
    LEASE = "lease"
    GRACE = "grace"
    PROFILE = "profile"
    RESYNC = "resync"
    PARCEL = "parcel"
    FORGET = "forget"


_Deadline: TypeAlias = tuple[_Due, Line | Seat | int]


class Desk:
    """Decide for one lobby on one node. See the module for the contract."""

    def __init__(self, lobby: Lobby, limits: Limits, health: OwnHealth, spread: Spread, now: float) -> None:
        """Open a desk.

        Args:
            lobby: The fold, as the store had it when the subscription began.
            limits: What is accepted.
            health: The process's judgement of itself, shared by all desks.
            spread: Where jitter, nonces and delivery ids come from.
            now: The moment.
        """
        self.lobby = lobby
        self._limits = limits
        self._health = health
        self._spread = spread
        self._seats: dict[bytes, Seat] = {}
        self._seats_of: dict[bytes, list[Seat]] = {}
        self._lines: dict[int, Line] = {}
        self._observers = 0
        self._courier = Courier(limits, spread.number())
        self._timers: Timers[_Deadline] = Timers()
        self._draining = False
        self.divergences = 0
        """How often a client held another list than this lobby's at the same revision."""
        self._timers.set((_Due.FORGET, 0), now + FORGET_SECONDS)

    @property
    def lines(self) -> Iterable[Line]:
        """The streams that have been let in."""
        return self._lines.values()

    @property
    def stream_count(self) -> int:
        """How many streams have been let in, observers included."""
        return len(self._lines)

    @property
    def seats(self) -> Iterable[Seat]:
        """The sessions held on this node."""
        return self._seats.values()

    @property
    def is_idle(self) -> bool:
        """Whether nobody is here and nobody is expected back."""
        return not self._lines and not self._seats

    def next_deadline(self) -> float | None:
        """Tell when `tick` wants to be called next."""
        return self._timers.next()

    # Coming in

    def join(
        self,
        number: int,
        introduction: Introduction,
        session_id: bytes,
        token: bytes,
        *,
        now: float,
        unix_millis: int,
    ) -> tuple[Line, list[Effect]]:
        """Let in a stream whose key is proved, with a new session.

        Args:
            number: A number of the stream, unique on this node.
            introduction: The checked hello.
            session_id: 16 fresh random bytes.
            token: 32 fresh random bytes.
            now: The moment.
            unix_millis: The same by the wall clock.
        """
        hello = introduction.hello
        session = Session(session_id, hello.public_key, 1, Liveness.ONLINE, introduction.profile, unix_millis)
        seat = self._take_seat(session, hash_token(token), now)
        line = self._attach(seat, number, Welcome(session_id, token, 1, resumed=False), None, now)
        return line, [Put(session, sets_profile=True)]

    def resume(
        self, number: int, introduction: Introduction, resume: Resume, token: bytes, *, now: float
    ) -> tuple[Line, list[Effect]] | Reason:
        """Let in a stream that continues a session, or tell why it can't. `token` is the next one, 32 fresh random bytes."""
        if introduction.hello.observer:
            return Reason.OBSERVER
        seat = self._seats.get(resume.session_id)
        if seat is None or seat.session.public_key != introduction.hello.public_key:
            return Reason.SESSION_UNKNOWN
        if not seat.accepts(resume.token):
            return Reason.BAD_TOKEN
        effects: list[Effect] = []
        if (old := seat.line) is not None:
            effects += self._end(old, Reason.SESSION_REPLACED)
        seat.rotate(resume.token, token)
        sets_profile = introduction.profile != (seat.pending_profile or seat.session.profile)
        profile = introduction.profile if sets_profile else seat.session.profile
        seat.session = replace(
            seat.session, generation=seat.session.generation + 1, liveness=Liveness.ONLINE, profile=profile
        )
        if sets_profile:
            seat.pending_profile = None
        self._timers.cancel((_Due.GRACE, seat))
        welcome = Welcome(seat.session.id, token, seat.session.generation, resumed=True)
        line = self._attach(seat, number, welcome, self._held(resume), now)
        return line, [*effects, Put(seat.session, sets_profile=sets_profile)]

    def observe(self, number: int, now: float) -> Line | Reason:
        """Let in a stream that only looks, or tell why not."""
        if self._observers >= self._limits.observers_per_lobby:
            return Reason.LOBBY_FULL
        self._observers += 1
        line = open_line(number, None, self._limits, now)
        self._lines[number] = line
        self._go_live(line, Welcome(b"", b"", 1, resumed=False), None, now)
        return line

    def bequeath(self) -> list[HeldSession]:
        """List the sessions held here, for a successor of this process."""
        held = []
        for seat in self._seats.values():
            selection = seat.line.outbox.selection if seat.line is not None else seat.selection
            held.append(
                HeldSession(
                    session_id=seat.session.id,
                    public_key=seat.session.public_key,
                    token=seat.token,
                    previous_token=seat.previous_token or b"",
                    newest_request_id=seat.correspondent.newest_request_id,
                    selected_key=selection.public_key if selection else b"",
                    selected_incarnation=selection.incarnation if selection else 0,
                )
            )
        return held

    def adopt(self, held: Iterable[HeldSession], now: float) -> list[Effect]:
        """Take over what a predecessor of this process held.

        Every session that the lobby has is suspect, and has a lease's time to be resumed: its client may be waiting between two
        attempts. One that nobody holds is dropped.
        """
        by_id = {one.session_id: one for one in held}
        effects: list[Effect] = []
        for member in list(self.lobby):
            for session in member.sessions:
                if (one := by_id.get(session.id)) is None:
                    effects.append(Drop(session, DepartureReason.LOST))
                    continue
                seat = self._take_seat(session, one.token, now, one.newest_request_id)
                seat.previous_token = one.previous_token or None
                if one.selected_key:
                    seat.selection = Selection(one.selected_key, one.selected_incarnation, None)
                patience = max(self._limits.lease_seconds, self._limits.grace_seconds)
                self._timers.set((_Due.GRACE, seat), now + patience)
        return effects

    # Being here

    def receive(self, line: Line, request: Request, *, now: float, unix_millis: int) -> list[Effect]:
        """Take a request from a live stream."""
        if line.number not in self._lines:
            return []
        line.heard_at = now
        if isinstance(request, ClientHeartbeat):
            # Heard first: that it reads again may be what brings its session back.
            self._hear_echo(line, request, now)
        if not line.requests.take(now):
            return self._throw_out(line, Reason.TOO_MANY_REQUESTS, now)
        effects: list[Effect] = []
        if (seat := line.seat) is not None:
            seat.confirm()
            effects += self._revive(seat, line, now)
        match request:
            case ClientHeartbeat():
                effects += self._hear_beat(line, request, now)
            case Resync():
                effects += self._resync(line, now)
            case Leave():
                effects += self._leave(line)
            case Hello() | Proof():
                effects += self._refuse(line, 0, Reason.HANDSHAKE_REPEATED, now)
            case Unsupported():
                effects += self._refuse(line, 0, Reason.UNSUPPORTED_REQUEST, now)
            case Ack():
                if seat is not None:
                    errands = self._courier.acknowledge(
                        seat.correspondent, request.delivery_id, self.lobby.revision
                    )
                    effects += self._run(errands, now)
            case UpdateProfile() | Select() | Send() if seat is None:
                effects += self._refuse(line, request.request_id, Reason.OBSERVER, now)
            case UpdateProfile():
                effects += self._update(line, seat, request, now)
            case Select():
                effects += self._select(line, request, now)
            case Send():
                effects += self._send(line, seat, request, now, unix_millis)
            case _ as unreachable:
                assert_never(unreachable)
        return effects

    def lost(self, line: Line, now: float) -> list[Effect]:
        """Note that a stream has ended without Leave: its session is suspect at once. For any stream, as often as one likes."""
        seat = line.seat
        holds = seat is not None and seat.line is line
        self._detach(line)
        if seat is None or not holds or self._seats.get(seat.session.id) is not seat:
            return []
        if self._draining:
            # A planned stop is the server's doing: nobody is shown as lost, and the successor takes over.
            return []
        return self._suspect(seat, now)

    def eject(self, line: Line, reason: Reason, now: float) -> list[Effect]:
        """End a stream whose client broke the rules: its session is suspect until it comes back on another."""
        return self._throw_out(line, reason, now)

    def drain(self, deadline_seconds: float) -> list[Effect]:
        """Tell everybody to move within so many seconds, each at another moment."""
        self._draining = True
        effects: list[Effect] = []
        for line in list(self._lines.values()):
            delay = int(self._spread.fraction() * deadline_seconds * 1000)
            line.outbox.post(Draining(int(deadline_seconds * 1000), delay))
            effects.append(Wake(line))
        return effects

    # What the store says

    def fold(self, change: Change, now: float) -> None:
        """Take in the next change of the lobby. The shell starts a wave."""
        self.lobby.apply(change, now)

    def stored(self, written: Put | Drop, answer: Change | Refusal, now: float) -> list[Effect]:
        """Take the store's answer to a write. The changes up to it have been folded in before."""
        seat = self._seats.get(written.session.id)
        if seat is None:
            return []
        if isinstance(written, Drop):
            if answer is Refusal.FENCED:
                return []
            return self._vacate(seat, now)
        if seat.session.generation != written.session.generation:
            return []
        if isinstance(answer, Refusal):
            ended = self._end(seat.line, REASON_OF_REFUSAL[answer]) if seat.line is not None else []
            return ended + self._vacate(seat, now)
        seat.session = replace(seat.session, incarnation=answer.member.incarnation if answer.member else 0)
        line = seat.line
        if line is None or line.is_live or line.welcome is None:
            return []
        line.outbox.selection = seat.selection
        resumed = line.welcome.resumed
        self._go_live(line, line.welcome, line.holds, now)
        effects: list[Effect] = [Wake(line, with_wave=True)]
        return effects + (self._run(self._courier.resume(seat.correspondent), now) if resumed else [])

    # Time

    def tick(self, now: float) -> list[Effect]:
        """Do everything that is due."""
        effects: list[Effect] = []
        for kind, subject in self._timers.due(now):
            match kind, subject:
                case _Due.BEAT, Line():
                    effects += self._beat(subject, now)
                case _Due.LEASE, Line():
                    effects += self._check_lease(subject, now)
                case _Due.GRACE, Seat():
                    effects += self._check_grace(subject, now)
                case _Due.PROFILE, Seat():
                    effects += self._flush_profile(subject, now)
                case _Due.RESYNC, Line():
                    effects += self._resync(subject, now)
                case _Due.PARCEL, int():
                    effects += self._run(self._courier.expire(subject, self.lobby.revision), now)
                case _Due.FORGET, _:
                    self.lobby.forget(now - self._limits.tombstone_seconds, self._limits.tombstones_per_lobby)
                    self._timers.set((_Due.FORGET, 0), now + FORGET_SECONDS)
                case _:
                    raise AssertionError(f"no {kind} is due for a {type(subject).__name__}")
        return effects

    def postpone(self, seconds: float, now: float) -> None:
        """Put off the end of every grace by the time for which this process was stalled: nobody could be heard meanwhile."""
        for seat in self._seats.values():
            if seat.session.liveness is Liveness.SUSPECT:
                # Never sooner than it was: who was adopted has longer than a grace.
                ends_at = self._timers.when((_Due.GRACE, seat)) or now
                put_off_to = now + max(seconds, self._limits.grace_seconds)
                self._timers.set((_Due.GRACE, seat), max(ends_at, put_off_to))

    def heartbeat(self, line: Line, *, now: float, unix_millis: int) -> ServerHeartbeat:
        """Make the heartbeat that a line's outbox owes, describing the lobby as it stands."""
        if line.unechoed_since is None:
            # The nonce stays until it is echoed: however slow the link, the echo then fits, and tells how slow.
            line.beat_nonce = self._spread.number() or 1
            line.unechoed_since = now
        return ServerHeartbeat(
            epoch=self.lobby.epoch,
            revision=self.lobby.revision,
            digest=self.lobby.digest,
            count=len(self.lobby),
            server_time_unix_millis=unix_millis,
            nonce=line.beat_nonce,
            round_trip_micros=int(line.round_trip_seconds * 1e6),
            degraded=self._health.is_lenient(now),
        )

    # Seats and lines

    def _take_seat(self, session: Session, token: bytes, now: float, newest_request_id: int = 0) -> Seat:
        seat = Seat(
            session,
            token,
            self._courier.enrol(session.id, session.public_key, now, newest_request_id),
            Bucket.full(self._limits.updates_per_second, self._limits.update_burst, now),
        )
        self._seats[session.id] = seat
        self._seats_of.setdefault(session.public_key, []).append(seat)
        return seat

    def _vacate(self, seat: Seat, now: float) -> list[Effect]:
        del self._seats[seat.session.id]
        siblings = self._seats_of[seat.session.public_key]
        siblings.remove(seat)
        if not siblings:
            del self._seats_of[seat.session.public_key]
        for kind in (_Due.GRACE, _Due.PROFILE):
            self._timers.cancel((kind, seat))
        present = self.lobby.member(seat.session.public_key) is not None
        return self._run(
            self._courier.dismiss(seat.correspondent, self.lobby.revision, member_present=present), now
        )

    def _attach(self, seat: Seat, number: int, welcome: Welcome, holds: int | None, now: float) -> Line:
        line = open_line(number, seat, self._limits, now)
        line.welcome = welcome
        line.holds = holds
        seat.line = line
        self._lines[number] = line
        return line

    def _go_live(self, line: Line, welcome: Welcome, holds: int | None, now: float) -> None:
        line.outbox.welcome(welcome, holds)
        line.welcome = None
        line.is_live = True
        self._timers.set((_Due.BEAT, line), self._next_beat(now))
        self._timers.set((_Due.LEASE, line), now + self._limits.lease_seconds)

    def _detach(self, line: Line) -> None:
        if self._lines.pop(line.number, None) is None:
            return
        for kind in (_Due.BEAT, _Due.LEASE, _Due.RESYNC):
            self._timers.cancel((kind, line))
        if line.seat is None:
            self._observers -= 1
        elif line.seat.line is line:
            line.seat.detach()

    def _end(self, line: Line, reason: Reason | None, detail: str = "") -> list[Effect]:
        if line.number not in self._lines:
            return []
        self._detach(line)
        return [End(line, reason, detail)]

    def _throw_out(self, line: Line, reason: Reason, now: float) -> list[Effect]:
        seat = line.seat
        effects = self._end(line, reason)
        return effects + (self._suspect(seat, now) if seat is not None and effects else [])

    def _held(self, resume: Resume) -> int | None:
        lobby = self.lobby
        if resume.epoch != lobby.epoch or not lobby.floor <= resume.revision <= lobby.revision:
            return None
        # A list that is already known to be wrong is replaced, not added to.
        if resume.revision == lobby.revision and resume.digest != lobby.digest:
            return None
        return resume.revision

    # Signs of life

    def _suspect(self, seat: Seat, now: float) -> list[Effect]:
        if seat.session.liveness is Liveness.SUSPECT:
            return []
        seat.session = replace(seat.session, liveness=Liveness.SUSPECT)
        # While draining no grace ends, not even one of nothing: the successor takes over.
        if self._limits.grace_seconds == 0 and not self._draining:
            return self._give_up(seat, now)
        self._timers.set((_Due.GRACE, seat), now + self._limits.grace_seconds)
        return [Put(seat.session, sets_profile=False)]

    def _revive(self, seat: Seat, line: Line, now: float) -> list[Effect]:
        if seat.session.liveness is Liveness.ONLINE or silent_at(line.signs, self._limits) <= now:
            return []
        seat.session = replace(seat.session, liveness=Liveness.ONLINE)
        self._timers.cancel((_Due.GRACE, seat))
        return [Put(seat.session, sets_profile=False)]

    def _hear_echo(self, line: Line, beat: ClientHeartbeat, now: float) -> None:
        if beat.echo and beat.echo == line.beat_nonce and line.unechoed_since is not None:
            line.round_trip_seconds = now - line.unechoed_since
            line.unechoed_since = None

    def _hear_beat(self, line: Line, beat: ClientHeartbeat, now: float) -> list[Effect]:
        lobby = self.lobby
        holds_all = beat.epoch == lobby.epoch and beat.revision == lobby.revision == line.outbox.sent
        if not holds_all or beat.digest == lobby.digest:
            return []
        # The client claims to hold this very revision, yet another list: replace it, whether it has noticed or not.
        self.divergences += 1
        return self._resync(line, now)

    def _beat(self, line: Line, now: float) -> list[Effect]:
        self._timers.set((_Due.BEAT, line), self._next_beat(now))
        line.outbox.post_heartbeat()
        return [Wake(line)]

    def _next_beat(self, now: float) -> float:
        jitter = HEARTBEAT_JITTER * (2 * self._spread.fraction() - 1)
        return now + self._limits.heartbeat_seconds * (1 + jitter)

    def _check_lease(self, line: Line, now: float) -> list[Effect]:
        moment = silent_at(line.signs, self._limits)
        if moment > now:
            # A write may get stuck in the meantime, so it is looked at again before its lease could have run out.
            self._timers.set((_Due.LEASE, line), min(moment, now + self._limits.heartbeat_seconds))
            return []
        if self._health.is_lenient(now) or (self._health.may_forgive(now) and self._crowd_is_silent(now)):
            self._health.forgive_crowd(now)
            self._timers.set((_Due.LEASE, line), self._health.lenient_until)
            return []
        seat = line.seat
        if seat is None:
            return self._end(line, Reason.LEASE_EXPIRED)
        self._timers.set((_Due.LEASE, line), now + self._limits.heartbeat_seconds)
        return self._suspect(seat, now)

    def _crowd_is_silent(self, now: float) -> bool:
        overdue_before = now - self._limits.heartbeat_seconds * (1 + HEARTBEAT_JITTER)
        # Observers don't count: nobody sees them, and anybody may open some and be silent.
        heard = [line.heard_at for line in self._lines.values() if line.seat is not None]
        return is_crowd(sum(moment < overdue_before for moment in heard), len(heard))

    def _check_grace(self, seat: Seat, now: float) -> list[Effect]:
        return [] if self._draining else self._give_up(seat, now)

    def _give_up(self, seat: Seat, now: float) -> list[Effect]:
        effects: list[Effect] = [self._drop(seat, DepartureReason.LOST)]
        if (line := seat.line) is not None:
            stuck = line.heard_at + self._limits.lease_seconds > now
            effects += self._end(line, Reason.SLOW_READER if stuck else Reason.LEASE_EXPIRED)
        return effects

    def _drop(self, seat: Seat, reason: DepartureReason) -> Drop:
        # A write that came after it would bring the session back, without anybody to end it.
        for kind in (_Due.GRACE, _Due.PROFILE):
            self._timers.cancel((kind, seat))
        return Drop(seat.session, reason)

    # Requests

    def _refuse(
        self, line: Line, request_id: int, reason: Reason, now: float, detail: str = ""
    ) -> list[Effect]:
        line.errors += 1
        if line.errors > self._limits.errors_per_stream:
            return self._throw_out(line, Reason.TOO_MANY_ERRORS, now)
        posted = line.outbox.post(RequestError(request_id, reason, detail or TABLE[reason].text))
        return self._posted(line, posted, now)

    def _posted(self, line: Line, posted: bool, now: float) -> list[Effect]:
        return [Wake(line)] if posted else self._throw_out(line, Reason.SLOW_READER, now)

    def _leave(self, line: Line) -> list[Effect]:
        seat = line.seat
        effects = self._end(line, None)
        return [self._drop(seat, DepartureReason.LEFT), *effects] if seat is not None else effects

    def _resync(self, line: Line, now: float) -> list[Effect]:
        if not line.resyncs.take(now):
            self._timers.set((_Due.RESYNC, line), line.resyncs.next_at(now) + 0.001)
            return []
        line.outbox.owe_snapshot()
        return [Wake(line, with_wave=True)]

    def _update(self, line: Line, seat: Seat | None, request: UpdateProfile, now: float) -> list[Effect]:
        if seat is None:
            raise AssertionError("an observer has no profile")
        profile = check_profile(request.profile)
        if isinstance(profile, Fault):
            return self._refuse(line, request.request_id, profile.reason, now, profile.detail)
        seat.pending_profile = profile
        return self._flush_profile(seat, now)

    def _flush_profile(self, seat: Seat, now: float) -> list[Effect]:
        profile: Profile | None = seat.pending_profile
        if profile is None or profile == seat.session.profile:
            seat.pending_profile = None
            return []
        if not seat.updates.take(now):
            self._timers.set((_Due.PROFILE, seat), seat.updates.next_at(now) + 0.001)
            return []
        seat.pending_profile = None
        seat.session = replace(seat.session, profile=profile)
        return [Put(seat.session, sets_profile=True)]

    def _select(self, line: Line, request: Select, now: float) -> list[Effect]:
        if len(request.public_key) not in (0, KEY_BYTES):
            return self._refuse(line, request.request_id, Reason.BAD_RECIPIENT, now)
        return self._posted(line, line.outbox.post_select(request), now)

    def _send(
        self, line: Line, seat: Seat | None, request: Send, now: float, unix_millis: int
    ) -> list[Effect]:
        if seat is None:
            raise AssertionError("an observer sends nothing")
        if request.request_id == 0:
            return self._refuse(line, 0, Reason.BAD_REQUEST_ID, now)
        if len(request.recipient) != KEY_BYTES:
            return self._refuse(line, request.request_id, Reason.BAD_RECIPIENT, now)
        reachable = (
            other.correspondent for other in self._seats_of.get(request.recipient, ()) if other.is_reachable
        )
        errands = self._courier.send(
            seat.correspondent,
            seat.session.incarnation,
            request,
            self.lobby.member(request.recipient),
            reachable,
            revision=self.lobby.revision,
            now=now,
            unix_millis=unix_millis,
        )
        return self._run(errands, now)

    def _run(self, errands: list[Errand], now: float) -> list[Effect]:
        return [effect for errand in errands for effect in self._do(errand, now)]

    def _do(self, errand: Errand, now: float) -> Iterator[Effect]:
        if isinstance(errand, Expect):
            self._timers.set((_Due.PARCEL, errand.delivery_id), now + self._limits.ack_seconds)
            return
        seat = self._seats.get(errand.session_id)
        if seat is None or seat.line is None or not seat.line.is_live:
            return
        line = seat.line
        match errand:
            case HandOver():
                # A full mailbox loses nothing: the delivery stays pending until it is acknowledged or its time is up.
                if line.outbox.post(errand.delivery, self.lobby.revision):
                    yield Wake(line)
            case Report():
                yield from self._posted(line, line.outbox.post(errand.result, errand.result.revision), now)
            case _ as unreachable:
                assert_never(unreachable)
