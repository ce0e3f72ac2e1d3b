"""When the screen may be drawn again: at most twenty times a second, and for a key at once.

Pure. A store of draws is refilled steadily; in any second no more are spent than what it holds and what flows
in. At rest it is full, so the first change is drawn at once. Under a stream of changes they are drawn only
when it is full again, so there is always one left for a key, and one for the key after that.
"""

STORE = 3.0
"""How many draws may follow each other at once."""
DRAWS_PER_SECOND = 16.0
"""How many flow in. With those in store that makes nineteen in any second, and twenty as a terminal may see them."""


class Cadence:
    """Know when the next draw may be. All times are seconds of one clock that doesn't go back."""

    def __init__(self, now: float) -> None:
        """Start with a full store."""
        self._store = STORE
        self._at = now

    def delay(self, now: float, *, for_key: bool) -> float:
        """Tell how long to wait before drawing; 0 if it may be now."""
        needed = 1.0 if for_key else STORE
        missing = needed - self._held(now)
        # What is missing by rounding isn't worth a wait.
        return missing / DRAWS_PER_SECOND if missing > 1e-6 else 0.0

    def drawn(self, now: float) -> None:
        """Note that it was drawn."""
        self._store = max(0.0, self._held(now) - 1.0)
        self._at = now

    def _held(self, now: float) -> float:
        return min(STORE, self._store + max(0.0, now - self._at) * DRAWS_PER_SECOND)
