"""When the next wave of writes starts, and when one has ended.

All streams of a lobby are woken together: a wave. At rest, a change starts a wave at once. Under load the next one starts no sooner
than a rest after the last has ended, and what happens in between is merged. A wave has ended when all but the last few of its writes are
done; it waits for no slow reader. The rest is a share of the time that the wave took, and shorter where the wave itself is long or alone.

The rest goes on while newcomers follow each other, for about as long as the wave took, and for twice as long in a storm of them. Letting
one in takes several turns of the loop, which must not each wait for a whole wave: a loop that is busy all through the rest would let in
one newcomer for each wave. That is why it isn't told by the clock alone whether somebody follows: the loop has to come round and look, more
than once, without having met anybody.

Pure policy: durations in, a moment out.
"""

from dataclasses import dataclass

REST_SHARE = 0.7
"""The rest after a wave, as a share of its duration. With 1,000 members and 200 changes/s: 3.5 us for a delivered change and a p99 of
95 ms; 0.25 gave 4.3 us and 78 ms."""
SHORTEST_REST_SHARE = 0.25
"""The least share, and the one after a wave before which there was nothing to do for as long as it took: what costs little anyway
is told as soon as may be."""
PROMISED_SECONDS = 0.1
"""A change that has just missed a wave waits for its end, for the rest, and for the next wave to reach everybody. Where waves are so
long that this would take longer, the rest is shorter, but not below its least share: 2,000 members had a p99 of 130 ms with 0.3, 188
with 0.7."""
LONGEST_REST_SECONDS = 0.06
"""No rest is longer, but for newcomers."""
LOOK_SECONDS = 0.001
"""How long the loop is given to meet a newcomer before it looks again."""
QUIET_LOOKS = 2
"""How many looks at which nobody has taken a step end the rest. With 5 ms by the clock instead, at 800 changes/s and 1,000 members, a
newcomer waited for 3.5 s (p99), now for 0.5."""
NEWCOMER_REST_SECONDS = 0.03
"""The rest may be as long while newcomers follow each other, or as long as the wave, if that is longer. 60 ms made joins at
50 changes/s wait for 124 ms (p99) instead of 77."""
STORM_STEPS = 90
"""How many steps of newcomers since the last wave are a storm: about 30 people, more than come in a period at 200 joins a second."""
STORM_REST_SECONDS = 0.1
STORM_REST_SHARE = 2.0
"""In a storm the rest may be as long, or so many times as long as the wave, if that is longer: fewer waves, and everybody is in sooner. A
storm of 2,000 took 4.7 s instead of 5.9."""
LONGEST_BELIEVED_SECONDS = 0.25
"""A wave that seems to have taken longer was held up: by a process that was stopped, or a machine that had no time. Newcomers
must not wait for twice as long as that."""
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


def rest_after(wave_seconds: float, quiet_seconds: float) -> float:
    """Tell how long a wave is rested from, given for how long there had been nothing to do before it."""
    rest = SHORTEST_REST_SHARE * wave_seconds
    if quiet_seconds < wave_seconds:
        rest = max(rest, min(REST_SHARE * wave_seconds, PROMISED_SECONDS - 2 * wave_seconds))
    return min(LONGEST_REST_SECONDS, rest)


@dataclass(slots=True)
class Pacing:
    """Follow the waves of one lobby. At first it has rested long enough."""

    _rested_at: float = float("-inf")
    _latest_at: float = float("-inf")
    _latest_in_storm_at: float = float("-inf")
    _wanted_at: float | None = None
    _steps: int = 0
    _steps_at_end: int = 0
    _quiet_looks: int = 0

    def next_start(self, now: float, steps: int) -> float:
        """Tell when a wave may start for a change that has just happened: `now`, or when to ask again.

        Args:
            now: The moment.
            steps: How many steps newcomers have taken so far towards being let in.
        """
        if self._wanted_at is None:
            self._wanted_at = now
        is_storm = steps - self._steps_at_end >= STORM_STEPS
        latest_at = self._latest_in_storm_at if is_storm else self._latest_at
        if now >= latest_at:
            return now
        # Never sooner than after a look: uvloop's timers and clock have whole milliseconds, and would ask again and again within one.
        look_at = now + LOOK_SECONDS
        if now < self._rested_at:
            return max(self._rested_at, look_at)
        if steps != self._steps:
            self._steps = steps
            self._quiet_looks = 0
        else:
            self._quiet_looks += 1
            if self._quiet_looks >= QUIET_LOOKS:
                return now
        return look_at

    def ended(self, started_at: float, now: float, steps: int) -> None:
        """Note that a wave has ended. `steps` is as in `next_start`."""
        took = min(now - started_at, LONGEST_BELIEVED_SECONDS)
        quiet = (started_at if self._wanted_at is None else self._wanted_at) - self._rested_at
        self._wanted_at = None
        self._rested_at = now + rest_after(took, quiet)
        self._latest_at = now + max(NEWCOMER_REST_SECONDS, took)
        self._latest_in_storm_at = now + max(STORM_REST_SECONDS, STORM_REST_SHARE * took)
        self._steps_at_end = steps
        self._quiet_looks = 0
