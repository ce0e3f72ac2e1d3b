"""What is shown of a run: the table, the failures below it, the last line; and the same as JSON."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from tests.conformance.results import Result, Verdict

_MARKS = {Verdict.PASSED: "ok", Verdict.FAILED: "FAIL", Verdict.SKIPPED: "-"}
_STYLES = {Verdict.PASSED: "green", Verdict.FAILED: "bold red", Verdict.SKIPPED: "dim"}


def table_of(results: Sequence[Result], *, is_terminal: bool) -> Table:
    """Lay out cases by languages, in the order in which they first came."""
    titles = list(dict.fromkeys(result.language for result in results))
    cells = {(result.group, result.case, result.language): result for result in results}
    rows = dict.fromkeys((result.group, result.case, result.promises) for result in results)
    groups = ["vectors", "live", "hostile", "build"]
    table = Table(box=box.ROUNDED if is_terminal else box.ASCII)
    table.add_column("case", no_wrap=True)
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    for group in groups:
        for _, case, promises in (row for row in rows if row[0] == group):
            shown = [cells.get((group, case, title)) for title in titles]
            table.add_row(_title(group, case, promises), *(_cell(result) for result in shown))
        table.add_section()
    return table


def show(console: Console, results: Sequence[Result]) -> None:
    """Print everything; the last line is the count."""
    console.print(table_of(results, is_terminal=console.is_terminal))
    for result in results:
        if result.verdict is Verdict.FAILED:
            explain(console, result)
    console.print(count(results), highlight=False)


def explain(console: Console, result: Result) -> None:
    """Print what a case says in detail."""
    kept = f" [{', '.join(result.promises)}]" if result.promises else ""
    title = f"{result.verdict.name} {result.language}: {result.group}/{result.case}{kept}"
    lines = [
        title,
        *(f"  {line}" for line in result.why.splitlines()),
        *(f"    {line}" for line in result.told),
    ]
    # Lines of clients are printable ASCII unless that is the failure: nothing of theirs may act on a terminal.
    safe = "\n".join("".join(c if " " <= c <= "~" else "?" for c in line) for line in lines)
    console.print(f"\n{safe}", markup=False, highlight=False, soft_wrap=True)


def count(results: Sequence[Result]) -> str:
    """Say how many cells passed, failed and were skipped."""
    passed, failed, skipped = (
        sum(result.verdict is verdict for result in results)
        for verdict in (Verdict.PASSED, Verdict.FAILED, Verdict.SKIPPED)
    )
    return f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")


def write_json(file: Path, results: Sequence[Result]) -> None:
    """Write the table as JSON: an object for each row, with its cells by language."""
    rows: dict[tuple[str, str], dict[str, object]] = {}
    cells: dict[tuple[str, str], dict[str, object]] = {}
    for result in results:
        row = (result.group, result.case)
        cells.setdefault(row, {})[result.language] = {
            "verdict": result.verdict.value,
            "shown": result.shown,
            "seconds": round(result.seconds, 3),
            "why": result.why,
            "told": list(result.told) if result.verdict is Verdict.FAILED else [],
        }
        rows[row] = {
            "group": result.group,
            "case": result.case,
            "promises": list(result.promises),
            "results": cells[row],
        }
    content = {"count": count(results), "cases": list(rows.values())}
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="ascii")


def _title(group: str, case: str, promises: tuple[str, ...]) -> str:
    return f"{group}/{case}" + (f"  {' '.join(promises)}" if promises else "")


def _cell(result: Result | None) -> str:
    if result is None:
        return ""
    text = result.shown if result.shown and result.verdict is not Verdict.SKIPPED else _MARKS[result.verdict]
    if result.verdict is Verdict.FAILED and result.shown:
        text = f"FAIL {result.shown}"
    style = _STYLES[result.verdict]
    return f"[{style}]{text}[/]"
