"""Who is let in to a lobby, continues, and leaves; and what a stopping server hands on."""

from dataclasses import replace

import pytest

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.server.desk import REASON_OF_REFUSAL
from adsum.server.effects import Drop, End, Put
from adsum.server.history import Refusal
from adsum.server.member import DepartureReason, Liveness
from adsum.server.memory_store import MemoryStore
from adsum.server.messages import (
    Ack,
    ClientHeartbeat,
    Draining,
    Hello,
    Leave,
    Proof,
    RequestError,
    Resume,
    Resync,
    Select,
    SelectionState,
    SelectionUpdate,
    Send,
    SendOutcome,
    SendResult,
    Unsupported,
    Welcome,
)
from adsum.server.outbox import DeltaOwed, SnapshotOwed
from tests.server.builders import (
    ADA,
    BOB,
    LIMITS,
    LOBBY,
    UNIX_MILLIS,
    Device,
    Room,
    claim,
    introduction,
    key,
    run,
    update,
)

ONLINE, SUSPECT = Liveness.ONLINE, Liveness.SUSPECT
SNAPSHOT = SnapshotOwed()


def blip(room: Room, device: Device) -> None:
    """Lose a connection and resume on another."""
    room.lose(device)
    assert room.resume(device, holds=room.lobby.revision) is None


def copy_of(device: Device) -> Device:
    """Remember a device as it is now."""
    return Device(device.name, device.line, device.session_id, device.token)


# Coming in


def test_newcomer_is_welcomed_and_gets_the_whole_lobby_itself_included() -> None:
    room = Room()
    room.join("ada")
    bob = room.join("bob")
    assert room.take(bob) == [Welcome(bob.session_id, bob.token, 1, resumed=False), SNAPSHOT]
    assert room.present == {ADA: ONLINE, BOB: ONLINE}
    assert bob.line.outbox.sent == room.find("bob").revision == room.lobby.revision


def test_others_are_told_of_a_newcomer_by_one_delta() -> None:
    room = Room()
    ada = room.join("ada")
    room.take(ada)
    room.join("bob")
    assert room.take(ada) == [DeltaOwed(1)]


def test_stream_is_not_live_before_the_store_has_written() -> None:
    room = Room()
    line, effects = room.desk.join(
        9, introduction("ada"), bytes(16), bytes(32), now=room.now, unix_millis=UNIX_MILLIS
    )
    assert not line.is_live
    room.perform(effects)
    assert line.is_live


def test_record_tells_when_and_as_whom_somebody_came() -> None:
    room = Room()
    room.join("ada")
    found = room.find("ada")
    assert (found.joined_at_millis, found.profile.name, len(found.sessions)) == (UNIX_MILLIS, "ada", 1)


def test_refused_newcomer_leaves_nothing_behind() -> None:
    room = Room(Limits(members_per_lobby=1))
    room.join("ada")
    bob = room.join("bob")
    assert room.ended == {bob.line.number: Reason.LOBBY_FULL}
    assert not bob.line.is_live
    room.lose(bob)
    assert room.present == {ADA: ONLINE}
    assert room.desk.stream_count == len(list(room.desk.seats)) == 1
    assert room.resume(bob) is Reason.SESSION_UNKNOWN


def test_ninth_device_is_refused_and_the_eight_stay() -> None:
    room = Room()
    devices = [room.join("ada") for _ in range(LIMITS.sessions_per_member + 1)]
    assert room.ended == {devices[-1].line.number: Reason.TOO_MANY_SESSIONS}
    assert len(room.find("ada").sessions) == LIMITS.sessions_per_member


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_refusal_of_the_store_has_a_reason(refusal: Refusal) -> None:
    assert refusal in REASON_OF_REFUSAL


# Several devices


def test_second_device_keeps_member_present() -> None:
    room = Room()
    phone, laptop = room.join("ada"), room.join("ada")
    incarnation = room.find("ada").incarnation
    room.say(phone, Leave())
    assert room.liveness("ada") is ONLINE
    room.lose(laptop)
    assert room.liveness("ada") is SUSPECT
    room.wait(LIMITS.grace_seconds)
    assert room.present == {}
    assert [change.public_key for change in room.changes if change.member is None] == [ADA]
    assert incarnation == 1


def test_lost_device_beside_a_healthy_one_is_not_seen_as_suspect() -> None:
    room = Room()
    phone, laptop = room.join("ada"), room.join("ada")
    room.lose(phone)
    assert room.liveness("ada") is ONLINE
    room.live(LIMITS.grace_seconds + 1, laptop)
    assert len(room.find("ada").sessions) == 1
    assert room.liveness("ada") is ONLINE


def test_latest_profile_of_any_device_is_shown() -> None:
    room = Room()
    phone, laptop = room.join("ada"), room.join("ada")
    room.say(laptop, update("ada", "on the laptop"))
    room.say(phone, update("ada", "on the phone"))
    assert room.find("ada").profile.status_text == "on the phone"
    room.say(phone, Leave())
    assert room.find("ada").profile.status_text == "on the laptop"


# Leaving


def test_leave_is_seen_at_once_and_ends_the_stream_well() -> None:
    room = Room()
    ada = room.join("ada")
    room.say(ada, Leave())
    assert room.present == {}
    assert room.changes[-1].reason is DepartureReason.LEFT
    assert room.ended == {ada.line.number: None}
    assert room.desk.is_idle


def test_stream_that_ends_after_leave_changes_nothing() -> None:
    room = Room()
    ada = room.join("ada")
    room.say(ada, Leave())
    revision = room.lobby.revision
    for _ in range(2):
        room.lose(ada)
    room.say(ada, Leave(), update("ada", "still here"))
    room.wait(60)
    assert room.lobby.revision == revision
    assert room.resume(ada) is Reason.SESSION_UNKNOWN


def test_who_left_and_came_back_is_another_incarnation() -> None:
    room = Room()
    ada = room.join("ada")
    before = room.find("ada").incarnation
    room.say(ada, Leave())
    room.join("ada")
    assert room.find("ada").incarnation > before


# Continuing


def test_blip_is_no_leave_and_join() -> None:
    room = Room()
    ada, bob = room.join("ada"), room.join("bob")
    before = room.find("bob")
    blip(room, bob)
    after = room.find("bob")
    assert after.liveness is ONLINE
    assert after.incarnation == before.incarnation
    assert all(change.member is not None for change in room.changes)
    assert room.take(ada)


def test_resumed_stream_is_told_so_and_gets_only_what_it_missed() -> None:
    room = Room()
    ada = room.join("ada")
    room.take(ada)
    held = room.lobby.revision
    room.lose(ada)
    room.join("bob")
    assert room.resume(ada, holds=held) is None
    assert room.take(ada) == [Welcome(ada.session_id, ada.token, 2, resumed=True), DeltaOwed(held)]


def test_client_that_holds_nothing_resumes_with_the_whole_list() -> None:
    room = Room()
    ada = room.join("ada")
    room.lose(ada)
    assert room.resume(ada) is None
    assert room.take(ada)[1:] == [SNAPSHOT]


def test_client_that_missed_more_than_the_tombstones_reach_gets_the_whole_list() -> None:
    room = Room(Limits(grace_seconds=1000))
    ada, bob = room.join("ada"), room.join("bob")
    held = room.lobby.revision
    room.lose(ada)
    room.say(bob, Leave())
    room.lobby.forget(room.now + 1, 0)
    assert room.resume(ada, holds=held) is None
    assert room.take(ada)[1:] == [SNAPSHOT]


@pytest.mark.parametrize(("epoch", "revision", "digest"), [(1, 1, 0), (77, 99, 0), (77, 2, 123), (0, 0, 0)])
def test_list_that_can_not_be_the_lobbys_is_replaced(epoch: int, revision: int, digest: int) -> None:
    room = Room()
    ada = room.join("ada")
    room.join("bob")
    asked = Resume(ada.session_id, ada.token, epoch, revision, digest)
    let_in = room.desk.resume(9, introduction("ada"), asked, bytes(32), now=room.now)
    assert not isinstance(let_in, Reason)
    line, effects = let_in
    room.perform(effects)
    assert room.take(line)[1:] == [SNAPSHOT]


def test_second_stream_replaces_the_first_that_still_hangs() -> None:
    room = Room()
    ada = room.join("ada")
    hanging = ada.line
    assert room.resume(ada) is None
    assert room.ended == {hanging.number: Reason.SESSION_REPLACED}
    assert room.liveness("ada") is ONLINE
    # Nobody saw it go, and it never was suspect.
    assert [change.member.liveness for change in room.changes if change.member] == [ONLINE, ONLINE]
    assert room.desk.stream_count == 1


def test_late_loss_of_the_first_stream_does_not_hurt_the_second() -> None:
    room = Room()
    ada = room.join("ada")
    hanging = ada.line
    room.resume(ada)
    revision = room.lobby.revision
    room.lose(hanging)
    room.say(hanging, Leave(), update("ghost"), Resync(1))
    assert room.lobby.revision == revision
    assert room.liveness("ada") is ONLINE
    room.live(60, ada)
    assert room.liveness("ada") is ONLINE


def test_late_loss_of_an_older_generation_is_refused_by_the_store() -> None:
    # The shell may carry out what the loss asks for after the resume.
    room = Room()
    ada = room.join("ada")
    late = room.desk.lost(ada.line, room.now)
    room.resume(ada)
    room.perform(late)
    assert room.liveness("ada") is ONLINE
    room.live(60, ada)
    assert room.liveness("ada") is ONLINE


def test_leave_on_the_second_stream_is_a_leave() -> None:
    room = Room()
    ada = room.join("ada")
    room.resume(ada)
    room.say(ada, Leave())
    assert room.present == {}


def test_resume_after_the_grace_is_refused() -> None:
    room = Room()
    ada = room.join("ada")
    room.lose(ada)
    room.wait(LIMITS.grace_seconds)
    assert room.present == {}
    assert room.resume(ada) is Reason.SESSION_UNKNOWN


def test_resume_in_the_last_moment_wins_over_the_end_of_the_grace() -> None:
    room = Room()
    ada = room.join("ada")
    room.lose(ada)
    room.wait(LIMITS.grace_seconds - 0.001)
    assert room.resume(ada) is None
    room.live(60, ada)
    assert room.liveness("ada") is ONLINE
    assert all(change.member is not None for change in room.changes)


def test_each_blip_has_a_whole_grace() -> None:
    room = Room()
    ada = room.join("ada")
    for _ in range(5):
        room.lose(ada)
        room.wait(LIMITS.grace_seconds - 0.5)
        assert room.resume(ada) is None
    assert all(change.member is not None for change in room.changes)


def test_hello_of_a_resume_replaces_the_profile_if_it_differs() -> None:
    room = Room()
    ada = room.join("ada")
    room.lose(ada)
    assert room.resume(ada, name="lady ada") is None
    assert room.find("ada").profile.name == "lady ada"
    set_at = room.find("ada").sessions[0].profile_revision
    blip(room, ada)
    assert room.find("ada").profile.name == "ada"
    assert room.find("ada").sessions[0].profile_revision > set_at


def test_hello_of_a_resume_with_the_same_profile_does_not_outdo_another_device() -> None:
    room = Room()
    phone, laptop = room.join("ada"), room.join("ada")
    room.say(laptop, update("ada", "newest"))
    blip(room, phone)
    assert room.find("ada").profile.status_text == "newest"


# Tokens


def test_wrong_token_is_refused_and_hurts_nobody() -> None:
    room = Room()
    ada = room.join("ada")
    thief = replace_token(ada, bytes(32))
    assert room.resume(thief) is Reason.BAD_TOKEN
    assert room.ended == {}
    room.lose(ada)
    assert room.resume(thief) is Reason.BAD_TOKEN
    assert room.resume(ada) is None


def test_token_serves_once() -> None:
    room = Room()
    ada = room.join("ada")
    thief = copy_of(ada)
    blip(room, ada)
    room.say(ada, ClientHeartbeat(0, 0, 0, 0))
    assert room.resume(thief) is Reason.BAD_TOKEN
    assert room.liveness("ada") is ONLINE
    assert ada.line.number not in room.ended


@pytest.mark.parametrize("lost_welcomes", [1, 2, 5])
def test_client_whose_welcome_was_lost_resumes_with_the_token_it_has(lost_welcomes: int) -> None:
    room = Room()
    ada = room.join("ada")
    known = ada.token
    for _ in range(lost_welcomes):
        room.lose(ada)
        ada.token = known
        assert room.resume(ada) is None
    room.lose(ada)
    ada.token = known
    assert room.resume(ada) is None
    assert room.liveness("ada") is ONLINE


def test_any_word_on_the_new_stream_burns_the_old_token() -> None:
    for word in (ClientHeartbeat(0, 0, 0, 0), Ack(1), Resync(0), Unsupported(), Select(1, b"")):
        room = Room()
        ada = room.join("ada")
        stale = copy_of(ada)
        blip(room, ada)
        room.say(ada, word)
        assert room.resume(stale) is Reason.BAD_TOKEN


def test_word_on_the_replaced_stream_does_not_burn_the_token() -> None:
    room = Room()
    ada = room.join("ada")
    known, hanging = ada.token, ada.line
    room.resume(ada)
    room.say(hanging, ClientHeartbeat(0, 0, 0, 0))
    ada.token = known
    assert room.resume(ada) is None


def test_token_older_than_the_previous_is_burnt_for_ever() -> None:
    room = Room()
    ada = room.join("ada")
    oldest = copy_of(ada)
    for _ in range(3):
        blip(room, ada)
        room.say(ada, ClientHeartbeat(0, 0, 0, 0))
    room.lose(ada)
    assert room.resume(oldest) is Reason.BAD_TOKEN
    assert room.resume(ada) is None


def test_foreign_key_with_a_right_token_is_refused() -> None:
    room = Room()
    ada = room.join("ada")
    room.join("eve")
    asked = Resume(ada.session_id, ada.token, 0, 0, 0)
    assert room.desk.resume(9, introduction("eve"), asked, bytes(32), now=room.now) is Reason.SESSION_UNKNOWN
    assert room.resume(ada) is None


def test_right_token_of_another_session_is_refused() -> None:
    room = Room()
    ada, bob = room.join("ada"), room.join("bob")
    assert room.resume(replace_token(ada, bob.token)) is Reason.BAD_TOKEN
    asked = Resume(bob.session_id, bob.token, 0, 0, 0)
    assert room.desk.resume(9, introduction("ada"), asked, bytes(32), now=room.now) is Reason.SESSION_UNKNOWN


def test_unknown_session_is_refused() -> None:
    room = Room()
    ada = room.join("ada")
    asked = Resume(bytes(16), ada.token, 0, 0, 0)
    assert room.desk.resume(9, introduction("ada"), asked, bytes(32), now=room.now) is Reason.SESSION_UNKNOWN


def replace_token(device: Device, token: bytes) -> Device:
    """Copy a device with another token."""
    return Device(device.name, device.line, device.session_id, token)


# Observers


def test_observer_sees_everything_and_is_seen_by_nobody() -> None:
    room = Room()
    line = room.observe()
    assert room.take(line) == [Welcome(b"", b"", 1, resumed=False), SNAPSHOT]
    room.join("ada")
    assert room.take(line) == [DeltaOwed(0)]
    assert room.present == {ADA: ONLINE}
    revision = room.lobby.revision
    room.lose(line)
    room.wait(60)
    assert room.lobby.revision >= revision
    assert not room.stored_sessions.keys() - {one.session.id for one in room.desk.seats}


@pytest.mark.parametrize("request_", [update("x", request_id=5), Select(5, ADA), Send(5, ADA, b"x", 0)])
def test_observer_may_not_update_select_or_send(request_: Send) -> None:
    room = Room()
    room.join("ada")
    line = room.observe()
    room.take(line)
    room.say(line, request_)
    (error,) = room.take(line)
    assert isinstance(error, RequestError)
    assert (error.request_id, error.reason) == (5, Reason.OBSERVER)
    assert line.number not in room.ended


def test_observer_may_not_resume() -> None:
    room = Room()
    ada = room.join("ada")
    asked = Resume(ada.session_id, ada.token, 0, 0, 0)
    looking = introduction("ada", observer=True)
    assert room.desk.resume(9, looking, asked, bytes(32), now=room.now) is Reason.OBSERVER
    assert ada.line.number not in room.ended


def test_observer_may_resync_acknowledge_and_leave() -> None:
    room = Room()
    line = room.observe()
    room.take(line)
    room.say(line, Resync(1), Ack(3))
    assert room.take(line) == [SNAPSHOT]
    room.say(line, Leave())
    assert room.ended == {line.number: None}
    assert room.desk.is_idle


def test_there_are_only_so_many_observers() -> None:
    room = Room(Limits(observers_per_lobby=2))
    first, _ = room.observe(), room.observe()
    assert room.desk.observe(99, room.now) is Reason.LOBBY_FULL
    room.join("ada")
    room.lose(first)
    room.lose(first)
    room.observe()
    assert room.desk.observe(99, room.now) is Reason.LOBBY_FULL


# Requests that are out of place


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Hello(LOBBY, ADA, bytes(32), "localhost", claim("ada")), Reason.HANDSHAKE_REPEATED),
        (Proof(bytes(64)), Reason.HANDSHAKE_REPEATED),
        (Unsupported(), Reason.UNSUPPORTED_REQUEST),
    ],
)
def test_request_out_of_place_is_refused_and_the_stream_goes_on(request_: Proof, reason: Reason) -> None:
    room = Room()
    ada = room.join("ada")
    room.take(ada)
    room.say(ada, request_)
    (error,) = room.take(ada)
    assert isinstance(error, RequestError)
    assert error.reason is reason
    assert error.message
    assert room.ended == {}


def test_breaker_of_rules_is_suspect_until_back_on_another_stream() -> None:
    room = Room()
    ada = room.join("ada")
    room.perform(room.desk.eject(ada.line, Reason.MALFORMED_REQUEST, room.now))
    assert room.ended == {ada.line.number: Reason.MALFORMED_REQUEST}
    assert room.liveness("ada") is SUSPECT
    assert room.resume(ada) is None
    assert room.liveness("ada") is ONLINE


def test_ejecting_what_has_ended_already_does_nothing() -> None:
    room = Room()
    ada = room.join("ada")
    hanging = ada.line
    room.resume(ada)
    room.perform(room.desk.eject(hanging, Reason.MALFORMED_REQUEST, room.now))
    assert room.liveness("ada") is ONLINE


# Profiles


def test_update_is_seen_at_once() -> None:
    room = Room()
    ada, bob = room.join("ada"), room.join("bob")
    room.take(bob)
    room.say(ada, update("Ada", "at the desk"))
    assert (room.find("ada").profile.name, room.find("ada").profile.status_text) == ("Ada", "at the desk")
    assert room.take(bob) == [DeltaOwed(2)]


def test_update_that_changes_nothing_takes_no_revision() -> None:
    room = Room()
    ada = room.join("ada")
    revision = room.lobby.revision
    room.say(ada, update("ada"))
    assert room.lobby.revision == revision


def test_bad_update_is_refused_with_its_request_id_and_changes_nothing() -> None:
    room = Room()
    ada = room.join("ada")
    room.take(ada)
    room.say(ada, update("", request_id=7))
    (error,) = room.take(ada)
    assert isinstance(error, RequestError)
    assert (error.request_id, error.reason) == (7, Reason.BAD_NAME)
    assert room.find("ada").profile.name == "ada"


def test_updates_that_come_too_fast_are_merged_and_the_last_counts() -> None:
    room = Room()
    ada = room.join("ada")
    revision = room.lobby.revision
    for number in range(100):
        room.say(ada, update("ada", str(number)))
    assert room.lobby.revision == revision + LIMITS.update_burst
    assert room.ended == {}
    room.wait(1 / LIMITS.updates_per_second + 0.01)
    assert room.find("ada").profile.status_text == "99"
    room.wait(1)
    assert room.lobby.revision == revision + LIMITS.update_burst + 1


def test_update_that_waits_is_dropped_if_it_is_taken_back() -> None:
    room = Room()
    ada = room.join("ada")
    for number in range(LIMITS.update_burst):
        room.say(ada, update("ada", str(number)))
    revision = room.lobby.revision
    room.say(ada, update("ada", "hasty"), update("ada", str(LIMITS.update_burst - 1)))
    room.wait(2)
    assert room.lobby.revision == revision


def test_update_that_waits_survives_a_blip() -> None:
    room = Room()
    ada = room.join("ada")
    for number in range(LIMITS.update_burst + 1):
        room.say(ada, update("ada", str(number)))
    room.lose(ada)
    room.wait(1)
    assert room.find("ada").profile.status_text == str(LIMITS.update_burst)


def test_hello_of_a_resume_outdoes_an_update_that_waits() -> None:
    room = Room()
    ada = room.join("ada")
    for number in range(LIMITS.update_burst + 1):
        room.say(ada, update("ada", str(number)))
    blip(room, ada)
    room.live(2, ada)
    assert room.find("ada").profile.status_text == ""


def test_update_that_waits_is_not_written_after_its_session_has_left() -> None:
    room = Room()
    ada = room.join("ada")
    for number in range(LIMITS.update_burst + 1):
        room.say(ada, update("ada", str(number)))
    room.say(ada, Leave())
    room.wait(5)
    assert room.present == {}
    assert room.stored_sessions == {}


def test_update_that_waits_is_not_written_after_its_session_was_lost_for_good() -> None:
    # Both become due before one late tick: the end of the grace, then the update.
    room = Room(Limits(grace_seconds=0.1))
    ada = room.join("ada")
    for number in range(LIMITS.update_burst + 1):
        room.say(ada, update("ada", str(number)))
    room.lose(ada)
    room.sleep_through(1)
    assert room.present == {}
    assert room.stored_sessions == {}
    assert room.desk.is_idle


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
    stale = copy_of(ada)
    blip(room, ada)
    room.say(ada, ClientHeartbeat(0, 0, 0, 0))
    successor = successor_of(room, [ada])
    assert successor.resume(stale) is Reason.BAD_TOKEN
    assert successor.resume(ada) is None


def test_client_whose_last_welcome_was_lost_resumes_on_the_successor_too() -> None:
    room = Room()
    ada = room.join("ada")
    known = copy_of(ada)
    blip(room, ada)
    successor = successor_of(room, [ada])
    assert successor.resume(known) is None
    assert successor.resume(ada) is Reason.BAD_TOKEN


def test_selection_goes_on_and_is_told_again() -> None:
    room = Room()
    ada, bob = room.join("ada"), room.join("bob")
    room.say(ada, Select(1, BOB))
    room.take(ada)
    blip(room, ada)
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


# Store and desk


def test_answer_about_a_session_that_is_gone_means_nothing() -> None:
    room = Room()
    ada = room.join("ada")
    (put,) = (Put(one.session, sets_profile=False) for one in room.desk.seats)
    room.say(ada, Leave())
    assert room.desk.stored(put, Refusal.ABSENT, room.now) == []
    assert room.desk.stored(Drop(put.session, DepartureReason.LOST), Refusal.ABSENT, room.now) == []


def test_drop_that_came_too_late_leaves_the_session_alone() -> None:
    room = Room()
    ada = room.join("ada")
    (seat,) = room.desk.seats
    late = Drop(seat.session, DepartureReason.LOST)
    room.resume(ada)
    room.perform([late])
    assert room.resume(ada) is None


def test_answer_to_an_older_generation_does_not_end_the_newer_stream() -> None:
    room = Room()
    ada = room.join("ada")
    (seat,) = room.desk.seats
    older = Put(replace(seat.session, liveness=SUSPECT), sets_profile=False)
    room.resume(ada)
    assert room.desk.stored(older, Refusal.FENCED, room.now) == []
    assert room.desk.stored(older, Refusal.UNAVAILABLE, room.now) == []
    assert ada.line.number not in room.ended


def test_store_that_can_not_be_reached_ends_the_stream_with_a_reason() -> None:
    room = Room()
    line, effects = room.desk.join(
        9, introduction("ada"), bytes(16), bytes(32), now=room.now, unix_millis=UNIX_MILLIS
    )
    (put,) = effects
    assert isinstance(put, Put)
    assert room.desk.stored(put, Refusal.UNAVAILABLE, room.now) == [End(line, Reason.STORE_UNAVAILABLE)]
    assert room.desk.is_idle


def test_selection_survives_a_stream_that_was_lost_before_it_was_live() -> None:
    room = Room()
    ada = room.join("ada")
    room.join("bob")
    room.say(ada, Select(1, BOB))
    room.take(ada)
    room.lose(ada)
    asked = Resume(ada.session_id, ada.token, 0, 0, 0)
    let_in = room.desk.resume(9, introduction("ada"), asked, bytes(32), now=room.now)
    assert not isinstance(let_in, Reason)
    # Its Put is still on the way to the store.
    room.lose(let_in[0])
    assert room.resume(ada) is None
    assert [one.state for one in room.take(ada) if isinstance(one, SelectionUpdate)] == [
        SelectionState.AVAILABLE
    ]


def test_every_session_in_the_store_is_somebodys() -> None:
    room = Room()
    devices = [room.join(name) for name in ("ada", "ada", "bob", "cleo")]
    room.lose(devices[0])
    room.say(devices[3], Leave())
    assert room.stored_sessions.keys() == {one.session.id for one in room.desk.seats}
    assert run(room.store.drop(LOBBY, devices[0].session_id, key("ada"), 1, DepartureReason.LOST))
