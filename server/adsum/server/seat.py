"""What this node remembers of a session and of a stream, beside the session's record in the store.

A *seat* is the node's half of a session: it outlives the stream, so that a client that comes back finds its token, its selection and its
unacknowledged messages. A *line* is a stream that has been let into a lobby: it carries the session of a seat, or an observer.

Tokens are kept as hashes. Each resume brings a new one; the one before stays valid until the client has been heard on the stream that
brought the new one, since that welcome may have been lost on the way.
"""

import hashlib
import hmac
from dataclasses import dataclass, field, replace

from adsum.contract.limits import Limits
from adsum.server.courier import Correspondent
from adsum.server.liveness import Signs
from adsum.server.member import Liveness, Profile, Session
from adsum.server.messages import Welcome
from adsum.server.outbox import Outbox
from adsum.server.rates import Bucket
from adsum.server.selection import Selection


def hash_token(token: bytes) -> bytes:
    """Hash a resume token: what is kept must not be worth stealing."""
    return hashlib.sha256(b"adsum/1 token" + token).digest()


@dataclass(slots=True, eq=False)
class Line:
    """A stream that has been let into a lobby. `seat` is None for an observer.

    `heard_at` is when its client last said anything; `writing_since` is set by the shell around each write; the rest keeps account of
    heartbeats and of the client's manners.
    """

    number: int
    seat: "Seat | None"
    heard_at: float
    requests: Bucket
    resyncs: Bucket
    outbox: Outbox = field(default_factory=Outbox)
    welcome: Welcome | None = None
    holds: int | None = None
    is_live: bool = False
    writing_since: float | None = None
    beat_nonce: int = 0
    unechoed_since: float | None = None
    round_trip_seconds: float = 0.0
    errors: int = 0

    @property
    def signs(self) -> Signs:
        """The signs of life that the stream has shown."""
        return Signs(self.heard_at, self.writing_since, self.unechoed_since)


@dataclass(slots=True, eq=False)
class Seat:
    """A session that is held on this node. `session` is the record that was last asked to be written."""

    session: Session
    token: bytes
    correspondent: Correspondent
    updates: Bucket
    previous_token: bytes | None = None
    line: Line | None = None
    selection: Selection | None = None
    pending_profile: Profile | None = None

    @property
    def is_reachable(self) -> bool:
        """Whether something can be handed to the session's client now."""
        return self.line is not None and self.line.is_live and self.session.liveness is Liveness.ONLINE

    def accepts(self, token: bytes) -> bool:
        """Tell whether a token continues this session."""
        offered = hash_token(token)
        return hmac.compare_digest(offered, self.token) or (
            self.previous_token is not None and hmac.compare_digest(offered, self.previous_token)
        )

    def rotate(self, offered: bytes, fresh: bytes) -> None:
        """Replace the token after a resume with `offered`, which stays valid until `confirm`."""
        self.previous_token = hash_token(offered)
        self.token = hash_token(fresh)

    def confirm(self) -> None:
        """Note that the client has the newest token: no older one is valid any more."""
        self.previous_token = None

    def detach(self) -> None:
        """Take the stream away, and keep what it knew of the selection. The client must be told again what became of it."""
        # One that never was live has not been given the selection yet.
        if self.line is not None and self.line.is_live:
            selection = self.line.outbox.selection
            self.selection = replace(selection, told=None) if selection is not None else None
        self.line = None


@dataclass(frozen=True, slots=True)
class HeldSession:
    """What a stopping server leaves of a seat for its successor.

    `token` and `previous_token` are the hashes that are kept, the latter empty if there is none.
    """

    session_id: bytes
    public_key: bytes
    token: bytes
    previous_token: bytes
    newest_request_id: int
    selected_key: bytes
    selected_incarnation: int


def open_line(number: int, seat: Seat | None, limits: Limits, now: float) -> Line:
    """Make a line for a stream that is about to be let in."""
    return Line(
        number,
        seat,
        heard_at=now,
        requests=Bucket.full(limits.requests_per_second, limits.request_burst, now),
        resyncs=Bucket.full(1.0, 3.0, now),
    )
