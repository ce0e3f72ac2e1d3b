"""What the model is told of a server: every word on its streams, every change in its store, and every loss.

It stands between the simulated network and `tests.model`, reads bytes with the generated messages, and knows neither desks nor outboxes.
"""

from collections.abc import Callable, Collection, Iterable

from adsum.server.history import Change, StoredLobby
from adsum.server.member import Liveness, Member
from adsum.v1 import presence_pb2 as pb
from tests.model.lobby import LobbyModel, Record
from tests.model.messages import Ledger
from tests.model.presence import Life, PresenceModel, Times
from tests.model.promises import Checks
from tests.model.session import SelectionModel, SessionModel
from tests.model.stream import StreamModel
from tests.simulation.network import Status
from tests.simulation.server_end import Witness

AGAIN_SECONDS = 0.5
"""P8: how long after a resume what was not acknowledged has been handed over again."""
WAVE_SECONDS = 0.1
"""P4: how long after a change every stream that can be written to has been told."""


def record_of(member: Member) -> Record:
    """Read a record from the store, by the rules of the contract: the best liveness, the latest profile."""
    latest = max(member.sessions, key=lambda session: session.profile_revision).profile
    return Record(
        member.incarnation,
        member.revision,
        any(session.liveness is Liveness.ONLINE for session in member.sessions),
        len(member.sessions),
        (latest.name, int(latest.status), latest.status_text, latest.attributes),
    )


class Observatory:
    """Everything the model knows. `now` is the clock of the server that runs."""

    def __init__(
        self,
        checks: Checks,
        times: Times,
        lobbies: Iterable[str],
        now: Callable[[], float],
        ack_seconds: float,
    ) -> None:
        self.checks = checks
        self.times = times
        self.ledger = Ledger(checks, ack_seconds)
        self.now = now
        self.lobbies = {name: LobbyModel(name, checks) for name in lobbies}
        self.presence = {name: PresenceModel(times, checks) for name in lobbies}
        self.sessions: dict[bytes, SessionModel] = {}
        self.streams: list[StreamWitness] = []
        self.counts: dict[str, int] = {}
        self.sends: list[float] = []
        """When the server has read each message."""
        self.at: Callable[[float, Callable[[str], None], str], None] = lambda *_: None
        """Lets something happen at a moment of the server's clock; set by the world."""
        self._waves: dict[str, tuple[int, int, float]] = {}

    def count(self, what: str) -> None:
        """Count something for the report."""
        self.counts[what] = self.counts.get(what, 0) + 1

    # The server's life.

    def ended(self, *, is_planned: bool) -> None:
        """Note that the server is gone, and everything it knew but what it has left for a successor."""
        for name, lobby in self.lobbies.items():
            self.presence[name] = PresenceModel(self.times, self.checks)
            if not is_planned:
                lobby.end()
        self.streams.clear()
        self._waves.clear()

    def drains(self) -> None:
        """Note that the server has begun to drain."""
        for presence in self.presence.values():
            presence.draining_since = self.now()

    def stalled(self, began: float, ended: float) -> None:
        """Note that the server was stalled."""
        for presence in self.presence.values():
            presence.stalls.append((began, ended))

    def starts(self, taken_over: Collection[str], *, was_readable: bool) -> None:
        """Note which lobbies a server starts with."""
        for letter in self.ledger.letters.values():
            letter.was_handed_on = True
        for name, lobby in self.lobbies.items():
            if name not in taken_over:
                self.checks.that("P10", not (lobby.members and was_readable), "{} was not taken over", name)
                lobby.end()

    def took_over(self, stored: StoredLobby) -> None:
        """Note what a successor starts from."""
        members = {member.public_key: record_of(member) for member in stored.members}
        self.lobbies[stored.name].take_over(stored.epoch, stored.revision, members)
        for member in stored.members:
            for session in member.sessions:
                if known := self.sessions.get(session.id):
                    self.presence[stored.name].kept(known, session.generation, self.now())

    # The store.

    def opened(self, stored: StoredLobby) -> None:
        """Note that a lobby is opened."""
        lobby = self.lobbies[stored.name]
        if stored.epoch != lobby.epoch:
            self.checks.that("P2", not lobby.members, "{} starts afresh, but there are members", stored.name)
            self.checks.that("P2", not stored.revision, "a history starts at revision {}", stored.revision)
            lobby.start(stored.epoch)

    def changed(self, change: Change) -> None:
        """Note a change."""
        self.count("changes")
        lobby, presence, now = self.lobbies[change.lobby], self.presence[change.lobby], self.now()
        member = change.member
        lobby.change(change.epoch, change.revision, change.public_key, record_of(member) if member else None)
        session = (
            next((one for one in member.sessions if one.id == change.session_id), None) if member else None
        )
        if session is None:
            presence.gone(change.session_id, now)
        elif change.session_id in presence.sessions:
            is_online = session.liveness is Liveness.ONLINE
            presence.changed(change.session_id, session.generation, is_online, now)
        else:
            model = SessionModel(session.id, change.public_key, SelectionModel(self.checks))
            self.sessions[session.id] = model
            comers = [
                one
                for one in self.streams
                if one.model.is_proved
                and one.model.welcome is None
                and one.is_of(change.lobby, change.public_key)
            ]
            self.checks.that("P5", comers, "a session that nobody has opened")
            presence.joined(model, now, comers[0].life if len(comers) == 1 else None)
        if change.lobby not in self._waves:
            self._waves[change.lobby] = (change.epoch, change.revision, now)
            self.at(now + WAVE_SECONDS, self._check_wave, change.lobby)

    def _check_wave(self, name: str) -> None:
        wave = self._waves.pop(name, None)
        lobby = self.lobbies[name]
        if wave is None or wave[0] != lobby.epoch:
            return
        epoch, revision, changed_at = wave
        presence = self.presence[name]
        if not any(ended >= changed_at for _, ended in presence.stalls):
            for stream in self.streams:
                if stream.can_be_told(lobby, changed_at):
                    stands_at = stream.model.revision or 0
                    self.checks.that(
                        "P4",
                        stands_at >= revision,
                        "{} is not told of revision {}",
                        stream.model.program,
                        revision,
                    )
        if lobby.revision > revision:
            self._waves[name] = (epoch, lobby.revision, self.now())
            self.at(self.now() + WAVE_SECONDS, self._check_wave, name)

    def look(self) -> None:
        """Check that whatever is due has happened."""
        for presence in self.presence.values():
            presence.look(self.now())


class StreamWitness(Witness):
    """Watch one stream."""

    def __init__(self, observatory: Observatory, program: str) -> None:
        self._all = observatory
        self.model = StreamModel(observatory.checks, observatory.ledger, program)
        now = observatory.now()
        self.life = Life(now, now)
        self.unstuck_at = now
        self.welcomed_at = now
        observatory.streams.append(self)

    def is_of(self, lobby: str, key: bytes) -> bool:
        """Tell whether it is a stream of that member in that lobby."""
        hello = self.model.hello
        return hello is not None and (hello.lobby, hello.public_key) == (lobby, key) and not hello.observer

    def can_be_told(self, lobby: LobbyModel, since: float) -> bool:
        """Tell whether it was live and could be written to ever since a moment."""
        return (
            self.model.lobby is lobby
            and self.life.ended_at is None
            and self.life.stuck_since is None
            and max(self.unstuck_at, self.welcomed_at) < since
        )

    def arrived(self) -> None:
        self.life.arrived(self._all.times, self._all.now())

    def heard(self, content: bytes) -> None:
        model, life = self.model, self.life
        life.heard(self._all.now())
        if self._was_replaced():
            # Nobody listens to it any more.
            return
        request = pb.PresenceRequest.FromString(content)
        match request.WhichOneof("request"):
            case "hello":
                model.hello = request.hello
                presences = self._all.presence[request.hello.lobby]
                presence = presences.sessions.get(request.hello.resume.session_id)
                # A server that drains lets nobody in: such a stream never carries the session, and is no sign of its life.
                if presence is not None and presences.draining_since is None:
                    presence.lives.append(life)
            case "proof":
                model.is_proved = True
            case "send":
                self._all.sends.append(life.heard_at)
                model.heard(request, life.heard_at)
            case "heartbeat":
                if request.heartbeat.echo and request.heartbeat.echo == life.nonce:
                    life.unechoed_since = None
                model.heard(request, life.heard_at)
            case _:
                model.heard(request, life.heard_at)

    def _was_replaced(self) -> bool:
        session, welcome, lobby = self.model.session, self.model.welcome, self.model.lobby
        if session is None or welcome is None or lobby is None:
            return False
        presence = self._all.presence[lobby.name].sessions.get(session.id)
        return presence is not None and presence.generation > welcome.generation

    def told(self, content: bytes) -> None:
        response = pb.PresenceResponse.FromString(content)
        match response.WhichOneof("response"):
            case "challenge":
                self._challenged(response.challenge)
            case "welcome":
                self._welcomed(response.welcome)
            case "heartbeat":
                if self.life.unechoed_since is None:
                    self.life.nonce, self.life.unechoed_since = response.heartbeat.nonce, self._all.now()
                self.model.told(response)
            case kind:
                if kind in ("delivery", "snapshot", "delta"):
                    self._all.count({"delivery": "deliveries", "snapshot": "snapshots"}.get(kind, "deltas"))
                self.model.told(response)

    def stuck(self, *, is_stuck: bool) -> None:
        self.life.stuck_since = self._all.now() if is_stuck else None
        self.unstuck_at = self._all.now()

    def lost(self) -> None:
        if self.life.ended_at is None:
            self.life.ended_at = self._all.now()

    def ended(self, status: Status) -> None:
        self.lost()
        if self in self._all.streams:
            self._all.streams.remove(self)
        self._all.checks.that("P9", status.code != "INTERNAL", "the server has failed: {}", status.details)

    def _challenged(self, challenge: pb.Challenge) -> None:
        hello = self.model.hello
        assert hello is not None
        if not hello.HasField("resume"):
            return
        presence = self._all.presence[hello.lobby].sessions.get(hello.resume.session_id)
        is_valid = (
            presence is not None
            and not presence.session.has_left
            and presence.session.key == hello.public_key
            and hello.resume.token in presence.session.tokens
        )
        self._all.checks.that(
            "P6", not is_valid, "a valid resume is refused: {}", pb.Reason.Name(challenge.resume_refusal)
        )
        if presence is not None and self.life in presence.lives:
            presence.lives.remove(self.life)

    def _welcomed(self, welcome: pb.Welcome) -> None:
        self.welcomed_at = self._all.now()
        hello = self.model.hello
        assert hello is not None
        lobby = self._all.lobbies[hello.lobby]
        if hello.observer:
            self.model.welcomed(welcome, SessionModel(b"", b"", SelectionModel(self._all.checks)), lobby)
            return
        self._all.count("resumes" if welcome.resumed else "joins")
        presence = self._all.presence[hello.lobby].sessions.get(welcome.session_id)
        if not self._all.checks.that("P5", presence is not None, "Welcome to a session that is not there"):
            return
        assert presence is not None
        session = presence.session
        if welcome.generation < presence.generation:
            # A stream that was replaced before it was welcomed: nobody reads it any more.
            self.model.replaced()
            return
        if welcome.resumed:
            is_right = hello.resume.session_id == session.id and session.key == hello.public_key
            is_right = is_right and hello.resume.token in session.tokens
            self._all.checks.that("P6", is_right, "a session is resumed with a token that is not valid")
            session.tokens = [hello.resume.token, welcome.resume_token]
        else:
            session.tokens = [welcome.resume_token]
        self._all.checks.that(
            "P6",
            welcome.generation == presence.generation,
            "generation {} is welcomed, not {}",
            welcome.generation,
            presence.generation,
        )
        presence.lives = [self.life]
        self.model.welcomed(welcome, session, lobby)
        if session.pending:
            self._all.at(self._all.now() + AGAIN_SECONDS, self._check_again, hello.lobby)

    def _check_again(self, lobby: str) -> None:
        is_open = self.life.ended_at is None and self.life.stuck_since is None
        was_stalled = any(ended > self.life.arrived_at - 1 for _, ended in self._all.presence[lobby].stalls)
        if is_open and not was_stalled and self.unstuck_at < self._all.now() - AGAIN_SECONDS:
            self._all.checks.that(
                "P8", not self.model.owes_again(self._all.now()), "not handed over again after a resume"
            )
