"""The numbers a client lives by, and how it protects its connection. Everything has a default that suits a person."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TLS:
    """Say how to verify the server, and optionally who this client is. All are PEM bytes; `ca` None means the system's roots."""

    ca: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse half a client certificate."""
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a client certificate needs its key, and a key its certificate")


@dataclass(frozen=True, slots=True)
class Settings:
    """Hold timeouts in seconds and bounds in numbers of things."""

    connect_seconds: float = 5.0
    """How long one attempt may take, from dialling to Welcome."""
    first_connect_seconds: float = 10.0
    """How long `connect` tries before it raises Unavailable."""
    snapshot_seconds: float = 30.0
    """How long a snapshot may take, from Welcome or Resync to its last chunk."""
    first_backoff_seconds: float = 0.2
    """The ceiling of the first random delay; it doubles with each attempt that fails."""
    max_backoff_seconds: float = 10.0
    """The highest ceiling."""
    resumable_backoff_seconds: float = 1.0
    """The highest ceiling as long as the session may still be resumed, and for the first connection."""
    stable_seconds: float = 2.0
    """How long a connection must have lived to count as a success: only then the next loss is answered at once again."""
    max_attempts: int | None = None
    """After how many failed attempts in a row to give up with Unavailable; None for never."""
    answer_seconds: float = 5.0
    """How long `select` waits for an answer."""
    leave_seconds: float = 1.5
    """How long leaving may take."""
    event_queue: int = 10_000
    """How many events wait for the application before they are replaced by one Overflowed. Messages are not counted."""
    inbox: int = 1_000
    """How many messages wait for the application before further ones are not acknowledged."""
    outstanding: int = 64
    """How many sends, and how many selects, may be unanswered; further callers wait."""
    max_members: int = 100_000
    """The largest lobby to hold; a server that tells more is not believed."""
    max_message_bytes: int = 1024 * 1024
    """The largest message to take from a server."""

    def __post_init__(self) -> None:
        """Refuse numbers with which nothing would work."""
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be greater than 0, not {value}")
        if self.first_backoff_seconds > self.max_backoff_seconds:
            raise ValueError("first_backoff_seconds must not be greater than max_backoff_seconds")
