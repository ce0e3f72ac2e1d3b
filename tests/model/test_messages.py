import pytest

from adsum.v1 import presence_pb2 as pb
from tests.model.messages import Ledger, Letter
from tests.model.promises import Checks

ANN, BOB = bytes(32), bytes([1]) * 32
PAYLOAD = b"hi"
ACK_SECONDS = 10.0
DELIVERY = pb.Delivery(delivery_id=5, sender=ANN, payload=PAYLOAD)


@pytest.fixture
def ledger() -> Ledger:
    """Make a ledger in which a server has read a message at 100 and handed it over."""
    ledger = Ledger(Checks(), ACK_SECONDS)
    ledger.letters[PAYLOAD] = Letter(ANN, BOB)
    ledger.asked(PAYLOAD, 0, 100.0)
    ledger.handed_over(DELIVERY, BOB)
    return ledger


def test_a_server_waits_for_an_acknowledgement_from_when_it_takes_the_message(ledger: Ledger) -> None:
    # However late a slow reader is handed it: its time may have been up before that.
    assert ledger.is_open(PAYLOAD, 108.9)
    assert not ledger.is_open(PAYLOAD, 109.1)


def test_who_asks_again_does_not_prolong_the_wait_for_an_acknowledgement(ledger: Ledger) -> None:
    ledger.asked(PAYLOAD, 0, 105.0)
    ledger.handed_over(DELIVERY, BOB)
    assert ledger.is_open(PAYLOAD, 108.9)
    assert not ledger.is_open(PAYLOAD, 109.1)
