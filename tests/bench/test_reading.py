"""What the crowd reads, against what the server writes."""

import pytest

from adsum.server.history import Change, StoredLobby
from adsum.server.lobby import Lobby
from adsum.server.member import DepartureReason, Liveness, Member, Profile, Session
from adsum.server.wire import PRESENCE_ENVELOPE, LobbyCodec
from tests.bench.events import EventLog
from tests.bench.reading import LobbyReader, Reading

EPOCH = 0x1122334455667788


def key(number: int) -> bytes:
    return number.to_bytes(2, "big") * 16


class World:
    """A lobby as the server keeps and writes it."""

    def __init__(self) -> None:
        self.lobby = Lobby(StoredLobby("bench", EPOCH, 0, (), 0))
        self.codec = LobbyCodec(self.lobby)
        self._incarnations: dict[int, int] = {}

    def put(self, number: int, text: str = "", *, suspect: bool = False) -> int:
        """Let somebody come or change."""
        revision = self.lobby.revision + 1
        incarnation = self._incarnations.setdefault(number, revision)
        liveness = Liveness.SUSPECT if suspect else Liveness.ONLINE
        profile = Profile(f"Member {number}", status_text=text)
        session = Session(
            bytes(16), key(number), 1, liveness, profile, 1_700_000_000_000, incarnation, revision
        )
        member = Member(key(number), incarnation, revision, (session,))
        self.lobby.apply(Change("bench", EPOCH, revision, key(number), session.id, member), 0.0)
        return revision

    def drop(self, number: int) -> int:
        """Let somebody go."""
        revision = self.lobby.revision + 1
        del self._incarnations[number]
        change = Change("bench", EPOCH, revision, key(number), bytes(16), None, DepartureReason.LEFT)
        self.lobby.apply(change, 0.0)
        return revision

    def delta(self, base: int) -> bytes:
        """Write the response that a stream at `base` gets."""
        return PRESENCE_ENVELOPE.delta(self.codec.delta(base))

    def snapshot(self) -> list[bytes]:
        """Write the responses that a newcomer gets."""
        return [PRESENCE_ENVELOPE.snapshot(chunk) for chunk in self.codec.snapshot()]


def read_snapshot(reader: LobbyReader, chunks: list[bytes]) -> list[Reading]:
    return [reader.snapshot(chunk, 0, len(chunk)) for chunk in chunks]


def bits(reader: LobbyReader, *numbers: int) -> int:
    return sum(reader.bit(key(number)) for number in numbers)


def test_a_delta_is_read_as_it_was_written() -> None:
    world, reader = World(), LobbyReader("bench")
    for number in (1, 2, 3):
        world.put(number)
    base = world.lobby.revision
    world.put(4)
    world.put(2, "away", suspect=True)
    world.drop(1)
    content = world.delta(base)
    reading = reader.delta(b"before" + content + b"after", 6, 6 + len(content))
    assert (reading.epoch, reading.base, reading.revision) == (EPOCH, base, world.lobby.revision)
    assert (reading.digest, reading.count) == (world.lobby.digest, 3)
    assert reading.joined == bits(reader, 4)
    assert reading.changed == bits(reader, 2, 4)
    assert reading.left == bits(reader, 1)
    assert reading.suspects == bits(reader, 2)


def test_the_same_bytes_are_read_once_and_other_bytes_of_the_same_head_again() -> None:
    world, reader = World(), LobbyReader("bench")
    world.put(1, "x" * 80)
    content = world.delta(0)
    first = reader.delta(content, 0, len(content))
    assert reader.delta(b"." + content, 1, 1 + len(content)) is first
    other = content.replace(b"xxx", b"xxy")
    assert other[:64] == content[:64]
    assert reader.delta(other, 0, len(other)) is not first


@pytest.mark.parametrize("members", [0, 1, 499, 500, 501, 1200])
def test_a_snapshot_in_chunks_is_read_whole(members: int) -> None:
    world, reader = World(), LobbyReader("bench")
    for number in range(members):
        world.put(number, suspect=number % 7 == 3)
    readings = read_snapshot(reader, world.snapshot())
    assert [reading.index for reading in readings] == list(range(len(readings)))
    assert [reading.is_last for reading in readings] == [False] * (len(readings) - 1) + [True]
    held = suspects = 0
    for reading in readings:
        assert reading.count == members
        assert reading.revision == members
        assert held & reading.joined == 0
        held |= reading.joined
        suspects |= reading.suspects
    assert held == bits(reader, *range(members))
    assert suspects == bits(reader, *range(3, members, 7))


def test_a_snapshot_that_starts_as_another_did_is_read_whole_whether_longer_or_shorter() -> None:
    world, reader = World(), LobbyReader("bench")
    written = []
    for number in range(40):
        world.put(number)
        written.append((number + 1, world.snapshot()))
    for members, chunks in (*written[10::5], *written[:10], *reversed(written)):
        assert read_snapshot(reader, chunks)[0].joined == bits(reader, *range(members))
    # The first one changes, so that the run begins with another.
    world.put(0, "changed")
    assert read_snapshot(reader, world.snapshot())[0].joined == bits(reader, *range(40))


def test_events_get_the_revisions_at_which_they_happened() -> None:
    world, reader = World(), LobbyReader("bench")
    world.put(1)
    world.put(2)
    log: EventLog = reader.start_log()
    log.update(key(1), "u1", 0.0)
    log.join(key(3), 0.0)
    log.leave(key(2), 0.0)
    base = world.lobby.revision
    revisions = [world.put(1, "u1"), world.put(3), world.drop(2)]
    # Shown again at a later revision, as a change of liveness does: it happened at the first.
    content = world.delta(base)
    reader.delta(content, 0, len(content))
    later = world.lobby.revision
    world.put(1, "u1", suspect=True)
    world.put(3, suspect=True)
    content = world.delta(later)
    reader.delta(content, 0, len(content))
    assert [event.revision for event in log.events] == revisions


def test_what_is_no_delta_is_not_read_as_one() -> None:
    with pytest.raises(ValueError, match="no field of a delta"):
        LobbyReader("bench").delta(b"\x22\x02\x50\x01", 0, 4)
