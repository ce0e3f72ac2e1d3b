"""A lean member checks what a real client checks, and says what a real client says."""

import pytest

from adsum.contract.identity import is_valid_signature, proof_transcript
from adsum.v1.presence_pb2 import (
    SEND_OUTCOME_DELIVERED,
    SEND_OUTCOME_RATE_LIMITED,
    Challenge,
    ClientHeartbeat,
    Delivery,
    Draining,
    PresenceRequest,
    PresenceResponse,
    SendResult,
    ServerHeartbeat,
    Welcome,
)
from tests.bench.lean import LeanMember, Person, Tally
from tests.bench.loop import Loop
from tests.bench.reading import LobbyReader
from tests.bench.test_reading import EPOCH, World

ADDRESS = ("127.0.0.1", 7557)


class Dummy(LeanMember):
    """Isn't connected to anything: keeps what it says."""

    def __init__(self) -> None:
        self.said: list[PresenceRequest] = []
        super().__init__(Loop(), ADDRESS, Person.numbered("test", 1), LobbyReader("bench"), Tally())

    def open_stream(self, first: bytes) -> None:
        self.said.append(PresenceRequest.FromString(first))

    def say(self, content: bytes) -> None:
        self.said.append(PresenceRequest.FromString(content))

    def told(self, *contents: bytes) -> None:
        """Take messages as they come."""
        for content in contents:
            self.hear(content, 0, len(content), 5.0)

    def told_own(self, **response: object) -> None:
        """Take a message that is its own alone."""
        self.told(PresenceResponse(**response).SerializeToString())  # type: ignore[arg-type]


@pytest.fixture
def world() -> World:
    world = World()
    for number in range(5):
        world.put(number)
    return world


@pytest.fixture
def member(world: World) -> Dummy:
    """A member that holds the list."""
    member = Dummy()
    member.join()
    member.told_own(welcome=Welcome(session_id=b"s" * 16, resume_token=b"t" * 32))
    member.told(*world.snapshot())
    assert member.is_live
    assert member.tally.faults() == []
    member.said.clear()
    return member


def test_the_proof_is_a_true_one() -> None:
    member = Dummy()
    member.join()
    hello = member.said[0].hello
    challenge = Challenge(server_nonce=b"n" * 32, expires_at_unix_millis=1234)
    member.told_own(challenge=challenge)
    transcript = proof_transcript(
        audience=hello.audience,
        server_nonce=challenge.server_nonce,
        client_nonce=hello.client_nonce,
        public_key=hello.public_key,
        lobby=hello.lobby,
        expires_at_unix_millis=challenge.expires_at_unix_millis,
    )
    assert is_valid_signature(hello.public_key, transcript, member.said[1].proof.signature)
    assert hello.audience == "127.0.0.1"


def test_it_says_what_it_holds_when_the_list_is_complete(world: World) -> None:
    member = Dummy()
    member.join()
    member.told(*world.snapshot())
    beat = member.said[1].heartbeat
    assert beat == ClientHeartbeat(epoch=EPOCH, revision=5, digest=world.lobby.digest)


def test_it_follows_deltas_and_answers_heartbeats_with_what_it_holds(member: Dummy, world: World) -> None:
    world.put(7)
    world.drop(2)
    member.told(world.delta(5))
    assert member.held.bit_count() == 5
    beat = ServerHeartbeat(epoch=EPOCH, revision=7, digest=world.lobby.digest, count=5, nonce=99)
    member.told_own(heartbeat=beat)
    assert member.said[0].heartbeat == ClientHeartbeat(
        epoch=EPOCH, revision=7, digest=world.lobby.digest, echo=99
    )
    assert member.tally.faults() == []


def test_a_gap_is_noticed(member: Dummy, world: World) -> None:
    world.put(7)
    world.put(8)
    member.told(world.delta(6))
    assert member.tally.gaps == 1
    assert member.tally.wrong_counts == 1


def test_a_heartbeat_of_another_list_is_noticed(member: Dummy, world: World) -> None:
    member.told_own(
        heartbeat=ServerHeartbeat(epoch=EPOCH, revision=5, digest=world.lobby.digest ^ 1, nonce=1)
    )
    assert member.tally.wrong_beats == 1


def test_whoever_is_shown_twice_is_noticed(member: Dummy) -> None:
    other = World()
    for number in range(6):
        other.put(number)
    # Its base is right, but it puts somebody in who is there.
    content = other.delta(3).replace(b"\x10\x03\x18\x06", b"\x10\x05\x18\x06")
    member.told(content)
    assert member.tally.gaps == 0
    assert member.tally.shown_twice == 1


def test_it_is_complete_when_it_holds_everybody_and_nobody_is_suspect(member: Dummy, world: World) -> None:
    member.reader.goal = 6
    world.put(5)
    member.told(world.delta(5))
    assert member.reader.complete == {member}
    world.put(3, suspect=True)
    member.told(world.delta(6))
    assert member.reader.complete == set()
    world.put(3)
    member.told(world.delta(7))
    assert member.reader.complete == {member}


def test_it_resumes_with_what_it_holds(member: Dummy, world: World) -> None:
    member.join(resume=True)
    resume = member.said[0].hello.resume
    assert (resume.session_id, resume.token) == (b"s" * 16, b"t" * 32)
    assert (resume.epoch, resume.revision, resume.digest) == (EPOCH, 5, world.lobby.digest)
    member.told_own(welcome=Welcome(session_id=b"s" * 16, resume_token=b"u" * 32, resumed=True))
    assert member.is_live
    assert member.tally.resumed == 1
    member.join(resume=True)
    assert member.said[-1].hello.resume.token == b"u" * 32
    member.told_own(challenge=Challenge(server_nonce=b"n" * 32))
    assert member.tally.not_resumed == 1


def test_deliveries_are_acknowledged_and_results_told(member: Dummy) -> None:
    told: list[tuple[int, float]] = []
    member.on_result = lambda request_id, now: told.append((request_id, now))
    member.told_own(delivery=Delivery(delivery_id=4))
    assert member.said[0].ack.delivery_id == 4
    member.told_own(send_result=SendResult(request_id=1, outcome=SEND_OUTCOME_DELIVERED))
    member.told_own(send_result=SendResult(request_id=2, outcome=SEND_OUTCOME_RATE_LIMITED))
    assert told == [(1, 5.0), (2, 5.0)]
    assert member.tally.faults() == ["1 messages had the result SEND_OUTCOME_RATE_LIMITED"]


def test_it_knows_when_a_server_that_stops_wants_it_to_go(member: Dummy) -> None:
    member.told_own(draining=Draining(deadline_millis=2000, reconnect_delay_millis=1500))
    assert member.moves_at == 6.5
