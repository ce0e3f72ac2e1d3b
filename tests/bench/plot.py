"""`make bench-plot`: latency and CPU per delivered event against the rate of events, from the JSON of `make bench`, as an SVG.

Drawn by hand, so that it needs no library and the same figures give the same bytes.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from tests.bench.targets import PROMISED_MS

WIDTH, HEIGHT = 860, 400
LEFT, TOP, PANEL_WIDTH, PANEL_HEIGHT, GAP = 64, 64, 310, 260, 100
COLOURS = ("#1b6ca8", "#d1495b", "#3a7d44", "#8a5a9e")
INK, FAINT, RULE = "#222222", "#777777", "#e4e4e4"
FONT = "font-family='Helvetica, Arial, sans-serif'"
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a panel: what it is called, and its points."""

    label: str
    points: tuple[tuple[float, float], ...]
    colour: str
    is_baseline: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis from one value to another, over so many pixels."""

    low: float
    high: float
    pixels: float

    @classmethod
    def around(cls, values: Iterable[float], pixels: float) -> "Axis":
        """Make an axis that holds all values, and ends at ticks."""
        found = [value for value in values if value > 0]
        low, high = min(found), max(found)
        return cls(
            max(tick for tick in _ladder() if tick <= low),
            min(tick for tick in _ladder() if tick >= high and tick > low),
            pixels,
        )

    @property
    def ticks(self) -> list[float]:
        """The values that are written beside it."""
        return [tick for tick in _ladder() if self.low <= tick <= self.high]

    def place(self, value: float) -> float:
        """Tell how far along the axis a value is."""
        return self.pixels * math.log(value / self.low) / math.log(self.high / self.low)


def drawn(content: dict[str, Any]) -> str:
    """Draw the heavy scene."""
    machine = content["machine"]
    about = (
        f"{machine['cpu']}, one core for the server; Python {machine['python']}, grpcio {machine['grpcio']}"
        + (", uvloop" if machine["uvloop"] else "")
        + "; hollow: the same on a bare grpc.aio server, as far as it goes"
    )
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' {FONT} font-size='12' fill='{INK}'>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>",
        _text(LEFT, 26, "One lobby: events a second, and what they take", size=16),
        *_panel(
            LEFT,
            "p99 from event to every member, ms",
            _lines(content["medians"], "p99_ms"),
            lambda lines: [*lines, PROMISED_MS],
            rule=PROMISED_MS,
        ),
        *_panel(
            LEFT + PANEL_WIDTH + GAP,
            "server CPU per event and member, \u00b5s",
            _lines(content["medians"], "us_per_delivery"),
            lambda lines: lines,
        ),
        _text(LEFT, HEIGHT - 14, about, colour=FAINT, size=11),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _lines(medians: list[dict[str, Any]], figure: str) -> list[Line]:
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for median in medians:
        if median["scene"] in ("light", "heavy") and median["figures"].get(figure, 0) > 0:
            point = (median["rate"], median["figures"][figure])
            found.setdefault((median["server"], median["members"]), []).append(point)
    sizes = sorted(
        {members for (server, members), points in found.items() if server != "bare" and len(points) > 1}
    )
    lines = []
    for index, members in enumerate(sizes):
        colour = COLOURS[index % len(COLOURS)]
        lines.append(Line(f"{members:,}", tuple(sorted(found["adsumd", members])), colour))
        if points := found.get(("bare", members)):
            lines.append(Line("", tuple(sorted(points)), colour, is_baseline=True))
    if not lines:
        raise SystemExit("there is nothing to draw: measure the heavy scene at two rates or more")
    return lines


def _panel(
    left: float,
    title: str,
    lines: list[Line],
    shown: Callable[[list[float]], list[float]],
    rule: float | None = None,
) -> list[str]:
    x = Axis.around((rate for line in lines for rate, _ in line.points), PANEL_WIDTH)
    y = Axis.around(shown([value for line in lines for _, value in line.points]), PANEL_HEIGHT)
    bottom = TOP + PANEL_HEIGHT

    def at(rate: float, value: float) -> str:
        return f"{left + x.place(rate):.1f},{bottom - y.place(value):.1f}"

    parts = [_text(left - 40, TOP - 14, title)]
    for tick in y.ticks:
        height = bottom - y.place(tick)
        parts.append(_rule(left, height, left + PANEL_WIDTH, height, RULE))
        parts.append(_text(left - 8, height + 4, f"{tick:g}", anchor="end", colour=FAINT))
    parts += [
        _text(left + x.place(tick), bottom + 18, f"{tick:g}", anchor="middle", colour=FAINT)
        for tick in x.ticks
    ]
    parts.append(_text(left + PANEL_WIDTH / 2, bottom + 36, "events a second", anchor="middle", colour=FAINT))
    if rule is not None:
        height = bottom - y.place(rule)
        parts.append(_rule(left, height, left + PANEL_WIDTH, height, INK, dashed=True))
    labels = _labels([line for line in lines if line.label], y)
    for line in lines:
        points = " ".join(at(rate, value) for rate, value in line.points)
        style = "stroke-dasharray='2 4'" if line.is_baseline else "stroke-width='2'"
        parts.append(f"<polyline points='{points}' fill='none' stroke='{line.colour}' {style}/>")
        for rate, value in line.points:
            cx, cy = at(rate, value).split(",")
            fill = "white" if line.is_baseline else line.colour
            parts.append(f"<circle cx='{cx}' cy='{cy}' r='3' fill='{fill}' stroke='{line.colour}'/>")
        if line.label:
            height = bottom - labels[line.label]
            parts.append(_text(left + PANEL_WIDTH + 8, height + 4, f"N={line.label}", colour=line.colour))
    return parts


def _labels(lines: list[Line], y: Axis) -> dict[str, float]:
    """Place the labels at the ends of their lines, but never one on another."""
    placed: dict[str, float] = {}
    lowest = -math.inf
    for line in sorted(lines, key=lambda line: line.points[-1][1]):
        lowest = max(y.place(line.points[-1][1]), lowest + 15)
        placed[line.label] = lowest
    return placed


def _ladder() -> list[float]:
    return [step * 10.0**power for power in range(-3, 7) for step in _STEPS]


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = INK, size: int = 12) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{colour}' font-size='{size}'>"
        f"{escape(text)}</text>"
    )


def _rule(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False) -> str:
    dash = " stroke-dasharray='5 4'" if dashed else ""
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}'{dash}/>"


def main() -> None:
    """Read the options, and draw."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.plot", description=__doc__)
    parser.add_argument("json", type=Path, help="what `python -m tests.bench --json` wrote")
    parser.add_argument("svg", type=Path)
    arguments = parser.parse_args()
    content = json.loads(arguments.json.read_text(encoding="utf-8"))
    arguments.svg.write_text(drawn(content), encoding="utf-8")


if __name__ == "__main__":
    main()
