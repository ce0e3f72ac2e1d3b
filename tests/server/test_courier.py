"""Direct messages: from the request to exactly one outcome."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.contract.limits import Limits
from adsum.server.courier import Correspondent, Courier, Errand, Expect, HandOver, Report
from adsum.server.member import Liveness, Member
from adsum.server.messages import Delivery, Send, SendOutcome, SendResult
from tests.server.builders import ADA, BOB, UNIX_MILLIS, key, member

LIMITS = Limits(pending_deliveries=3, results_kept=4, payload_bytes=8, sends_per_second=1, send_burst=100)
ONLINE_BOB = member("bob", 5, 6)
SUSPECT_BOB = member("bob", 5, 7, liveness=Liveness.SUSPECT)


class Post:
    """A courier, ada's session that sends, and bob's two that receive. Everything happens at one moment."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.courier = Courier(limits, 1000)
        self.ada = self.enrol("ada's phone", ADA)
        self.phone = self.enrol("bob's phone", BOB)
        self.laptop = self.enrol("bob's laptop", BOB)
        self.now = 0.0

    def enrol(self, name: str, public_key: bytes) -> Correspondent:
        """Bring in another session."""
        return self.courier.enrol(key(name)[:16], public_key, 0.0)

    def send(
        self,
        request_id: int,
        *reachable: Correspondent,
        recipient: Member | None = ONLINE_BOB,
        payload: bytes = b"hello",
        incarnation: int = 0,
        revision: int = 20,
        sender: Correspondent | None = None,
    ) -> list[Errand]:
        """Send something to bob."""
        return self.courier.send(
            sender or self.ada,
            3,
            Send(request_id, BOB, payload, incarnation),
            recipient,
            reachable,
            revision=revision,
            now=self.now,
            unix_millis=UNIX_MILLIS,
        )

    def sent(self, request_id: int, *reachable: Correspondent) -> int:
        """Send something that is handed over; returns its delivery id."""
        (delivery_id,) = {one.delivery.delivery_id for one in handed(self.send(request_id, *reachable))}
        return delivery_id


def handed(errands: Sequence[Errand]) -> list[HandOver]:
    """Pick what is handed over."""
    return [one for one in errands if isinstance(one, HandOver)]


def results(errands: Sequence[Errand]) -> list[SendResult]:
    """Pick the results."""
    return [one.result for one in errands if isinstance(one, Report)]


def outcomes(errands: Sequence[Errand]) -> list[SendOutcome]:
    """Pick the outcomes."""
    return [one.outcome for one in results(errands)]


# Delivered


def test_message_is_handed_to_every_device_and_its_time_is_watched() -> None:
    post = Post()
    errands = post.send(1, post.phone, post.laptop)
    delivery = Delivery(1000, ADA, 3, b"hello", UNIX_MILLIS)
    assert errands == [
        Expect(1000),
        HandOver(post.phone.session_id, delivery),
        HandOver(post.laptop.session_id, delivery),
    ]


def test_nothing_is_reported_before_an_acknowledgement() -> None:
    post = Post()
    assert outcomes(post.send(1, post.phone)) == []
    assert outcomes(post.courier.resume(post.phone)) == []


def test_first_acknowledgement_delivers_and_later_ones_are_ignored() -> None:
    post = Post()
    delivery_id = post.sent(1, post.phone, post.laptop)
    errands = post.courier.acknowledge(post.laptop, delivery_id, revision=30)
    assert errands == [Report(post.ada.session_id, SendResult(1, SendOutcome.DELIVERED, 30))]
    for holder in (post.laptop, post.phone):
        assert post.courier.acknowledge(holder, delivery_id, 31) == []
    assert post.courier.pending == 0
    assert not post.phone.pending


def test_only_a_session_that_holds_a_message_can_acknowledge_it() -> None:
    post = Post()
    delivery_id = post.sent(1, post.phone)
    stranger = post.enrol("cleo's phone", key("cleo"))
    for liar in (stranger, post.laptop, post.ada):
        assert post.courier.acknowledge(liar, delivery_id, 21) == []
    assert post.courier.acknowledge(post.phone, delivery_id + 1, 21) == []
    assert outcomes(post.courier.acknowledge(post.phone, delivery_id, 22)) == [SendOutcome.DELIVERED]


def test_message_to_oneself_is_delivered_by_oneself() -> None:
    post = Post()
    errands = post.send(1, post.ada, recipient=member("ada", 3, 3))
    (handover,) = handed(errands)
    assert handover.session_id == post.ada.session_id
    delivered = post.courier.acknowledge(post.ada, handover.delivery.delivery_id, 21)
    assert outcomes(delivered) == [SendOutcome.DELIVERED]


def test_member_who_writes_to_oneself_and_goes_leaves_nothing_behind() -> None:
    post = Post()
    post.send(1, post.ada, recipient=member("ada", 3, 3))
    assert outcomes(post.courier.dismiss(post.ada, 21, member_present=False)) == [
        SendOutcome.RECIPIENT_WENT_OFFLINE
    ]
    assert post.courier.pending == 0


def test_delivery_ids_are_never_used_twice() -> None:
    post = Post()
    ids = []
    for request_id in range(1, 20):
        ids.append(post.sent(request_id, post.phone))
        post.courier.acknowledge(post.phone, ids[-1], 21)
    assert ids == sorted(set(ids))


# Not handed over


def test_absent_recipient_is_offline() -> None:
    post = Post()
    assert post.send(1, recipient=None) == [
        Report(post.ada.session_id, SendResult(1, SendOutcome.RECIPIENT_OFFLINE, 20))
    ]


@pytest.mark.parametrize("reachable", [False, True])
def test_suspect_recipient_is_handed_nothing(reachable: bool) -> None:
    post = Post()
    errands = post.send(1, *([post.phone] if reachable else []), recipient=SUSPECT_BOB)
    assert outcomes(errands) == [SendOutcome.RECIPIENT_SUSPECT]
    assert not handed(errands)
    assert not post.phone.pending


def test_recipient_who_is_moving_is_online_in_the_list_and_so_not_called_suspect() -> None:
    assert outcomes(Post().send(1)) == [SendOutcome.RECIPIENT_BUSY]


def test_other_incarnation_than_the_one_in_mind_gets_nothing() -> None:
    post = Post()
    errands = post.send(1, post.phone, incarnation=4)
    assert outcomes(errands) == [SendOutcome.RECIPIENT_CHANGED]
    assert not handed(errands)
    assert handed(post.send(2, post.phone, incarnation=5))
    # Somebody who is suspect may be the wrong one already.
    assert outcomes(post.send(3, recipient=SUSPECT_BOB, incarnation=4)) == [SendOutcome.RECIPIENT_CHANGED]
    assert outcomes(post.send(4, recipient=None, incarnation=4)) == [SendOutcome.RECIPIENT_OFFLINE]


def test_payload_may_fill_its_limit_and_no_more() -> None:
    post = Post()
    assert handed(post.send(1, post.phone, payload=bytes(8)))
    assert outcomes(post.send(2, post.phone, payload=bytes(9))) == [SendOutcome.TOO_LARGE]
    assert handed(post.send(3, post.phone, payload=b""))


def test_who_sends_too_fast_is_told_and_nothing_is_delivered() -> None:
    post = Post(Limits(sends_per_second=1, send_burst=2))
    for request_id in (1, 2):
        assert handed(post.send(request_id, post.phone))
    errands = post.send(3, post.phone)
    assert outcomes(errands) == [SendOutcome.RATE_LIMITED]
    assert not handed(errands)
    post.now = 1.0
    # The refused id has its result; another one is a new message.
    assert outcomes(post.send(3, post.phone)) == [SendOutcome.RATE_LIMITED]
    assert handed(post.send(4, post.phone))


def test_each_session_has_its_own_allowance() -> None:
    post = Post(Limits(sends_per_second=1, send_burst=1))
    post.send(1, post.phone)
    assert handed(post.send(1, post.phone, sender=post.laptop))


def test_who_does_not_acknowledge_is_busy_until_they_do() -> None:
    post = Post()
    ids = [post.sent(request_id, post.phone) for request_id in (1, 2, 3)]
    assert outcomes(post.send(4, post.phone)) == [SendOutcome.RECIPIENT_BUSY]
    assert len(post.phone.pending) == 3
    post.courier.acknowledge(post.phone, ids[1], 21)
    assert handed(post.send(5, post.phone))


def test_device_that_does_not_acknowledge_does_not_keep_the_other_from_it() -> None:
    post = Post()
    for request_id in (1, 2, 3):
        post.sent(request_id, post.phone)
    errands = post.send(4, post.phone, post.laptop)
    assert [one.session_id for one in handed(errands)] == [post.laptop.session_id]


# Handed over and lost


def test_recipient_who_goes_before_acknowledging_went_offline() -> None:
    post = Post()
    post.sent(1, post.phone)
    assert post.courier.dismiss(post.phone, 25, member_present=False) == [
        Report(post.ada.session_id, SendResult(1, SendOutcome.RECIPIENT_WENT_OFFLINE, 25))
    ]
    assert post.courier.pending == 0


def test_message_survives_one_of_two_devices() -> None:
    post = Post()
    delivery_id = post.sent(1, post.phone, post.laptop)
    assert post.courier.dismiss(post.phone, 25, member_present=True) == []
    assert outcomes(post.courier.acknowledge(post.laptop, delivery_id, 26)) == [SendOutcome.DELIVERED]


def test_both_devices_going_is_one_outcome() -> None:
    post = Post()
    post.sent(1, post.phone, post.laptop)
    assert post.courier.dismiss(post.phone, 25, member_present=True) == []
    assert outcomes(post.courier.dismiss(post.laptop, 26, member_present=False)) == [
        SendOutcome.RECIPIENT_WENT_OFFLINE
    ]


def test_message_held_by_one_device_that_goes_is_unconfirmed_while_the_member_stays() -> None:
    post = Post()
    post.sent(1, post.phone)
    assert outcomes(post.courier.dismiss(post.phone, 25, member_present=True)) == [SendOutcome.UNCONFIRMED]


def test_dismissing_settles_only_what_the_session_held() -> None:
    post = Post()
    one, other = post.sent(1, post.phone), post.sent(2, post.laptop)
    assert len(results(post.courier.dismiss(post.phone, 25, member_present=True))) == 1
    assert post.courier.acknowledge(post.laptop, one, 26) == []
    assert outcomes(post.courier.acknowledge(post.laptop, other, 26)) == [SendOutcome.DELIVERED]
    assert post.courier.dismiss(post.phone, 27, member_present=False) == []


def test_message_whose_time_is_up_is_unconfirmed_for_good() -> None:
    post = Post()
    delivery_id = post.sent(1, post.phone, post.laptop)
    assert post.courier.expire(delivery_id, 30) == [
        Report(post.ada.session_id, SendResult(1, SendOutcome.UNCONFIRMED, 30))
    ]
    assert post.courier.acknowledge(post.phone, delivery_id, 31) == []
    assert post.courier.expire(delivery_id, 32) == []
    assert post.courier.resume(post.laptop) == []


def test_time_of_a_message_that_is_settled_means_nothing() -> None:
    post = Post()
    delivery_id = post.sent(1, post.phone)
    post.courier.acknowledge(post.phone, delivery_id, 21)
    assert post.courier.expire(delivery_id, 30) == []
    assert outcomes(post.send(1)) == [SendOutcome.DELIVERED]


def test_unacknowledged_messages_come_again_after_a_resume_in_their_order() -> None:
    post = Post()
    ids = [post.sent(request_id, post.phone, post.laptop) for request_id in (1, 2, 3)]
    post.courier.acknowledge(post.phone, ids[1], 21)
    errands = post.courier.resume(post.phone)
    assert [(one.session_id, one.delivery.delivery_id) for one in handed(errands)] == [
        (post.phone.session_id, ids[0]),
        (post.phone.session_id, ids[2]),
    ]
    assert len(errands) == 2


def test_sender_who_has_gone_does_not_keep_a_message_from_its_recipient() -> None:
    post = Post()
    delivery_id = post.sent(1, post.phone)
    assert post.courier.dismiss(post.ada, 25, member_present=False) == []
    assert [one.delivery.delivery_id for one in handed(post.courier.resume(post.phone))] == [delivery_id]
    post.courier.acknowledge(post.phone, delivery_id, 26)
    assert post.courier.pending == 0


# The same id again


def test_same_id_gets_the_same_result_and_is_not_delivered_twice() -> None:
    post = Post()
    delivery_id = post.sent(1, post.phone)
    first = post.courier.acknowledge(post.phone, delivery_id, 21)
    again = post.send(1, post.phone, payload=b"other", revision=99)
    assert again == first


def test_same_id_with_a_message_under_way_waits_for_its_one_result() -> None:
    post = Post()
    delivery_id = post.sent(1, post.phone)
    assert post.send(1, post.phone) == []
    assert results(post.courier.acknowledge(post.phone, delivery_id, 21)) == [
        SendResult(1, SendOutcome.DELIVERED, 21)
    ]


def test_failed_message_sent_again_with_its_id_fails_the_same_way() -> None:
    post = Post()
    post.send(1, recipient=None)
    again = post.send(1, post.phone, recipient=ONLINE_BOB, revision=50)
    assert results(again) == [SendResult(1, SendOutcome.RECIPIENT_OFFLINE, 20)]
    assert not post.phone.pending


def test_id_so_old_that_its_result_is_forgotten_is_unconfirmed() -> None:
    post = Post()
    for request_id in range(1, 6):
        post.courier.acknowledge(post.phone, post.sent(request_id, post.phone), 21)
    assert results(post.send(1, post.phone, revision=60)) == [SendResult(1, SendOutcome.UNCONFIRMED, 60)]
    assert outcomes(post.send(2, post.phone)) == [SendOutcome.DELIVERED]
    assert not post.phone.pending


def test_id_that_was_skipped_is_not_used_later() -> None:
    post = Post()
    post.sent(7, post.phone)
    errands = post.send(3, post.phone)
    assert outcomes(errands) == [SendOutcome.UNCONFIRMED]
    assert not handed(errands)


def test_message_sent_to_the_predecessor_of_this_server_is_not_sent_again() -> None:
    post = Post()
    heir = post.courier.enrol(bytes(16), ADA, 0.0, newest_request_id=9)
    errands = post.send(9, post.phone, sender=heir)
    assert outcomes(errands) == [SendOutcome.UNCONFIRMED]
    assert not handed(errands)
    assert handed(post.send(10, post.phone, sender=heir))


def test_ids_of_two_sessions_do_not_touch() -> None:
    post = Post()
    post.send(1, recipient=None)
    assert handed(post.send(1, post.phone, sender=post.laptop))


# Any order

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "send", "again", "ack", "expire", "dismiss", "resume"]),
        st.integers(0, 9),
    ),
    max_size=50,
)


@given(STEPS)
def test_each_id_has_exactly_one_outcome_and_memory_is_bounded(steps: list[tuple[str, int]]) -> None:
    post = Post()
    devices = [post.phone, post.laptop]
    first: dict[int, SendResult] = {}
    acknowledged: set[int] = set()
    newest = 0

    def take(errands: list[Errand]) -> None:
        for one in results(errands):
            before = first.setdefault(one.request_id, one)
            if before != one:
                assert one.outcome is SendOutcome.UNCONFIRMED, "another outcome"
                assert one.request_id not in post.ada.results, "and not because the first was forgotten"
        for handover in handed(errands):
            assert int(handover.delivery.payload) not in first, "handed over after its outcome"

    for step, number in steps:
        match step:
            case "send":
                newest += 1
                recipient = (ONLINE_BOB, ONLINE_BOB, SUSPECT_BOB, None)[number % 4]
                take(post.send(newest, *devices, recipient=recipient, payload=b"%d" % newest))
            case "again" if newest:
                take(post.send(newest - number % newest, *devices))
            case "ack":
                for device in devices:
                    for delivery_id, delivery in list(device.pending.items())[number : number + 1]:
                        acknowledged.add(int(delivery.payload))
                        take(post.courier.acknowledge(device, delivery_id, 21))
            case "expire":
                take(post.courier.expire(1000 + number, 21))
            case "dismiss" if devices:
                gone = devices.pop()
                take(post.courier.dismiss(gone, 21, member_present=bool(devices)))
                assert not gone.pending
            case "resume":
                for device in devices:
                    take(post.courier.resume(device))
        assert {
            one for one, result in first.items() if result.outcome is SendOutcome.DELIVERED
        } <= acknowledged
        waiting = {one for device in devices for one in device.pending}
        assert post.courier.pending == len(waiting) == len(post.ada.under_way)
        assert len(post.ada.results) <= LIMITS.results_kept
        assert all(len(device.pending) <= LIMITS.pending_deliveries for device in devices)
    assert set(first) | post.ada.under_way == set(range(1, newest + 1))
