"""Names, texts, attributes, keys and addresses of any kind are accepted or refused in words, and what is shown is safe (P9).

An input is a few pieces of text, or text as it is. It is cheap to judge, however long: the rules are asked before anybody has proved
anything.
"""

import contextlib
import random
import unicodedata
from collections.abc import Iterator

from wcwidth import wcswidth

from adsum.client.endpoint import Endpoint
from adsum.client.errors import InvalidProfile
from adsum.client.member import Profile
from adsum.client.profile import checked
from adsum.client.settings import Settings
from adsum.contract.identity import (
    audience_of,
    fingerprint,
    is_valid_key,
    is_valid_signature,
    proof_transcript,
)
from adsum.contract.limits import (
    ATTRIBUTES_BYTES,
    LOBBY_PATTERN,
    NAME_CODE_POINTS,
    NAME_COLUMNS,
    STATUS_TEXT_CODE_POINTS,
)
from adsum.contract.text import clean, fault_in_attributes, fault_in_name, fault_in_status_text, normalise
from adsum.server.door import address_of
from adsum.server.messages import ProfileClaim
from adsum.server.options import Address
from adsum.server.session import Fault, check_profile
from tests.fuzz.source import Source

LONGEST = 20_000
"""Beyond what a request can hold nothing is asked of the rules."""
ESCAPES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def target(data: bytes) -> None:
    """Judge a text in every way in which one is judged."""
    source = Source(data)
    text = source.text() if source.byte() < 200 else source.rest().decode("utf-8", "replace")
    text = text[:LONGEST]
    _judge_profile(text, source.text()[:LONGEST], source.byte())
    _show(text[:2_000])
    _judge_address(text[:300])
    _judge_key(source.rest())


def _judge_profile(name: str, status_text: str, status: int) -> None:
    attributes = ((name[:40], status_text), ("k", name))
    judged = check_profile(ProfileClaim(name, status, status_text, attributes))
    if isinstance(judged, Fault):
        assert judged.detail
        return
    assert len(judged.name) <= NAME_CODE_POINTS
    assert 0 < wcswidth(judged.name) <= NAME_COLUMNS
    assert len(judged.status_text) <= STATUS_TEXT_CODE_POINTS
    assert sum(len((key + value).encode()) for key, value in judged.attributes) <= ATTRIBUTES_BYTES
    for text in (judged.name, judged.status_text, *(part for pair in judged.attributes for part in pair)):
        assert clean(text) == text, "what is accepted is not shown as it is"
        assert not any(unicodedata.category(one) in ESCAPES and one != "\u200d" for one in text)
    assert normalise(judged.name) == judged.name, "to be normalised twice"
    again = check_profile(ProfileClaim(judged.name, judged.status, judged.status_text, judged.attributes))
    assert again == judged, "judged twice, it is another"
    # The client's own rules are the server's: what one accepts the other does.
    assert checked(Profile(judged.name, status_text=judged.status_text, attributes=dict(judged.attributes)))


def _show(text: str) -> None:
    shown = clean(text)
    assert not any(unicodedata.category(one) in ESCAPES and one != "\u200d" for one in shown), (
        "not safe to show"
    )
    assert clean(shown) == shown, "cleaned twice, it is another"
    for fault in (fault_in_name(text), fault_in_status_text(text), fault_in_attributes({text: text})):
        assert fault is None or fault
    with contextlib.suppress(InvalidProfile):
        checked(Profile(text, status_text=text))


def _judge_address(text: str) -> None:
    assert address_of(text)[:0] == ""
    LOBBY_PATTERN.fullmatch(text)
    try:
        audience = audience_of(text)
    except ValueError:
        audience = ""
    assert not any(one.isspace() or one == "/" for one in audience)
    try:
        address = Address.parse(text, 7557)
    except ValueError:
        address = None
    if address is not None:
        assert 0 <= address.port < 65536
        # One final dot is taken away; of two, one is left, and names no host anyway.
        if not address.host.endswith("."):
            assert Address.parse(str(address), 7557) == address, "written again it is another"
        assert address.collides(address) is (address.port != 0)
    try:
        endpoint = Endpoint.of(text, tls=None, insecure=True, settings=Settings())
    except ValueError:
        return
    assert endpoint.audience == audience


def _judge_key(content: bytes) -> None:
    key, signature = content[:32], content[32:96]
    assert len(fingerprint(key)) == 9
    transcript = proof_transcript(
        audience="localhost",
        server_nonce=content[:8],
        client_nonce=key,
        public_key=key,
        lobby="den",
        expires_at_unix_millis=2**64 - 1,
    )
    assert is_valid_key(key) in (True, False)
    assert not is_valid_signature(key, transcript, signature), "any bytes are a signature"


def seeds() -> Iterator[bytes]:
    """Take texts as they are, and combinations of pieces at random."""
    for text in (
        "Ada",
        "[::1]:7557",
        "localhost",
        "ipv6:%5B2001:db8::1%5D:40112",
        "e\u0301" * 4,
        "\U0001f469\u200d\U0001f4bb",
    ):
        yield b"\xff" + text.encode()
    yield bytes([0, 7, 0, 0, 3, 255, 3, 255, 3, 255, 4, 255, 4, 255, 4, 255]) + bytes(8)
    chance = random.Random("texts")
    for _ in range(20):
        yield chance.randbytes(24)
