"""How long the server is waited for on one stream: the handshake, the list, and silence. Pure.

What is waited for, and how long:

    before Welcome      the whole handshake has `connect_seconds`
    after it            each message of the server proves that it lives. Without one the list is doubted after 1.5 of
                        the longest possible heartbeat intervals, and the stream is dead after the lease
    a promised list     has `snapshot_seconds`
    a draining server   has said when to move

A process that was itself stopped for a while (a laptop's lid, a debugger) is late to look at the clock. Then
silence proves nothing: what the server said may wait to be read, and it gets one second more.
"""

from dataclasses import dataclass

from adsum.client.settings import Settings
from adsum.contract.limits import HEARTBEAT_JITTER

SILENT_AFTER_HEARTBEATS = 1.5 * (1 + HEARTBEAT_JITTER)
"""After how many heartbeat intervals without a word the list is doubted: one heartbeat has certainly been missed."""
STALLED_SECONDS = 1.0
"""How late a look at the clock must be to mean that this process was stopped; and how much longer the server is then heard."""
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class End:
    """Say that a stream must be given up, and why, for a person to read.

    `is_violation` tells that the server did what no server may do; `is_planned` that it asked for the move.
    """

    cause: str
    is_violation: bool = False
    is_planned: bool = False


class Patience:
    """Know the deadlines of one stream. All times are seconds of one clock that doesn't go back."""

    def __init__(self, settings: Settings, now: float) -> None:
        """Wait for the Welcome from now on."""
        self._settings = settings
        self._connect_by = now + settings.connect_seconds
        self._list_by = _NEVER
        self._heard_at = now
        self._silent_seconds = _NEVER
        self._lease_seconds = _NEVER
        self.move_at = _NEVER
        """When the server wants this client to move; infinite if it doesn't."""

    def welcome(self, heartbeat_seconds: float, lease_seconds: float) -> None:
        """End the handshake: from now on only silence counts."""
        self._connect_by = _NEVER
        self._silent_seconds = SILENT_AFTER_HEARTBEATS * heartbeat_seconds
        self._lease_seconds = lease_seconds

    def heard(self, now: float) -> None:
        """Note that the server lives."""
        self._heard_at = max(self._heard_at, now)

    def expect_list(self, now: float) -> None:
        """Wait for a snapshot, if none is waited for."""
        self._list_by = min(self._list_by, now + self._settings.snapshot_seconds)

    def got_list(self) -> None:
        """Wait for no snapshot any more."""
        self._list_by = _NEVER

    def is_silent(self, now: float) -> bool:
        """Tell whether the server has been silent for so long that the list is doubtful."""
        return now >= self._heard_at + self._silent_seconds

    def deadline(self, now: float) -> float:
        """Tell when to judge next, if nothing is heard before."""
        deadline = min(self._connect_by, self._list_by, self.move_at, self._heard_at + self._lease_seconds)
        silent_at = self._heard_at + self._silent_seconds
        return min(deadline, silent_at) if now < silent_at else deadline

    def judge(self, now: float) -> End | None:
        """Tell whether the stream must be given up now."""
        if now >= self._connect_by:
            return End(f"no answer within {self._settings.connect_seconds:g} s")
        if now >= self.move_at:
            return End("the server is stopping", is_planned=True)
        dead_at = self._heard_at + self._lease_seconds
        if now >= dead_at + STALLED_SECONDS:
            self._heard_at = now + STALLED_SECONDS - self._lease_seconds
        elif now >= dead_at:
            return End(f"nothing heard for {self._lease_seconds:g} s")
        if now >= self._list_by:
            return End(f"no list within {self._settings.snapshot_seconds:g} s", is_violation=True)
        return None
