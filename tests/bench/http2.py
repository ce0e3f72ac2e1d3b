"""The least HTTP/2 that a gRPC client needs, so that thousands of clients cost less than the server that they measure.

Bytes in, bytes out; no socket. Only what one stream at a time on a connection needs: the preface, literal header blocks without a dynamic
table, DATA, flow control, and the answers to SETTINGS and PING.
"""

import struct

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
FRAME_HEAD = struct.Struct(">IBI")
"""Length (24 bits) and type, flags, stream."""
FRAME_HEAD_BYTES = 9
MESSAGE_HEAD_BYTES = 5
"""gRPC's own: a flag for compression, and the length of the message."""
WINDOW_BYTES = 1 << 20
"""How much a server may send before this client has read it: about what gRPC's own clients allow."""
LARGEST_FRAME_BYTES = 1 << 20
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DEFAULT_WINDOW_BYTES = 65_535
_HEADER_TABLE_SIZE, _ENABLE_PUSH, _INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = 1, 2, 4, 5
_METHOD_POST, _SCHEME_HTTP = b"\x83", b"\x86"
_AUTHORITY_NAME, _PATH_NAME, _CONTENT_TYPE_NAME = b"\x01", b"\x04", b"\x0f\x10"


def frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    """Write one frame."""
    return FRAME_HEAD.pack(len(content) << 8 | kind, flags, stream) + content


def opening() -> bytes:
    """Write what a connection starts with: no dynamic table, no push, whole chunks in one frame, a large window."""
    settings = b"".join(
        struct.pack(">HI", *setting)
        for setting in (
            (_HEADER_TABLE_SIZE, 0),
            (_ENABLE_PUSH, 0),
            (_INITIAL_WINDOW_SIZE, WINDOW_BYTES),
            (_MAX_FRAME_SIZE, LARGEST_FRAME_BYTES),
        )
    )
    return _PREFACE + frame(SETTINGS, 0, 0, settings) + _window(0, WINDOW_BYTES - _DEFAULT_WINDOW_BYTES)


def request(stream: int, path: str, authority: str) -> bytes:
    """Write the headers that start an RPC."""
    block = b"".join(
        (
            _METHOD_POST,
            _SCHEME_HTTP,
            _PATH_NAME + _literal(path),
            _AUTHORITY_NAME + _literal(authority),
            _CONTENT_TYPE_NAME + _literal("application/grpc"),
            b"\x00" + _literal("te") + _literal("trailers"),
        )
    )
    return frame(HEADERS, END_HEADERS, stream, block)


def message(stream: int, content: bytes) -> bytes:
    """Write one gRPC message."""
    return frame(DATA, 0, stream, b"\x00" + len(content).to_bytes(4, "big") + content)


def half_close(stream: int) -> bytes:
    """Write the end of the requests."""
    return frame(DATA, END_STREAM, stream)


def consumed(stream: int, size: int) -> bytes:
    """Give back so many bytes of both windows, the connection's and the stream's."""
    return _window(0, size) + _window(stream, size)


def _window(stream: int, size: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, size.to_bytes(4, "big"))


def _literal(text: str) -> bytes:
    content = text.encode("ascii")
    return _integer(len(content), 7) + content


def _integer(value: int, prefix_bits: int) -> bytes:
    """Write an integer as HPACK does (RFC 7541, section 5.1), the bits before the prefix 0."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([value])
    written = bytearray([most])
    value -= most
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def header_block(content: bytes, flags: int) -> bytes:
    """Take the header block out of a HEADERS frame: without padding and priority."""
    start, end = 0, len(content)
    if flags & PADDED:
        start, end = 1, end - content[0]
    if flags & PRIORITY:
        start += 5
    return content[start:end]


def read_headers(block: bytes) -> dict[str, str]:
    """Read the headers that have a literal name. Others, and names and values in Huffman's code, are skipped.

    gRPC's own trailers (grpc-status, grpc-message) have literal names, and gRPC's servers in C write no Huffman code.
    """
    headers: dict[str, str] = {}
    position = 0
    while position < len(block):
        first = block[position]
        if first & 0x80:
            # Indexed: a name and value of the static table.
            _, position = _read_integer(block, position, 7)
            continue
        if first & 0xE0 == 0x20:
            # The size of the dynamic table, which is 0.
            _, position = _read_integer(block, position, 5)
            continue
        index, position = _read_integer(block, position, 6 if first & 0x40 else 4)
        name: str | None = None
        if index == 0:
            name, position = _read_literal(block, position)
        value, position = _read_literal(block, position)
        if name is not None and value is not None:
            headers[name] = value
    return headers


def _read_integer(block: bytes, position: int, prefix_bits: int) -> tuple[int, int]:
    most = (1 << prefix_bits) - 1
    value = block[position] & most
    position += 1
    if value < most:
        return value, position
    shift = 0
    while True:
        value += (block[position] & 0x7F) << shift
        shift += 7
        position += 1
        if not block[position - 1] & 0x80:
            return value, position


def _read_literal(block: bytes, position: int) -> tuple[str | None, int]:
    is_huffman = bool(block[position] & 0x80)
    length, position = _read_integer(block, position, 7)
    content = block[position : position + length]
    return None if is_huffman else content.decode("latin-1"), position + length
