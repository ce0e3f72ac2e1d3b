"""How a command ends: the exit codes, and the one line that says what went wrong.

Every error of the library has its code here, so that a script can tell "they are offline" from "the server is
down" without reading any text. The rest of the package raises; only `__main__` turns what was raised into an
exit.
"""

from enum import IntEnum

from adsum.client import (
    AdsumError,
    InvalidProfile,
    NotConnected,
    NotDelivered,
    PayloadTooLarge,
    RecipientChanged,
    RecipientOffline,
    RecipientSuspect,
    Refused,
    SendRateLimited,
    Unavailable,
)


class Exit(IntEnum):
    """What the exit code of `adsum` means."""

    FINE = 0
    ERROR = 1
    USAGE = 2
    REFUSED = 3
    UNAVAILABLE = 4
    RECIPIENT_OFFLINE = 5
    INTERRUPTED = 130


EXPLANATION = """\
exit codes:
  0    fine
  1    an error, told in one line on stderr
  2    the command was not understood, or names more than one person
  3    the server refused
  4    the server can not be reached
  5    the recipient is offline, or their connection is lost
  130  interrupted by Ctrl-C (143 by SIGTERM, 129 when the terminal was closed)
"""
"""The table that every `--help` ends with."""


class CommandError(Exception):
    """End the command with a code and one line for stderr."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code


def cause_of(error: BaseException) -> BaseException:
    """Take an error out of the groups that task groups raise: the first, which made the others end."""
    return cause_of(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def explain(error: BaseException) -> tuple[Exit, str]:
    """Tell the exit code and the line for an error that ends the command.

    Raises:
        BaseException: the error itself, if it is none that a person can do something about. It is a mistake
        in the program.
    """
    match cause_of(error):
        case CommandError() as known:
            return known.code, str(known)
        case AdsumError() as known:
            return _code_of(known), str(known)
        case OSError() as known:
            return Exit.ERROR, str(known)
        case _:
            raise error


def _code_of(error: AdsumError) -> Exit:
    match error:
        case Refused() | SendRateLimited() | PayloadTooLarge():
            return Exit.REFUSED
        case Unavailable() | NotConnected():
            return Exit.UNAVAILABLE
        case RecipientOffline() | RecipientSuspect() | RecipientChanged():
            return Exit.RECIPIENT_OFFLINE
        case InvalidProfile():
            return Exit.USAGE
        case NotDelivered():
            return Exit.ERROR
        case _:
            return Exit.ERROR
