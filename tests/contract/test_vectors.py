"""The vectors in protos/vectors agree with the contract's code and with the script that makes them.

Those of the roster rules have a module of their own, `test_roster_vectors`.
"""

import json
import subprocess
import sys
from functools import reduce
from pathlib import Path
from typing import TypedDict

import pytest

from adsum.contract.digest import EMPTY, add, member_digest, remove
from adsum.contract.identity import (
    PROOF_DOMAIN,
    Identity,
    audience_of,
    fingerprint,
    is_valid_key,
    is_valid_signature,
    proof_transcript,
)
from adsum.contract.limits import LOBBY_PATTERN
from adsum.contract.reasons import Reason
from adsum.contract.text import clean, fault_in_attributes, fault_in_name, fault_in_status_text, normalise

FOLDER = Path(__file__).parents[2] / "protos/vectors"
Strings = dict[str, str]


class Sum(TypedDict):
    """A sum of hashes in digest.json."""

    name: str
    steps: list[str]
    digests: list[str]


class Attributes(TypedDict):
    """Attributes in text.json, and why they are refused."""

    name: str
    attributes: Strings
    refusal: str


def _load(file: str, section: str) -> list[Strings]:
    records: list[Strings] = json.loads((FOLDER / file).read_text(encoding="ascii"))[section]
    return records


def _name(record: Strings) -> str:
    return record.get("name") or ascii(record.get("text", record.get("dialled")))


PROOFS = _load("signing.json", "proofs")
REFUSALS = _load("signing.json", "refusals")
KEYS = _load("signing.json", "keys")
MEMBERS = _load("digest.json", "members")
AUDIENCES = _load("audience.json", "cases")
SUMS: list[Sum] = json.loads((FOLDER / "digest.json").read_text(encoding="ascii"))["sums"]
ATTRIBUTES: list[Attributes] = json.loads((FOLDER / "text.json").read_text(encoding="ascii"))["attributes"]
VERDICTS = [verdict for part in ("names", "status_texts", "lobbies") for verdict in _load("text.json", part)]


def test_script_would_make_the_same_files() -> None:
    command = [sys.executable, str(FOLDER / "make.py"), "--check"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.stderr == ""
    assert ended.returncode == 0


def test_drift_is_found(tmp_path: Path) -> None:
    for path in FOLDER.iterdir():
        if path.is_file():
            (tmp_path / "vectors" / path.name).parent.mkdir(exist_ok=True)
            (tmp_path / "vectors" / path.name).write_bytes(path.read_bytes())
    drifted = tmp_path / "vectors" / "digest.json"
    drifted.write_text(drifted.read_text(encoding="ascii").replace("1", "2", 1), encoding="ascii")
    (tmp_path / "vectors" / "audience.json").unlink()
    (tmp_path / "vectors" / "surplus.json").write_text("{}", encoding="ascii")
    command = [sys.executable, str(tmp_path / "vectors" / "make.py"), "--check"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    named = [Path(line.split(" differs")[0]).name for line in ended.stderr.splitlines()]
    assert named == ["audience.json", "digest.json", "surplus.json"]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.name)
def test_file_is_plain_ascii_and_says_what_it_is(path: Path) -> None:
    assert isinstance(json.loads(path.read_bytes().decode("ascii"))["about"], str)


def test_domain() -> None:
    assert json.loads((FOLDER / "signing.json").read_text(encoding="ascii"))["domain"] == PROOF_DOMAIN.hex()


def test_public_keys_are_those_printed_in_rfc_8032() -> None:
    """RFC 8032, section 7.1, tests 1 and 2."""
    by_seed = {proof["seed"]: proof["public_key"] for proof in PROOFS}
    assert (
        by_seed["9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"]
        == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    assert (
        by_seed["4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"]
        == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    )


@pytest.mark.parametrize("proof", PROOFS, ids=_name)
def test_proof(proof: Strings) -> None:
    identity = Identity.from_seed(bytes.fromhex(proof["seed"]))
    assert identity.public_key.hex() == proof["public_key"]
    assert fingerprint(identity.public_key) == proof["fingerprint"]
    transcript = proof_transcript(
        audience=proof["audience"],
        server_nonce=bytes.fromhex(proof["server_nonce"]),
        client_nonce=bytes.fromhex(proof["client_nonce"]),
        public_key=identity.public_key,
        lobby=proof["lobby"],
        expires_at_unix_millis=int(proof["expires_at_unix_millis"]),
    )
    assert transcript.hex() == proof["transcript"]
    assert identity.sign(transcript).hex() == proof["signature"]
    assert is_valid_signature(identity.public_key, transcript, bytes.fromhex(proof["signature"]))


@pytest.mark.parametrize("proof", PROOFS, ids=_name)
def test_proof_serves_only_for_its_own_transcript(proof: Strings) -> None:
    others = [other for other in PROOFS if other["transcript"] != proof["transcript"]]
    assert len(others) == len(PROOFS) - 1
    key, signature = bytes.fromhex(proof["public_key"]), bytes.fromhex(proof["signature"])
    assert not any(is_valid_signature(key, bytes.fromhex(other["transcript"]), signature) for other in others)


@pytest.mark.parametrize("refusal", REFUSALS, ids=_name)
def test_refused_signature(refusal: Strings) -> None:
    key, transcript, signature = (
        bytes.fromhex(refusal[part]) for part in ("public_key", "transcript", "signature")
    )
    assert not is_valid_signature(key, transcript, signature)


def test_refusals_are_refused_for_what_they_say() -> None:
    """All but the keys that prove nothing come from one good proof, in which one thing is wrong."""
    good = PROOFS[0]
    for refusal in REFUSALS:
        if "every transcript" not in refusal["name"]:
            wrong = [
                part for part in ("public_key", "transcript", "signature") if refusal[part] != good[part]
            ]
            assert len(wrong) == (2 if refusal["name"] == "given for another key" else 1), refusal["name"]


@pytest.mark.parametrize("key", KEYS, ids=_name)
def test_key(key: Strings) -> None:
    assert is_valid_key(bytes.fromhex(key["public_key"])) is (key["refusal"] == "")


@pytest.mark.parametrize("member", MEMBERS, ids=_name)
def test_member_digest(member: Strings) -> None:
    key, incarnation, revision = (
        bytes.fromhex(member["public_key"]),
        int(member["incarnation"]),
        int(member["revision"]),
    )
    assert member_digest(key, incarnation, revision) == int(member["digest"])
    assert key.hex() in member["preimage"]


@pytest.mark.parametrize("case", SUMS, ids=lambda case: case["name"])
def test_sum(case: Sum) -> None:
    total = EMPTY
    totals = [total]
    for step in case["steps"]:
        hashed = int(MEMBERS[int(step[1:])]["digest"])
        total = add(total, hashed) if step[0] == "+" else remove(total, hashed)
        totals.append(total)
    assert [str(each) for each in totals] == case["digests"]


def test_one_sum_passes_2_to_the_64() -> None:
    assert reduce(int.__add__, (int(member["digest"]) for member in MEMBERS)) >= 2**64


@pytest.mark.parametrize("case", AUDIENCES, ids=_name)
def test_audience(case: Strings) -> None:
    if case["audience"]:
        assert audience_of(case["dialled"]) == case["audience"]
    else:
        with pytest.raises(ValueError, match="is not HOST:PORT"):
            audience_of(case["dialled"])


@pytest.mark.parametrize("case", _load("text.json", "normalised"), ids=_name)
def test_normalised(case: Strings) -> None:
    assert normalise(case["text"]) == case["normalised"]


@pytest.mark.parametrize("case", _load("text.json", "names"), ids=_name)
def test_name(case: Strings) -> None:
    fault = fault_in_name(normalise(case["text"]))
    assert (fault is None) is (case["refusal"] == ""), fault


@pytest.mark.parametrize("case", _load("text.json", "status_texts"), ids=_name)
def test_status_text(case: Strings) -> None:
    fault = fault_in_status_text(normalise(case["text"]))
    assert (fault is None) is (case["refusal"] == ""), fault


@pytest.mark.parametrize("case", ATTRIBUTES, ids=lambda case: case["name"])
def test_attributes(case: Attributes) -> None:
    fault = fault_in_attributes(case["attributes"])
    assert (fault is None) is (case["refusal"] == ""), fault


@pytest.mark.parametrize("case", _load("text.json", "lobbies"), ids=_name)
def test_lobby(case: Strings) -> None:
    assert (LOBBY_PATTERN.fullmatch(case["text"]) is not None) is (case["refusal"] == "")


@pytest.mark.parametrize("case", _load("text.json", "cleaned"), ids=_name)
def test_cleaned(case: Strings) -> None:
    assert clean(case["text"]) == case["shown"]


def test_refusals_are_reasons() -> None:
    named = {case["refusal"] for case in (*VERDICTS, *KEYS)} | {case["refusal"] for case in ATTRIBUTES}
    assert named - {""} <= {f"REASON_{reason.name}" for reason in Reason}
