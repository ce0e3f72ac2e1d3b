"""Numbers that differ from each other, from a seed: jitter, nonces and the start of delivery ids.

The cores may not draw randomness; whoever builds them gives a seed, from the operating system in a server and from the run's own
in a simulation. The generator is SplitMix64 (Steele, Lea and Flood, 2014). Secrets are not made here.
"""

_MASK = (1 << 64) - 1


class Spread:
    """Give well-spread 64-bit numbers, one after another."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def number(self) -> int:
        """Give the next number, from 0 up to 2^64."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def fraction(self) -> float:
        """Give the next number between 0 and 1, 1 excluded."""
        return (self.number() >> 11) / (1 << 53)
