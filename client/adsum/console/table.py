"""How the list of members looks: a Rich table on a terminal, aligned columns elsewhere.

Pure: members in, something to print out. Every cell goes through the boundary in `text`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo

from rich import box
from rich.cells import cell_len
from rich.table import Table

from adsum.client import Liveness, Member
from adsum.console.text import Line, Span, Tone, line, plain, styled
from adsum.console.wording import LIVENESS_WORDS, status_words

COLUMNS = ("NAME", "FINGERPRINT", "STATUS", "LIVENESS", "SINCE", "DEVICES")
"""What is shown of a member, in this order."""
LIVENESS_SIGNS = {Liveness.ONLINE: ("●", Tone.GOOD), Liveness.SUSPECT: ("?", Tone.WARNING)}
"""The sign and the tone of a liveness; the word beside them says the same."""


def member_table(members: Iterable[Member], *, me: bytes | None, now: datetime) -> Table:
    """Lay out members for a terminal with colours; oneself, by key, is marked in words.

    `now` is in the time zone in which times are shown.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in COLUMNS:
        table.add_column(column, overflow="fold", justify="right" if column == "DEVICES" else "left")
    for member in members:
        table.add_row(*(styled(cell) for cell in _cells(member, me, now)))
    return table


def member_columns(members: Iterable[Member], *, me: bytes | None, now: datetime) -> list[str]:
    """Lay out members for a pipe or a file: a line of headings, then a line for each, aligned."""
    rows: list[Sequence[str]] = [COLUMNS]
    rows += [[plain(cell) for cell in _cells(member, me, now)] for member in members]
    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return [
        "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def since_words(then: datetime, now: datetime) -> str:
    """Tell when something began: the time today, with the date before that."""
    local = then.astimezone(_zone(now))
    return local.strftime("%H:%M:%S" if local.date() == now.date() else "%Y-%m-%d %H:%M")


def _cells(member: Member, me: bytes | None, now: datetime) -> tuple[Line, ...]:
    sign, tone = LIVENESS_SIGNS[member.liveness]
    own = (Span(" (you)", Tone.QUIET),) if member.public_key == me else ()
    return (
        line("", Span(member.name, Tone.NAME), *own),
        line("", Span(member.fingerprint, Tone.QUIET)),
        line("", status_words(member.profile)),
        line(sign, LIVENESS_WORDS[member.liveness], tone=tone),
        line("", since_words(member.joined_at, now)),
        line("", str(member.session_count)),
    )


def _zone(now: datetime) -> tzinfo:
    if now.tzinfo is None:
        raise ValueError("now needs a time zone")
    return now.tzinfo
