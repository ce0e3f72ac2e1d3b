"""Token buckets: how often something may happen for long, and how often at once."""

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """Hold up to `burst` tokens and gain `per_second` of them each second. Starts full."""

    per_second: float
    burst: float
    tokens: float
    filled_at: float

    @classmethod
    def full(cls, per_second: float, burst: float, now: float) -> "Bucket":
        """Make a full bucket."""
        return cls(per_second, burst, burst, now)

    def take(self, now: float) -> bool:
        """Take one token if there is one."""
        self._fill(now)
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def next_at(self, now: float) -> float:
        """Tell when the next token can be taken; `now` if one is there."""
        self._fill(now)
        return now if self.tokens >= 1 else now + (1 - self.tokens) / self.per_second

    def _fill(self, now: float) -> None:
        # A clock that steps back must not drain the bucket.
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.filled_at) * self.per_second)
        self.filled_at = max(self.filled_at, now)
