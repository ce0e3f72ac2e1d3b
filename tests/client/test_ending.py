"""The end of a stream is for good, or for now, and a person can read why."""

import pytest

from adsum.client import Reason, Refused, SessionReplaced, Unavailable
from adsum.client.ending import judge
from adsum.client.messages import Refusal
from adsum.contract.reasons import TABLE

TARGET = "lobby.example.org:443"


@pytest.mark.parametrize("reason", Reason)
def test_contract_decides_about_its_reasons(reason: Reason) -> None:
    ending = judge(TABLE[reason].code, "because", Refusal(reason, 0.5), TARGET)
    assert ending.reason is reason
    if TABLE[reason].retry:
        assert ending.fatal is None
        assert ending.retry_seconds == 0.5
        assert ending.cause == TABLE[reason].text
    else:
        assert isinstance(ending.fatal, Refused)
        assert ending.fatal.reason is reason


def test_replaced_session_has_an_error_of_its_own() -> None:
    ending = judge("ABORTED", "", Refusal(Reason.SESSION_REPLACED, None), TARGET)
    assert isinstance(ending.fatal, SessionReplaced)


@pytest.mark.parametrize("reason", [Reason.SESSION_UNKNOWN, Reason.BAD_TOKEN])
def test_session_that_is_gone_is_not_resumed(reason: Reason) -> None:
    assert judge("NOT_FOUND", "", Refusal(reason, None), TARGET).is_session_gone
    assert not judge("UNAVAILABLE", "", Refusal(Reason.DRAINING, None), TARGET).is_session_gone


def test_reason_of_a_later_server_is_retried_if_it_says_so() -> None:
    again = judge("UNAVAILABLE", "busy", Refusal(None, 2.0), TARGET)
    assert (again.fatal, again.retry_seconds) == (None, 2.0)
    never = judge("ABORTED", "banned", Refusal(None, None), TARGET)
    assert isinstance(never.fatal, Refused)
    assert str(never.fatal) == "banned"


def test_what_is_no_adsum_server_is_for_good() -> None:
    ending = judge("UNIMPLEMENTED", "Method not found!", None, TARGET)
    assert isinstance(ending.fatal, Unavailable)
    assert str(ending.fatal) == f"what answers at {TARGET} is not an Adsum server"
    for code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        assert isinstance(judge(code, "no", None, TARGET).fatal, Refused)


@pytest.mark.parametrize(
    "code",
    ["OK", "UNAVAILABLE", "INTERNAL", "UNKNOWN", "CANCELLED", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"],
)
def test_everything_else_is_a_lost_connection(code: str) -> None:
    assert judge(code, "", None, TARGET).fatal is None


@pytest.mark.parametrize(
    ("details", "cause"),
    [
        (
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to connect to "
            "remote host: connect: Connection refused (111)",
            "connection refused",
        ),
        ("Socket closed", "socket closed"),
        (
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: connection attempt timed "
            "out before receiving SETTINGS frame",
            "nobody answers there",
        ),
        (
            "Ssl handshake failed: SSL_ERROR_SSL: error:1000007d:SSL routines:OPENSSL_internal:"
            "CERTIFICATE_VERIFY_FAILED",
            "the server's certificate can not be verified",
        ),
        ("DNS resolution failed for nowhere:1: Domain name not found", "there is no such host"),
        ("plain words", "plain words"),
        ("\x1b[31mred\nlines\x07", "[31mred lines"),
        ("", "UNAVAILABLE"),
        ("x" * 1000, "x" * 159 + "…"),
    ],
)
def test_cause_is_for_a_person(details: str, cause: str) -> None:
    assert judge("UNAVAILABLE", details, None, TARGET).cause == cause
