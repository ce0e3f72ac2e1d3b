"""The rules by which the list follows the server's, whatever the server says."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.client import (
    Back,
    DepartureReason,
    Event,
    Joined,
    Left,
    Liveness,
    Member,
    Profile,
    RepairCause,
    Repaired,
    SnapshotProgress,
    Snapshotted,
    Suspect,
    Updated,
)
from adsum.client.messages import Delta, Departure, ResyncReason, ServerHeartbeat, Snapshot
from adsum.client.replica import SNAPSHOTS_IN_VAIN, Received, Replica
from adsum.client.roster import digest_of
from tests.client.model_lobby import JOINED_AT, ModelLobby, a_member, key_of
from tests.client.patient import patient

ANN, BOB, CAROL = key_of("Ann"), key_of("Bob"), key_of("Carol")


def a_replica(model: ModelLobby, max_members: int = 100) -> Replica:
    """Make a replica that holds what the model holds."""
    replica = Replica(max_members)
    replica.begin_stream(resumed=False, named=False)
    for chunk in model.snapshot():
        assert replica.receive(chunk).violation is None
    return replica


def told(received: Received) -> list[str]:
    """Tell the events in short."""
    return [
        f"{type(event).__name__} {event.member.name}"
        for event in received.events
        if isinstance(event, Joined | Left | Updated | Suspect | Back)
    ]


@pytest.fixture
def model() -> ModelLobby:
    return ModelLobby("Ann", "Bob", "Carol")


def test_first_list_is_told_once_and_whole(model: ModelLobby) -> None:
    replica = Replica(100)
    replica.begin_stream(resumed=False, named=False)
    (chunk,) = model.snapshot()
    received = replica.receive(chunk)
    assert received.events == (Snapshotted(tuple(replica.roster.values()), model.revision),)
    assert received.completed
    assert replica.is_proved
    assert dict(replica.roster) == model.members


def test_list_in_chunks_appears_in_one_step(model: ModelLobby) -> None:
    replica = Replica(100)
    *chunks, last = model.snapshot(chunk_members=1)
    for chunk in chunks:
        assert replica.receive(chunk) == Received()
        assert not replica.roster
    assert replica.receive(last).completed
    assert dict(replica.roster) == model.members


def test_chunk_0_starts_afresh(model: ModelLobby) -> None:
    replica = Replica(100)
    first, second, _ = model.snapshot(chunk_members=1)
    replica.receive(first)
    replica.receive(second)
    for chunk in model.snapshot(chunk_members=2):
        assert replica.receive(chunk).violation is None
    assert dict(replica.roster) == model.members


def test_list_is_not_proved_while_another_comes(model: ModelLobby) -> None:
    replica = a_replica(model)
    first, second, third = model.snapshot(chunk_members=1)
    replica.receive(first)
    # Deltas are dropped from here on, so the list may be behind.
    assert not replica.is_proved
    replica.receive(second)
    replica.receive(third)
    assert replica.is_proved


def test_empty_lobby_has_one_empty_chunk() -> None:
    replica = a_replica(ModelLobby())
    assert replica.is_complete
    assert not replica.roster
    assert replica.digest == 0


def test_delta_is_applied(model: ModelLobby) -> None:
    replica, base = a_replica(model), model.revision
    model.join(key_of("Dora"), "Dora")
    model.rename(ANN, "Anna")
    model.leave(BOB, DepartureReason.LOST)
    received = replica.receive(model.since(base))
    assert told(received) == ["Joined Dora", "Updated Anna", "Left Bob"]
    assert received.events[-1] == Left(a_member("Bob", 2, 2), DepartureReason.LOST, model.revision)
    assert dict(replica.roster) == model.members
    assert replica.is_proved


def test_merged_delta_is_told_in_the_order_of_revisions(model: ModelLobby) -> None:
    replica, base = a_replica(model), model.revision
    model.leave(BOB)
    model.join(key_of("Dora"), "Dora")
    model.leave(ANN)
    assert told(replica.receive(model.since(base))) == ["Left Bob", "Joined Dora", "Left Ann"]


def test_duplicate_delta_is_ignored(model: ModelLobby) -> None:
    replica, base = a_replica(model), model.revision
    model.join(key_of("Dora"), "Dora")
    delta = model.since(base)
    replica.receive(delta)
    assert replica.receive(delta) == Received()
    assert dict(replica.roster) == model.members


def test_gap_asks_for_a_snapshot_and_reports_what_it_changes(model: ModelLobby) -> None:
    replica = a_replica(model)
    model.join(key_of("Dora"), "Dora")
    missed = model.revision
    model.leave(BOB)
    assert replica.receive(model.since(missed)) == Received(resync=ResyncReason.GAP)
    assert replica.is_awaiting
    assert not replica.is_proved
    # Until the snapshot has come nothing else counts.
    assert replica.receive(model.since(missed)) == Received()
    assert replica.receive(model.heartbeat()) == Received()
    received = replica.receive(*model.snapshot())
    assert told(received) == ["Left Bob", "Joined Dora"]
    assert received.events[-1] == Repaired(RepairCause.GAP, 1, 0, 1, model.revision)
    assert dict(replica.roster) == model.members


def test_other_epoch_asks_for_a_snapshot(model: ModelLobby) -> None:
    replica = a_replica(model)
    reborn = ModelLobby("Ann", epoch=8)
    assert replica.receive(reborn.since(0)).resync is ResyncReason.EPOCH
    received = replica.receive(*reborn.snapshot())
    assert told(received) == ["Left Bob", "Left Carol"]
    assert received.events[-1] == Repaired(RepairCause.EPOCH, 0, 0, 2, reborn.revision)


@pytest.mark.parametrize("wrong", [{"digest": 1}, {"count": 99}])
def test_wrong_sum_keeps_the_delta_and_asks_for_a_snapshot(model: ModelLobby, wrong: dict[str, Any]) -> None:
    replica, base = a_replica(model), model.revision
    model.join(key_of("Dora"), "Dora")
    received = replica.receive(replace(model.since(base), **wrong))
    assert told(received) == ["Joined Dora"]
    assert received.resync is ResyncReason.DIGEST
    assert not replica.is_trusted
    received = replica.receive(*model.snapshot())
    assert received.events == (Repaired(RepairCause.DIGEST, 0, 0, 0, model.revision),)
    assert replica.is_trusted


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"epoch": 1}, ResyncReason.EPOCH),
        ({"revision": 99}, ResyncReason.GAP),
        ({"revision": 1}, ResyncReason.GAP),
        ({"digest": 1}, ResyncReason.DIGEST),
        ({"count": 1}, ResyncReason.DIGEST),
    ],
)
def test_heartbeat_is_compared(model: ModelLobby, wrong: dict[str, Any], reason: ResyncReason) -> None:
    replica = a_replica(model)
    assert replica.receive(model.heartbeat()) == Received()
    assert replica.receive(replace(model.heartbeat(), **wrong)).resync is reason


def test_snapshots_that_are_wrong_in_themselves_are_given_up(model: ModelLobby) -> None:
    replica = Replica(100)
    wrong = replace(model.snapshot()[0], digest=1)
    for _ in range(SNAPSHOTS_IN_VAIN - 1):
        assert replica.receive(wrong).resync is ResyncReason.DIGEST
    assert replica.receive(wrong).violation is not None
    assert not replica.is_complete


def test_change_of_liveness_comes_before_the_rest(model: ModelLobby) -> None:
    replica, base = a_replica(model), model.revision
    model.become(ANN, Liveness.SUSPECT)
    model.rename(ANN, "Anna")
    # What renaming made of the model's Ann keeps her suspect.
    assert told(replica.receive(model.since(base))) == ["Suspect Anna", "Updated Anna"]
    base = model.revision
    model.become(ANN, Liveness.ONLINE)
    assert told(replica.receive(model.since(base))) == ["Back Anna"]


def test_change_that_does_not_show_is_no_event(model: ModelLobby) -> None:
    replica, base = a_replica(model), model.revision
    model.touch(ANN)
    assert replica.receive(model.since(base)) == Received()
    assert replica.roster[ANN].revision == model.revision


def test_coming_back_in_between_is_a_leave_and_a_join(model: ModelLobby) -> None:
    replica, base = a_replica(model), model.revision
    model.leave(BOB)
    model.join(BOB, "Bob")
    assert told(replica.receive(model.since(base))) == ["Left Bob", "Joined Bob"]


def test_restart_of_the_history_keeps_who_is_in_both(model: ModelLobby) -> None:
    replica = a_replica(model)
    reborn = ModelLobby("Carol", "Dora", "Bob", epoch=8)
    reborn.rename(CAROL, "Caro")
    reborn.become(BOB, Liveness.SUSPECT)
    replica.begin_stream(resumed=False, named=False)
    received = replica.receive(*reborn.snapshot())
    assert told(received) == ["Left Ann", "Joined Dora", "Updated Caro", "Suspect Bob"]
    assert received.events[-1] == Repaired(RepairCause.EPOCH, 1, 2, 1, reborn.revision)


def test_incarnation_of_an_earlier_history_is_translated(model: ModelLobby) -> None:
    replica = a_replica(model)
    known = replica.roster[CAROL].incarnation
    for epoch in (8, 9):
        replica.begin_stream(resumed=False, named=False)
        reborn = ModelLobby(*("Dora" for _ in range(epoch)), "Carol", epoch=epoch)
        replica.receive(*reborn.snapshot())
        assert replica.current_incarnation(CAROL, known) == reborn.members[CAROL].incarnation != known
    base = reborn.revision
    reborn.leave(CAROL)
    reborn.join(CAROL, "Carol")
    replica.receive(reborn.since(base))
    # She has really been gone: whoever meant the earlier one must be told.
    assert replica.current_incarnation(CAROL, known) == known != reborn.members[CAROL].incarnation
    assert replica.current_incarnation(key_of("Nobody"), 5) == 5


def test_translation_outlives_a_repair_and_no_departure(model: ModelLobby) -> None:
    replica = a_replica(model)
    known = replica.roster[CAROL].incarnation
    reborn = ModelLobby("Dora", "Carol", "Ann", "Bob", epoch=8)
    replica.begin_stream(resumed=False, named=False)
    replica.receive(*reborn.snapshot())
    replica.receive(*reborn.snapshot())
    assert replica.current_incarnation(CAROL, known) == reborn.members[CAROL].incarnation != known
    reborn.leave(CAROL)
    reborn.join(CAROL, "Carol")
    replica.receive(*reborn.snapshot())
    assert replica.current_incarnation(CAROL, known) == known


def test_progress_of_a_snapshot_is_told(model: ModelLobby) -> None:
    replica = Replica(100)
    assert replica.progress is None
    first, second, third = model.snapshot(chunk_members=1)
    replica.receive(first)
    assert replica.progress == SnapshotProgress(1, 3, 1, 3)
    replica.receive(second)
    assert replica.progress == SnapshotProgress(2, 3, 2, 3)
    replica.receive(third)
    assert replica.progress is None


def test_new_stream_drops_deltas_until_its_snapshot(model: ModelLobby) -> None:
    replica, base = a_replica(model), model.revision
    replica.begin_stream(resumed=False, named=True)
    model.leave(BOB)
    assert replica.receive(model.since(base)) == Received()
    assert replica.receive(*model.snapshot()).completed


def test_new_stream_forgets_half_a_snapshot(model: ModelLobby) -> None:
    replica = Replica(100)
    first, second, _ = model.snapshot(chunk_members=1)
    replica.receive(first)
    replica.begin_stream(resumed=True, named=False)
    assert replica.progress is None
    assert replica.receive(second).violation is not None


def test_resumed_stream_goes_on_from_the_list(model: ModelLobby) -> None:
    replica, base = a_replica(model), model.revision
    replica.begin_stream(resumed=True, named=True)
    assert not replica.is_proved
    assert not replica.is_awaiting
    model.leave(BOB)
    assert told(replica.receive(model.since(base))) == ["Left Bob"]
    assert replica.is_proved


def test_resumed_stream_may_bring_a_snapshot(model: ModelLobby) -> None:
    replica = a_replica(model)
    replica.begin_stream(resumed=True, named=True)
    model.leave(BOB)
    first, second = model.snapshot(chunk_members=1)
    replica.receive(first)
    assert replica.is_awaiting
    received = replica.receive(second)
    assert told(received) == ["Left Bob"]
    assert received.events[-1] == Repaired(RepairCause.GAP, 0, 0, 1, model.revision)


def test_asking_by_hand_asks_once(model: ModelLobby) -> None:
    replica = a_replica(model)
    assert replica.request().resync is ResyncReason.REQUESTED
    assert replica.request() == Received()
    received = replica.receive(*model.snapshot())
    assert received.events == (Repaired(RepairCause.REQUESTED, 0, 0, 0, model.revision),)


@pytest.mark.parametrize(
    "wrong",
    [
        {"chunk_index": 1},
        {"chunk_index": 5},
        {"chunk_count": 0},
        {"chunk_count": 2**32 - 1},
        {"count": 2**32 - 1},
        {"count": 2},
        {"last": False},
        {"chunk_count": 2},
    ],
)
def test_impossible_snapshot_is_a_violation(model: ModelLobby, wrong: dict[str, Any]) -> None:
    replica = Replica(100)
    assert replica.receive(replace(model.snapshot()[0], **wrong)).violation is not None
    assert not replica.is_complete
    assert replica.receive(*model.snapshot()).completed


@pytest.mark.parametrize(
    "wrong", [{"epoch": 9}, {"revision": 9}, {"digest": 9}, {"count": 2}, {"chunk_count": 4}]
)
def test_chunks_of_different_snapshots_are_a_violation(model: ModelLobby, wrong: dict[str, Any]) -> None:
    replica = Replica(100)
    first, second, _ = model.snapshot(chunk_members=1)
    replica.receive(first)
    assert replica.receive(replace(second, **wrong)).violation is not None


def test_lobby_larger_than_is_taken_is_a_violation(model: ModelLobby) -> None:
    assert Replica(2).receive(*model.snapshot()).violation is not None
    replica, base = a_replica(model, max_members=3), model.revision
    model.rename(BOB, "Bobby")
    assert replica.receive(model.since(base)).violation is None
    base = model.revision
    model.join(key_of("Dora"), "Dora")
    assert replica.receive(model.since(base)).violation is not None


@pytest.mark.parametrize("chunks", [1, 2])
def test_snapshot_that_names_a_member_twice_is_a_violation(chunks: int) -> None:
    replica = Replica(10)
    # Its digest is the sum over both records, and its count that of the people: the list would hold one record, and the sum of two.
    records = (a_member("Bob", 1, 5), a_member("Bob", 1, 3))
    snapshot = Snapshot(7, 5, records, digest_of(records), 1, last=True)
    if chunks == 2:
        snapshot = replace(snapshot, members=(*records, a_member("Ann", 2, 2)), count=2, chunk_count=2)
        snapshot = replace(snapshot, digest=digest_of(snapshot.members))
        first = replace(snapshot, members=snapshot.members[:1], last=False)
        assert replica.receive(first) == Received()
        snapshot = replace(snapshot, members=snapshot.members[1:], chunk_index=1)
    assert replica.receive(snapshot).violation is not None
    assert not replica.roster
    assert replica.digest == 0
    assert replica.progress is None


def test_delta_that_names_a_member_twice_is_a_violation(model: ModelLobby) -> None:
    replica, base = a_replica(model), model.revision
    model.leave(BOB)
    delta = model.since(base)
    assert replica.receive(replace(delta, left=delta.left * 2)).violation is not None


class Follower:
    """Show what an application shows that only applies events."""

    def __init__(self) -> None:
        self.shown: dict[bytes, Member] = {}

    def apply(self, events: tuple[Event, ...]) -> None:
        for event in events:
            match event:
                case Snapshotted():
                    assert not self.shown
                    self.shown = {member.public_key: member for member in event.members}
                case Joined():
                    assert event.member.public_key not in self.shown
                    self.shown[event.member.public_key] = event.member
                case Left():
                    del self.shown[event.member.public_key]
                case Updated() | Suspect() | Back():
                    assert event.member.public_key in self.shown
                    self.shown[event.member.public_key] = event.member
                case _:
                    pass

    def visible(self) -> dict[bytes, tuple[Profile, Liveness, int]]:
        return visible(self.shown)


def visible(members: dict[bytes, Member]) -> dict[bytes, tuple[Profile, Liveness, int]]:
    return {key: (m.profile, m.liveness, m.session_count) for key, m in members.items()}


small = st.integers(0, 6)
odd = st.one_of(small, st.integers(0, 2**64 - 1))
keys = st.sampled_from([key_of(name) for name in "abcd"])
members = st.builds(
    Member,
    public_key=keys,
    incarnation=odd,
    revision=odd,
    liveness=st.sampled_from(Liveness),
    profile=st.builds(Profile, name=st.text(max_size=3)),
    joined_at=st.just(JOINED_AT),
    session_count=small,
)
some_members = st.lists(members, max_size=4).map(tuple)
snapshots = st.builds(
    Snapshot,
    epoch=st.integers(0, 2),
    revision=odd,
    members=some_members,
    digest=odd,
    count=odd,
    last=st.booleans(),
    chunk_index=small,
    chunk_count=odd,
)


@st.composite
def sound_snapshots(draw: st.DrawFn) -> Snapshot:
    """Make snapshots in one chunk that keep the rules, but say anything."""
    held = {member.public_key: member for member in draw(some_members)}
    everybody = tuple(held.values())
    return Snapshot(
        draw(st.integers(0, 2)), draw(odd), everybody, digest_of(everybody), len(everybody), last=True
    )


departures = st.builds(Departure, keys, odd, st.sampled_from(DepartureReason))
deltas = st.builds(
    Delta,
    epoch=st.integers(0, 2),
    base_revision=odd,
    revision=odd,
    joined=some_members,
    updated=some_members,
    left=st.lists(departures, max_size=3).map(tuple),
    digest=odd,
    count=odd,
)
heartbeats = st.builds(
    ServerHeartbeat,
    epoch=st.integers(0, 2),
    revision=odd,
    digest=odd,
    count=odd,
    server_time_unix_millis=odd,
    nonce=odd,
)


@patient
@given(st.lists(st.one_of(snapshots, sound_snapshots(), deltas, heartbeats, st.just("stream")), max_size=30))
def test_no_server_can_confuse_the_list(words: list[Snapshot | Delta | ServerHeartbeat | str]) -> None:
    replica, follower = Replica(3), Follower()
    for word in words:
        if isinstance(word, str):
            replica.begin_stream(resumed=True, named=replica.is_trusted)
            continue
        if isinstance(word, Delta) and word.base_revision < 4:
            # Random numbers hardly ever meet: let some deltas start where the list stands.
            word = replace(word, epoch=replica.epoch, base_revision=replica.revision)
        received = replica.receive(word)
        follower.apply(received.events)
        assert replica.digest == digest_of(replica.roster.values())
        assert follower.visible() == visible(dict(replica.roster))
        assert len(replica.roster) <= 3 or received.violation is not None
        if replica.is_proved:
            assert not replica.is_awaiting


steps = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["join", "leave", "rename", "suspect", "back", "touch"]), st.integers(0, 5)
        ),
        st.tuples(
            st.sampled_from(["delta", "lose", "snapshot", "reconnect", "restart", "beat"]), st.integers(1, 3)
        ),
    ),
    max_size=60,
)


@patient
@given(steps)
def test_list_comes_to_the_servers_whatever_is_lost(steps: list[tuple[str, int]]) -> None:
    model = ModelLobby("Ann", epoch=1)
    replica, follower = Replica(100), Follower()
    replica.begin_stream(resumed=False, named=False)
    sent = 0

    def hear(word: Snapshot | Delta | ServerHeartbeat) -> None:
        nonlocal sent
        received = replica.receive(word)
        assert received.violation is None
        follower.apply(received.events)
        assert follower.visible() == visible(dict(replica.roster))
        if received.resync is not None:
            for chunk in model.snapshot(2):
                hear(chunk)

    def hear_all(chunk_members: int) -> None:
        for chunk in model.snapshot(chunk_members):
            hear(chunk)

    hear_all(2)
    sent = model.revision
    for step, number in steps:
        key, name = key_of(str(number)), str(number)
        match step:
            case "join" if key not in model.members:
                model.join(key, name)
            case "leave" if key in model.members:
                model.leave(key)
            case "rename" if key in model.members:
                model.rename(key, name + "'")
            case "suspect" if key in model.members:
                model.become(key, Liveness.SUSPECT)
            case "back" if key in model.members:
                model.become(key, Liveness.ONLINE)
            case "touch" if key in model.members:
                model.touch(key)
            case "lose":
                sent = model.revision
            case "delta":
                hear(model.since(sent))
                sent = model.revision
            case "beat":
                hear(model.since(sent))
                sent = model.revision
                hear(model.heartbeat())
                assert replica.is_proved
            case "snapshot":
                hear_all(number)
                sent = model.revision
            case "reconnect":
                replica.begin_stream(resumed=True, named=True)
                hear(model.since(replica.revision))
                sent = model.revision
            case "restart":
                model = ModelLobby(*(str(index) for index in range(number)), epoch=model.epoch + 1)
                replica.begin_stream(resumed=False, named=False)
                hear_all(number)
                sent = model.revision
            case _:
                pass
    hear(model.since(sent))
    hear(model.heartbeat())
    assert dict(replica.roster) == model.members
    assert (replica.epoch, replica.revision, replica.digest) == (model.epoch, model.revision, model.digest)
    assert replica.is_proved
