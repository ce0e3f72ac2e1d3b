"""Shows what was measured: a progress bar meanwhile, tables afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from tests.bench.micro import UNIT
from tests.bench.plan import Job
from tests.bench.runs import DISTURBED_SHARE, Median, Run
from tests.bench.targets import Verdict, passing_rate

CHURN_COLUMNS = {
    "us_per_delivery": "us/event",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "join_p99_ms": "join p99",
    "probe_p99_ms": "probe p99",
    "messages_per_event": "msgs/event",
    "server_share": "server",
    "load_share": "load",
}
STORM_COLUMNS = {
    "storm_seconds": "s",
    "server_cpu_seconds": "CPU s",
    "mib": "MiB sent",
    "resident_kib_per_member": "KiB/member",
    "load_share": "load",
}
OTHER_COLUMNS = {
    "idle": {
        "idle_share": "CPU at rest",
        "beats_per_second": "beats/s",
        "resident_kib_per_member": "KiB/member",
        "resident_start_mib": "MiB at start",
        "resident_full_mib": "with all",
        "resident_end_mib": "at the end",
    },
    "slow tenth": {
        "p99_before_ms": "p99 before",
        "p99_ms": "p99 ms",
        "p99_ratio": "ratio",
        "resident_before_mib": "MiB before",
        "resident_mib": "at most",
        "resident_after_mib": "after",
        "given_up": "given up",
        "load_share": "load",
    },
    "messages": {
        "deliveries_per_second": "deliveries/s",
        "server_share": "server",
        "load_share": "load",
        "paced_per_second": "at half: /s",
        "us_per_delivery": "us each",
        "p50_ms": "p50 ms",
        "p99_ms": "p99 ms",
    },
}
RATIO_COLUMNS = ("us_per_delivery", "p99_ms", "storm_seconds", "resident_kib_per_member", "idle_share")
TITLES = {
    "light": "Light: 4 events a second",
    "heavy": "Heavy",
    "storm cold": "Storm: connect, prove, join, see everybody",
    "storm after a cut": "Storm: everybody resumes after a cut of all connections",
    "storm after a drain": "Storm: everybody resumes after a server's drain",
    "idle": "Idle: everybody is there, then nobody",
    "slow tenth": "A tenth stops reading for 30 s: the others",
    "many lobbies": "Many lobbies",
    "messages": "Direct messages",
    "micro": "The cores, in microseconds",
}


class Bar:
    """The progress bar, drawn when something has happened: a thread that draws would take time from the load."""

    def __init__(self, progress: Progress, jobs: list[Job]) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=sum(job.runs for job in jobs))

    def start(self, job: Job) -> None:
        """Show what is measured now."""
        self._progress.update(self._task, description=job.label, refresh=True)

    def advance(self, run: Run) -> None:
        """Show that a run is done, and at once what was wrong with it."""
        for fault in run.faults:
            self._progress.console.print(
                f"[red]{run.scene}, N={run.members:,}, {run.rate:g}/s, {run.server}:[/] {fault}",
                highlight=False,
            )
        self._progress.update(self._task, advance=1, refresh=True)


@contextmanager
def bar(console: Console, jobs: list[Job]) -> Iterator[Bar]:
    """Show a progress bar for as long as the block runs."""
    columns = (
        TextColumn("{task.description:<32}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, auto_refresh=False) as progress:
        yield Bar(progress, jobs)


def show(console: Console, medians: list[Median], verdicts: list[Verdict]) -> None:
    """Print a table for each scene, and one of targets."""
    for scene in dict.fromkeys(median.scene for median in medians):
        rows = [median for median in medians if median.scene == scene]
        console.print(_micro_table(rows[0]) if scene == "micro" else _table(scene, rows))
        if scene == "heavy":
            for members in dict.fromkeys(median.members for median in rows):
                console.print(_passing(medians, members))
    if verdicts:
        console.print(_verdict_table(verdicts))


def _table(scene: str, medians: list[Median]) -> Table:
    columns = CHURN_COLUMNS if scene in ("light", "heavy", "many lobbies") else STORM_COLUMNS
    if not scene.startswith("storm") and columns is STORM_COLUMNS:
        columns = OTHER_COLUMNS.get(scene, {})
    table = Table(title=TITLES.get(scene, scene), title_justify="left")
    table.add_column("server")
    for title in ("N", "rate", *columns.values(), "x bare", "others"):
        table.add_column(title, justify="right")
    for median in medians:
        ratio = next((median.ratios[name] for name in RATIO_COLUMNS if name in median.ratios), None)
        table.add_row(
            median.server,
            f"{median.members:,}",
            f"{median.rate:g}/s" if median.rate else "",
            *(_number(median.figures.get(name)) for name in columns),
            "" if ratio is None else f"{ratio:.2f}",
            f"{median.disturbed:.0%}" if median.disturbed > DISTURBED_SHARE else "",
            style="red" if median.faults else "dim" if median.server == "bare" else "",
        )
    return table


def _micro_table(median: Median) -> Table:
    table = Table(title=TITLES["micro"], title_justify="left")
    table.add_column("operation")
    table.add_column("us", justify="right")
    table.add_column("units", justify="right")
    unit = median.figures[UNIT]
    for name, value in median.figures.items():
        table.add_row(name, _number(value), f"{value / unit:.1f}")
    return table


def _verdict_table(verdicts: list[Verdict]) -> Table:
    table = Table(title="Targets", title_justify="left")
    table.add_column("what")
    table.add_column("at most", justify="right")
    table.add_column("is", justify="right")
    table.add_column("")
    for verdict in verdicts:
        met = "[green]met[/]" if verdict.is_met else "[red]missed[/]"
        unit = f" {verdict.unit}" if verdict.unit else ""
        table.add_row(verdict.what, _number(verdict.most) + unit, _number(verdict.value) + unit, met)
    return table


def _passing(medians: list[Median], members: int) -> str:
    found = passing_rate(medians, members)
    if found is None:
        return ""
    rate, is_passed = found
    if is_passed:
        return f"N={members:,}: p99 passes 100 ms at {rate:,.0f} events a second"
    return f"N={members:,}: p99 stays below 100 ms up to {rate:,.0f} events a second"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
