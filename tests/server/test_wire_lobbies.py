"""Lobbies to bytes: snapshots, deltas and lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.contract.limits import DELTA_BYTES, SNAPSHOT_CHUNK_BYTES, SNAPSHOT_CHUNK_MEMBERS, Limits
from adsum.server import wire
from adsum.server.history import Change, StoredLobby
from adsum.server.lobby import Lobby
from adsum.server.member import DepartureReason, Liveness, Member, Profile, Status
from adsum.server.wire import (
    PRESENCE_ENVELOPE,
    WATCH_ENVELOPE,
    LobbyCodec,
    encode_lobbies,
    encode_members,
)
from adsum.v1 import admin_pb2, member_pb2, presence_pb2
from tests.server.builders import ADA, BOB, EPOCH, LOBBY, UNIX_MILLIS, member, session

LIMITS = Limits()
U64_MAX = 2**64 - 1
U64 = st.integers(0, U64_MAX)


# Lobbies


def folded(*changes: Member | tuple[bytes, DepartureReason], present: tuple[Member, ...] = ()) -> Lobby:
    """Fold changes into a lobby; a pair is a departure."""
    lobby = Lobby(StoredLobby(LOBBY, EPOCH, 0, present))
    for revision, one in enumerate(changes, 1):
        change = (
            Change(LOBBY, EPOCH, revision, one.public_key, bytes(16), one)
            if isinstance(one, Member)
            else Change(LOBBY, EPOCH, revision, one[0], bytes(16), None, one[1])
        )
        lobby.apply(change, 0.0)
    return lobby


def read_delta(codec: LobbyCodec, base: int) -> member_pb2.Delta:
    """Read a delta as a client does."""
    response = presence_pb2.PresenceResponse.FromString(PRESENCE_ENVELOPE.delta(codec.delta(base)))
    assert response.WhichOneof("response") == "delta"
    return response.delta


def read_snapshot(codec: LobbyCodec) -> list[member_pb2.Snapshot]:
    """Read a snapshot as a client does."""
    chunks = []
    for chunk in codec.snapshot():
        response = presence_pb2.PresenceResponse.FromString(PRESENCE_ENVELOPE.snapshot(chunk))
        assert response.WhichOneof("response") == "snapshot"
        chunks.append(response.snapshot)
    return chunks


def crowd(size: int, name: str = "x") -> Lobby:
    """Make a lobby of so many people."""
    return Lobby(
        StoredLobby(
            LOBBY,
            EPOCH,
            size,
            tuple(
                Member(number.to_bytes(32, "big"), number, number, (session("x", profile=Profile(name)),))
                for number in range(1, size + 1)
            ),
        )
    )


def test_member_is_written_with_every_field() -> None:
    profile = Profile("Ada", Status.BUSY, "at work", (("a", "1"), ("b", "2")))
    phone = session("ada", "phone", liveness=Liveness.SUSPECT, profile=profile)
    laptop = session("ada", "laptop", liveness=Liveness.SUSPECT, profile=profile)
    lobby = folded(Member(ADA, 1, 1, (phone, laptop)))
    (chunk,) = read_snapshot(LobbyCodec(lobby))
    (record,) = chunk.members
    expected = member_pb2.Member(
        public_key=ADA,
        incarnation=1,
        revision=1,
        liveness=member_pb2.LIVENESS_SUSPECT,
        profile=member_pb2.Profile(
            name="Ada",
            status=member_pb2.STATUS_BUSY,
            status_text="at work",
            attributes={"a": "1", "b": "2"},
        ),
        session_count=2,
    )
    expected.joined_at.FromMilliseconds(UNIX_MILLIS)
    assert record == expected


def test_delta_carries_who_joined_changed_and_left() -> None:
    lobby = folded(
        member("ada", 1, 1),
        member("bob", 2, 2),
        member("ada", 1, 3, liveness=Liveness.SUSPECT),
        (BOB, DepartureReason.LOST),
        member("cleo", 5, 5),
    )
    delta = read_delta(LobbyCodec(lobby), 2)
    assert (delta.epoch, delta.base_revision, delta.revision) == (EPOCH, 2, 5)
    assert (delta.digest, delta.count) == (lobby.digest, 2)
    assert [one.profile.name for one in delta.joined] == ["cleo"]
    assert [(one.public_key, one.liveness) for one in delta.updated] == [(ADA, member_pb2.LIVENESS_SUSPECT)]
    assert list(delta.left) == [
        member_pb2.Departure(public_key=BOB, revision=4, reason=member_pb2.DEPARTURE_REASON_LOST)
    ]


@pytest.mark.parametrize("reason", DepartureReason)
def test_departure_is_told_by_name(reason: DepartureReason) -> None:
    (departure,) = read_delta(LobbyCodec(folded(member("ada", 1, 1), (ADA, reason))), 1).left
    assert member_pb2.DepartureReason.Name(departure.reason) == f"DEPARTURE_REASON_{reason.name}"


def test_streams_at_the_same_revision_share_the_bytes() -> None:
    codec = LobbyCodec(folded(member("ada", 1, 1), member("bob", 2, 2)))
    assert codec.delta(1) is codec.delta(1)
    assert codec.snapshot() is codec.snapshot()
    assert codec.delta(0) != codec.delta(1)


def test_responses_are_shared_too_and_wrapped_for_their_rpc() -> None:
    codec = LobbyCodec(folded(member("ada", 1, 1), member("bob", 2, 2)))
    for base in (None, 1):
        (presence,) = codec.responses(base, PRESENCE_ENVELOPE)
        (watched,) = codec.responses(base, WATCH_ENVELOPE)
        assert codec.responses(base, PRESENCE_ENVELOPE)[0] is presence
        kind = "snapshot" if base is None else "delta"
        assert presence_pb2.PresenceResponse.FromString(presence).WhichOneof("response") == kind
        assert admin_pb2.WatchLobbyResponse.FromString(watched).WhichOneof("response") == kind


def test_delta_that_is_too_large_for_a_message_comes_as_a_snapshot() -> None:
    large = Profile("x", status_text="\u2603" * 140, attributes=(("k", "v" * 1000),))
    people = [Member(bytes([n]) * 32, n, n, (session("x", profile=large),)) for n in range(1, 250)]
    codec = LobbyCodec(folded(*people))
    assert len(codec.delta(0)) > DELTA_BYTES
    read = [presence_pb2.PresenceResponse.FromString(one) for one in codec.responses(0, PRESENCE_ENVELOPE)]
    assert sum(len(one.snapshot.members) for one in read) == 249
    assert max(one.ByteSize() for one in read) < DELTA_BYTES
    (delta,) = codec.responses(100, PRESENCE_ENVELOPE)
    assert presence_pb2.PresenceResponse.FromString(delta).WhichOneof("response") == "delta"


def test_change_makes_new_bytes() -> None:
    lobby = folded(member("ada", 1, 1))
    codec = LobbyCodec(lobby)
    assert read_snapshot(codec)[0].revision == read_delta(codec, 0).revision == 1
    lobby.apply(Change(LOBBY, EPOCH, 2, ADA, bytes(16), member("ada", 1, 2, profile=Profile("lady"))), 0.0)
    assert [one.profile.name for one in read_delta(codec, 0).joined] == ["lady"]
    assert [one.profile.name for one in read_delta(codec, 1).updated] == ["lady"]
    assert [one.profile.name for one in read_snapshot(codec)[0].members] == ["lady"]
    assert read_snapshot(codec)[0].digest == lobby.digest


def test_who_came_back_is_not_written_as_who_went() -> None:
    lobby = folded(member("ada", 1, 1))
    codec = LobbyCodec(lobby)
    codec.snapshot()
    lobby.apply(Change(LOBBY, EPOCH, 2, ADA, bytes(16), None, DepartureReason.LEFT), 0.0)
    assert [chunk.count for chunk in read_snapshot(codec)] == [0]
    lobby.apply(Change(LOBBY, EPOCH, 3, ADA, bytes(16), member("ada", 3, 3, profile=Profile("new"))), 0.0)
    (record,) = read_snapshot(codec)[0].members
    assert (record.incarnation, record.profile.name) == (3, "new")


def test_delta_from_below_the_floor_is_our_callers_fault() -> None:
    codec = LobbyCodec(crowd(3))
    with pytest.raises(AssertionError):
        codec.delta(1)


def test_empty_lobby_is_one_empty_chunk() -> None:
    (chunk,) = read_snapshot(LobbyCodec(folded()))
    assert chunk == member_pb2.Snapshot(epoch=EPOCH, last=True, chunk_count=1)


@pytest.mark.parametrize(
    ("size", "chunks"),
    [
        (1, 1),
        (SNAPSHOT_CHUNK_MEMBERS, 1),
        (SNAPSHOT_CHUNK_MEMBERS + 1, 2),
        (2 * SNAPSHOT_CHUNK_MEMBERS + 1, 3),
    ],
)
def test_snapshot_comes_in_chunks_that_say_which_they_are(size: int, chunks: int) -> None:
    lobby = crowd(size)
    snapshot = read_snapshot(LobbyCodec(lobby))
    assert [chunk.chunk_index for chunk in snapshot] == list(range(chunks))
    assert [chunk.last for chunk in snapshot] == [False] * (chunks - 1) + [True]
    for chunk in snapshot:
        assert len(chunk.members) <= SNAPSHOT_CHUNK_MEMBERS
        assert (chunk.epoch, chunk.revision, chunk.digest) == (EPOCH, size, lobby.digest)
        assert (chunk.count, chunk.chunk_count) == (size, chunks)
    keys = [one.public_key for chunk in snapshot for one in chunk.members]
    assert keys == [one.public_key for one in lobby]


def test_chunks_of_large_records_stay_near_their_size() -> None:
    lobby = crowd(300, name="n" * 900)
    encoded = LobbyCodec(lobby).snapshot()
    assert len(encoded) > 3
    assert all(len(chunk) <= SNAPSHOT_CHUNK_BYTES + 256 for chunk in encoded)
    assert sum(len(chunk.members) for chunk in read_snapshot(LobbyCodec(lobby))) == 300


def test_people_who_have_gone_are_forgotten_by_the_encoder() -> None:
    lobby = folded()
    codec = LobbyCodec(lobby)
    for number in range(500):
        one = Member(number.to_bytes(32, "big"), lobby.revision + 1, lobby.revision + 1, (session("x"),))
        lobby.apply(Change(LOBBY, EPOCH, one.revision, one.public_key, bytes(16), one), 0.0)
        codec.snapshot()
        left = Change(LOBBY, EPOCH, one.revision + 1, one.public_key, bytes(16), None, DepartureReason.LEFT)
        lobby.apply(left, 0.0)
    assert len(codec._records) < 100


def test_streams_that_stand_apart_do_not_each_keep_their_delta() -> None:
    # Otherwise a thousand clients that stop reading at different moments cost a thousand lists.
    lobby = folded(*(member("ada", 1, revision) for revision in range(1, 2001)))
    codec = LobbyCodec(lobby)
    for base in range(2000):
        codec.delta(base)
    assert len(codec._deltas) <= 256


@given(st.lists(st.integers(1, 20_000), max_size=4))
def test_lengths_are_written_as_protobuf_reads_them(sizes: list[int]) -> None:
    for size in sizes:
        content = member_pb2.Delta(left=[member_pb2.Departure(public_key=bytes(size))]).SerializeToString()
        for envelope, kind in (
            (PRESENCE_ENVELOPE, presence_pb2.PresenceResponse),
            (WATCH_ENVELOPE, admin_pb2.WatchLobbyResponse),
        ):
            assert kind.FromString(envelope.delta(content)).delta.SerializeToString() == content


@pytest.mark.parametrize("length", [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
def test_length_prefix_is_right_at_every_size(length: int) -> None:
    chunk = member_pb2.Snapshot(members=[member_pb2.Member(public_key=bytes(length))])
    framed = presence_pb2.PresenceResponse.FromString(PRESENCE_ENVELOPE.snapshot(chunk.SerializeToString()))
    assert len(framed.snapshot.members[0].public_key) == length
    assert wire._framed(bytes(length))[-length or len(wire._framed(b"")) :] == bytes(length)


def test_watchers_read_the_same_lists() -> None:
    codec = LobbyCodec(folded(member("ada", 1, 1), member("bob", 2, 2)))
    (chunk,) = codec.snapshot()
    watched = admin_pb2.WatchLobbyResponse.FromString(WATCH_ENVELOPE.snapshot(chunk))
    assert [one.profile.name for one in watched.snapshot.members] == ["ada", "bob"]
    watched = admin_pb2.WatchLobbyResponse.FromString(WATCH_ENVELOPE.delta(codec.delta(1)))
    assert [one.profile.name for one in watched.delta.joined] == ["bob"]


# AdminService


def test_lobbies_are_listed_in_numbers() -> None:
    lobby = folded(member("ada", 1, 1), member("bob", 2, 2, liveness=Liveness.SUSPECT))
    response = admin_pb2.ListLobbiesResponse.FromString(encode_lobbies([(lobby, 5)], "next"))
    assert response.next_page_token == "next"
    assert list(response.lobbies) == [
        admin_pb2.Lobby(
            name=LOBBY,
            epoch=EPOCH,
            revision=2,
            digest=lobby.digest,
            member_count=2,
            suspect_count=1,
            stream_count=5,
        )
    ]


def test_members_are_listed_as_everywhere() -> None:
    lobby = folded(member("ada", 1, 1))
    response = admin_pb2.ListMembersResponse.FromString(encode_members(lobby, "", 1))
    assert list(response.members) == list(read_snapshot(LobbyCodec(lobby))[0].members)
    assert (response.revision, response.next_page_token) == (1, "")


@given(st.integers(0, 253_402_300_799_999))
def test_any_time_that_protobuf_knows_can_be_written(millis: int) -> None:
    lobby = folded(Member(ADA, 1, 1, (session("ada", joined_at_millis=millis),)))
    assert read_snapshot(LobbyCodec(lobby))[0].members[0].joined_at.ToMilliseconds() == millis
