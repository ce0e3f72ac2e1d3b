"""How the cursor moves among those who are present. Pure."""

from dataclasses import replace

from adsum.console.state import State, cursor_index, is_free, list_height


def move_cursor(state: State, step: int) -> State:
    """Move the cursor by so many rows, or as far as there is somebody."""
    index = cursor_index(state)
    if index is None or not step:
        return state
    shown, by_key = state.shown, state.rows.by_key
    wanted = max(0, min(index + step, len(shown) - 1))
    direction = 1 if step > 0 else -1
    # On from there to the next who is present, and if there is nobody further on, back again.
    for candidates in (
        range(wanted, len(shown) if step > 0 else -1, direction),
        range(wanted, index, -direction),
    ):
        for candidate in candidates:
            if is_free(by_key, shown[candidate]):
                return _moved(state, candidate, index)
    return state


def next_match(state: State, direction: int) -> State:
    """Go to the next match of the filter, round and round; without one, to the next who has written."""
    index = cursor_index(state)
    count = len(state.shown)
    if index is None:
        return state
    for distance in range(1, count + 1):
        candidate = (index + direction * distance) % count
        place = state.shown[candidate]
        talk = state.talks.get(place[1])
        is_wanted = bool(state.wanted) or (talk is not None and talk.unread > 0)
        if is_wanted and is_free(state.rows.by_key, place):
            return _moved(state, candidate, index)
    return state


def _moved(state: State, index: int, before: int) -> State:
    lowest = list_height(state.layout) - 1
    cursor_row = max(0, min(state.cursor_row + index - before, lowest))
    return replace(
        state, cursor=state.shown[index][1], cursor_row=cursor_row, displaced=None, is_steered=True
    )
