"""What is shown of a run: the table, what each promise was checked for, what broke; and the same as JSON."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from tests.faults.figures import percentile
from tests.faults.run import Row, Run
from tests.model.promises import PROMISES

MOST_SHOWN = 40
KINDS = {"gap": ("gap",), "duplicate": ("duplicate",), "ghost": ("ghost", "missing"), "message": ("message",)}


def show(console: Console, run: Run) -> None:
    """Print everything; the last line is the count."""
    table = Table(box=box.ROUNDED if console.is_terminal else box.ASCII)
    table.add_column("fault", no_wrap=True)
    titles = (
        "injected",
        "suspect p50/p99",
        "recover p50/p99",
        "news p50/p99",
        "changes",
        "gaps",
        "duplicates",
        "ghosts",
    )
    for title in (*titles, "messages", "lost or doubled"):
        table.add_column(title, justify="right")
    for row in (row for row in run.rows.values() if row.injected):
        table.add_row(*_cells(row))
    console.print(table)
    for row in run.rows.values():
        for note in row.notes:
            console.print(f"{row.fault}: {note}", markup=False, highlight=False, soft_wrap=True)
    for name, why in run.skipped.items():
        console.print(f"{name} is skipped: {why}", markup=False, highlight=False, soft_wrap=True)
    counts = ", ".join(f"{number} {what}" for what, number in run.counts.items())
    console.print(f"seed {run.seed}: {counts}", highlight=False)
    console.print(
        "messages: " + ", ".join(f"{number} {what}" for what, number in run.outcomes.most_common()),
        highlight=False,
    )
    broken = {promise: sum(one.promise == promise for one in run.violations) for promise in PROMISES}
    for promise, text in PROMISES.items():
        if checked := run.checks[promise]:
            verdict = f"BROKEN {broken[promise]} times" if broken[promise] else "held"
            console.print(f"{promise:<3} {text}: {checked} checks, {verdict}", highlight=False)
    for violation in run.violations[:MOST_SHOWN]:
        text = f"{violation.promise} ({violation.kind}) at {violation.at:.3f}: {violation.what}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    injected = sum(row.injected for row in run.rows.values())
    console.print(f"{injected} faults, {len(run.violations)} violations", highlight=False)


def write_json(file: Path, run: Run) -> None:
    """Write the figures."""
    content: dict[str, Any] = {
        "seed": run.seed,
        "counts": dict(run.counts),
        "skipped": run.skipped,
        "outcomes": dict(run.outcomes),
        "checks": dict(run.checks),
        "faults": {
            row.fault: {
                "injected": row.injected,
                **{
                    name: {"samples": len(values), **{title: _millis(values, part) for title, part in _PARTS}}
                    for name, values in (
                        *(("suspect", row.suspect), ("gone", row.gone), ("recover", row.recover)),
                        ("news", row.news),
                    )
                },
                "changes": row.changes,
                "messages": row.messages,
                "notes": row.notes,
            }
            for row in run.rows.values()
        },
        "violations": [
            {"promise": one.promise, "kind": one.kind, "at": one.at, "what": one.what}
            for one in run.violations
        ],
    }
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="ascii")


def write_histories(folder: Path, run: Run) -> None:
    """Write everything that anybody has seen, a file for each place: one line each, in the order of time."""
    folder.mkdir(parents=True, exist_ok=True)
    for history in run.histories:
        seen = [(one.at, diary.name, one) for diary in history.diaries for one in diary.seen]
        faults = [{"at": one.began, "who": "fault", **dataclasses.asdict(one)} for one in history.injections]
        lines = [
            {"who": name, **dataclasses.asdict(one)} for _, name, one in sorted(seen, key=lambda one: one[:2])
        ]
        text = "\n".join(json.dumps(line) for line in (*faults, *lines))
        (folder / f"{history.place}.jsonl").write_text(text + "\n", encoding="ascii")


_PARTS = (("p50_ms", 0.5), ("p99_ms", 0.99), ("max_ms", 1.0))


def _cells(row: Row) -> list[str]:
    numbers = [sum(one.kind in kinds for one in row.violations) for kinds in KINDS.values()]
    return [
        *(
            row.fault,
            str(row.injected),
            _pair(row.suspect),
            _pair(row.recover),
            _pair(row.news),
            str(row.changes),
        ),
        *map(str, numbers[:3]),
        *(str(row.messages), str(numbers[3])),
    ]


def _pair(values: Sequence[float]) -> str:
    if not values:
        return "-"
    return " / ".join(_duration(percentile(values, part)) for part in (0.5, 0.99))


def _duration(seconds: float | None) -> str:
    assert seconds is not None
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _millis(values: Sequence[float], part: float) -> float | None:
    value = percentile(values, part)
    return None if value is None else round(value * 1000, 1)
