"""What the system promises, how often it was looked at, and what was found broken.

Nothing is raised: what a check finds may not depend on who catches exceptions on the way. Whoever runs the checks looks at `broken`.
"""

from collections import Counter

PROMISES = {
    "P1": "snapshot first",
    "P2": "ordered, unique, gapless",
    "P3": "convergence, proved by a digest",
    "P4": "100 ms",
    "P5": "no ghosts, no missing",
    "P6": "blips don't flap",
    "P7": "selection is true",
    "P8": "a message is delivered or you know",
    "P9": "bounded",
    "P10": "planned stops are quiet",
}
"""Each promise in a few words."""


class Checks:
    """Count what is checked, and keep what is found broken."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.broken: list[tuple[str, str]] = []
        """Promises and what was seen, the first one first."""

    def that(self, promise: str, holds: object, what: str, *facts: object) -> bool:
        """Check something. `what` is formatted with the facts only if it does not hold."""
        self.counts[promise] += 1
        if not holds:
            self.broken.append((promise, what.format(*facts)))
        return bool(holds)
