"""Direct messages among the crowd: how many confirmed deliveries a second there can be, and how long one takes at half of that.

Each pair is a sender and a recipient. A message is sent, handed over, acknowledged by the recipient, and confirmed to the sender: that is
one delivery, and its time is from the call of send to the confirmation.
"""

import random
import time
from typing import Any

from tests.bench.events import Latencies
from tests.bench.lean import LeanMember
from tests.bench.loop import Loop

PAYLOAD = b"Shall we have lunch at one? The usual place, and bring the drawings. " * 3
SETTLE_SECONDS = 10.0


class Mail:
    """Pairs that write to each other."""

    def __init__(self, loop: Loop, pairs: list[tuple[LeanMember, LeanMember]]) -> None:
        self._loop = loop
        self._pairs = pairs
        self._sent_at: dict[tuple[int, int], float] = {}
        self._request_ids = [0] * len(pairs)
        self._latencies = Latencies()
        self._goes_on = False
        self._answers = False
        for number, (sender, _) in enumerate(pairs):
            sender.on_result = lambda request_id, now, number=number: self._confirmed(number, request_id, now)

    def saturate(self, seconds: float) -> dict[str, Any]:
        """Let each sender send its next message as soon as the last is confirmed."""
        self._answers = self._goes_on = True
        started_at = time.monotonic()
        for number in range(len(self._pairs)):
            self._send(number)
        self._loop.run(seconds)
        took = time.monotonic() - started_at
        self._goes_on = False
        per_second = self._latencies.total / took
        return {"per_second": per_second} | self._finish()

    def pace(self, rate: float, seconds: float) -> dict[str, Any]:
        """Send so many messages a second, by everybody in turn."""
        self._answers = False
        source = random.Random(7)
        started_at = time.monotonic()
        for number in range(round(rate * seconds)):
            due = started_at + (number + source.random()) / rate
            while (now := time.monotonic()) < due:
                self._loop.turn(due - now)
            self._send(number % len(self._pairs))
        took = time.monotonic() - started_at
        return {"asked": rate, "made": round(rate * seconds) / took} | self._finish()

    def _finish(self) -> dict[str, Any]:
        """Wait for what is under way, and sum up."""
        self._loop.run(SETTLE_SECONDS, lambda: not self._sent_at)
        lost = len(self._sent_at)
        latencies, self._latencies = self._latencies, Latencies()
        self._sent_at.clear()
        return {"deliveries": latencies.total, "unconfirmed": lost, "latency": latencies.summary()}

    def _send(self, number: int) -> None:
        sender, recipient = self._pairs[number]
        self._request_ids[number] += 1
        self._sent_at[number, self._request_ids[number]] = time.monotonic()
        sender.send(self._request_ids[number], recipient.person.public_key, PAYLOAD)

    def _confirmed(self, number: int, request_id: int, now: float) -> None:
        sent_at = self._sent_at.pop((number, request_id), None)
        if sent_at is None:
            return
        self._latencies.add(now - sent_at)
        if self._answers and self._goes_on:
            self._send(number)
