"""Shows what the attacks did and what came of them."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.abuse.battle import Outcome
from tests.abuse.neighbourhood import Window

_ANSWERS_SHOWN = 6
_EXCEPTIONS_SHOWN = 3


def show_outcome(console: Console, outcome: Outcome) -> None:
    """Tell one attack: what was answered, and all that is wrong."""
    tally = outcome.tally
    verdict = "[green]kept[/]" if outcome.has_passed else "[red]BROKEN[/]"
    common = ", ".join(f"{word} {count}" for word, count in tally.answers.most_common(_ANSWERS_SHOWN))
    console.print(
        f"[bold]{outcome.attack.name}[/] {verdict} ({outcome.attack.promises}, {outcome.seconds:.1f} s)"
    )
    console.print(Text(f"  {tally.inputs} inputs: {common}"))
    if tally.figures:
        console.print(Text("  " + ", ".join(f"{name} {value:g}" for name, value in tally.figures.items())))
    for line in (*outcome.faults, *tally.examples, *_most_common(outcome.log.exceptions)):
        console.print(Text(f"  {line}", style="red"))
    for line in outcome.notes:
        console.print(Text(f"  {line}", style="yellow"))


def _most_common(exceptions: Sequence[str]) -> list[str]:
    return [f"{times} x logged: {gist}" for gist, times in Counter(exceptions).most_common(_EXCEPTIONS_SHOWN)]


def show_table(console: Console, outcomes: Sequence[Outcome], noise: Window) -> None:
    """Lay all attacks out."""
    table = Table(title=f"without an attack: p50 {noise.p50_ms:.1f} ms, p99 {noise.p99_ms:.1f} ms")
    table.add_column("attack")
    table.add_column("promises")
    for heading in ("inputs", "crashes", "wrong", "exceptions", "RSS MiB", "p50 ms", "p99 ms", "no core"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for outcome in outcomes:
        window = outcome.window
        table.add_row(
            outcome.attack.name,
            outcome.attack.promises,
            str(outcome.tally.inputs),
            str(outcome.tally.crashes),
            str(outcome.tally.wrong),
            str(len(outcome.log.exceptions)),
            f"{outcome.before_mib:.0f} → {outcome.peak_mib:.0f} → {outcome.after_mib:.0f}",
            f"{window.p50_ms:.1f}" if window else "-",
            f"{window.p99_ms:.1f}" if window else "-",
            f"{outcome.waited_share:.0%}",
            "[green]kept[/]" if outcome.has_passed else "[red]BROKEN[/]",
        )
    console.print(table)


def last_line(outcomes: Sequence[Outcome]) -> str:
    """Sum everything up."""
    inputs = sum(outcome.tally.inputs for outcome in outcomes)
    crashes = sum(outcome.tally.crashes for outcome in outcomes)
    wrong = sum(outcome.tally.wrong for outcome in outcomes)
    exceptions = sum(len(outcome.log.exceptions) for outcome in outcomes)
    broken = sum(len(outcome.faults) for outcome in outcomes)
    more = f", {broken} other promises broken" if broken else ""
    return (
        f"{inputs} inputs, {crashes} crashes, {wrong} wrong answers, {exceptions} unhandled exceptions{more}"
    )
