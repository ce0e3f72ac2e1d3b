"""When the next wave of writes starts.

All streams of a lobby are woken together: a wave. At rest, a change starts a wave at once. Under load the next one starts no sooner
than a rest after the last has ended, and what happens in between is merged. The rest is a share of the time that the wave took: short in
general, so that changes are seen soon, and as long as the wave itself while newcomers are waiting, since accepting them needs a loop
that is idle now and then. Without any rest each turn of the loop would hold one whole wave and admit one newcomer.

Pure policy: durations in, a moment out.
"""

from dataclasses import dataclass

REST_SHARE = 0.25
"""The rest after a wave, as a share of its duration: 94 ms p99 at 200 changes/s with 1,000 members; 1.0 gave 110."""
NEWCOMER_REST_SHARE = 1.0
"""The same while newcomers wait: a storm of 2,000 is complete in 1.5 s; with 0.25 it takes 2.7."""
LONGEST_REST_SECONDS = 0.06
"""No rest is longer, so that two waves and a rest stay within 100 ms at the sizes that are promised."""


@dataclass(slots=True)
class Pacing:
    """Follow the waves of one lobby. At first it has rested long enough."""

    _rested_at: float = float("-inf")

    def next_start(self, now: float) -> float:
        """Tell when a wave may start for a change that has just happened: `now`, or later."""
        return max(now, self._rested_at)

    def ended(self, started_at: float, now: float, *, newcomers_waiting: bool) -> None:
        """Note that a wave has ended, and how long to rest."""
        share = NEWCOMER_REST_SHARE if newcomers_waiting else REST_SHARE
        self._rested_at = now + min(LONGEST_REST_SECONDS, share * (now - started_at))
