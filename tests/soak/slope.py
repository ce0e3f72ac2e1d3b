"""How a figure drifts: the slope of Theil and Sen, and how sure it is.

The slope is the median of the slopes between all pairs of samples: up to a quarter of them may be wild (a collection that came
late, a sample in the middle of something) and it stays. Its interval is Sen's, from Kendall's statistic, with the correction for
equal values. Samples that follow each other are alike (people live for longer than the time between two samples), so they tell
less than their number says: the interval is widened by what the autocorrelation around the trend takes from them.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

Z_99 = 2.576
"""Of the normal distribution: 99 % lie within so many standard deviations."""
MOST_ALIKE = 0.9
"""The highest autocorrelation that is believed: with more, no run would be long enough for any judgement."""
FEWEST_SAMPLES = 8
"""With fewer, no interval of 99 % exists."""


@dataclass(frozen=True, slots=True)
class Slope:
    """Hold a slope and the interval that holds the true one with 99 %; `level` is the median of the figure."""

    slope: float
    low: float
    high: float
    level: float
    samples: int

    @property
    def includes_zero(self) -> bool:
        """Whether no drift at all explains the samples."""
        return self.low <= 0.0 <= self.high

    def scaled(self, factor: float) -> "Slope":
        """Count in another unit of the horizontal axis."""
        return Slope(self.slope * factor, self.low * factor, self.high * factor, self.level, self.samples)


def theil_sen(xs: Sequence[float], ys: Sequence[float]) -> Slope | None:
    """Find the slope of ys over xs; None with too few samples to say how sure it is."""
    count = len(xs)
    if count < FEWEST_SAMPLES:
        return None
    slopes = sorted(
        (ys[later] - ys[earlier]) / (xs[later] - xs[earlier])
        for earlier in range(count)
        for later in range(earlier + 1, count)
        if xs[later] != xs[earlier]
    )
    if not slopes:
        return None
    ties = sum(same * (same - 1) * (2 * same + 5) for same in Counter(ys).values())
    spread = Z_99 * math.sqrt(max(0, count * (count - 1) * (2 * count + 5) - ties) / 18)
    spread *= _dependence(xs, ys, median(slopes))
    low = max(0, math.floor((len(slopes) - spread) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + spread) / 2))
    return Slope(median(slopes), slopes[low], slopes[high], median(ys), count)


def _dependence(xs: Sequence[float], ys: Sequence[float], slope: float) -> float:
    """By how much the interval is wider because each sample resembles the one before: 1 if it doesn't."""
    rests = [y - slope * x for x, y in zip(xs, ys, strict=True)]
    middle = sum(rests) / len(rests)
    rests = [rest - middle for rest in rests]
    total = sum(rest * rest for rest in rests)
    if not total:
        return 1.0
    alike = sum(one * following for one, following in pairwise(rests)) / total
    alike = min(MOST_ALIKE, max(0.0, alike))
    return math.sqrt((1 + alike) / (1 - alike))
