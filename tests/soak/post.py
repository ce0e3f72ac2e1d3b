"""The messages of the soak: each has exactly one outcome, is delivered once, and what is called delivered was acknowledged (P8)."""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from adsum.v1.presence_pb2 import SEND_OUTCOME_DELIVERED, SendOutcome

KEPT = 20_000
"""How many tokens are remembered: minutes of messages, and a message is decided in seconds."""
ANSWER_SECONDS = 30.0
"""How long a sender that stays connected may wait for an outcome. The server decides after 10 s."""


@dataclass(slots=True)
class Letter:
    """A message that waits for its outcome."""

    token: bytes
    recipient: bytes
    sent_at: float
    was_repeated: bool = False


class Post:
    """What was acknowledged, by all members of one server."""

    def __init__(self, report: Callable[[str, str], None], deeds: Counter[str]) -> None:
        self.report = report
        self.deeds = deeds
        self._acknowledged: OrderedDict[bytes, None] = OrderedDict()
        self._tokens = 0

    def draw(self) -> bytes:
        """Make the payload of a new message."""
        self._tokens += 1
        return b"soak %d" % self._tokens

    def acknowledge(self, token: bytes) -> None:
        """Note that a client is about to acknowledge a message."""
        self._acknowledged[token] = None
        if len(self._acknowledged) > KEPT:
            self._acknowledged.popitem(last=False)

    def has(self, token: bytes) -> bool:
        """Tell whether a client has acknowledged a message."""
        return token in self._acknowledged


class Letterbox:
    """The messages of one session: sent ones that wait for an outcome, and received ones."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._newest = 0
        self._waiting: dict[int, Letter] = {}
        self._decided: OrderedDict[int, int] = OrderedDict()
        self._received: OrderedDict[int, bytes] = OrderedDict()
        self._tokens: set[bytes] = set()

    def write(self, recipient: bytes, now: float) -> tuple[int, Letter]:
        """Begin a message; returns its request id."""
        self._newest += 1
        letter = Letter(self._post.draw(), recipient, now)
        self._waiting[self._newest] = letter
        self._post.deeds["messages"] += 1
        return self._newest, letter

    def repeat(self) -> list[tuple[int, Letter]]:
        """List what must be sent again after a resume: everything without an outcome."""
        for letter in self._waiting.values():
            letter.was_repeated = True
        return list(self._waiting.items())

    def decide(self, request_id: int, outcome: SendOutcome.ValueType) -> Letter | None:
        """Take an outcome; returns the message unless it was decided before."""
        letter = self._waiting.pop(request_id, None)
        if letter is None:
            # A request that was repeated may be answered twice, but not in two ways.
            if self._decided.get(request_id) != outcome:
                self._post.report("P8", f"an outcome {outcome} for a message that has none to wait for")
            self._post.deeds["outcomes repeated"] += 1
            return None
        name = SendOutcome.Name(outcome).removeprefix("SEND_OUTCOME_").lower()
        self._post.deeds[f"outcome {name}"] += 1
        if letter.was_repeated:
            self._decided[request_id] = outcome
            if len(self._decided) > KEPT:
                self._decided.popitem(last=False)
        if outcome == SEND_OUTCOME_DELIVERED and not self._post.has(letter.token):
            self._post.report("P8", "a message was called delivered, and nobody had acknowledged it")
        return letter

    def receive(self, delivery_id: int, token: bytes) -> None:
        """Take a message; the caller acknowledges it."""
        if delivery_id in self._received:
            self._post.deeds["deliveries repeated"] += 1
        elif token in self._tokens:
            self._post.report("P8", f"{token!r} was delivered twice to one session")
        else:
            self._post.deeds["deliveries"] += 1
            self._received[delivery_id] = token
            self._tokens.add(token)
        self._post.acknowledge(token)
        if len(self._received) > KEPT:
            self._tokens.discard(self._received.popitem(last=False)[1])

    def overdue(self, now: float) -> int:
        """Count the messages that wait for too long. They aren't waited for any more."""
        late = [key for key, letter in self._waiting.items() if now - letter.sent_at > ANSWER_SECONDS]
        for key in late:
            del self._waiting[key]
        return len(late)

    def close(self) -> None:
        """End the session: its messages are owed no outcome any more."""
        self._post.deeds["outcomes not awaited"] += len(self._waiting)
        self._waiting.clear()
