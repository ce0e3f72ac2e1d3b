"""What is to be said goes out in the right order, once, and within bounds."""

from dataclasses import replace

import pytest

from adsum.client import Profile
from adsum.client.messages import (
    Ack,
    ClientHeartbeat,
    Leave,
    Proof,
    Request,
    Resync,
    ResyncReason,
    Select,
    Send,
    UpdateProfile,
)
from adsum.client.outbox import MAX_ACKS, Outbox
from adsum.client.replica import Replica
from tests.client.model_lobby import ModelLobby, key_of

ANN, BOB = key_of("Ann"), key_of("Bob")


@pytest.fixture
def replica() -> Replica:
    replica = Replica(100)
    replica.receive(*ModelLobby("Ann", "Bob").snapshot())
    return replica


@pytest.fixture
def outbox(replica: Replica) -> Outbox:
    return Outbox(replica)


def take(outbox: Outbox) -> Request | None:
    return outbox.take(is_welcome=True, may_ask=True)


def take_all(outbox: Outbox) -> list[Request]:
    taken = []
    while (request := take(outbox)) is not None:
        taken.append(request)
    return taken


def test_small_urgent_things_go_first(outbox: Outbox, replica: Replica) -> None:
    sent = outbox.send(BOB, b"x", 0)
    selected = outbox.select(BOB)
    update = outbox.update(Profile("Ann"))
    outbox.acknowledge(7)
    outbox.beat(3)
    outbox.resync(ResyncReason.GAP)
    outbox.prove(b"s")
    assert take_all(outbox) == [
        Proof(b"s"),
        Resync(ResyncReason.GAP),
        ClientHeartbeat(replica.epoch, replica.revision, replica.digest, 3),
        Ack(7),
        UpdateProfile(update, Profile("Ann")),
        Send(sent, BOB, b"x"),
        Select(selected, BOB),
    ]
    assert take(outbox) is None


def test_before_the_welcome_only_the_proof_is_said(outbox: Outbox) -> None:
    outbox.send(BOB, b"x", 0)
    outbox.beat(0)
    outbox.leave()
    assert outbox.take(is_welcome=False, may_ask=False) is None
    outbox.prove(b"s")
    assert outbox.take(is_welcome=False, may_ask=False) == Proof(b"s")
    assert outbox.take(is_welcome=False, may_ask=False) is None


def test_asking_waits_for_the_list(outbox: Outbox) -> None:
    outbox.send(BOB, b"x", 0)
    outbox.beat(0)
    assert isinstance(outbox.take(is_welcome=True, may_ask=False), ClientHeartbeat)
    assert outbox.take(is_welcome=True, may_ask=False) is None
    assert isinstance(take(outbox), Send)


def test_heartbeat_describes_the_list_when_it_is_taken(outbox: Outbox, replica: Replica) -> None:
    outbox.beat(1)
    replica.receive(*ModelLobby("Ann", epoch=8).snapshot())
    outbox.beat(2)
    assert take_all(outbox) == [ClientHeartbeat(8, replica.revision, replica.digest, 2)]


def test_only_the_newest_profile_is_told(outbox: Outbox) -> None:
    outbox.update(Profile("Ann"))
    newest = outbox.update(Profile("Anna"))
    assert take_all(outbox) == [UpdateProfile(newest, Profile("Anna"))]


def test_acknowledgements_are_bounded(outbox: Outbox) -> None:
    assert all(outbox.acknowledge(number) for number in range(MAX_ACKS))
    assert not outbox.acknowledge(MAX_ACKS)
    assert take(outbox) == Ack(0)
    assert outbox.acknowledge(MAX_ACKS)


def test_leave_is_the_last_word_and_is_said_once(outbox: Outbox) -> None:
    outbox.send(BOB, b"x", 0)
    outbox.acknowledge(1)
    outbox.leave()
    assert take_all(outbox) == [Ack(1), Leave()]
    outbox.beat(1)
    assert take(outbox) is None
    outbox.begin_stream()
    assert take_all(outbox) == [Leave()]


def test_ids_grow_whatever_they_are_for(outbox: Outbox) -> None:
    ids = [
        outbox.send(BOB, b"", 0),
        outbox.select(BOB),
        outbox.update(Profile("Ann")),
        outbox.send(BOB, b"", 0),
    ]
    assert ids == [1, 2, 3, 4]


def test_resumed_session_hears_the_unanswered_again_in_order(outbox: Outbox) -> None:
    first, second = outbox.send(BOB, b"1", 0), outbox.select(BOB)
    third = outbox.send(BOB, b"3", 0)
    before = take_all(outbox)
    assert outbox.answered(second)
    outbox.begin_stream()
    fourth = outbox.send(BOB, b"4", 0)
    assert outbox.begin_session(resumed=True) == []
    assert [request.request_id for request in take_all(outbox) if isinstance(request, Send)] == [
        first,
        third,
        fourth,
    ]
    assert len(before) == 3


def test_new_session_hears_only_what_the_old_one_cannot_have_heard(outbox: Outbox) -> None:
    written, selected = outbox.send(BOB, b"1", 0), outbox.select(BOB)
    take_all(outbox)
    unwritten = outbox.send(BOB, b"2", 0)
    assert outbox.unconfirmed(written) == BOB
    assert outbox.unconfirmed(selected) is None
    assert outbox.unconfirmed(unwritten) is None
    assert outbox.begin_session(resumed=False) == [written]
    assert take_all(outbox) == [Select(selected, BOB), Send(unwritten, BOB, b"2")]
    assert not outbox.answered(written)


def test_what_an_earlier_stream_of_the_session_may_have_told_is_not_said_to_a_new_one(outbox: Outbox) -> None:
    written, selected = outbox.send(BOB, b"1", 0), outbox.select(BOB)
    take_all(outbox)
    # The stream that resumes the session is lost before anything could be said again.
    outbox.begin_stream()
    assert outbox.begin_session(resumed=True) == []
    assert outbox.unconfirmed(written) == BOB
    outbox.begin_stream()
    assert outbox.begin_session(resumed=False) == [written]
    assert take_all(outbox) == [Select(selected, BOB)]


def test_profile_that_the_hello_told_is_not_told_again(outbox: Outbox) -> None:
    outbox.update(Profile("Ann"))
    outbox.begin_stream()
    outbox.begin_session(resumed=True)
    assert take(outbox) is None


def test_withdrawn_request_is_not_said(outbox: Outbox) -> None:
    request_id = outbox.send(BOB, b"x", 0)
    assert outbox.answered(request_id)
    assert take(outbox) is None


def test_answer_of_the_wrong_kind_is_none(outbox: Outbox) -> None:
    sent, selected = outbox.send(BOB, b"x", 0), outbox.select(BOB)
    assert not outbox.answered(sent, Select)
    assert not outbox.answered(selected, Send)
    assert not outbox.answered(99)
    assert outbox.answered(sent, Send)
    assert outbox.answered(selected, Select)


def test_new_stream_forgets_what_belonged_to_the_old(outbox: Outbox) -> None:
    outbox.prove(b"s")
    outbox.beat(1)
    outbox.resync(ResyncReason.GAP)
    outbox.acknowledge(1)
    outbox.begin_stream()
    assert take(outbox) is None


def test_pinned_incarnation_follows_a_restarted_history(outbox: Outbox, replica: Replica) -> None:
    known = replica.roster[BOB].incarnation
    request_id = outbox.send(BOB, b"x", known)
    reborn = ModelLobby("Zoe", "Eve", "Bob", epoch=8)
    replica.begin_stream(resumed=False, named=False)
    replica.receive(*reborn.snapshot())
    now = reborn.members[BOB].incarnation
    assert take(outbox) == Send(request_id, BOB, b"x", now)
    assert now != known
    assert replace(replica.roster[BOB]).incarnation == now


def test_news_of_the_list_does_not_replace_the_answer_to_a_heartbeat(
    outbox: Outbox, replica: Replica
) -> None:
    outbox.beat(7)
    outbox.beat(0)
    assert take(outbox) == ClientHeartbeat(replica.epoch, replica.revision, replica.digest, 7)
    outbox.beat(0)
    assert take(outbox) == ClientHeartbeat(replica.epoch, replica.revision, replica.digest, 0)
