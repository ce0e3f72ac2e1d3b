"""Every reason for which something is refused: the table, the enumeration in presence.proto, and its comments agree."""

import re
from pathlib import Path

import grpc
import pytest

from adsum.contract.reasons import ERROR_DOMAIN, TABLE, Reason
from adsum.v1 import presence_pb2

PROTO = Path(__file__).parents[2] / "protos/adsum/v1/presence.proto"
CODES = {code.name for code in grpc.StatusCode}
NEVER_ALONE = {Reason.SESSION_UNKNOWN, Reason.BAD_TOKEN}
"""These two only explain why a challenge follows, in Challenge.resume_refusal, so the comments name no code."""


def _comments() -> dict[str, str]:
    """Read the comment of each value of the enumeration Reason."""
    body = PROTO.read_text(encoding="utf-8").split("enum Reason {")[1].split("}")[0]
    values = re.finditer(r"((?:^ +//.*\n)+) +REASON_(\w+) = \d+;", body, re.MULTILINE)
    return {
        value[2]: " ".join(re.sub(r"^ +// ?", "", value[1], flags=re.MULTILINE).split()) for value in values
    }


COMMENTS = _comments()
each_reason = pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)


def test_names_and_numbers_are_those_of_the_proto() -> None:
    declared = {value.name: value.number for value in presence_pb2.Reason.DESCRIPTOR.values}
    assert {f"REASON_{reason.name}": reason.value for reason in Reason} == declared


def test_every_reason_has_a_row_and_a_comment() -> None:
    assert list(TABLE) == list(Reason)
    assert list(COMMENTS) == [reason.name for reason in Reason]


@each_reason
def test_code_exists_in_grpc(reason: Reason) -> None:
    assert TABLE[reason].code in CODES - {"OK"}


@each_reason
def test_comment_names_the_code_of_the_table(reason: Reason) -> None:
    comment = COMMENTS[reason.name]
    if reason is Reason.UNSPECIFIED:
        assert comment == "No reason."
        return
    named = CODES & set(re.findall(r"\b[A-Z_]{4,}\b", comment))
    if named:
        assert named == {TABLE[reason].code}
    else:
        # Without a status of its own it stands in a RequestError, whose reader has no code to look at.
        assert "RequestError" in comment or reason in NEVER_ALONE


@each_reason
def test_comment_and_table_agree_on_retrying(reason: Reason) -> None:
    if reason not in NEVER_ALONE:
        assert TABLE[reason].retry is bool(re.search(r", retry\.", COMMENTS[reason.name]))


@each_reason
def test_person_reads_a_plain_clause(reason: Reason) -> None:
    text = TABLE[reason].text
    assert text.isprintable()
    assert text[0].islower()
    assert text[-1].isalnum()
    assert "REASON_" not in text


def test_texts_tell_reasons_apart() -> None:
    assert len({row.text for row in TABLE.values()}) == len(TABLE)


def test_domain_is_that_of_the_proto() -> None:
    assert f'(domain "{ERROR_DOMAIN}"' in PROTO.read_text(encoding="utf-8")
