"""What waits for the application is bounded, and messages wait longest."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from adsum.client import Joined, MessageReceived, Overflowed
from adsum.client.backlog import MAX_MESSAGE_BYTES, Backlog
from adsum.client.events import Event
from tests.client.model_lobby import a_member, key_of
from tests.client.patient import patient


def a_message(number: int, size: int = 1) -> MessageReceived:
    return MessageReceived(number, None, key_of("Bob"), b"x" * size, datetime(2026, 1, 1, tzinfo=UTC))


def has_room(backlog: Backlog) -> bool:
    return backlog.has_room_for_message


def take_all(backlog: Backlog) -> list[Event]:
    taken = []
    while (event := backlog.take()) is not None:
        taken.append(event)
    return taken


def test_events_come_out_in_order() -> None:
    backlog = Backlog(10, 10)
    events: list[Event] = [Joined(a_member("Ann")), a_message(1), Joined(a_member("Bob"))]
    for event in events:
        backlog.put(event)
    assert len(backlog) == 3
    assert take_all(backlog) == events
    assert backlog.take() is None


def test_too_many_events_become_one() -> None:
    backlog = Backlog(3, 10)
    for number in range(3):
        backlog.put(Joined(a_member(str(number))))
    backlog.put(a_message(1))
    backlog.put(Joined(a_member("one too many")))
    backlog.put(Joined(a_member("after")))
    assert take_all(backlog) == [a_message(1), Overflowed(4), Joined(a_member("after"))]


def test_overflow_counts_on() -> None:
    backlog = Backlog(3, 10)
    for number in range(100):
        backlog.put(Joined(a_member(str(number))))
    events = take_all(backlog)
    overflowed = [event for event in events if isinstance(event, Overflowed)]
    assert len(overflowed) == 1
    assert overflowed[0].dropped + len(events) - 1 == 100


def test_messages_have_places_of_their_own() -> None:
    backlog = Backlog(3, 2)
    backlog.put(a_message(1))
    assert has_room(backlog)
    backlog.put(a_message(2))
    assert not has_room(backlog)
    backlog.take()
    assert has_room(backlog)


def test_few_large_messages_fill_it_too() -> None:
    backlog = Backlog(3, 1000)
    backlog.put(a_message(1, MAX_MESSAGE_BYTES))
    assert not has_room(backlog)
    backlog.take()
    assert has_room(backlog)


@patient
@given(st.lists(st.sampled_from(["event", "message", "take"]), max_size=200))
def test_backlog_is_bounded_and_loses_no_message(steps: list[str]) -> None:
    backlog = Backlog(5, 3)
    put: list[int] = []
    taken: list[int] = []
    told = dropped = 0
    for number, step in enumerate(steps):
        match step:
            case "event":
                told += 1
                backlog.put(Joined(a_member("Ann")))
            case "message" if backlog.has_room_for_message:
                put.append(number)
                backlog.put(a_message(number))
            case "take":
                match backlog.take():
                    case MessageReceived(delivery_id):
                        taken.append(delivery_id)
                    case Overflowed(count):
                        dropped += count
                    case Joined():
                        told -= 1
                    case _:
                        pass
            case _:
                pass
        assert len(backlog) <= 5 + 3
    for event in take_all(backlog):
        match event:
            case MessageReceived(delivery_id):
                taken.append(delivery_id)
            case Overflowed(count):
                dropped += count
            case _:
                told -= 1
    assert taken == put
    assert dropped == told
