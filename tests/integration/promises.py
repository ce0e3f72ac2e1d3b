"""What the system promises (protocol.md, sections 0 and 1), so that a failing test can name what it found broken."""

PROMISES = {
    "0.1": "joins and leaves are seen in real time, with no refresh",
    "0.2": "with many joins and leaves the lobby stays consistent with the server",
    "0.3": "if the selected member leaves, one is told and the selection is cleared or unavailable",
    "0.4": "a selected recipient is confirmed to be online",
    "0.5": "if the recipient disconnects before the send, one is told 'recipient went offline'",
    "0.6": "brief disconnections are survived; no ghost users, no missing users",
    "0.7": "push, only what changed, one source of truth, stale connections removed, idempotent",
    "P1": "snapshot first",
    "P2": "ordered, unique, gapless",
    "P3": "convergence, proved by a digest",
    "P4": "100 ms",
    "P5": "no ghosts, no missing",
    "P6": "blips don't flap",
    "P7": "selection is true",
    "P8": "a message is delivered or you know",
    "P9": "bounded, whatever a client does",
    "P10": "planned stops are quiet",
    "contract": "the .proto and its table of reasons say what happens",
}
"""Each promise, and each line of what was asked for, in a few words."""


class BrokenPromiseError(AssertionError):
    """Report that the server (or the library) broke a promise; the text names it."""

    def __init__(self, promise: str, what: str) -> None:
        super().__init__(f"{promise} ({PROMISES[promise]}): {what}")
        self.promise = promise


def promised(promise: str, holds: object, what: str) -> None:
    """Fail with the promise's name unless it holds."""
    if not holds:
        raise BrokenPromiseError(promise, what)
