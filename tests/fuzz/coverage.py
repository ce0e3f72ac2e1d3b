"""Which steps through the code an input takes, and which few inputs take them all.

Found with Python's own tracing, so it needs no fuzzer, and says the same everywhere.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, TypeAlias

import adsum.client
import adsum.contract
import adsum.server

Arc: TypeAlias = tuple[str, int, int]
"""A file, and the numbers of two of its lines of which the second ran after the first; the first of a function runs after 0."""

_TraceFunction: TypeAlias = Callable[[FrameType, str, Any], Any]
# As the standard library's stubs have it.

_ROOTS = tuple(
    str(Path(file).parent)
    for package in (adsum.client, adsum.contract, adsum.server)
    if (file := package.__file__)
)


class Tracer:
    """Run inputs and note the steps they take in the code that is fuzzed."""

    def __init__(self) -> None:
        self._arcs: set[Arc] = set()
        self._is_ours: dict[CodeType, bool] = {}
        self._lines: dict[FrameType, int] = {}

    def arcs(self, run: Callable[[bytes], None], data: bytes) -> frozenset[Arc]:
        """Run an input and list its steps; none if it fails."""
        self._arcs, self._lines = set(), {}
        sys.settrace(self._call)
        try:
            run(data)
        except Exception:  # noqa: BLE001  # whatever it is, the input is no regression test until it is mended
            self._arcs = set()
        finally:
            sys.settrace(None)
        self._lines = {}
        return frozenset(self._arcs)

    def _call(self, frame: FrameType, event: str, _: object) -> _TraceFunction | None:
        code = frame.f_code
        is_ours = self._is_ours.get(code)
        if is_ours is None:
            is_ours = self._is_ours[code] = code.co_filename.startswith(_ROOTS)
        if not is_ours:
            return None
        self._lines[frame] = 0
        return self._line

    def _line(self, frame: FrameType, event: str, _: object) -> _TraceFunction | None:
        if event == "line":
            self._arcs.add((frame.f_code.co_filename, self._lines.get(frame, 0), frame.f_lineno))
            self._lines[frame] = frame.f_lineno
        elif event == "return":
            self._lines.pop(frame, None)
        return self._line


def cover(candidates: Iterable[tuple[bytes, frozenset[Arc]]], most: int, most_bytes: int) -> list[bytes]:
    """Choose inputs that together take as many steps as so few can: each next one is that which adds the most, the smaller first."""
    left = sorted(candidates, key=lambda one: len(one[0]))
    seen: set[Arc] = set()
    chosen: list[bytes] = []
    size = 0
    while left and len(chosen) < most:
        gains = [
            (len(arcs - seen), -len(data), index)
            for index, (data, arcs) in enumerate(left)
            if size + len(data) <= most_bytes
        ]
        gain, _, index = max(gains, default=(0, 0, 0))
        if not gain:
            break
        data, arcs = left.pop(index)
        chosen.append(data)
        seen |= arcs
        size += len(data)
        # What adds nothing now never will.
        left = [one for one in left if not one[1] <= seen]
    return chosen
