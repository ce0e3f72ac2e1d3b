"""How a command ends: every error has its code and one line."""

import pytest

import adsum.client as library
from adsum.client import (
    AdsumError,
    Closed,
    InvalidProfile,
    KeyFileError,
    NotConnected,
    NotDelivered,
    PayloadTooLarge,
    Reason,
    RecipientBusy,
    RecipientChanged,
    RecipientOffline,
    RecipientSuspect,
    Refused,
    SendOutcome,
    SendRateLimited,
    SessionReplaced,
    Unavailable,
    Unconfirmed,
)
from adsum.console.exits import EXPLANATION, CommandError, Exit, cause_of, explain

KEY = bytes(32)
CASES: list[tuple[Exception, Exit]] = [
    (Refused(Reason.BAD_LOBBY), Exit.REFUSED),
    (SessionReplaced(), Exit.REFUSED),
    (Unavailable("no server"), Exit.UNAVAILABLE),
    (NotConnected("no answer"), Exit.UNAVAILABLE),
    (RecipientOffline(SendOutcome.RECIPIENT_OFFLINE, KEY), Exit.RECIPIENT_OFFLINE),
    (RecipientOffline(SendOutcome.RECIPIENT_WENT_OFFLINE, KEY), Exit.RECIPIENT_OFFLINE),
    (RecipientSuspect(SendOutcome.RECIPIENT_SUSPECT, KEY), Exit.RECIPIENT_OFFLINE),
    (RecipientChanged(SendOutcome.RECIPIENT_CHANGED, KEY), Exit.RECIPIENT_OFFLINE),
    (RecipientBusy(SendOutcome.RECIPIENT_BUSY, KEY), Exit.ERROR),
    (Unconfirmed(SendOutcome.UNCONFIRMED, KEY), Exit.ERROR),
    (SendRateLimited(SendOutcome.RATE_LIMITED, KEY), Exit.REFUSED),
    (PayloadTooLarge(SendOutcome.TOO_LARGE, KEY), Exit.REFUSED),
    (InvalidProfile("the name is empty"), Exit.USAGE),
    (KeyFileError("others can read it"), Exit.ERROR),
    (Closed("the lobby was left"), Exit.ERROR),
    (CommandError(Exit.USAGE, "two people"), Exit.USAGE),
    (OSError("disk"), Exit.ERROR),
]


@pytest.mark.parametrize(
    ("error", "code"), CASES, ids=lambda value: getattr(value, "name", type(value).__name__)
)
def test_error_has_its_code_and_one_line(error: Exception, code: Exit) -> None:
    told, message = explain(error)
    assert told is code
    assert message
    assert "\n" not in message


def test_every_error_of_the_library_is_tested() -> None:
    known = {type(error) for error, _ in CASES} | {AdsumError, NotDelivered, library.ProtocolViolation}
    public = {
        value for value in vars(library).values() if isinstance(value, type) and issubclass(value, AdsumError)
    }
    assert public <= known


def test_recipient_who_went_offline_is_told_in_these_words() -> None:
    _, message = explain(RecipientOffline(SendOutcome.RECIPIENT_WENT_OFFLINE, KEY))
    assert message == "recipient went offline"


def test_group_is_told_by_its_first_error() -> None:
    group = ExceptionGroup("", [ExceptionGroup("", [Unavailable("no server")]), ValueError()])
    assert explain(group) == (Exit.UNAVAILABLE, "no server")
    assert isinstance(cause_of(group), Unavailable)


def test_mistake_in_the_program_is_not_explained_away() -> None:
    with pytest.raises(ZeroDivisionError):
        explain(ZeroDivisionError())


def test_every_code_is_documented() -> None:
    for code in Exit:
        assert f"\n  {code:<3}" in EXPLANATION
