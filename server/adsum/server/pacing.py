"""When the next wave of writes starts, and when one has ended.

All streams of a lobby are woken together: a wave. At rest, a change starts a wave at once. Under load the next one starts no sooner
than a rest after the last has ended, and what happens in between is merged. A wave has ended when all but the last few of its writes are
done; it waits for no slow reader. The rest is a share of the time that the wave took, and goes on while newcomers follow each other:
letting one in takes several turns of the loop, which must not each wait for a whole wave. Without any rest each turn would hold one wave
and one step of one newcomer.

Pure policy: durations in, a moment out.
"""

from dataclasses import dataclass

REST_SHARE = 0.25
"""The rest after a wave, as a share of its duration: 94 ms p99 at 200 changes/s with 1,000 members; 1.0 gave 110."""
NEWCOMER_SECONDS = 0.005
"""While newcomers follow each other as closely, the rest goes on. A storm of 1,000 is then complete in 1.5 s; with the share alone
in 7.5."""
LONGEST_REST_SECONDS = 0.06
"""No rest is longer, so that two waves and a rest stay within 100 ms at the sizes that are promised. Only while newcomers come may it be as
long as the wave, if that is longer."""
TAIL_SHARE = 0.05
"""The share of a wave's writes that may still be under way when it counts as ended."""
SLACK_SECONDS = 0.01
"""A wave has ended, whoever still reads, when handing it over has taken as long again and this much longer."""


def tail_of(writes: int) -> int:
    """Tell how many of a wave's writes needn't be waited for."""
    return int(writes * TAIL_SHARE)


def wave_deadline(started_at: float, handed_over_at: float) -> float:
    """Tell when a wave has ended at the latest, given when its last write was begun."""
    return handed_over_at + (handed_over_at - started_at) + SLACK_SECONDS


@dataclass(slots=True)
class Pacing:
    """Follow the waves of one lobby. At first it has rested long enough."""

    _rested_at: float = float("-inf")
    _latest_at: float = float("-inf")

    def next_start(self, now: float, newcomer_at: float) -> float:
        """Tell when a wave may start for a change that has just happened: `now`, or later.

        Args:
            now: The moment.
            newcomer_at: When a newcomer has last taken a step towards being let in.
        """
        return max(now, self._rested_at, min(newcomer_at + NEWCOMER_SECONDS, self._latest_at))

    def ended(self, started_at: float, now: float) -> None:
        """Note that a wave has ended."""
        took = now - started_at
        self._rested_at = now + min(LONGEST_REST_SECONDS, REST_SHARE * took)
        self._latest_at = now + max(LONGEST_REST_SECONDS, took)
