"""What counts as a sign of life, and for how long an unacknowledged message is missed after a resume."""

import pytest

from adsum.v1 import presence_pb2 as pb
from tests.model.messages import Letter
from tests.model.presence import Times
from tests.model.promises import Checks
from tests.model.session import SelectionModel, SessionModel
from tests.simulation.witness import AGAIN_SECONDS, Observatory, StreamWitness

ANN, BOB = bytes(32), bytes([1]) * 32
PAYLOAD = b"hi"
ACK_SECONDS = 2.0
SEND = pb.PresenceRequest(send=pb.Send(request_id=1, recipient=BOB, payload=PAYLOAD))
DELIVERY = pb.PresenceResponse(delivery=pb.Delivery(delivery_id=5, sender=ANN, payload=PAYLOAD))


class Conversation:
    """Ann writes to Bob, who resumes his session and has acknowledged nothing."""

    def __init__(self) -> None:
        self.now = 100.0
        self.checks = Checks()
        times = Times(heartbeat=2.0, lease=4.8, grace=15.0)
        self.observatory = Observatory(self.checks, times, ["den"], lambda: self.now, ACK_SECONDS)
        self.observatory.ledger.letters[PAYLOAD] = Letter(ANN, BOB)
        self._ann, self._bob = (
            SessionModel(key[:16], key, SelectionModel(self.checks)) for key in (ANN, BOB)
        )

    def stream(self, session: SessionModel, *, resumed: bool = False) -> StreamWitness:
        """Open a stream of a session that has the list."""
        stream = StreamWitness(self.observatory, "somebody")
        stream.model.session, stream.model.welcome = session, pb.Welcome(resumed=resumed)
        stream.model.revision = 0
        return stream

    def missed(self, *, handed_over_after: float) -> list[tuple[str, str]]:
        """Let Ann's message be handed over so long after it was taken, and Bob resume at once; tell what is missed on the new stream."""
        self.stream(self._ann).heard(SEND.SerializeToString())
        self.now += handed_over_after
        self.stream(self._bob).told(DELIVERY.SerializeToString())
        resumed = self.stream(self._bob, resumed=True)
        self.now += AGAIN_SECONDS + 0.1
        resumed._check_again("den")
        return self.checks.broken


def test_what_was_not_acknowledged_and_is_not_handed_over_again_is_missed() -> None:
    missed = Conversation().missed(handed_over_after=0.0)
    assert missed == [("P8", "not handed over again after a resume")]


def test_what_a_slow_reader_was_handed_when_its_time_was_up_is_not_missed() -> None:
    assert Conversation().missed(handed_over_after=ACK_SECONDS + 0.1) == []


@pytest.mark.parametrize("drains", [False, True])
def test_who_asks_to_resume_shows_life_unless_the_server_lets_nobody_in(drains: bool) -> None:
    checks = Checks()
    all_ = Observatory(checks, Times(heartbeat=1.0, lease=2.4, grace=15.0), ["den"], lambda: 3.0, 10.0)
    presence = all_.presence["den"]
    presence.joined(SessionModel(ANN[:16], ANN, SelectionModel(checks)), 1.0, None)
    if drains:
        all_.drains()
    stream = StreamWitness(all_, "p0d0.1")
    hello = pb.Hello(lobby="den", public_key=ANN, resume=pb.Resume(session_id=ANN[:16]))
    stream.heard(pb.PresenceRequest(hello=hello).SerializeToString())
    assert presence.sessions[ANN[:16]].lives == ([] if drains else [stream.life])
