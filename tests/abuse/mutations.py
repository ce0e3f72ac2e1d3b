"""Makes bytes that nobody should send: out of nothing, or out of a valid message.

Each mutator is a pure function of a random source and a message, so an input can be made again from its seed. What comes out is at most
`LARGEST_BYTES`: what is too large for the transport is another attack's affair.
"""

from collections.abc import Callable
from random import Random
from typing import TypeAlias

Mutator: TypeAlias = Callable[[Random, bytes], bytes]

LARGEST_BYTES = 60_000
VARINT, FIXED64, LENGTH, START_GROUP, END_GROUP, FIXED32 = range(6)
_HOSTILE_LENGTHS = (0, 1, 0x7F, 0x80, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)


def varint(value: int, padding: int = 0) -> bytes:
    """Write a varint, with more bytes than it needs if there is padding."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    if not padding:
        written.append(value)
        return bytes(written)
    written.append(value | 0x80)
    return bytes(written) + b"\x80" * (padding - 1) + b"\0"


def tag(field: int, wire_type: int) -> bytes:
    """Write the tag of a field."""
    return varint(field << 3 | wire_type)


def fields_of(message: bytes) -> list[tuple[int, int]]:
    """Find where the top-level fields of a valid message start and stop."""
    fields, position = [], 0
    while position < len(message):
        start = position
        key, position = _read_varint(message, position)
        match key & 7:
            case 0:
                _, position = _read_varint(message, position)
            case 1:
                position += 8
            case 2:
                size, position = _read_varint(message, position)
                position += size
            case 5:
                position += 4
            case _:
                break
        fields.append((start, min(position, len(message))))
    return fields


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(message) and shift < 70:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return value, position


def anything(random: Random, _message: bytes) -> bytes:
    """Bytes out of nothing: mostly few, sometimes many."""
    return random.randbytes(int(random.choice((0, 1, 2, 8, 64, 1024, 20_000)) * random.random() + 0.5))


def flip_bits(random: Random, message: bytes) -> bytes:
    """Some bits of it the other way round."""
    mutated = bytearray(message or b"\0")
    for _ in range(random.choice((1, 1, 1, 2, 8))):
        mutated[random.randrange(len(mutated))] ^= 1 << random.randrange(8)
    return bytes(mutated)


def cut_off(random: Random, message: bytes) -> bytes:
    """The beginning of it."""
    return message[: random.randrange(len(message) + 1)]


def insert_bytes(random: Random, message: bytes) -> bytes:
    """It with other bytes in the middle."""
    at = random.randrange(len(message) + 1)
    return message[:at] + random.randbytes(random.choice((1, 2, 9, 100))) + message[at:]


def remove_bytes(random: Random, message: bytes) -> bytes:
    """It without some bytes in the middle."""
    at = random.randrange(len(message) + 1)
    return message[:at] + message[at + random.choice((1, 2, 9)) :]


def double_field(random: Random, message: bytes) -> bytes:
    """It with one of its fields again, somewhere, up to hundreds of times."""
    fields = fields_of(message)
    if not fields:
        return message
    start, stop = random.choice(fields)
    times = random.choice((1, 2, 300))
    return (message + message[start:stop] * times)[:LARGEST_BYTES]


def change_wire_type(random: Random, message: bytes) -> bytes:
    """It with a tag that says another wire type, or field, than what follows."""
    fields = fields_of(message)
    if not fields:
        return random.randbytes(1)
    start, _ = random.choice(fields)
    # Half of the time a byte further in: the tags of a nested message stand right behind the length.
    at = min(len(message) - 1, start + random.choice((0, 2)))
    return message[:at] + bytes([message[at] & 0xF8 | random.randrange(8)]) + message[at + 1 :]


def nest_deeply(random: Random, message: bytes) -> bytes:
    """It behind a field that holds itself hundreds of times, by lengths or by groups, closed or left open."""
    depth = random.choice((10, 99, 101, 500, 2_000))
    field = random.choice((1, 3, 15, 1000))
    if random.random() < 0.5:
        nested = b""
        for _ in range(depth):
            nested = tag(field, LENGTH) + varint(len(nested)) + nested
        return (nested + message)[:LARGEST_BYTES]
    ends = random.choice((depth, depth - 1, 0, depth + 1))
    return (tag(field, START_GROUP) * depth + tag(field, END_GROUP) * ends + message)[:LARGEST_BYTES]


def lie_about_length(random: Random, message: bytes) -> bytes:
    """It with a field whose length is not what follows."""
    field = random.randrange(1, 20)
    lie = varint(random.choice(_HOSTILE_LENGTHS), random.choice((0, 0, 4)))
    return (
        random.choice((message, b"")) + tag(field, LENGTH) + lie + random.randbytes(random.choice((0, 5, 50)))
    )


def overlong_varints(random: Random, message: bytes) -> bytes:
    """It with numbers that are longer than a number may be."""
    many = b"\xff" * random.choice((9, 10, 11, 100)) + random.choice((b"\x01", b"\x7f", b""))
    return random.choice((message + tag(random.randrange(1, 20), VARINT) + many, many + message))


def unknown_fields(random: Random, message: bytes) -> bytes:
    """It with fields that nobody knows, in front or behind: this must change nothing."""
    field = random.choice((11, 19, 1000, 19_000, 2**29 - 1))
    extra = random.choice(
        (
            tag(field, VARINT) + varint(random.getrandbits(64)),
            tag(field, FIXED64) + random.randbytes(8),
            tag(field, FIXED32) + random.randbytes(4),
            tag(field, LENGTH) + varint(100) + random.randbytes(100),
            tag(field, START_GROUP) + tag(field, END_GROUP),
        )
    )
    return random.choice((extra + message, message + extra, extra * 500 + message))[:LARGEST_BYTES]


def impossible_tags(random: Random, message: bytes) -> bytes:
    """It with field 0, a field beyond the greatest, or a wire type that doesn't exist."""
    bad = random.choice(
        (b"\0", varint(6), varint(7), varint(2**32), varint(1 << 3 | 6), tag(0, LENGTH) + b"\0")
    )
    return random.choice((bad + message, message + bad))


def bad_utf8(random: Random, message: bytes) -> bytes:
    """It with bytes in its texts that are no UTF-8: surrogates, overlong forms, halves, beyond the last code point."""
    bad = random.choice(
        (
            b"\xed\xa0\x80",
            b"\xc0\x80",
            b"\xff",
            b"\xe2\x82",
            b"\xf4\x90\x80\x80",
            b"\xed\xa0\xbd\xed\xb8\x80",
            b"\x80",
        )
    )
    at = random.randrange(len(message) + 1)
    return message[:at] + bad + message[at + len(bad) :]


MUTATORS: tuple[Mutator, ...] = (
    anything,
    flip_bits,
    cut_off,
    insert_bytes,
    remove_bytes,
    double_field,
    change_wire_type,
    nest_deeply,
    lie_about_length,
    overlong_varints,
    unknown_fields,
    impossible_tags,
    bad_utf8,
)


def mutate(random: Random, message: bytes) -> bytes:
    """Mutate a message in one way, now and then in several."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        message = random.choice(MUTATORS)(random, message)
    return message[:LARGEST_BYTES]
