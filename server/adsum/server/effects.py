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
    """Let a line's writer look into its outbox now."""

    line: Line


@dataclass(frozen=True, slots=True)
class End:
    """End a line's stream at once: with status OK if the reason is None."""

    line: Line
    reason: Reason | None
    detail: str = ""


Effect: TypeAlias = Put | Drop | Wake | End
