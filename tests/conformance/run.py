"""Run the cases: language after language, a few cases at a time, each on a stage of its own."""

import asyncio
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.conformance.cases import Case
from tests.conformance.client import ConformanceError
from tests.conformance.languages import PYTHON, Language
from tests.conformance.results import Result, Verdict
from tests.conformance.stage import Servers, Stage
from tests.conformance.vectors import run_vectors
from tests.integration.promises import BrokenPromiseError

CASE_SECONDS = 180.0
"""How long a case may take in all. Each wait in it has its own, shorter bound."""
LONGEST_LOBBY = 60
LOGS = "no-client-makes-the-server-log-an-error"
"""A row that is there only if it has failed."""
Report = Callable[[Result], None]
"""Called with each result as soon as it is there."""


async def run_languages(
    languages: list[Language],
    reference: Language,
    rows: list[str],
    cases: list[Case],
    jobs: int,
    report: Report,
) -> None:
    """Run the rows of the vectors and the cases for each of the languages; `reference` is whom they meet."""
    try:
        async with Servers() as servers:
            for language in languages:
                for result in await asyncio.to_thread(lambda one=language: list(run_vectors(one, rows))):  # type: ignore[misc]
                    report(result)
                await _run_cases(language, reference, cases, servers, jobs, report)
    except BrokenPromiseError as error:
        # The shared servers are ended last, and then their logs are read. No single case is to blame.
        report(Result("live", LOGS, reference.title, Verdict.FAILED, (error.promise,), why=str(error)))


async def _run_cases(
    language: Language,
    reference: Language,
    cases: Iterable[Case],
    servers: Servers,
    jobs: int,
    report: Report,
) -> None:
    waiting = iter(cases)

    async def work() -> None:
        for case in waiting:
            report(await run_case(case, language, reference, servers))

    async with asyncio.TaskGroup() as workers:
        for _ in range(jobs):
            workers.create_task(work())


async def run_case(case: Case, language: Language, reference: Language, servers: Servers) -> Result:
    """Play one case. Whatever is raised in it is its failure."""
    started = time.monotonic()
    lobby = f"{language.key}-{case.name}".lower()[:LONGEST_LOBBY]
    stage = Stage(language, reference, servers, lobby)
    why = ""
    try:
        async with asyncio.timeout(CASE_SECONDS), stage:
            await case.play(stage)
    except Exception as error:  # noqa: BLE001
        why = _explain(error)
    return Result(
        case.group,
        case.name,
        language.title,
        Verdict.FAILED if why else Verdict.PASSED,
        case.promises,
        why=why,
        told=tuple(line for client in stage.clients for line in client.told()),
        seconds=time.monotonic() - started,
    )


def _explain(error: BaseException) -> str:
    """Say what went wrong, and where: in the case, and in what the case had called."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_explain(inner) for inner in error.exceptions)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/tests/" in frame.filename]
    places = [(Path(frame.filename).name, frame.lineno, frame.line) for frame in frames]
    first = next((n for n, (file, _, _) in enumerate(places) if file.startswith(("live_", "hostile_"))), 0)
    where = "".join(f"\n  at {file}:{number}: {line}" for file, number, line in places[first:])
    text = str(error) or ("it did not come" if isinstance(error, TimeoutError) else "it is not so")
    kind = "" if isinstance(error, ConformanceError) else f"{type(error).__name__}: "
    return f"{kind}{text}{where}"


def skipped(language: Language, rows: list[str], cases: Iterable[Case], why: str) -> list[Result]:
    """Make the column of a language that can't be run."""
    cells = [("vectors", row, ()) for row in rows] + [(c.group, c.name, c.promises) for c in cases]
    return [
        Result(group, name, language.title, Verdict.SKIPPED, promises, why=why)
        for group, name, promises in cells
    ]


def reference_of(languages: list[Language]) -> Language:
    """Find the language that the others meet."""
    return next(language for language in languages if language.key == PYTHON)
