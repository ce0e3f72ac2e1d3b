"""What a stopping server tells its clients, and what it hands on to its successor."""

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.server.member import DepartureReason, Liveness
from adsum.server.memory_store import MemoryStore
from adsum.server.messages import (
    ClientHeartbeat,
    Draining,
    Leave,
    Select,
    SelectionState,
    SelectionUpdate,
    Send,
    SendOutcome,
    SendResult,
    Welcome,
)
from adsum.server.outbox import SnapshotOwed
from tests.server.builders import (
    ADA,
    BOB,
    LIMITS,
    Device,
    Room,
)

ONLINE, SUSPECT = Liveness.ONLINE, Liveness.SUSPECT
SNAPSHOT = SnapshotOwed()


# What a stopping server hands on


def successor_of(room: Room, devices: list[Device]) -> Room:
    """Stop a server that has drained, and start another on what it leaves."""
    held = room.desk.bequeath()
    store = MemoryStore(room.limits, lambda: 5)
    store.restore(room.store.dump())
    successor = Room(room.limits, store=store, now=room.now + 2)
    successor.adopt(held)
    successor._numbers, successor._draws = 1000, 1000
    assert {one.session_id for one in devices} == {one.session_id for one in held}
    return successor


def test_draining_tells_everybody_to_move_each_at_another_moment() -> None:
    room = Room()
    devices = [room.join(f"person {number}") for number in range(20)]
    lines = [one.line for one in devices] + [room.observe()]
    for line in lines:
        room.take(line)
    room.perform(room.desk.drain(10))
    told = [one for line in lines for one in room.take(line) if isinstance(one, Draining)]
    assert len(told) == len(lines)
    assert all(one.deadline_millis == 10_000 for one in told)
    delays = [one.reconnect_delay_millis for one in told]
    assert all(0 <= delay < 10_000 for delay in delays)
    assert len(set(delays)) == len(delays)
    assert room.woken >= {line.number for line in lines}


def test_nobody_who_moves_away_from_a_draining_server_is_shown_as_lost() -> None:
    room = Room()
    ada = room.join("ada")
    room.join("bob")
    room.perform(room.desk.drain(10))
    room.lose(ada)
    room.wait(LIMITS.grace_seconds + 1)
    assert room.present == {ADA: ONLINE, BOB: ONLINE}


def test_who_falls_silent_while_the_server_drains_is_kept_for_the_successor_without_a_grace_too() -> None:
    room = Room(Limits(grace_seconds=0))
    ada = room.join("ada")
    room.perform(room.desk.drain(30))
    room.wait(room.limits.lease_seconds + 1)
    assert room.present == {ADA: SUSPECT}
    successor = successor_of(room, [ada])
    assert successor.resume(ada) is None
    assert all(change.member is not None for change in [*room.changes, *successor.changes])


def test_who_breaks_the_rules_while_the_server_drains_is_kept_without_a_grace_too() -> None:
    room = Room(Limits(grace_seconds=0))
    ada = room.join("ada")
    room.perform(room.desk.drain(30))
    room.perform(room.desk.eject(ada.line, Reason.TOO_MANY_ERRORS, room.now))
    room.wait(1)
    assert room.present == {ADA: SUSPECT}


def test_leave_is_a_leave_while_draining_too() -> None:
    room = Room()
    ada = room.join("ada")
    room.perform(room.desk.drain(10))
    room.say(ada, Leave())
    assert room.present == {}


def test_everybody_resumes_on_the_successor_as_who_they_were() -> None:
    room = Room()
    devices = [room.join("ada"), room.join("ada"), room.join("bob")]
    incarnations = {one.public_key: one.incarnation for one in room.lobby}
    room.perform(room.desk.drain(10))
    for device in devices:
        room.lose(device)
    successor = successor_of(room, devices)
    assert successor.lobby.epoch == room.lobby.epoch
    assert set(successor.present.values()) == {SUSPECT}
    for device in devices:
        assert successor.resume(device, holds=room.lobby.revision) is None
        (welcome, *_) = successor.take(device)
        assert isinstance(welcome, Welcome)
        assert (welcome.resumed, welcome.generation) == (True, 2)
    assert {one.public_key: one.incarnation for one in successor.lobby} == incarnations
    assert set(successor.present.values()) == {ONLINE}
    assert all(change.member is not None for change in successor.changes)


def test_client_that_waits_between_two_attempts_finds_its_session_on_the_successor() -> None:
    room = Room()
    ada = room.join("ada")
    room.perform(room.desk.drain(10))
    room.lose(ada)
    successor = successor_of(room, [ada])
    successor.wait(LIMITS.lease_seconds - 0.1)
    assert successor.resume(ada) is None


def test_stall_of_a_starting_successor_takes_no_time_from_anybody() -> None:
    room = Room()
    ada = room.join("ada")
    room.perform(room.desk.drain(10))
    room.lose(ada)
    successor = successor_of(room, [ada])
    successor.wait(0.5)
    successor.desk.postpone(1.5, successor.now)
    successor.wait(LIMITS.lease_seconds - 0.6)
    assert successor.liveness("ada") is SUSPECT


def test_session_that_does_not_come_to_the_successor_is_gone_in_the_end() -> None:
    room = Room()
    ada, bob = room.join("ada"), room.join("bob")
    room.perform(room.desk.drain(10))
    successor = successor_of(room, [ada, bob])
    successor.resume(bob)
    successor.live(LIMITS.lease_seconds + 1, bob)
    assert successor.present == {BOB: ONLINE}
    assert successor.resume(ada) is Reason.SESSION_UNKNOWN


def test_session_that_nobody_held_is_gone_at_once() -> None:
    room = Room()
    ada = room.join("ada")
    room.join("bob")
    store = MemoryStore(LIMITS, lambda: 5)
    store.restore(room.store.dump())
    successor = Room(store=store)
    successor.adopt(one for one in room.desk.bequeath() if one.session_id == ada.session_id)
    assert successor.present == {ADA: SUSPECT}
    assert successor.changes[-1].reason is DepartureReason.LOST


def test_tokens_go_on_as_they_were() -> None:
    room = Room()
    ada = room.join("ada")
    stale = ada.copy()
    room.blip(ada)
    room.say(ada, ClientHeartbeat(0, 0, 0, 0))
    successor = successor_of(room, [ada])
    assert successor.resume(stale) is Reason.BAD_TOKEN
    assert successor.resume(ada) is None


def test_client_whose_last_welcome_was_lost_resumes_on_the_successor_too() -> None:
    room = Room()
    ada = room.join("ada")
    known = ada.copy()
    room.blip(ada)
    successor = successor_of(room, [ada])
    assert successor.resume(known) is None
    assert successor.resume(ada) is Reason.BAD_TOKEN


def test_selection_goes_on_and_is_told_again() -> None:
    room = Room()
    ada, bob = room.join("ada"), room.join("bob")
    room.say(ada, Select(1, BOB))
    room.take(ada)
    room.blip(ada)
    successor = successor_of(room, [ada, bob])
    successor.resume(bob)
    successor.resume(ada)
    told = [one for one in successor.take(ada) if isinstance(one, SelectionUpdate)]
    assert [(one.public_key, one.state) for one in told] == [(BOB, SelectionState.AVAILABLE)]


def test_message_sent_to_the_predecessor_has_one_outcome_and_is_not_sent_again() -> None:
    room = Room()
    ada, bob = room.join("ada"), room.join("bob")
    room.say(ada, Send(4, BOB, b"hello", 0))
    successor = successor_of(room, [ada, bob])
    for device in (ada, bob):
        successor.resume(device)
    for device in (ada, bob):
        successor.take(device)
    successor.say(ada, Send(4, BOB, b"hello", 0))
    (result,) = successor.take(ada)
    assert isinstance(result, SendResult)
    assert result.outcome is SendOutcome.UNCONFIRMED
    assert successor.take(bob) == []
