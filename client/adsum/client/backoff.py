"""How long to wait before the next attempt to connect. Pure: the random number is an argument.

The delay is a random time between 0 and a ceiling ("full jitter": after a server's end its clients come back
spread out), and the ceiling doubles with each attempt. The first attempt after a connection that lived is
made at once. Whoever drives it gives the cap of the moment: as long as the session may be resumed it pays to
try often, so the ceiling stops growing there and goes on from it later.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Count the attempts since the last success, as the ceiling that the next delay has."""

    first_seconds: float
    _ceiling: float = 0.0

    def next_delay(self, random: float, cap_seconds: float, at_least_seconds: float = 0.0) -> float:
        """Tell how many seconds to wait before the next attempt, and let the ceiling grow.

        `random` is uniform in [0, 1). What the server asked for, `at_least_seconds`, comes first and the
        jitter on top of it.
        """
        ceiling = min(self._ceiling, cap_seconds)
        self._ceiling = min(max(2 * ceiling, self.first_seconds), cap_seconds)
        return at_least_seconds + random * ceiling

    def reset(self) -> None:
        """Forget the failures: the connection has lived."""
        self._ceiling = 0.0

    def fail(self) -> None:
        """Count a failure: the next attempt waits."""
        self._ceiling = max(self._ceiling, self.first_seconds)
