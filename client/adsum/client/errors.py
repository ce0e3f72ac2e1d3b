"""Everything that the library raises on purpose.

    AdsumError
    ├── InvalidProfile           a name, text or attribute breaks the rules (also a ValueError)
    ├── KeyFileError             the key file is missing, readable by others, or not a key
    ├── Unavailable              no server could be reached, at first or any more
    │   └── NotConnected         a request wasn't answered in time, because there is no live connection
    ├── Refused                  the server refused for good; `reason` tells why
    │   └── SessionReplaced      another process has taken over this session
    ├── Closed                   the lobby was left before, or while, this was asked
    ├── ProtocolViolation        the server said what no server may say; inside the library it leads to a new connection, and
    │                            only its text is seen, as the cause of a state
    └── NotDelivered             a message was not delivered, or may not have been; `outcome` tells which
        ├── RecipientOffline     "recipient went offline", before or after the message was handed over
        ├── RecipientSuspect     the recipient's connection is lost; it may come back
        ├── RecipientChanged     the recipient left and came back since the `Member` was read
        ├── RecipientBusy        too many messages wait for the recipient
        ├── Unconfirmed          handed over, and nobody knows whether it was read
        ├── SendRateLimited      sent too fast
        └── PayloadTooLarge      larger than the server takes

A wrong argument (a key that isn't 32 bytes, plaintext to a host that isn't this one) raises an ordinary
ValueError or TypeError.
"""

from adsum.client.messages import SendOutcome
from adsum.contract.reasons import TABLE, Reason


class AdsumError(Exception):
    """Be the base of every error that the library raises on purpose."""


class InvalidProfile(AdsumError, ValueError):
    """Report a name, a status text or attributes that break the contract's rules; the text says which and how."""


class KeyFileError(AdsumError):
    """Report a key file that can't be used; the text says why and, where a command helps, which one."""


class Unavailable(AdsumError):
    """Report that no server could be reached, at first or any more.

    `reason` is what the server answered last, if it answered at all (such as `Reason.LOBBY_FULL`).
    """

    def __init__(self, message: str, reason: Reason | None = None) -> None:
        """Say what couldn't be reached."""
        super().__init__(message)
        self.reason = reason


class NotConnected(Unavailable):
    """Report a request that got no answer in time, because there was no live connection."""


class Refused(AdsumError):
    """Report that the server refused for good: the same request would be refused again."""

    def __init__(self, reason: Reason, message: str = "") -> None:
        """Keep the reason; the text is the server's, or the contract's for that reason."""
        super().__init__(message or TABLE[reason].text)
        self.reason = reason
        self.message = message or TABLE[reason].text


class SessionReplaced(Refused):
    """Report that another process has taken over this session."""

    def __init__(self, message: str = "") -> None:
        """Keep what the server said."""
        super().__init__(Reason.SESSION_REPLACED, message)


class Closed(AdsumError):
    """Report the use of a lobby that was left."""


class ProtocolViolation(AdsumError):
    """Report that the server said what no server may say. The library answers it with a new connection."""


class NotDelivered(AdsumError):
    """Report a message that was not delivered, or may not have been.

    `outcome` says which, `recipient` is the public key, `revision` the lobby's revision at which it was
    decided (0 if no server decided it): the roster stands at it or later.
    """

    text = "the message was not delivered"

    def __init__(self, outcome: SendOutcome, recipient: bytes, revision: int = 0) -> None:
        """Keep what the server said about the message."""
        super().__init__(self.text)
        self.outcome = outcome
        self.recipient = recipient
        self.revision = revision


class RecipientOffline(NotDelivered):
    """Report that the recipient went offline, before (`RECIPIENT_OFFLINE`) or after (`RECIPIENT_WENT_OFFLINE`) the hand-over."""

    text = "recipient went offline"


class RecipientSuspect(NotDelivered):
    """Report that the recipient's connection is lost. It may be back within the grace period."""

    text = "recipient's connection is lost"


class RecipientChanged(NotDelivered):
    """Report that the recipient left and came back since the `Member` that was addressed was read."""

    text = "recipient left and came back"


class RecipientBusy(NotDelivered):
    """Report that too many messages wait for the recipient, or that they are moving to another server. Try later."""

    text = "recipient can't take messages just now"


class Unconfirmed(NotDelivered):
    """Report that the message was handed over, and that nobody knows whether it was read."""

    text = "the message may not have been read"


class SendRateLimited(NotDelivered):
    """Report that messages are sent too fast. Try later."""

    text = "messages are sent too fast"


class PayloadTooLarge(NotDelivered):
    """Report a message larger than the server takes."""

    text = "the message is too large"


_BY_OUTCOME: dict[SendOutcome, type[NotDelivered]] = {
    SendOutcome.RECIPIENT_OFFLINE: RecipientOffline,
    SendOutcome.RECIPIENT_WENT_OFFLINE: RecipientOffline,
    SendOutcome.RECIPIENT_SUSPECT: RecipientSuspect,
    SendOutcome.RECIPIENT_CHANGED: RecipientChanged,
    SendOutcome.RECIPIENT_BUSY: RecipientBusy,
    SendOutcome.UNCONFIRMED: Unconfirmed,
    SendOutcome.RATE_LIMITED: SendRateLimited,
    SendOutcome.TOO_LARGE: PayloadTooLarge,
}


def not_delivered(outcome: SendOutcome, recipient: bytes, revision: int = 0) -> NotDelivered:
    """Make the error for an outcome other than `DELIVERED`."""
    return _BY_OUTCOME[outcome](outcome, recipient, revision)
