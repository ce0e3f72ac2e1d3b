"""What the crowd reads of deltas and snapshots: each distinct one once, however many members it is sent to.

Streams that stand at the same revision get the same bytes, so a thousand members cost one reading and a thousand comparisons. A list is a
set of members; here it is an integer with a bit for each member ever seen, so that each lean member can keep its own list, and notice
whoever it is shown twice, for the price of three operations on integers.

A delta or snapshot that isn't laid out as the contract says raises ValueError: a server that sends one has failed the benchmark.
"""

from array import array

from adsum.v1.member_pb2 import LIVENESS_SUSPECT, Departure, Member
from tests.bench.events import EventLog

_HEAD_BYTES = 64
"""By how many of its first bytes a payload is looked for before it is compared as a whole."""
_KEPT_BYTES = 48 << 20
_RUNS_KEPT = 200
_SNAPSHOT_MEMBERS, _DELTA_JOINED, _DELTA_UPDATED, _DELTA_LEFT = 0x1A, 0x22, 0x2A, 0x32


class Reading:
    """One distinct delta or chunk of a snapshot, and when it arrived."""

    __slots__ = (
        "arrivals",
        "base",
        "changed",
        "count",
        "digest",
        "epoch",
        "index",
        "is_last",
        "joined",
        "left",
        "payload",
        "revision",
        "suspects",
    )

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.epoch = self.base = self.revision = self.digest = self.count = self.index = 0
        self.is_last = False
        self.joined = 0
        """Who is put in: the members of `joined`, or of the chunk."""
        self.changed = 0
        """Who is put in or changed."""
        self.left = 0
        self.suspects = 0
        """Who of those put in or changed is suspect."""
        self.arrivals = array("d")


class _Record:
    """What counts of a member's record."""

    __slots__ = ("bit", "is_suspect")

    def __init__(self, bit: int, is_suspect: bool) -> None:
        self.bit = bit
        self.is_suspect = is_suspect


class _Run:
    """The records of a chunk as they were read last: the next snapshot mostly begins with the same ones."""

    __slots__ = ("content", "members", "suspects")

    def __init__(self, content: bytes, members: int, suspects: int) -> None:
        self.content = content
        self.members = members
        self.suspects = suspects


class LobbyReader:
    """Read what the members of one lobby are sent.

    `goal` is how many members a complete list has, 0 if nobody waits for one; `complete` holds whoever has one.
    """

    def __init__(self, lobby: str) -> None:
        self.lobby = lobby
        self.goal = 0
        self.complete: set[object] = set()
        self.log: EventLog | None = None
        self.deltas: list[Reading] = []
        self.revision = 0
        self._bits: dict[bytes, int] = {}
        self._records: dict[bytes, _Record] = {}
        self._departures: dict[bytes, int] = {}
        self._recent: dict[tuple[int, bytes], Reading] = {}
        self._recent_bytes = 0
        self._runs: dict[bytes, _Run] = {}

    def start_log(self) -> EventLog:
        """Begin to note when deltas arrive, and which events they show."""
        self.log = EventLog()
        self.deltas = []
        self._forget_readings()
        self._records.clear()
        self._departures.clear()
        return self.log

    def stop_log(self) -> None:
        """Note nothing any more."""
        self.log = None
        self.deltas = []
        self._forget_readings()

    def delta(self, data: bytes, start: int, stop: int) -> Reading:
        """Read the response in `data[start:stop]`, which is a delta."""
        key = (stop - start, data[start : start + _HEAD_BYTES])
        reading = self._recent.get(key)
        if reading is not None and data.startswith(reading.payload, start):
            return reading
        reading = self._keep(key, Reading(data[start:stop]))
        self._read_delta(reading)
        if self.log is not None:
            self.deltas.append(reading)
        self.revision = max(self.revision, reading.revision)
        return reading

    def snapshot(self, data: bytes, start: int, stop: int) -> Reading:
        """Read the response in `data[start:stop]`, which is a chunk of a snapshot."""
        key = (stop - start, data[start : start + _HEAD_BYTES])
        reading = self._recent.get(key)
        if reading is not None and data.startswith(reading.payload, start):
            return reading
        reading = self._keep(key, Reading(data[start:stop]))
        self._read_snapshot(reading)
        self.revision = max(self.revision, reading.revision)
        return reading

    def bit(self, public_key: bytes) -> int:
        """Tell a member's bit."""
        bit = self._bits.get(public_key)
        if bit is None:
            bit = self._bits[public_key] = 1 << len(self._bits)
        return bit

    def _keep(self, key: tuple[int, bytes], reading: Reading) -> Reading:
        if self._recent_bytes > _KEPT_BYTES:
            self._forget_readings()
        self._recent[key] = reading
        self._recent_bytes += len(reading.payload)
        return reading

    def _forget_readings(self) -> None:
        for reading in self._recent.values():
            reading.payload = b""
        self._recent.clear()
        self._recent_bytes = 0

    def _read_delta(self, reading: Reading) -> None:
        data = reading.payload
        stop = len(data)
        _, position = _varint(data, 1)
        while position < stop:
            tag = data[position]
            if tag in (_DELTA_JOINED, _DELTA_UPDATED):
                record, position = self._record(data, position)
                reading.changed |= record.bit
                if tag == _DELTA_JOINED:
                    reading.joined |= record.bit
                if record.is_suspect:
                    reading.suspects |= record.bit
            elif tag == _DELTA_LEFT:
                length, position = _varint(data, position + 1)
                reading.left |= self._departure(data[position : position + length])
                position += length
            elif tag in (0x09, 0x39):
                value = int.from_bytes(data[position + 1 : position + 9], "little")
                if tag == 0x09:
                    reading.epoch = value
                else:
                    reading.digest = value
                position += 9
            else:
                value, position = _varint(data, position + 1)
                if tag == 0x10:
                    reading.base = value
                elif tag == 0x18:
                    reading.revision = value
                elif tag == 0x40:
                    reading.count = value
                else:
                    raise ValueError(f"no field of a delta: {tag:#x}")

    def _read_snapshot(self, reading: Reading) -> None:
        data = reading.payload
        stop = len(data)
        _, position = _varint(data, 1)
        while position < stop:
            tag = data[position]
            if tag == _SNAPSHOT_MEMBERS:
                position = self._read_run(reading, position)
            elif tag in (0x09, 0x21):
                value = int.from_bytes(data[position + 1 : position + 9], "little")
                if tag == 0x09:
                    reading.epoch = value
                else:
                    reading.digest = value
                position += 9
            else:
                value, position = _varint(data, position + 1)
                if tag == 0x10:
                    reading.revision = value
                elif tag == 0x28:
                    reading.count = value
                elif tag == 0x30:
                    reading.is_last = bool(value)
                elif tag == 0x38:
                    reading.index = value
                elif tag != 0x40:
                    raise ValueError(f"no field of a snapshot: {tag:#x}")
        reading.changed = reading.joined

    def _read_run(self, reading: Reading, start: int) -> int:
        """Read consecutive members. In a storm each snapshot is the one before with some more at its end."""
        data = reading.payload
        position, stop = start, len(data)
        members = suspects = 0
        head = data[start : start + _HEAD_BYTES]
        known = self._runs.get(head)
        if known is not None and data.startswith(known.content, start):
            members, suspects = known.members, known.suspects
            position += len(known.content)
        while position < stop and data[position] == _SNAPSHOT_MEMBERS:
            record, position = self._record(data, position)
            members |= record.bit
            if record.is_suspect:
                suspects |= record.bit
        if len(self._runs) > _RUNS_KEPT:
            self._runs.clear()
        self._runs[head] = _Run(data[start:position], members, suspects)
        reading.joined |= members
        reading.suspects |= suspects
        return position

    def _record(self, data: bytes, position: int) -> tuple[_Record, int]:
        length = data[position + 1]
        position += 2
        if length & 0x80:
            length, position = _varint(data, position - 1)
        content = data[position : position + length]
        record = self._records.get(content)
        if record is None:
            member = Member.FromString(content)
            record = _Record(self.bit(member.public_key), member.liveness == LIVENESS_SUSPECT)
            self._records[content] = record
            if self.log is not None:
                self.log.show(
                    member.public_key, member.incarnation, member.revision, member.profile.status_text
                )
        return record, position + length

    def _departure(self, content: bytes) -> int:
        bit = self._departures.get(content)
        if bit is None:
            departure = Departure.FromString(content)
            bit = self._departures[content] = self.bit(departure.public_key)
            if self.log is not None:
                self.log.depart(departure.public_key, departure.revision)
        return bit


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
