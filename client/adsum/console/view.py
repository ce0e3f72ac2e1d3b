"""What the full screen looks like: a state, a size and a moment make a frame.

Pure. The panes say what they show, the layout where; here it is put together and bordered. A border repeats
by its weight and colour which pane is in use, and by a thicker part of its right side where one is in a list.
"""

from typing import assert_never

from adsum.console.canvas import Frame, Piece, Strip, filled, fit, styled_over, width_of
from adsum.console.inputs import Moment, Size
from adsum.console.layout import Border, Layout, Pane, Rect
from adsum.console.panes.events import events_strips, events_title
from adsum.console.panes.footer import footer_strip, hint_strip, notice_strip, prompt_strip
from adsum.console.panes.help import help_strips, help_top
from adsum.console.panes.lobby import lobby_strips, lobby_title, window
from adsum.console.panes.messages import messages_strips, messages_title
from adsum.console.panes.selection import selection_strips
from adsum.console.panes.status import status_strip
from adsum.console.panes.waiting import waiting_strips
from adsum.console.state import HelpPage, State

IN_USE = "bold cyan"
AT_REST = "dim"


def render(state: State, size: Size, moment: Moment) -> Frame:
    """Draw everything at that size."""
    layout = state.layout_for(size)
    width = size.columns
    rows: list[Strip] = [status_strip(state, width, moment)]
    if state.notice is not None:
        rows.append(notice_strip(state.notice, width))
    if state.hint is not None:
        rows.append(hint_strip(state.hint.shown, width))
    rows += _body(state, layout, moment)
    if state.has_prompt_row:
        rows.append(prompt_strip(state, width))
    rows.append(footer_strip(state, width))
    return Frame(tuple(filled(rows, width, size.rows)), width)


def _body(state: State, layout: Layout, moment: Moment) -> list[Strip]:
    body = layout.body
    if isinstance(state.prompt, HelpPage):
        # The page has a margin of one column, and is cut where the screen ends.
        top = help_top(state, body.width - 1, state.prompt.top, body.height)
        page = help_strips(state, body.width - 1)[top:]
        return [(Piece(" "), *strip) for strip in filled(page, body.width - 1, body.height)]
    if not state.has_list:
        return filled(waiting_strips(state, body.width, body.height, moment), body.width, body.height)
    rows: list[dict[int, Strip]] = [{} for _ in range(body.height)]
    for pane, rect in layout.outer.items():
        for number, strip in enumerate(_pane(state, layout, pane, moment)):
            rows[rect.top - body.top + number][rect.left] = strip
    return [tuple(piece for left in sorted(row) for piece in row[left]) for row in rows]


def _pane(state: State, layout: Layout, pane: Pane, moment: Moment) -> list[Strip]:
    inner = layout.inner(pane)
    match pane:
        case Pane.LOBBY:
            title, content = lobby_title(state, layout), lobby_strips(state, layout, moment)
        case Pane.SELECTION:
            title, content = (Piece("Selected"),), selection_strips(state, inner.width, inner.height, moment)
        case Pane.MESSAGES:
            title, content = messages_title(state), messages_strips(state, inner.width, inner.height, moment)
        case Pane.EVENTS:
            title, content = events_title(state), events_strips(state, inner.height)
        case _:
            assert_never(pane)
    return _bordered(
        filled(content, inner.width, inner.height),
        layout.outer[pane],
        layout.border,
        title,
        is_in_use=pane is state.focus,
        thumb=_thumb(state, layout) if pane is Pane.LOBBY else (0, 0),
    )


def _bordered(
    content: list[Strip],
    outer: Rect,
    border: Border,
    title: Strip,
    *,
    is_in_use: bool,
    thumb: tuple[int, int],
) -> list[Strip]:
    style = IN_USE if is_in_use else AT_REST
    match border:
        case Border.NONE:
            return content
        case Border.RULE:
            return [_rule(title, outer.width, "━" if is_in_use else "─", style), *content][: outer.height]
        case Border.BOX:
            pass
        case _:
            assert_never(border)
    corners = "┏┓┗┛" if is_in_use else "╭╮╰╯"
    level, upright = ("━", "┃") if is_in_use else ("─", "│")
    width = outer.width - 2
    rows: list[Strip] = [
        (Piece(corners[0], style), *_rule(title, width, level, style), Piece(corners[1], style))
    ]
    for number, strip in enumerate(content):
        right = "█" if thumb[0] <= number < thumb[1] else upright
        rows.append((Piece(upright, style), *strip, Piece(right, style)))
    rows.append((Piece(corners[2] + level * width + corners[3], style),))
    return rows


def _rule(title: Strip, width: int, level: str, style: str) -> Strip:
    room = max(0, width - 4)
    if width_of(title) > room:
        title = fit(title, room)
    used = width_of(title)
    if not used:
        return (Piece(level * width, style),)
    named = styled_over(title, IN_USE if style == IN_USE else "bold")
    return (Piece(f"{level} ", style), *named, Piece(f" {level * (width - used - 3)}", style))


def _thumb(state: State, layout: Layout) -> tuple[int, int]:
    """Tell which rows of the border stand for the part of the list that is seen."""
    height = layout.inner(Pane.LOBBY).height
    first, end = window(state, layout)
    count = len(state.shown)
    if end - first >= count or height < 3:
        return 0, 0
    size = max(1, height * (end - first) // count)
    top = round((height - size) * first / max(1, count - (end - first)))
    return top, top + size
