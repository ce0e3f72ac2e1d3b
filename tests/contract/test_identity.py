"""Who someone is: keys, fingerprints, transcripts and signatures.

The vectors say what is right to the byte (`test_vectors`); here stand the properties.
"""

from typing import TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adsum.contract.identity import (
    KEY_BYTES,
    PROOF_DOMAIN,
    Identity,
    audience_of,
    fingerprint,
    is_valid_key,
    is_valid_signature,
    proof_transcript,
)

SEED = bytes(range(32))
BYTES = st.binary(max_size=40)
WELL_FORMED = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


class Fields(TypedDict):
    """What a transcript is made of."""

    audience: str
    server_nonce: bytes
    client_nonce: bytes
    public_key: bytes
    lobby: str
    expires_at_unix_millis: int


FIELDS = st.builds(
    Fields,
    audience=WELL_FORMED,
    server_nonce=BYTES,
    client_nonce=BYTES,
    public_key=BYTES,
    lobby=WELL_FORMED,
    expires_at_unix_millis=st.integers(0, 2**64 - 1),
)


def test_identity_never_shows_its_seed() -> None:
    shown = repr(Identity.from_seed(SEED)) + str(Identity.from_seed(SEED))
    assert SEED.hex() not in shown
    assert repr(SEED)[2:-1] not in shown


def test_identity_keeps_its_seed_for_the_key_file() -> None:
    identity = Identity.generate()
    assert Identity.from_seed(identity.seed) == identity
    assert len(identity.seed) == len(identity.public_key) == KEY_BYTES


def test_identities_are_equal_if_their_keys_are() -> None:
    assert len({Identity.from_seed(SEED), Identity.from_seed(SEED), Identity.from_seed(bytes(32))}) == 2
    assert Identity(b"key", b"one seed") == Identity(b"key", b"another")


def test_generated_identities_differ() -> None:
    assert Identity.generate() != Identity.generate()


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_seed_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"not {length}"):
        Identity.from_seed(bytes(length))


def test_generated_key_is_valid() -> None:
    assert is_valid_key(Identity.generate().public_key)


@given(st.binary(max_size=70))
def test_any_bytes_are_a_key_or_not(candidate: bytes) -> None:
    assert is_valid_key(candidate) in (True, False)


def test_fingerprint_is_two_groups_of_four() -> None:
    identity = Identity.from_seed(SEED)
    first, second = identity.fingerprint.split("-")
    assert len(first) == len(second) == 4
    assert set(first + second) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert fingerprint(identity.public_key) == identity.fingerprint


@given(FIELDS, FIELDS)
def test_different_handshakes_have_different_transcripts(one: Fields, other: Fields) -> None:
    assert (proof_transcript(**one) == proof_transcript(**other)) is (one == other)


@given(FIELDS)
def test_what_moves_from_one_field_to_another_changes_the_transcript(fields: Fields) -> None:
    variants: list[Fields] = [
        fields,
        {**fields, "audience": fields["audience"] + "a"},
        {**fields, "server_nonce": fields["server_nonce"] + b"a"},
        {**fields, "client_nonce": fields["client_nonce"] + b"a"},
        {**fields, "public_key": fields["public_key"] + b"a"},
        {**fields, "lobby": fields["lobby"] + "a"},
    ]
    assert len({proof_transcript(**variant) for variant in variants}) == len(variants)


def test_transcript_starts_with_the_domain() -> None:
    assert _transcript().startswith(PROOF_DOMAIN)
    assert len(PROOF_DOMAIN) == 15


@pytest.mark.parametrize("millis", [-1, 2**64])
def test_expiry_beyond_64_bits_is_our_callers_fault(millis: int) -> None:
    with pytest.raises(OverflowError):
        _transcript(expires_at_unix_millis=millis)


def test_own_signature_proves_the_key() -> None:
    identity = Identity.from_seed(SEED)
    assert is_valid_signature(identity.public_key, _transcript(), identity.sign(_transcript()))


def test_signature_is_always_the_same() -> None:
    assert Identity.from_seed(SEED).sign(b"transcript") == Identity.from_seed(SEED).sign(b"transcript")


@given(st.integers(0, 511))
def test_signature_with_one_bit_flipped_proves_nothing(bit: int) -> None:
    identity = Identity.from_seed(SEED)
    signature = bytearray(identity.sign(_transcript()))
    signature[bit // 8] ^= 1 << bit % 8
    assert not is_valid_signature(identity.public_key, _transcript(), bytes(signature))


@given(st.binary(max_size=70), st.binary(max_size=70), st.binary(max_size=70))
def test_any_bytes_are_a_signature_or_not(key: bytes, transcript: bytes, signature: bytes) -> None:
    assert not is_valid_signature(key, transcript, signature)


@given(st.text(max_size=30))
def test_any_target_has_an_audience_or_is_refused(target: str) -> None:
    try:
        audience = audience_of(target)
    except ValueError:
        return
    assert audience
    assert audience == audience.lower().strip()
    assert "[" not in audience[:1]
    assert "/" not in audience


@given(st.from_regex(r"[a-z0-9-]{1,20}(\.[a-z0-9-]{1,20}){0,3}", fullmatch=True), st.integers(0, 65535))
def test_port_does_not_matter_for_the_audience(host: str, port: int) -> None:
    assert audience_of(f"{host}:{port}") == audience_of(host) == audience_of(f"{host}.") == host


def test_refusal_of_a_target_names_it() -> None:
    with pytest.raises(ValueError, match=r"'host:http' is not HOST:PORT: 'http' is not a port"):
        audience_of("host:http")


def _transcript(expires_at_unix_millis: int = 1) -> bytes:
    return proof_transcript(
        audience="localhost",
        server_nonce=b"s" * 32,
        client_nonce=b"c" * 32,
        public_key=b"k" * 32,
        lobby="lobby",
        expires_at_unix_millis=expires_at_unix_millis,
    )
