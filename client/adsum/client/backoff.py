"""How long to wait before the next attempt to connect, and when to give up. Pure: random numbers are arguments.

The delay is a random time between 0 and a ceiling ("full jitter": after a server's end its clients come back
spread out), and the ceiling doubles with each attempt:

    before the first list          the cap is low, and the time for all attempts together is bounded
    after a connection that lived  the first attempt is made at once
    the session may be resumed     the cap is low: it pays to try often; the ceiling goes on from there later
    later                          the cap is `max_backoff_seconds`

What a server asks for (RetryInfo, the delay of a draining server) is the least delay, with the jitter on top.
"""

from dataclasses import dataclass

from adsum.client.ending import Ending
from adsum.client.errors import AdsumError, Unavailable
from adsum.client.settings import Settings


@dataclass(slots=True)
class Backoff:
    """Count the attempts since the last success, as the ceiling that the next delay has."""

    first_seconds: float
    _ceiling: float = 0.0

    def next_delay(self, random: float, cap_seconds: float, at_least_seconds: float = 0.0) -> float:
        """Tell how many seconds to wait before the next attempt, and let the ceiling grow.

        `random` is uniform in [0, 1).
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


@dataclass(frozen=True, slots=True)
class Attempt:
    """Hold what became of an attempt: how its stream ended, and what the session knew of it."""

    ending: Ending
    live_seconds: float | None = None
    """How long it had a complete list; None if it never had."""
    drain_seconds: float = 0.0
    """How long a draining server still wants this client to wait."""


class Persistence:
    """Decide after each attempt whether there is another, and when. All times are of one clock in seconds."""

    def __init__(self, settings: Settings, target: str, now: float) -> None:
        """Start counting before the first attempt."""
        self.give_up_at = now + settings.first_connect_seconds
        """When the first connection must have succeeded."""
        self._settings = settings
        self._target = target
        self._backoff = Backoff(settings.first_backoff_seconds)
        self._failures = 0
        self._has_lived = False
        self._last_cause: Ending | None = None

    def after(
        self, attempt: Attempt, resumable_until: float, now: float, random: float
    ) -> float | AdsumError:
        """Tell after how many seconds to try again, or with which error to give up.

        `resumable_until` is when the session will be gone, `random` uniform in [0, 1).
        """
        ending, settings = attempt.ending, self._settings
        if ending.fatal is not None:
            return ending.fatal
        if ending.is_given_up:
            # What ended the attempt before tells more than that the time was up.
            return self._unavailable(self._last_cause or ending)
        self._last_cause = ending
        is_live = attempt.live_seconds is not None
        self._has_lived = self._has_lived or is_live
        self._failures = 0 if is_live else self._failures + 1
        if settings.max_attempts is not None and self._failures >= settings.max_attempts:
            return self._unavailable(ending)
        has_been_stable = (attempt.live_seconds or 0.0) >= settings.stable_seconds
        if ending.is_planned or (has_been_stable and not ending.is_violation):
            self._backoff.reset()
        elif not is_live or ending.is_violation:
            self._backoff.fail()
        is_urgent = not self._has_lived or now < resumable_until
        cap_seconds = settings.resumable_backoff_seconds if is_urgent else settings.max_backoff_seconds
        least_seconds = max(ending.retry_seconds, attempt.drain_seconds)
        delay_seconds = self._backoff.next_delay(random, cap_seconds, least_seconds)
        if not self._has_lived and now + delay_seconds >= self.give_up_at:
            return self._unavailable(ending)
        return delay_seconds

    def _unavailable(self, ending: Ending) -> Unavailable:
        if ending.reason is not None:
            message = f"the server at {self._target} lets nobody in now: {ending.cause}"
            return Unavailable(message, ending.reason)
        return Unavailable(f"no Adsum server answers at {self._target} ({ending.cause})")
