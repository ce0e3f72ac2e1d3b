"""What the end of a stream means: whether to try again, when, and what a person is told. Pure.

What the gRPC status brings decides:

    Adsum's ErrorInfo       the contract's table, by the reason; RetryInfo is the least delay
    one not known here      RetryInfo means that trying again may help; without it the refusal is for good
    no ErrorInfo            UNIMPLEMENTED, UNAUTHENTICATED and PERMISSION_DENIED come from a server that is no Adsum
                            server, or from something in front of it: for good. All else is a lost connection
"""

from dataclasses import dataclass

from adsum.client.errors import AdsumError, Refused, SessionReplaced, Unavailable
from adsum.client.messages import Refusal
from adsum.contract.reasons import TABLE, Reason

_LONGEST_CAUSE = 160
_SESSION_IS_GONE = frozenset({Reason.SESSION_UNKNOWN, Reason.BAD_TOKEN})


@dataclass(frozen=True, slots=True)
class Ending:
    """Say what a stream's end means."""

    cause: str
    """For a person to read."""
    fatal: AdsumError | None = None
    """What to raise, if trying again is no use."""
    reason: Reason | None = None
    """What the server said in Adsum's words, if it did."""
    retry_seconds: float = 0.0
    """The least delay that the server asks for."""
    is_violation: bool = False
    is_planned: bool = False
    is_given_up: bool = False
    """True if it wasn't the stream that ended, but the time in which the first connection had to succeed."""
    is_session_gone: bool = False
    """True if the session can't be resumed any more."""


def judge(code: str, details: str, refusal: Refusal | None, target: str) -> Ending:
    """Tell what it means that the server at `target` ended the stream with this gRPC status, `code` being its name."""
    if refusal is not None:
        return _judge_refusal(code, details, refusal)
    match code:
        case "OK":
            return Ending("the server closed the connection")
        case "UNIMPLEMENTED":
            fatal: AdsumError = Unavailable(f"what answers at {target} is not an Adsum server")
            return Ending(str(fatal), fatal)
        case "UNAUTHENTICATED" | "PERMISSION_DENIED":
            fatal = Refused(
                Reason.UNSPECIFIED, f"what answers at {target} lets nobody in: {_brief(details) or code}"
            )
            return Ending(str(fatal), fatal)
        case _:
            return Ending(_brief(details) or code)


def _judge_refusal(code: str, details: str, refusal: Refusal) -> Ending:
    if refusal.reason is None:
        text = _brief(details) or f"refused ({code})"
        if refusal.retry_seconds is None:
            return Ending(text, Refused(Reason.UNSPECIFIED, text))
        return Ending(text, retry_seconds=refusal.retry_seconds)
    reason, row = refusal.reason, TABLE[refusal.reason]
    if not row.retry:
        explanation = _brief(details)
        fatal = (
            SessionReplaced()
            if reason is Reason.SESSION_REPLACED
            else Refused(reason, explanation or row.text)
        )
        return Ending(str(fatal), fatal, reason)
    return Ending(
        row.text,
        reason=reason,
        retry_seconds=refusal.retry_seconds or 0.0,
        is_session_gone=reason in _SESSION_IS_GONE,
    )


def _brief(details: str) -> str:
    """Shorten what gRPC or a server says to what a person can use."""
    for telling in (
        "Connection refused",
        "Connection reset",
        "Broken pipe",
        "Socket closed",
        "No route to host",
    ):
        if telling in details:
            return telling.lower()
    if "timed out" in details or "Deadline Exceeded" in details:
        return "nobody answers there"
    if "CERTIFICATE_VERIFY_FAILED" in details:
        return "the server's certificate can not be verified"
    if "SSL_ERROR" in details or "Ssl handshake" in details:
        return "the server does not speak TLS, or not with this client"
    if "DNS resolution failed" in details or "Domain name not found" in details:
        return "there is no such host"
    if "GOAWAY" in details:
        return "the server closed the connection"
    line = " ".join("".join(c if c.isprintable() else " " for c in details).split())
    return line if len(line) <= _LONGEST_CAUSE else line[: _LONGEST_CAUSE - 1] + "…"
