"""The Python library's runner of the vectors: a line for each case, as docs/conformance.md asks of every language."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from adsum.contract.digest import EMPTY, add, member_digest, remove
from adsum.contract.identity import Identity, audience_of, fingerprint, proof_transcript
from tests.conformance.python.transcript import run_transcript

Json = dict[str, Any]
Check = Callable[[], None]
"""Raises AssertionError if the case fails."""


def run_vectors(folder: Path) -> None:
    """Run every case of the files in a folder and write what came of it."""
    for file, make in (
        ("signing", _proofs),
        ("digest", _digests),
        ("audience", _audiences),
        ("roster", _rosters),
    ):
        for name, check in make(json.loads((folder / f"{file}.json").read_text(encoding="ascii"))):
            result: Json = {"file": file, "case": name, "ok": True}
            try:
                check()
            except Exception as error:  # noqa: BLE001
                # A case that breaks the library has failed, like any other; the next is run all the same.
                result |= {"ok": False, "why": f"{type(error).__name__}: {error}"}
            print(json.dumps(result), flush=True)


def _proofs(content: Json) -> Iterator[tuple[str, Check]]:
    for proof in content["proofs"]:
        yield proof["name"], lambda proof=proof: _check_proof(proof)  # type: ignore[misc]


def _check_proof(proof: Json) -> None:
    identity = Identity.from_seed(bytes.fromhex(proof["seed"]))
    transcript = proof_transcript(
        audience=proof["audience"],
        server_nonce=bytes.fromhex(proof["server_nonce"]),
        client_nonce=bytes.fromhex(proof["client_nonce"]),
        public_key=identity.public_key,
        lobby=proof["lobby"],
        expires_at_unix_millis=int(proof["expires_at_unix_millis"]),
    )
    computed = {
        "public_key": identity.public_key.hex(),
        "fingerprint": fingerprint(identity.public_key),
        "transcript": transcript.hex(),
        "signature": identity.sign(transcript).hex(),
    }
    for name, value in computed.items():
        _equal(name, value, proof[name])


def _digests(content: Json) -> Iterator[tuple[str, Check]]:
    members = content["members"]
    for member in members:
        yield member["name"], lambda member=member: _check_member(member)  # type: ignore[misc]
    for case in content["sums"]:
        yield case["name"], lambda case=case: _check_sum(case, members)  # type: ignore[misc]


def _check_member(member: Json) -> None:
    key = bytes.fromhex(member["public_key"])
    digest = member_digest(key, int(member["incarnation"]), int(member["revision"]))
    _equal("digest", str(digest), member["digest"])


def _check_sum(case: Json, members: list[Json]) -> None:
    total = EMPTY
    totals = [str(total)]
    for step in case["steps"]:
        digest = int(members[int(step[1:])]["digest"])
        total = add(total, digest) if step[0] == "+" else remove(total, digest)
        totals.append(str(total))
    _equal("digests", totals, case["digests"])


def _audiences(content: Json) -> Iterator[tuple[str, Check]]:
    for case in content["cases"]:
        yield case["dialled"], lambda case=case: _check_audience(case)  # type: ignore[misc]


def _check_audience(case: Json) -> None:
    try:
        audience = audience_of(case["dialled"])
    except ValueError:
        audience = ""
    _equal("audience", audience, case["audience"])


def _rosters(content: Json) -> Iterator[tuple[str, Check]]:
    for case in content["cases"]:
        yield case["name"], lambda case=case: run_transcript(content, case)  # type: ignore[misc]


def _equal(what: str, got: object, expected: object) -> None:
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")
