"""What a desk asks its shell to do."""

from dataclasses import dataclass
from typing import TypeAlias

from adsum.contract.reasons import Reason
from adsum.server.member import DepartureReason, Session
from adsum.server.seat import Line


@dataclass(frozen=True, slots=True)
class Put:
    """Write a session's record to the store, then tell the desk by `stored`."""

    session: Session
    sets_profile: bool


@dataclass(frozen=True, slots=True)
class Drop:
    """Remove a session from the store, then tell the desk by `stored`."""

    session: Session
    reason: DepartureReason


@dataclass(frozen=True, slots=True)
class Wake:
    """Let a line's writer look into its outbox: now, or with the lobby's next wave.

    A whole list waits for the wave, which is at once when the lobby is at rest: in a storm all who come in share one encoded list.
    """

    line: Line
    with_wave: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """End a line's stream at once: with status OK if the reason is None."""

    line: Line
    reason: Reason | None
    detail: str = ""


Effect: TypeAlias = Put | Drop | Wake | End
