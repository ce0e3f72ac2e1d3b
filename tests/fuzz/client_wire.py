"""Whatever a server sends is a response, of a kind that isn't known, or a violation; and so is how a stream ends (P9).

An input is one message as it comes from the network, and also the details of a status. What it says is written again and must say the
same.
"""

import math
from collections.abc import Iterator

from google.protobuf import json_format

from adsum.client.ending import judge
from adsum.client.errors import ProtocolViolation
from adsum.client.wire import LONGEST_RETRY_SECONDS, decode, decode_refusal
from adsum.contract.reasons import Reason
from adsum.server.wire import encode_status
from adsum.v1 import presence_pb2
from tests.client.encoding import encode_response
from tests.fuzz.messages import vary_bytes
from tests.fuzz.source import Source
from tests.fuzz.vectors import CASES


def target(data: bytes) -> None:
    """Read one message as a response, and as the details of a status."""
    _read_refusal(data)
    try:
        response = decode(data)
    except ProtocolViolation:
        return
    if response is not None:
        again = decode(encode_response(response))
        assert again == response, f"written again it says {again}"


def _read_refusal(data: bytes) -> None:
    refusal = decode_refusal(data)
    if refusal is not None and refusal.retry_seconds is not None:
        assert math.isfinite(refusal.retry_seconds)
        assert 0 <= refusal.retry_seconds <= LONGEST_RETRY_SECONDS
    for code in ("OK", "UNAVAILABLE", "UNIMPLEMENTED"):
        ending = judge(code, data.decode("utf-8", "replace"), refusal, "localhost:7557")
        assert ending.cause
        assert ending.retry_seconds >= 0


def mutate(data: bytes, chance: bytes) -> bytes:
    """Change a field of the response."""
    return vary_bytes(data, presence_pb2.PresenceResponse, Source(chance))


def seeds() -> Iterator[bytes]:
    """Take every message of the contract's vectors, once for each kind and shape, and some statuses."""
    seen = set()
    for case in CASES:
        for step in case["steps"]:
            if "receive" in step:
                message = json_format.ParseDict(step["receive"], presence_pb2.PresenceResponse())
                kind = message.WhichOneof("response")
                shape = (
                    kind,
                    len(message.ByteSize().to_bytes(4, "big").lstrip(b"\0")),
                    message.ByteSize() // 100,
                )
                if shape not in seen:
                    seen.add(shape)
                    yield message.SerializeToString()
    for reason in (Reason.UNSPECIFIED, Reason.LOBBY_FULL, Reason.SESSION_REPLACED, Reason.BAD_TOKEN):
        yield encode_status(reason, "no", 2.5)
        yield encode_status(reason, "no", None)
