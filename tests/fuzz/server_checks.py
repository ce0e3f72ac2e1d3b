"""What must hold of a server after each step, whatever its clients do."""

from adsum.server.outbox import MAILBOX_CAPACITY
from tests.fuzz.records import record_of
from tests.fuzz.server_stage import Stage
from tests.model.digest import digest_of


def check(stage: Stage) -> None:
    """Look at everything that must hold after each step."""
    desk, lobby, limits = stage.room.desk, stage.room.lobby, stage.limits
    seats = list(desk.seats)
    if stage.checked != (lobby.epoch, lobby.revision):
        stage.checked = (lobby.epoch, lobby.revision)
        _check_lobby(stage)
    # What follows is bounded (P9).
    assert len(lobby) <= limits.members_per_lobby
    assert len(seats) <= limits.members_per_lobby * limits.sessions_per_member
    assert desk.stream_count == sum(stream.line is not None for stream in stage.streams), (
        "a line without a stream"
    )
    assert desk._observers <= limits.observers_per_lobby
    assert all(len(line.outbox) <= MAILBOX_CAPACITY for line in desk.lines)
    assert len(lobby._entries) <= len(lobby) + len(lobby._graves)
    assert len(lobby._first_incarnation) <= len(lobby)
    assert len(stage.codec._records) <= 2 * len(lobby) + 70
    for seat in seats:
        assert len(seat.correspondent.pending) <= limits.pending_deliveries
        assert len(seat.correspondent.results) <= limits.results_kept
        assert len(seat.correspondent.under_way) <= desk._courier.pending
    assert desk._courier.pending <= limits.pending_deliveries * len(seats), "a message that nobody holds"
    deadlines = 3 * desk.stream_count + 2 * len(seats) + 1
    parcels = limits.sends_per_second * (limits.ack_seconds + 1) + limits.send_burst
    assert len(desk._timers) <= deadlines + parcels * (len(seats) + 10), "deadlines pile up"


def _check_lobby(stage: Stage) -> None:
    desk, lobby = stage.room.desk, stage.room.lobby
    truth = stage.history[lobby.epoch, lobby.revision]
    assert {one.public_key: record_of(one) for one in lobby} == truth, (
        "P3: the fold is not what the store has"
    )
    assert lobby.digest == digest_of(truth), "P3: the lobby's digest is another"
    assert (len(lobby), lobby.suspects) == (len(truth), sum(not one.is_online for one in truth.values()))
    held = {seat.session.id for seat in desk.seats}
    assert stage.room.stored_sessions.keys() == held, "P5: a session that nobody holds, or one that is lost"
