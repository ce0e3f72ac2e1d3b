"""The crowd's HTTP/2, against bytes written by hand from RFC 7540 and 7541."""

import pytest

from tests.bench import http2


def test_a_frame_has_its_length_type_flags_and_stream_before_its_content() -> None:
    assert http2.frame(http2.PING, http2.ACK, 0, b"12345678") == b"\0\0\x08\x06\x01\0\0\0\0" + b"12345678"


def test_a_message_has_grpc_s_five_bytes_before_it() -> None:
    assert http2.message(3, b"abc") == b"\0\0\x08\0\0\0\0\0\x03" + b"\0\0\0\0\x03" + b"abc"


def test_the_opening_gives_the_connection_the_same_window_as_a_stream() -> None:
    opening = http2.opening()
    assert opening.startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert opening[-4:] == (http2.WINDOW_BYTES - 65_535).to_bytes(4, "big")


def test_a_request_s_headers_can_be_read_back() -> None:
    content = http2.request(1, "/a.B/C", "127.0.0.1:1")[http2.FRAME_HEAD_BYTES :]
    # Names of the static table aren't read; what is literal is.
    assert http2.read_headers(content) == {"te": "trailers"}


def test_trailers_are_read_past_what_is_indexed_resized_or_in_huffman_s_code() -> None:
    block = b"".join(
        (
            b"\x20",  # the dynamic table's size: 0
            b"\x88",  # :status 200
            b"\x0f\x10\x01x",  # content-type, literal value
            b"\x00\x0bgrpc-status\x018",
            b"\x10\x0cgrpc-message\x05later",
            b"\x00\x82\xaa\xbb\x01y",  # a name in Huffman's code
            b"\x40\x03abc\x03def",
        )
    )
    assert http2.read_headers(block) == {"grpc-status": "8", "grpc-message": "later", "abc": "def"}


@pytest.mark.parametrize("length", [0, 1, 126, 127, 128, 254, 255, 1337, 70_000])
def test_a_long_value_is_read_whole(length: int) -> None:
    value = "v" * length
    block = b"\x00" + b"\x01n" + http2._literal(value) + b"\x00\x01m\x01w"
    assert http2.read_headers(block) == {"n": value, "m": "w"}


def test_padding_and_priority_are_no_part_of_a_header_block() -> None:
    content = b"\x02" + b"\0\0\0\0\x10" + b"block" + b"\0\0"
    assert http2.header_block(content, http2.PADDED | http2.PRIORITY) == b"block"
    assert http2.header_block(b"block", http2.END_HEADERS) == b"block"
