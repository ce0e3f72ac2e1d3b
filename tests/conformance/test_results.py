import io
import json
from pathlib import Path

from rich.console import Console

from tests.conformance.report import count, show, write_json
from tests.conformance.results import Result, Verdict

RESULTS = [
    Result("vectors", "roster", "Python", Verdict.PASSED, shown="51/51"),
    Result("vectors", "roster", "Go", Verdict.FAILED, shown="50/51", why="gap: step 4"),
    Result("live", "a-blip", "Python", Verdict.PASSED, ("P6",)),
    Result("live", "a-blip", "Go", Verdict.FAILED, ("P6",), why="it should\nnot", told=("Ann | \x1b[2J",)),
    Result("live", "a-blip", "Java", Verdict.SKIPPED, ("P6",), why="not on the PATH: javac"),
]


def _shown() -> str:
    console = Console(file=io.StringIO(), width=120)
    show(console, RESULTS)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_elsewhere_than_on_a_terminal_everything_is_plain_ascii() -> None:
    shown = _shown()
    assert shown.isascii()
    assert "\x1b" not in shown


def test_a_row_has_a_cell_for_each_language() -> None:
    rows = [[cell.strip() for cell in line.split("|")] for line in _shown().splitlines()]
    assert ["", "case", "Python", "Go", "Java", ""] in rows
    assert ["", "vectors/roster", "51/51", "FAIL 50/51", "", ""] in rows
    assert ["", "live/a-blip  P6", "ok", "FAIL", "-", ""] in rows


def test_failures_are_told_with_what_the_clients_printed() -> None:
    shown = _shown()
    assert "FAILED Go: live/a-blip [P6]\n  it should\n  not\n    Ann | ?[2J" in shown


def test_the_last_line_is_the_count() -> None:
    assert _shown().splitlines()[-1] == "2 passed, 2 failed, 1 skipped"
    assert count(RESULTS[:1]) == "1 passed, 0 failed"


def test_the_same_as_json(tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    write_json(file, RESULTS)
    content = json.loads(file.read_text(encoding="ascii"))
    assert content["count"] == "2 passed, 2 failed, 1 skipped"
    row = content["cases"][1]
    assert (row["group"], row["case"], row["promises"]) == ("live", "a-blip", ["P6"])
    assert {language: cell["verdict"] for language, cell in row["results"].items()} == {
        "Python": "passed",
        "Go": "failed",
        "Java": "skipped",
    }
