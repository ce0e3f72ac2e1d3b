"""Where panes stand, at any size."""

from hypothesis import given
from hypothesis import strategies as st

from adsum.console.inputs import Size
from adsum.console.layout import Layout, Pane, lay_out

SIZES = st.builds(Size, st.integers(1, 260), st.integers(1, 90))
FOCUSES = st.sampled_from([Pane.LOBBY, Pane.MESSAGES, Pane.EVENTS])


def cells(layout: Layout) -> list[tuple[int, int]]:
    return [
        (column, row)
        for rect in layout.outer.values()
        for row in range(rect.top, rect.top + rect.height)
        for column in range(rect.left, rect.left + rect.width)
    ]


@given(SIZES, FOCUSES, st.booleans(), st.integers(0, 3))
def test_panes_tile_the_space_between_status_and_footer(
    size: Size, focus: Pane, has_choice: bool, extra_rows: int
) -> None:
    layout = lay_out(size, focus=focus, has_choice=has_choice, extra_rows=extra_rows)
    body = layout.body
    taken = cells(layout)
    assert len(taken) == len(set(taken)) == body.width * body.height
    assert all(rect.height >= 0 and rect.width >= 0 for rect in layout.outer.values())


@given(SIZES, FOCUSES, st.integers(0, 3))
def test_selection_and_pane_in_use_are_never_hidden(size: Size, focus: Pane, extra_rows: int) -> None:
    layout = lay_out(size, focus=focus, has_choice=True, extra_rows=extra_rows)
    assert layout.shows(Pane.SELECTION)
    assert layout.shows(focus)
    if layout.body.height >= 3 and layout.body.width >= 3:
        assert layout.inner(Pane.SELECTION).height >= 1
        assert layout.inner(focus).height >= 1


def test_narrow_screen_has_everything_below_each_other() -> None:
    layout = lay_out(Size(80, 24), focus=Pane.LOBBY, has_choice=True, extra_rows=0)
    assert {rect.width for rect in layout.outer.values()} == {80}
    assert set(layout.outer) == set(Pane)


def test_wide_screen_has_the_conversation_beside_the_lobby() -> None:
    layout = lay_out(Size(120, 34), focus=Pane.LOBBY, has_choice=False, extra_rows=0)
    assert layout.outer[Pane.MESSAGES].left == layout.outer[Pane.LOBBY].width
