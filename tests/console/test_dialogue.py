"""What a typed line means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.client import Status
from adsum.console.dialogue import (
    HELP,
    Clear,
    Help,
    Mistake,
    Nothing,
    Quit,
    Rename,
    Request,
    Say,
    Select,
    SendTo,
    SetStatus,
    Who,
    read_request,
)


@pytest.mark.parametrize(
    ("typed", "request_"),
    [
        ("hello there", Say("hello there")),
        ("  hello  ", Say("hello")),
        ("//etc/passwd", Say("/etc/passwd")),
        ("", Nothing()),
        ("   ", Nothing()),
        ("/select Ada Lovelace", Select("Ada Lovelace")),
        ('/select "Ada Lovelace"', Select("Ada Lovelace")),
        ("/clear", Clear()),
        ("/who", Who()),
        ("/status away", SetStatus(Status.AWAY, "")),
        ("/status BUSY in a meeting ", SetStatus(Status.BUSY, "in a meeting")),
        ("/name Ada L.", Rename("Ada L.")),
        ("/send Ada how are you?", SendTo("Ada", "how are you?")),
        ('/send "Ada Lovelace" hi', SendTo("Ada Lovelace", "hi")),
        ("/send k7q2-m4xd  hi", SendTo("k7q2-m4xd", "hi")),
        ("/help", Help()),
        ("/quit", Quit()),
    ],
)
def test_line_is_understood(typed: str, request_: Request) -> None:
    assert read_request(typed) == request_


@pytest.mark.parametrize(
    "typed",
    ["/select", "/send", "/send Ada", '/send "Ada hi', "/status", "/status asleep", "/name", "/dance", "/"],
)
def test_mistake_is_told_and_never_sent(typed: str) -> None:
    assert isinstance(read_request(typed), Mistake)


@given(st.text())
def test_any_line_means_something(typed: str) -> None:
    request = read_request(typed)
    if isinstance(request, Say):
        assert request.text


def test_help_tells_every_command() -> None:
    for command in ("/select", "/clear", "/who", "/send", "/status", "/name", "/help", "/quit"):
        assert command in HELP
