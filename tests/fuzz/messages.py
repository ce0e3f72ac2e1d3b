"""Variation of protobuf messages that knows their structure: one field of the whole tree is changed to something odd.

Driven by a `Source`, so the same bytes make the same change.
"""

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.fuzz.source import Source

_UNSIGNED_32 = {FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_FIXED32}
_SIGNED_32 = {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32}
_SIGNED_64 = {FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_SINT64, FieldDescriptor.TYPE_SFIXED64}


def vary(message: Message, source: Source) -> None:
    """Change one field of a message or of a message in it."""
    at = message
    for _ in range(4):
        fields = at.DESCRIPTOR.fields
        if not fields:
            return
        present: list[FieldDescriptor] = [field for field, _ in at.ListFields()]
        # Mostly what is there: of a oneof the other fields would be another message.
        candidates = present if present and source.byte() < 230 else [*fields]
        field = source.choice(candidates)
        inner = _inside(at, field, source)
        if inner is None or source.byte() < 60:
            _change(at, field, source)
            return
        at = inner


def vary_bytes(content: bytes, kind: type[Message], source: Source) -> bytes:
    """Change one field of an encoded message; if it is none, some of its bytes."""
    message = kind()
    try:
        message.MergeFromString(content)
    except ValueError:
        return _vary_raw(content, source)
    except Exception as error:  # DecodeError is no ValueError in every implementation of protobuf
        if type(error).__name__ != "DecodeError":
            raise
        return _vary_raw(content, source)
    for _ in range(1 + source.below(3)):
        vary(message, source)
    try:
        varied: bytes = message.SerializeToString()
    except ValueError:
        return _vary_raw(content, source)
    return varied if source.byte() < 240 else _vary_raw(varied, source)


def _vary_raw(content: bytes, source: Source) -> bytes:
    changed = bytearray(content)
    at = source.number() % (len(changed) + 1)
    match source.below(4):
        case 0:
            del changed[at:]
        case 1:
            changed[at:at] = source.take(source.below(16))
        case 2 if at < len(changed):
            changed[at] ^= 1 << source.below(8)
        case _:
            del changed[at : at + source.below(16)]
    return bytes(changed)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _inside(message: Message, field: FieldDescriptor, source: Source) -> Message | None:
    if field.message_type is None or _is_map(field):
        return None
    value = getattr(message, field.name)
    if not field.is_repeated:
        inner: Message = value
        return inner
    return source.choice(value) if len(value) else None


def _change(message: Message, field: FieldDescriptor, source: Source) -> None:
    name = field.name
    if _is_map(field):
        attributes = getattr(message, name)
        attributes[_clean(source.text())] = _clean(source.text())
    elif field.is_repeated:
        values = getattr(message, name)
        match source.below(3):
            case 0 if len(values):
                del values[source.below(len(values))]
            case 1 if len(values):
                values.append(source.choice(values))
            case _:
                values.add()
    elif field.message_type is not None:
        if message.HasField(name) and source.flag():
            message.ClearField(name)
        else:
            getattr(message, name).SetInParent()
    else:
        setattr(message, name, _odd(field, getattr(message, name), source))


def _odd(field: FieldDescriptor, value: object, source: Source) -> object:
    match value:
        case bool():
            return not value
        case bytes():
            return source.choice(
                (b"", value[:-1], value + b"\x00", bytes(len(value)), value[::-1], source.blob())
            )
        case str():
            return _clean(source.choice((source.text(), value + source.text(), "")))
        case int():
            return _fit(field, source.choice((source.number(), value + 1, value - 1, value * 2)))
        case _:
            raise AssertionError(f"no oddity for {field.full_name}")


def _fit(field: FieldDescriptor, number: int) -> int:
    if field.type in _UNSIGNED_32:
        return number % 2**32
    if field.type in _SIGNED_32 or field.enum_type is not None:
        return (number + 2**31) % 2**32 - 2**31
    if field.type in _SIGNED_64:
        return (number + 2**63) % 2**64 - 2**63
    return number % 2**64


def _clean(text: str) -> str:
    """Leave out what protobuf refuses to write."""
    return text.encode("utf-8", "ignore").decode()
