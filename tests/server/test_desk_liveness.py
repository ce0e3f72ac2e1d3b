"""When a desk believes silence: heartbeats, leases, graces, stalls and crowds."""

import itertools

import pytest

from adsum.contract.limits import HEARTBEAT_JITTER, Limits
from adsum.contract.reasons import Reason
from adsum.server.member import DepartureReason, Liveness
from adsum.server.messages import (
    Ack,
    ClientHeartbeat,
    Resync,
    SendOutcome,
    SendResult,
    ServerHeartbeat,
    Welcome,
)
from adsum.server.outbox import DeltaOwed, SnapshotOwed
from tests.server.builders import BOB, LIMITS, Device, Room, key, update

ONLINE, SUSPECT = Liveness.ONLINE, Liveness.SUSPECT
LEASE, GRACE, HEARTBEAT = LIMITS.lease_seconds, LIMITS.grace_seconds, LIMITS.heartbeat_seconds
ONE_ROUND = HEARTBEAT * (1 + HEARTBEAT_JITTER)
SNAPSHOT = SnapshotOwed()
BARE_BEAT = ClientHeartbeat(0, 0, 0, 0)
"""A heartbeat of a client that sends and doesn't read: it echoes nothing."""


def beats(room: Room, device: Device) -> list[ServerHeartbeat]:
    """Read everything, and pick the heartbeats."""
    return [one for one in room.take(device) if isinstance(one, ServerHeartbeat)]


def departures(room: Room) -> list[DepartureReason | None]:
    """List why members have gone, in order."""
    return [change.reason for change in room.changes if change.member is None]


# A lost connection


def test_lost_connection_is_suspect_at_once_and_gone_after_the_grace() -> None:
    room = Room()
    ada = room.join("ada")
    room.lose(ada)
    assert room.liveness("ada") is SUSPECT
    room.wait(GRACE - 0.01)
    assert room.liveness("ada") is SUSPECT
    room.wait(0.02)
    assert room.present == {}
    assert departures(room) == [DepartureReason.LOST]
    assert room.desk.is_idle


def test_losing_a_connection_twice_changes_nothing_more() -> None:
    room = Room()
    ada = room.join("ada")
    room.lose(ada)
    room.wait(3)
    revision = room.lobby.revision
    room.lose(ada)
    assert room.lobby.revision == revision
    room.wait(GRACE - 3 + 0.01)
    assert room.present == {}


def test_without_a_grace_every_loss_is_a_leave() -> None:
    room = Room(Limits(grace_seconds=0))
    ada = room.join("ada")
    room.lose(ada)
    assert room.present == {}
    assert departures(room) == [DepartureReason.LOST]
    assert room.resume(ada) is Reason.SESSION_UNKNOWN


def test_stream_lost_after_it_fell_silent_gets_no_second_grace() -> None:
    room = Room()
    ada = room.join("ada")
    room.wait(LEASE + 0.01)
    assert room.liveness("ada") is SUSPECT
    room.wait(GRACE - 1)
    room.lose(ada)
    room.wait(1)
    assert room.present == {}


# Silence


def test_silent_client_is_suspect_within_the_lease_and_gone_after_the_grace() -> None:
    room = Room()
    ada = room.join("ada")
    room.wait(LEASE - 0.01)
    assert room.liveness("ada") is ONLINE
    room.wait(0.02)
    assert room.liveness("ada") is SUSPECT
    room.wait(GRACE)
    assert room.present == {}
    assert departures(room) == [DepartureReason.LOST]
    assert room.ended == {ada.line.number: Reason.LEASE_EXPIRED}
    assert room.desk.is_idle


def test_client_that_answers_is_never_suspect() -> None:
    room = Room()
    ada, bob = room.join("ada"), room.join("bob")
    room.live(3600, ada, bob)
    assert set(room.present.values()) == {ONLINE}
    assert room.lobby.revision == 2


def test_any_word_is_a_sign_of_life() -> None:
    room = Room()
    ada = room.join("ada")
    room.wait(10)
    room.say(ada, Ack(1))
    room.wait(10)
    assert room.liveness("ada") is ONLINE


def test_silent_client_that_is_heard_again_on_its_stream_is_back() -> None:
    room = Room()
    ada = room.join("ada")
    incarnation = room.find("ada").incarnation
    room.wait(LEASE + GRACE - 0.5)
    assert room.liveness("ada") is SUSPECT
    room.answer(ada)
    assert room.liveness("ada") is ONLINE
    assert room.find("ada").incarnation == incarnation
    room.live(60, ada)
    assert room.liveness("ada") is ONLINE
    assert departures(room) == []


def test_silent_client_of_a_lobby_without_grace_is_gone_for_good() -> None:
    # It hangs, and wakes up on the same stream.
    room = Room(Limits(grace_seconds=0))
    ada = room.join("ada")
    room.wait(LEASE + 1)
    assert room.present == {}
    assert room.ended == {ada.line.number: Reason.LEASE_EXPIRED}
    room.say(ada, BARE_BEAT, update("ghost"))
    assert room.present == {}
    assert room.stored_sessions == {}
    room.lose(ada)
    room.wait(60)
    assert room.desk.is_idle


def test_silent_observer_is_ended() -> None:
    room = Room()
    line = room.observe()
    room.wait(LEASE + 0.01)
    assert room.ended == {line.number: Reason.LEASE_EXPIRED}
    assert room.desk.is_idle


def test_silence_is_counted_from_the_newest_stream() -> None:
    room = Room()
    ada = room.join("ada")
    room.wait(LEASE - 1)
    room.lose(ada)
    assert room.resume(ada) is None
    room.wait(LEASE - 0.01)
    assert room.liveness("ada") is ONLINE


# A client that doesn't read


def test_client_that_sends_but_does_not_read_is_suspect_and_gone() -> None:
    room = Room()
    ada = room.join("ada")
    room.take(ada)
    for _ in range(60):
        room.wait(1)
        # The shell writes a heartbeat, which fits into some buffer; nobody ever reads it.
        beats(room, ada)
        room.say(ada, BARE_BEAT)
    assert room.present == {}
    assert room.ended == {ada.line.number: Reason.SLOW_READER}


def test_stuck_write_is_silence_though_the_client_keeps_sending() -> None:
    room = Room()
    ada = room.join("ada")
    ada.line.writing_since = room.now
    for _ in range(int(LEASE)):
        assert room.liveness("ada") is ONLINE
        room.wait(1)
        room.say(ada, BARE_BEAT)
    room.wait(0.5)
    assert room.liveness("ada") is SUSPECT
    for _ in range(int(GRACE)):
        room.wait(1)
        room.say(ada, BARE_BEAT)
    assert room.present == {}
    assert room.ended == {ada.line.number: Reason.SLOW_READER}


def test_write_that_gets_stuck_late_is_noticed_within_its_own_lease() -> None:
    room = Room()
    ada = room.join("ada")
    room.live(30, ada)
    ada.line.writing_since = room.now
    for _ in range(int(LEASE) + 1):
        room.wait(1)
        room.say(ada, BARE_BEAT)
    assert room.liveness("ada") is SUSPECT


def test_slow_reader_that_catches_up_within_the_grace_is_back() -> None:
    room = Room()
    ada = room.join("ada")
    room.take(ada)
    unread: list[ServerHeartbeat] = []
    for _ in range(60):
        if room.liveness("ada") is ONLINE:
            room.wait(1)
            unread += beats(room, ada)
            room.say(ada, BARE_BEAT)
    assert room.liveness("ada") is SUSPECT
    room.wait(GRACE - 1)
    # It reads at last, and answers the newest that it finds.
    newest = unread[-1]
    room.say(ada, ClientHeartbeat(newest.epoch, newest.revision, newest.digest, newest.nonce))
    assert room.liveness("ada") is ONLINE
    room.live(30, ada)
    assert departures(room) == []


def test_non_reader_floods_updates_and_is_gone_all_the_same() -> None:
    room = Room()
    ada = room.join("ada")
    room.take(ada)
    number = 0
    while room.now < 1060:
        room.now += 0.1
        for _ in range(2):
            number += 1
            room.say(ada, update("ada", str(number)))
        beats(room, ada)
        room.perform(room.desk.tick(room.now))
    assert room.present == {}
    assert room.stored_sessions == {}
    room.lose(ada)
    assert room.desk.is_idle


# Heartbeats


def test_heartbeats_come_at_their_interval_each_a_little_off() -> None:
    room = Room()
    ada = room.join("ada")
    room.take(ada)
    moments: list[float] = []
    for _ in range(2400):
        room.wait(0.1)
        if beats(room, ada):
            moments.append(room.now)
            room.say(ada, BARE_BEAT)
            ada.line.unechoed_since = None
    assert len(moments) > 40
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    least, most = HEARTBEAT * (1 - HEARTBEAT_JITTER), HEARTBEAT * (1 + HEARTBEAT_JITTER)
    assert all(least - 0.11 <= pause <= most + 0.11 for pause in pauses)
    assert max(pauses) - min(pauses) > HEARTBEAT * HEARTBEAT_JITTER


def test_heartbeat_says_what_the_client_holds() -> None:
    room = Room()
    ada = room.join("ada")
    room.take(ada)
    room.join("bob")
    room.wait(6)
    delta, beat = room.take(ada)
    assert delta == DeltaOwed(1)
    assert isinstance(beat, ServerHeartbeat)
    assert (beat.epoch, beat.revision, beat.digest, beat.count) == (room.lobby.epoch, 2, room.lobby.digest, 2)
    assert beat.nonce != 0
    assert not beat.degraded


def test_echo_measures_the_round_trip_which_the_next_heartbeat_tells() -> None:
    room = Room()
    ada = room.join("ada")
    room.wait(6)
    (beat,) = beats(room, ada)
    assert beat.round_trip_micros == 0
    room.now += 0.25
    room.say(ada, ClientHeartbeat(beat.epoch, beat.revision, beat.digest, beat.nonce))
    room.wait(6)
    (beat,) = beats(room, ada)
    assert beat.round_trip_micros == pytest.approx(250_000, abs=2)


def test_wrong_echo_proves_no_reading() -> None:
    room = Room()
    ada = room.join("ada")
    room.take(ada)
    nonce = 0
    for _ in range(40):
        room.wait(1)
        nonce = next((one.nonce for one in beats(room, ada)), nonce)
        room.say(ada, ClientHeartbeat(0, 0, 0, nonce + 1 if nonce else 0))
    assert room.present == {}


def test_echo_that_comes_after_the_next_heartbeat_still_counts() -> None:
    room = Room()
    ada = room.join("ada")
    room.take(ada)
    waiting: list[ServerHeartbeat] = []
    for _ in range(60):
        room.wait(1)
        waiting += beats(room, ada)
        # The link is so slow that two heartbeats are always on the way.
        if len(waiting) > 2:
            oldest = waiting.pop(0)
            room.say(ada, ClientHeartbeat(0, 0, 0, oldest.nonce))
        else:
            room.say(ada, BARE_BEAT)
    assert room.liveness("ada") is ONLINE


# Digests


def test_client_that_holds_another_list_at_the_same_revision_is_sent_the_right_one() -> None:
    room = Room()
    ada = room.join("ada")
    room.take(ada)
    room.say(ada, ClientHeartbeat(room.lobby.epoch, room.lobby.revision, room.lobby.digest ^ 1, 0))
    assert room.take(ada) == [SNAPSHOT]
    assert room.desk.divergences == 1


def test_client_that_holds_the_right_list_is_sent_nothing() -> None:
    room = Room()
    ada = room.join("ada")
    room.take(ada)
    room.say(ada, ClientHeartbeat(room.lobby.epoch, room.lobby.revision, room.lobby.digest, 0))
    assert room.take(ada) == []


def test_client_that_is_behind_is_not_taken_for_wrong() -> None:
    room = Room()
    ada = room.join("ada")
    room.take(ada)
    digest = room.lobby.digest
    room.join("bob")
    room.say(ada, ClientHeartbeat(room.lobby.epoch, 1, digest, 0))
    assert room.take(ada) == [DeltaOwed(1)]
    assert room.desk.divergences == 0


def test_client_that_has_been_sent_no_list_yet_is_not_taken_for_wrong() -> None:
    room = Room()
    ada = room.join("ada")
    room.say(ada, ClientHeartbeat(0, 0, 0, 0))
    assert room.take(ada) == [Welcome(ada.session_id, ada.token, 1, resumed=False), SNAPSHOT]
    assert room.desk.divergences == 0


def test_resync_is_answered_by_the_whole_lobby() -> None:
    room = Room()
    ada = room.join("ada")
    room.take(ada)
    room.say(ada, Resync(4))
    assert room.take(ada) == [SNAPSHOT]


def test_asking_for_snapshots_too_often_delays_them_and_forgets_none() -> None:
    room = Room()
    ada = room.join("ada")
    room.take(ada)
    snapshots = 0
    for _ in range(50):
        room.say(ada, Resync(1))
        snapshots += room.take(ada).count(SNAPSHOT)
    assert snapshots <= 3
    room.wait(1.1)
    assert SNAPSHOT in room.take(ada)
    room.wait(1.1)
    assert SNAPSHOT not in room.take(ada)


def test_snapshot_that_is_delayed_is_forgotten_with_the_stream() -> None:
    room = Room()
    ada = room.join("ada")
    for _ in range(10):
        room.say(ada, Resync(1))
    room.lose(ada)
    room.resume(ada, holds=room.lobby.revision)
    room.take(ada)
    room.wait(3)
    assert SNAPSHOT not in room.take(ada)


# The server's own health


def crowd_of(room: Room, size: int) -> list[Device]:
    """Let so many people in, and let them live a while."""
    devices = [room.join(f"person {number}") for number in range(size)]
    room.live(20, *devices)
    return devices


def fall_silent(room: Room, devices: list[Device]) -> None:
    """Let nobody be heard any more, until the first lease has run out."""
    first = min(one.line.heard_at for one in devices) + LEASE
    room.wait(first + 0.01 - room.now)


def test_silence_of_everybody_is_put_down_to_the_server_once() -> None:
    room = Room()
    fall_silent(room, crowd_of(room, 10))
    room.wait(ONE_ROUND - 0.1)
    assert set(room.present.values()) == {ONLINE}
    # They were given one round more; then silence is silence.
    room.wait(0.2)
    assert set(room.present.values()) == {SUSPECT}
    room.wait(GRACE)
    assert room.present == {}


def test_crowd_that_is_heard_again_in_time_was_never_suspect() -> None:
    room = Room()
    devices = crowd_of(room, 10)
    revision = room.lobby.revision
    fall_silent(room, devices)
    room.live(30, *devices)
    assert room.lobby.revision == revision


def test_one_who_stays_silent_in_a_crowd_that_is_heard_again_is_suspect() -> None:
    room = Room()
    devices = crowd_of(room, 10)
    fall_silent(room, devices)
    room.live(ONE_ROUND + 0.1, *devices[1:])
    assert sorted(room.present.values()) == [SUSPECT] + [ONLINE] * 9


def test_server_that_is_deaf_says_so() -> None:
    room = Room()
    devices = crowd_of(room, 10)
    fall_silent(room, devices)
    assert all(room.heartbeat(one.line).degraded for one in devices)
    room.wait(ONE_ROUND)
    assert not room.heartbeat(devices[0].line).degraded


def test_silence_of_a_few_among_many_is_theirs() -> None:
    room = Room()
    devices = crowd_of(room, 10)
    room.live(LEASE + 0.5, *devices[3:])
    assert sorted(room.present.values()) == [SUSPECT] * 3 + [ONLINE] * 7


def test_silence_of_both_of_two_proves_nothing_about_the_server() -> None:
    room = Room()
    crowd_of(room, 2)
    room.wait(LEASE + 0.5)
    assert set(room.present.values()) == {SUSPECT}


def stall(room: Room, seconds: float) -> None:
    """Hang, as a process does that gets no time; then do what the shell does."""
    room.health.tick(room.now, room.now + 0.1)
    room.now += seconds
    late = room.health.tick(room.now, room.now + 0.1)
    assert late
    room.desk.postpone(late, room.now)
    room.perform(room.desk.tick(room.now))


def test_stall_of_the_server_makes_nobody_suspect() -> None:
    room = Room()
    ada, bob = room.join("ada"), room.join("bob")
    stall(room, 60)
    assert set(room.present.values()) == {ONLINE}
    room.live(30, ada, bob)
    assert room.lobby.revision == 2


def test_who_does_not_speak_after_a_stall_is_suspect_a_round_later() -> None:
    room = Room()
    room.join("ada")
    stall(room, 60)
    room.wait(ONE_ROUND + 0.1)
    assert room.liveness("ada") is SUSPECT


def test_stall_gives_a_suspect_its_grace_again() -> None:
    room = Room()
    ada = room.join("ada")
    room.lose(ada)
    room.wait(1)
    stall(room, 30)
    assert room.liveness("ada") is SUSPECT
    room.wait(GRACE - 0.1)
    assert room.resume(ada) is None


def test_many_stalls_do_not_keep_a_ghost_for_ever() -> None:
    room = Room()
    ada = room.join("ada")
    room.lose(ada)
    stall(room, 2)
    room.wait(60)
    assert room.present == {}


# Bounds


def test_coming_and_going_leaves_no_deadlines_and_few_tombstones() -> None:
    room = Room(Limits(tombstones_per_lobby=5, grace_seconds=0.5))
    for number in range(200):
        device = room.join(f"person {number}")
        if number % 2:
            room.lose(device)
        else:
            room.lose(device)
            room.resume(device)
            room.lose(device)
        room.wait(1)
    room.wait(10)
    assert room.desk.is_idle
    assert sum(room.lobby.tombstone(key(f"person {number}")) is not None for number in range(200)) <= 5
    assert len(room.desk._timers) == 1
    assert not room.desk._seats_of


def test_tombstones_are_forgotten_after_their_time() -> None:
    room = Room()
    bob = room.join("bob")
    room.lose(bob)
    room.wait(GRACE)
    room.wait(LIMITS.tombstone_seconds - 10)
    assert room.lobby.tombstone(BOB) is not None
    room.wait(20)
    assert room.lobby.tombstone(BOB) is None
    assert room.lobby.floor > 0


def test_result_for_a_sender_who_hangs_waits_within_bounds() -> None:
    result = SendResult(1, SendOutcome.DELIVERED, 1)
    room = Room()
    ada = room.join("ada")
    assert all(ada.line.outbox.post(result) for _ in range(100))
    assert len(ada.line.outbox) == 100


def test_silent_observers_are_no_crowd() -> None:
    room = Room()
    room.join("ada")
    for _ in range(8):
        room.observe()
    room.wait(room.limits.lease_seconds + 0.1)
    assert room.liveness("ada") is SUSPECT
