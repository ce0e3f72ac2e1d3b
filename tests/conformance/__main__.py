"""Prove the clients of every language: `python -m tests.conformance --help`. docs/conformance.md tells the whole story."""

import argparse
import asyncio
import sys
from pathlib import Path

from rich.console import Console

from tests.conformance.cases import all_cases
from tests.conformance.languages import PYTHON, Language, chosen, find_languages
from tests.conformance.report import explain, show, write_json
from tests.conformance.results import Result, Verdict
from tests.conformance.run import reference_of, run_languages, skipped
from tests.conformance.vectors import vector_rows

PLAIN_WIDTH = 240
"""Columns where there is no terminal: wide enough that no row is cut."""


def main() -> int:
    """Run what the arguments ask for; return the exit code."""
    arguments = _arguments()
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    try:
        known = find_languages()
        languages = chosen(known, arguments.languages)
    except ValueError as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 2
    if arguments.no_python:
        languages = [language for language in languages if language.key != PYTHON]
    wanted = arguments.k
    rows = [row for row in vector_rows() if wanted in f"vectors/{row}"]
    cases = [case for case in all_cases() if wanted in f"{case.group}/{case.name}"]
    if not rows and not cases:
        print(f"conformance: no case has {wanted!r} in its name", file=sys.stderr)
        return 2
    results: list[Result] = []

    def report(result: Result) -> None:
        results.append(result)
        if arguments.verbose and result.verdict is Verdict.PASSED:
            explain(console, result)
        elif sys.stdout.isatty():
            # A sign of life. What failed is told in full below the table.
            console.print(
                f"{result.verdict.value}: {result.language}: {result.group}/{result.case}", style="dim"
            )

    is_strict = "all" in arguments.languages.lower().replace(",", " ").split()
    ready = []
    for language in languages:
        absence = _prepare(language, is_strict=is_strict, builds=not arguments.skip_build)
        if absence is None:
            ready.append(language)
            continue
        results += skipped(language, rows, cases, absence.why)
        if absence.verdict is Verdict.FAILED:
            results.append(absence)
        else:
            console.print(f"{language.title} is skipped: {absence.why}", markup=False, soft_wrap=True)
    asyncio.run(run_languages(ready, reference_of(known), rows, cases, arguments.jobs, report))
    # Languages run one after the other and cases finish in any order; a table is read by name.
    order = {name: number for number, name in enumerate([*rows, *(case.name for case in cases)])}
    columns = {language.title: number for number, language in enumerate(known)}
    results.sort(key=lambda result: (columns[result.language], order.get(result.case, len(order))))
    if arguments.json is not None:
        write_json(arguments.json, results)
    show(console, results)
    return 1 if any(result.verdict is Verdict.FAILED for result in results) else 0


def _prepare(language: Language, *, is_strict: bool, builds: bool) -> Result | None:
    """Build a client; say why it can't be run, None if it can."""
    if missing := language.missing():
        verdict = Verdict.FAILED if is_strict else Verdict.SKIPPED
        why = f"not on the PATH: {', '.join(missing)}"
        return Result("build", "needs", language.title, verdict, why=why)
    if builds and (said := language.built()) is not None:
        return Result("build", "build", language.title, Verdict.FAILED, why=said)
    return None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument(
        "--languages", default="", help="folders of client/examples, with commas; 'all': none may be missing"
    )
    parser.add_argument(
        "-k", default="", metavar="TEXT", help="only cases with this in their name (group/case)"
    )
    parser.add_argument(
        "--verbose", action="store_true", help="also show what clients printed in cases that passed"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table there as JSON")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="cases at a time (default: 2)")
    parser.add_argument("--skip-build", action="store_true", help="take the adapters as they are")
    parser.add_argument("--no-python", action="store_true", help="leave the Python library's column out")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
