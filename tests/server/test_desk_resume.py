"""Sessions that go on after a lost connection: what is continued, and with which token."""

import pytest

from adsum.contract.limits import Limits
from adsum.contract.reasons import Reason
from adsum.server.member import Liveness
from adsum.server.messages import (
    Ack,
    ClientHeartbeat,
    Leave,
    Resume,
    Resync,
    Select,
    Unsupported,
    Welcome,
)
from adsum.server.outbox import DeltaOwed, SnapshotOwed
from tests.server.builders import (
    LIMITS,
    Device,
    Room,
    introduction,
    update,
)

ONLINE, SUSPECT = Liveness.ONLINE, Liveness.SUSPECT
SNAPSHOT = SnapshotOwed()


# Continuing


def test_blip_is_no_leave_and_join() -> None:
    room = Room()
    ada, bob = room.join("ada"), room.join("bob")
    before = room.find("bob")
    room.blip(bob)
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
    room.blip(ada)
    assert room.find("ada").profile.name == "ada"
    assert room.find("ada").sessions[0].profile_revision > set_at


def test_hello_of_a_resume_with_the_same_profile_does_not_outdo_another_device() -> None:
    room = Room()
    phone, laptop = room.join("ada"), room.join("ada")
    room.say(laptop, update("ada", "newest"))
    room.blip(phone)
    assert room.find("ada").profile.status_text == "newest"


# Tokens


def test_wrong_token_is_refused_and_hurts_nobody() -> None:
    room = Room()
    ada = room.join("ada")
    thief = ada.copy(bytes(32))
    assert room.resume(thief) is Reason.BAD_TOKEN
    assert room.ended == {}
    room.lose(ada)
    assert room.resume(thief) is Reason.BAD_TOKEN
    assert room.resume(ada) is None


def test_token_serves_once() -> None:
    room = Room()
    ada = room.join("ada")
    thief = ada.copy()
    room.blip(ada)
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
        stale = ada.copy()
        room.blip(ada)
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
    oldest = ada.copy()
    for _ in range(3):
        room.blip(ada)
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
    assert room.resume(ada.copy(bob.token)) is Reason.BAD_TOKEN
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
