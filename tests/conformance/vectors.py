"""The vectors group: each client's own runner over protos/vectors, and over vectors that are wrong.

A case that a runner doesn't mention has failed. So has a runner that calls wrong vectors right: it compares nothing.
"""

import copy
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.conformance.languages import ROOT, Language, command
from tests.conformance.results import Result, Verdict

VECTORS = ROOT / "protos/vectors"
FILES = ("signing", "digest", "audience", "roster")
"""The files that clients need. text.json is the servers'."""
WRONG = "a-wrong-vector-is-noticed"
RUN_SECONDS = 120.0
_LINES = 12
Json = dict[str, Any]


def names_of(file: str, content: Json) -> list[str]:
    """List the cases of a file, by the names that a runner gives them."""
    match file:
        case "signing":
            return [proof["name"] for proof in content["proofs"]]
        case "digest":
            return [case["name"] for case in (*content["members"], *content["sums"])]
        case "audience":
            return [case["dialled"] for case in content["cases"]]
        case _:
            return [case["name"] for case in content["cases"]]


def vector_rows() -> list[str]:
    """List the rows of this group."""
    return [*FILES, WRONG]


def run_vectors(language: Language, rows: list[str]) -> Iterator[Result]:
    """Run a client's runner for those of the rows that are wanted."""
    if wanted := [row for row in rows if row in FILES]:
        contents = {file: _load(file) for file in FILES}
        verdicts, output, seconds = _run(language, VECTORS)
        for file in wanted:
            names = names_of(file, contents[file])
            yield _judge(language, file, names, verdicts, output, seconds / len(wanted))
    if WRONG in rows:
        yield _run_wrong(language)


def _run(language: Language, folder: Path) -> tuple[dict[tuple[str, str], list[Json]], list[str], float]:
    """Start the runner; give its verdicts by file and case, its last lines, and the time it took."""
    started = time.monotonic()
    try:
        done = subprocess.run(
            [*command(language.adapter), "vectors", str(folder)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=RUN_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {}, [str(error)], time.monotonic() - started
    verdicts: dict[tuple[str, str], list[Json]] = {}
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        try:
            record = json.loads(line)
            verdicts.setdefault((record["file"], record["case"]), []).append(record)
        except (ValueError, KeyError, TypeError):
            # What isn't a verdict is shown, if cases are missing.
            continue
    output = [line[:300] for line in (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()]
    if done.returncode:
        verdicts.setdefault(("", ""), []).append({"why": f"the runner ended with {done.returncode}"})
    return verdicts, output[-_LINES:], time.monotonic() - started


def _judge(
    language: Language,
    file: str,
    names: list[str],
    verdicts: dict[tuple[str, str], list[Json]],
    output: list[str],
    seconds: float,
) -> Result:
    faults, passed = [], 0
    for name in dict.fromkeys(names):
        # A name that stands for several cases needs as many verdicts.
        wanted, given = names.count(name), verdicts.get((file, name), [])
        wrong = [verdict for verdict in given if verdict.get("ok") is not True]
        passed += min(wanted, len(given) - len(wrong))
        if wrong:
            faults.append(f"{name}: {wrong[0].get('why', 'no reason given')}")
        elif len(given) < wanted:
            faults.append(f"{name}: left out")
    faults += [verdict["why"] for verdict in verdicts.get(("", ""), [])]
    shown = f"{passed}/{len(names)}"
    if not faults:
        return Result("vectors", file, language.title, Verdict.PASSED, shown=shown, seconds=seconds)
    why = "\n".join(faults[:10]) + (f"\nand {len(faults) - 10} more" if len(faults) > 10 else "")
    told = tuple(output) if not any(key[0] == file for key in verdicts) else ()
    return Result(
        "vectors", file, language.title, Verdict.FAILED, shown=shown, why=why, told=told, seconds=seconds
    )


def _run_wrong(language: Language) -> Result:
    with TemporaryDirectory(prefix="adsum-vectors-") as name:
        spoilt = []
        for file in FILES:
            content = _load(file)
            spoilt.append((file, SPOIL[file](content)))
            (Path(name) / f"{file}.json").write_text(json.dumps(content), encoding="ascii")
        verdicts, output, seconds = _run(language, Path(name))
    believed = [
        f"{file}: {case}"
        for file, case in spoilt
        if not any(verdict.get("ok") is False for verdict in verdicts.get((file, case), []))
    ]
    if not believed:
        return Result("vectors", WRONG, language.title, Verdict.PASSED, seconds=seconds)
    why = "these cases were made wrong, and the runner doesn't say so: " + "; ".join(believed)
    return Result(
        "vectors", WRONG, language.title, Verdict.FAILED, why=why, told=tuple(output), seconds=seconds
    )


def _spoil_signing(content: Json) -> str:
    proof = content["proofs"][1]
    proof["signature"] = proof["signature"][:-2] + ("00" if proof["signature"][-2:] != "00" else "01")
    return str(proof["name"])


def _spoil_digest(content: Json) -> str:
    case = content["sums"][-1]
    case["digests"][-1] = str(int(case["digests"][-1]) ^ 1)
    return str(case["name"])


def _spoil_audience(content: Json) -> str:
    case = next(case for case in content["cases"] if case["audience"])
    case["audience"] += ".example"
    return str(case["dialled"])


def _spoil_roster(content: Json) -> str:
    # Only the digest that the client itself computes is another, in a copy: the server's messages stay as they are.
    case = content["cases"][0]
    step = case["steps"][-1] = copy.deepcopy(case["steps"][-1])
    step["holds"]["digest"] = str(int(step["holds"]["digest"]) ^ 1)
    return str(case["name"])


SPOIL: dict[str, Callable[[Json], str]] = {
    "signing": _spoil_signing,
    "digest": _spoil_digest,
    "audience": _spoil_audience,
    "roster": _spoil_roster,
}
"""For each file, how one case is made wrong; returns its name."""


def _load(file: str) -> Json:
    content: Json = json.loads((VECTORS / f"{file}.json").read_text(encoding="ascii"))
    return content
