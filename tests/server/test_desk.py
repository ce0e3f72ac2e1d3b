"""Who is let in to a lobby, is seen in it, and leaves."""

from dataclasses import replace

import pytest

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.server.desk import REASON_OF_REFUSAL
from adsum.server.effects import Drop, End, Put
from adsum.server.history import Refusal
from adsum.server.member import DepartureReason, Liveness
from adsum.server.messages import (
    Ack,
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
    Room,
    claim,
    introduction,
    key,
    run,
    update,
)

ONLINE, SUSPECT = Liveness.ONLINE, Liveness.SUSPECT
SNAPSHOT = SnapshotOwed()


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
    room.blip(ada)
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
