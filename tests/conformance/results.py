"""What came of each case in each language."""

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What came of one case in one language."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """One cell of the table. `shown` is what stands in it if that is more than the verdict."""

    group: str
    case: str
    language: str
    verdict: Verdict
    promises: tuple[str, ...] = ()
    shown: str = ""
    why: str = ""
    told: tuple[str, ...] = ()
    """The last lines of the clients, if the case failed."""
    seconds: float = 0.0
