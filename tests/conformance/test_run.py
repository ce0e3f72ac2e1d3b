"""The harness finds what a broken client does, with a client that only plays a script: no server, no gRPC."""

import json
from pathlib import Path

import pytest

from tests.conformance.cases import Case, all_cases
from tests.conformance.languages import Language
from tests.conformance.results import Result, Verdict
from tests.conformance.run import run_case
from tests.conformance.sample import EVENTS, Json, a_member, a_snapshot, a_state
from tests.conformance.stage import Servers, Stage, expect
from tests.conformance.vectors import FILES, VECTORS, WRONG, names_of, run_vectors, vector_rows

FAKE = Language("fake", "Fake", (), (), ("python", str(Path(__file__).parent / "fake_adapter.py")))
ENTERS = [{**a_snapshot(a_member()), "after": "connect"}, a_state("live", "connecting")]
JOINED, LEFT = EVENTS["joined"], {**EVENTS["left"], "reason": "lost"}
SENT = {**EVENTS["sent"], "after": "send"}


async def _somebody_comes_and_goes(stage: Stage) -> None:
    ann = await stage.client("Ann", "nowhere:1")
    joined = await ann.sees("joined")
    expect(joined["member"]["name"] == "Cleo", "somebody else came")
    await ann.sees("left", reason="lost")
    expect(await ann.outcome(ann.send("ab", "hi")) == "delivered", "not delivered")
    expect(await ann.ended() == 0, "the exit code isn't 0")


async def _run(monkeypatch: pytest.MonkeyPatch, *lines: Json) -> Result:
    monkeypatch.setenv("FAKE_LINES", json.dumps(lines))
    case = Case("live", "somebody-comes-and-goes", ("P2",), _somebody_comes_and_goes)
    async with Servers() as servers:
        return await run_case(case, FAKE, FAKE, servers)


async def test_a_client_that_tells_everything_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    result = await _run(monkeypatch, *ENTERS, JOINED, LEFT, SENT)
    assert result.verdict is Verdict.PASSED, result.why
    assert (result.case, result.language, result.promises) == ("somebody-comes-and-goes", "Fake", ("P2",))


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([*ENTERS, LEFT], "Ann (Fake) said its last word without: joined"),
        ([*ENTERS, JOINED], "without: left with {'reason': 'lost'}"),
        ([*ENTERS, {**JOINED, "member": a_member("Dan")}, LEFT, SENT], "somebody else came"),
        ([*ENTERS, JOINED, JOINED, LEFT, SENT], "is there already"),
        ([*ENTERS, JOINED, LEFT, SENT, SENT], "a second result"),
        ([*ENTERS, JOINED, LEFT, {**SENT, "outcome": "unconfirmed"}], "not delivered"),
        ([*ENTERS, JOINED, LEFT, {**SENT, "outcome": "lost"}], "`outcome`: 'lost' is none of"),
        ([*ENTERS, {"raw": "panic: nil map"}, JOINED, LEFT, SENT], "no JSON"),
        (
            [*ENTERS, {"raw": json.dumps({"event": "x", "y": "é"}, ensure_ascii=False)}, JOINED],
            "printable ASCII",
        ),
        ([], "without: state with {'phase': 'live'}"),
    ],
)
async def test_a_client_that_doesnt_fails(
    monkeypatch: pytest.MonkeyPatch, lines: list[Json], why: str
) -> None:
    # What comes twice must wait for nothing the second time.
    again = [{**line} for line in lines]
    if again[-2:] == [SENT, SENT]:
        del again[-1]["after"]
        again[-1]["id"] = "Ann-1"
    result = await _run(monkeypatch, *again)
    assert result.verdict is Verdict.FAILED
    assert why in result.why
    assert not lines or any("snapshot" in line for line in result.told)


async def test_a_program_that_cant_be_started_fails() -> None:
    nothing = Language("none", "None", (), (), ("no-such-program",))
    async with Servers() as servers:
        result = await run_case(Case("live", "x", (), _somebody_comes_and_goes), nothing, FAKE, servers)
    assert result.verdict is Verdict.FAILED
    assert "no-such-program" in result.why


def test_cases_have_names_of_their_own_and_known_promises() -> None:
    cases = all_cases()
    names = [case.name for case in cases]
    assert len(set(names)) == len(names)
    assert {case.group for case in cases} == {"live", "hostile"}
    assert {promise for case in cases for promise in case.promises} <= {f"P{n}" for n in range(1, 11)}


def _verdicts(**different: bool) -> list[Json]:
    return [
        {"file": file, "case": name, "ok": different.get(file, True)}
        for file in FILES
        for name in names_of(file, json.loads((VECTORS / f"{file}.json").read_text(encoding="ascii")))
    ]


def _run_vectors(monkeypatch: pytest.MonkeyPatch, lines: list[Json], *rows: str) -> dict[str, Result]:
    monkeypatch.setenv("FAKE_LINES", json.dumps(lines))
    return {result.case: result for result in run_vectors(FAKE, list(rows))}


def test_vectors_that_all_hold_pass_but_not_with_a_runner_that_compares_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = _run_vectors(monkeypatch, _verdicts(), *vector_rows())
    assert [results[file].verdict for file in FILES] == [Verdict.PASSED] * len(FILES)
    assert results[WRONG].verdict is Verdict.FAILED
    assert "roster: snapshot-in-one-chunk" in results[WRONG].why


def test_a_vector_that_is_left_out_or_doesnt_hold_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line for line in _verdicts(digest=False) if line["case"] != "gap"]
    results = _run_vectors(monkeypatch, [{"raw": "a word of greeting"}, *lines], *FILES)
    assert results["signing"].verdict is results["audience"].verdict is Verdict.PASSED
    assert results["roster"].verdict is Verdict.FAILED
    assert results["roster"].why == "gap: left out"
    assert results["digest"].verdict is Verdict.FAILED
    assert results["digest"].shown.startswith("0/")
