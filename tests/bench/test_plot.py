"""The plot: the same figures give the same bytes, and every line is there."""

from typing import Any
from xml.etree import ElementTree

import pytest

from tests.bench.plot import Axis, drawn

SVG = "{http://www.w3.org/2000/svg}"


def content(rates: tuple[float, ...] = (10.0, 50.0, 200.0)) -> dict[str, Any]:
    medians = [
        {
            "scene": "light" if rate == 4 else "heavy",
            "server": server,
            "members": members,
            "rate": rate,
            "figures": {"p99_ms": members / 10 + rate, "us_per_delivery": 50 / rate},
        }
        for members in (500, 1_000)
        for server, measured in (("adsumd", (4.0, *rates)), ("bare", (4.0,)))
        for rate in measured
    ]
    machine = {"cpu": "A & B <1>", "python": "3.11", "grpcio": "1.85", "uvloop": True}
    return {"machine": machine, "medians": medians}


def test_the_plot_is_an_svg_with_a_line_for_each_size_and_the_baseline_s_points() -> None:
    svg = drawn(content())
    assert svg == drawn(content())
    root = ElementTree.fromstring(svg)
    lines = [len(line.attrib["points"].split()) for line in root.iter(f"{SVG}polyline")]
    assert lines == [4, 1, 4, 1] * 2
    texts = [text.text or "" for text in root.iter(f"{SVG}text")]
    assert texts.count("N=1,000") == 2
    assert any("A & B <1>" in text for text in texts)


def test_one_rate_makes_no_line() -> None:
    with pytest.raises(SystemExit, match="nothing to draw"):
        drawn(content(rates=()))


def test_an_axis_holds_its_values_between_two_ticks() -> None:
    axis = Axis.around([3.0, 170.0], 100.0)
    assert (axis.low, axis.high) == (2.0, 200.0)
    assert axis.ticks == [2, 5, 10, 20, 50, 100, 200]
    assert axis.place(20.0) == pytest.approx(50.0)
    same = Axis.around([5.0], 100.0)
    assert (same.low, same.high) == (5.0, 10.0)
