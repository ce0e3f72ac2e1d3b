"""What an attack has tried and what it got: counted, and judged as it comes."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

SHOWN = 5
"""How many wrong answers are told in full."""
_SHOWN_BYTES = 80


@dataclass(slots=True)
class Tally:
    """Count one attack."""

    inputs: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    crashes: int = 0
    examples: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    """What is worth telling beside the counts."""

    def judge(self, answer: str, allowed: Collection[str], what: str, content: bytes = b"") -> None:
        """Count one input and its answer, which is wrong if it isn't among the allowed."""
        self.inputs += 1
        self.answers[answer] += 1
        if answer not in allowed:
            self.blame(f"{what}: {answer}, not {' or '.join(sorted(allowed))}", content)

    def count(self, answer: str, times: int = 1) -> None:
        """Count inputs whose answers can't be told apart."""
        self.inputs += times
        self.answers[answer] += times

    def blame(self, fault: str, content: bytes = b"") -> None:
        """Note something that must not be."""
        self.wrong += 1
        if len(self.examples) < SHOWN:
            shown = f" to {content[:_SHOWN_BYTES].hex()}" if content else ""
            more = f"… ({len(content)} bytes)" if len(content) > _SHOWN_BYTES else ""
            self.examples.append(fault + shown + more)

    def expect(self, is_so: bool, fault: str) -> None:
        """Count a check, and note it if it fails."""
        self.inputs += 1
        self.answers["as promised" if is_so else "broken"] += 1
        if not is_so:
            self.blame(fault)
