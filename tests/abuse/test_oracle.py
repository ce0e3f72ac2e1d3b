"""The oracle knows what the contract allows, and finds what no stream may show."""

from random import Random

import pytest

from adsum.v1.member_pb2 import Delta, Snapshot
from adsum.v1.presence_pb2 import Delivery, PresenceRequest, PresenceResponse, Proof, Welcome
from tests.abuse.endings import Ending
from tests.abuse.oracle import Scene, Standing, allowed, faults_of, faults_of_ending, word_of_ending
from tests.abuse.people import KINDS, Person
from tests.abuse.tally import Tally
from tests.abuse.wire import Stream, Wire

PERSON = Person(Random(1))
LIVE = Scene(Standing.LIVE, present=frozenset({PERSON.key}))


def stream_with(*responses: PresenceResponse, ending: Ending | None = None) -> Stream:
    return Stream(Wire(""), 1, [response.SerializeToString() for response in responses], ending)


def test_only_a_sound_hello_is_challenged() -> None:
    fresh = Scene(Standing.FRESH)
    assert allowed(fresh, PERSON.request("hello")) == {"challenge"}
    hello = PERSON.hello(audience="evil.example")
    hello.profile.name = "\x1b[31m"
    hello.public_key = b"short"
    content = PresenceRequest(hello=hello).SerializeToString()
    assert allowed(fresh, content) == {"end:BAD_KEY", "end:BAD_NAME", "end:WRONG_AUDIENCE"}
    for kind in KINDS[1:]:
        assert allowed(fresh, PERSON.request(kind)) == {"end:HELLO_EXPECTED"}


def test_only_the_right_proof_is_welcome() -> None:
    challenged = Scene(Standing.CHALLENGED, signature=b"s" * 64)
    for signature, word in (
        (b"s" * 64, "welcome"),
        (b"t" * 64, "end:BAD_SIGNATURE"),
        (b"", "end:BAD_SIGNATURE"),
    ):
        content = PresenceRequest(proof=Proof(signature=signature)).SerializeToString()
        assert allowed(challenged, content) == {word}
    assert allowed(challenged, PERSON.request("hello")) == {"end:PROOF_EXPECTED"}


@pytest.mark.parametrize("standing", Standing)
def test_what_is_no_request_is_malformed_everywhere(standing: Standing) -> None:
    assert allowed(Scene(standing), b"\xff") == {"end:MALFORMED_REQUEST"}


def test_a_message_to_nobody_is_never_delivered() -> None:
    assert "send_result:DELIVERED" in allowed(LIVE, PERSON.request("send"))
    words = allowed(LIVE, PERSON.request("send", recipient=bytes(32)))
    assert words == {"send_result:RECIPIENT_OFFLINE", "send_result:RATE_LIMITED"}
    assert allowed(LIVE, PERSON.request("send", recipient=b"short")) == {"error:BAD_RECIPIENT"}


def test_an_observer_may_not_do_anything() -> None:
    for kind in ("send", "select", "update_profile"):
        assert allowed(Scene(Standing.OBSERVING), PERSON.request(kind)) == {"error:OBSERVER"}


@pytest.mark.parametrize(
    "response",
    [
        PresenceResponse(snapshot=Snapshot()),
        PresenceResponse(delta=Delta()),
        PresenceResponse(delivery=Delivery()),
    ],
)
def test_nothing_may_come_before_the_welcome(response: PresenceResponse) -> None:
    welcome = PresenceResponse(welcome=Welcome())
    assert faults_of(stream_with(response), proved=True)
    assert not faults_of(stream_with(welcome, response), proved=True)


def test_a_welcome_without_a_proof_is_found() -> None:
    assert faults_of(stream_with(PresenceResponse(welcome=Welcome())), proved=False)


@pytest.mark.parametrize(
    "ending",
    [
        Ending(2, "it broke"),
        Ending(13, "Unexpected <class 'KeyError'>: Traceback"),
        Ending(13, "the server made a mistake", "INTERNAL", "adsum", has_retry=True),
        Ending(3, "", "NO_SUCH_REASON", "adsum"),
        Ending(3, "", "BAD_NAME", "elsewhere"),
        Ending(9, "", "BAD_NAME", "adsum"),
        Ending(3, "", "BAD_NAME", "adsum", has_retry=True),
        Ending(8, "", "TOO_MANY_STREAMS", "adsum", has_retry=False),
    ],
)
def test_an_end_that_must_not_be_is_found(ending: Ending) -> None:
    assert faults_of_ending(ending)


def test_an_end_by_the_book_is_fine() -> None:
    ending = Ending(8, "too many", "TOO_MANY_STREAMS", "adsum", has_retry=True)
    assert not faults_of_ending(ending)
    assert word_of_ending(ending) == "end:TOO_MANY_STREAMS"
    assert word_of_ending(Ending(0, "")) == "end:OK"


def test_a_wrong_answer_is_counted_and_told() -> None:
    tally = Tally()
    tally.judge("challenge", {"challenge"}, "hello")
    tally.judge("welcome", {"end:BAD_SIGNATURE"}, "a guess", b"\x01\x02")
    assert (tally.inputs, tally.wrong) == (2, 1)
    assert tally.examples == ["a guess: welcome, not end:BAD_SIGNATURE to 0102"]
