"""Bends the values in a valid message, so that it still is one: extreme numbers, keys of other lengths, nasty texts.

Where `mutations` mostly makes what can't be read, this makes what can be read and must be judged.
"""

from collections.abc import MutableSequence
from random import Random
from typing import TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.abuse.nasty_texts import TEXTS

M = TypeVar("M", bound=Message)
_NUMBERS = (0, 1, 2, 3, 4, 5, 127, 2**31 - 1, 2**31, 2**32 - 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1)
_LENGTHS = (0, 1, 16, 31, 32, 33, 63, 64, 65, 4096, 4097, 20_000)
_ENUM_NUMBERS = (0, 1, 2, 3, 4, 7, 100, 2**31 - 1, -1)
_BITS = {
    FieldDescriptor.CPPTYPE_UINT32: 32,
    FieldDescriptor.CPPTYPE_UINT64: 64,
    # Of signed numbers only those that aren't negative: a clock's.
    FieldDescriptor.CPPTYPE_INT32: 31,
    FieldDescriptor.CPPTYPE_INT64: 63,
}


def bend(random: Random, message: M, times: int = 1) -> M:
    """Give a copy in which some values are others."""
    bent = type(message)()
    bent.CopyFrom(message)
    for _ in range(times):
        _bend_one(random, bent)
    return bent


def _bend_one(random: Random, message: Message) -> None:
    fields = [field for field, _ in message.ListFields()]
    if not fields or random.random() < 0.1:
        # Something that was left out may be said, too; of a oneof only what is there.
        for field in message.DESCRIPTOR.fields:
            if field.containing_oneof is None:
                fields.append(field)  # type: ignore[arg-type]  # Two stubs describe one class.  # noqa: PERF401
    if not fields:
        return
    field = random.choice(fields)
    if field.is_repeated and field.message_type is not None and field.message_type.GetOptions().map_entry:
        _bend_map(random, message, field)
    elif field.is_repeated:
        _bend_many(random, getattr(message, field.name))
    elif field.message_type is not None:
        _bend_one(random, getattr(message, field.name))
    elif random.random() < 0.1:
        message.ClearField(field.name)
    else:
        setattr(message, field.name, _value(random, field, getattr(message, field.name)))


def _bend_map(random: Random, message: Message, field: FieldDescriptor) -> None:
    values = getattr(message, field.name)
    if random.random() < 0.3:
        values.clear()
    for _ in range(random.choice((1, 1, 2, 200))):
        values[random.choice(TEXTS)[:200]] = random.choice(TEXTS)[:200]


def _bend_many(random: Random, values: MutableSequence[Message]) -> None:
    """Bend one of several messages, drop it, or say it again and again."""
    if not values:
        return
    index = random.randrange(len(values))
    match random.randrange(4):
        case 0:
            del values[index]
        case 1:
            values.extend([values[index]] * random.choice((1, 1, 3, 200)))
        case _:
            _bend_one(random, values[index])


def _value(random: Random, field: FieldDescriptor, old: object) -> object:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return not old
        case FieldDescriptor.CPPTYPE_ENUM:
            return random.choice(_ENUM_NUMBERS)
        case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
            return _bytes(random, old if isinstance(old, bytes) else b"")
        case FieldDescriptor.CPPTYPE_STRING:
            return random.choice(TEXTS)[:10_000]
        case kind:
            return random.choice((random.choice(_NUMBERS), random.getrandbits(64))) % (1 << _BITS[kind])


def _bytes(random: Random, old: bytes) -> bytes:
    match random.randrange(3):
        case 0:
            return random.randbytes(random.choice(_LENGTHS))
        case 1 if old:
            return old[: random.randrange(len(old))]
        case _:
            mutated = bytearray(old or b"\0")
            mutated[random.randrange(len(mutated))] ^= 1 << random.randrange(8)
            return bytes(mutated)
