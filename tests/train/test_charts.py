import math
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import fusedet.common.pages
from fusedet.train.charts import COLORS, Curve, heat_map, line_chart, new_axes, titled, to_svg

EVIL = "<script>alert('&')</script>\" $x^2$"


def parse(svg: str) -> ElementTree.Element:
    assert "<script" not in svg
    return ElementTree.fromstring(svg.replace("xlink:href", "href"))


def texts(svg: str) -> list[str]:
    return ["".join(text.itertext()) for text in parse(svg).iter("text")]


def points(svg: str) -> np.ndarray:
    """Of the one curve in a chart."""
    (drawn,) = (p.get("d") for p in parse(svg).iter("path") if "stroke-width: 1.8" in p.get("style", ""))
    return np.array([[float(x) for x in pair] for pair in re.findall(r"([\d.]+) ([\d.]+)", drawn or "")])


def test_the_colours_are_those_of_the_pages() -> None:
    style = (Path(fusedet.common.pages.__file__).parent / "templates" / "style.css").read_text()
    light = dict(re.findall(r"--(\w+): (#\w+)", style.partition("@media")[0]))
    assert COLORS.items() <= light.items()


def test_a_chart_is_drawn_in_the_pages_colours_and_names_nothing_that_another_could() -> None:
    svg = line_chart([Curve("AP", [1, 2], [0, 1], "c3")], "epoch", "AP50", (1, 2), (0, 1), (1.5, "best"))
    assert "stroke: var(--c3)" in svg
    assert not re.search(r"#[0-9a-f]{6}|\bid=|url\(|<style|<metadata", svg)
    assert {"epoch", "AP50", "best"} <= set(texts(svg))


def test_whole_ticks_have_nothing_between_them() -> None:
    svg = line_chart([Curve("AP", [1, 2], [0, 1])], "epoch", "AP", (1, 2), (0, 1), whole_x=True)
    assert {"1", "2"} <= set(texts(svg))
    assert "1.5" not in texts(svg)


def test_a_curve_is_drawn_from_few_points_and_stays_where_it_is() -> None:
    x = np.linspace(0, 1, 2001)
    wave = np.sin(9 * x) / 2 + 0.5
    drawn = points(line_chart([Curve("wave", x, wave)], "x", "y", (0, 1), (0, 1)))
    assert len(drawn) < 400
    left, right, high, low = drawn[0, 0], drawn[-1, 0], drawn[:, 1].min(), drawn[:, 1].max()
    back = np.interp(x, (drawn[:, 0] - left) / (right - left), (low - drawn[:, 1]) / (low - high))
    assert np.abs(back - (wave - wave.min()) / np.ptp(wave)).max() < 0.01


def test_a_gap_stays_a_gap_and_a_single_point_is_a_dot() -> None:
    svg = line_chart([Curve("broken", [0, 1, 2, 3, 4], [1, 1, math.nan, 1, 1])], "x", "y", (0, 4))
    (drawn,) = (p.get("d", "") for p in parse(svg).iter("path") if "stroke-width: 1.8" in p.get("style", ""))
    assert drawn.count("M") == 2
    assert "●" in texts(line_chart([Curve("dot", [1], [0.5])], "x", "y", (1, 2)))
    nothing = line_chart([Curve("nothing", [0, 1], [math.nan, math.nan])], "x", "y", (0, 1))
    assert "<title>" not in nothing


def test_what_leaves_the_frame_is_held_at_its_edge() -> None:
    inside = points(line_chart([Curve("full", [0, 1], [0, 1])], "x", "y", (0, 1), (0, 1)))
    assert points(line_chart([Curve("high", [0, 1], [0, 9])], "x", "y", (0, 1), (0, 1))) == pytest.approx(inside)


def test_maps_are_sound() -> None:
    cells = np.zeros((4, 4))
    for filled in (cells, np.eye(4)):
        assert set(texts(heat_map(filled, EVIL, "down", 2.0))) >= {"down"}


def test_texts_from_outside_are_only_text() -> None:
    svg = line_chart([Curve(EVIL, [0, 1], [0, 1])], "x", "y", (0, 1), None, (0.5, EVIL))
    assert EVIL in texts(svg), "neither HTML nor a formula"
    assert [title.text for title in parse(svg).iter("title")] == [EVIL]
    assert parse(svg).get("aria-label") == EVIL


def test_what_has_a_title_shows_it() -> None:
    axes = new_axes()
    titled(axes.text(0, 0, "a"), EVIL)
    assert [title.text for title in parse(to_svg(axes, "")).iter("title")] == [EVIL]
