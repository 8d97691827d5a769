import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from fusedet.common.html import fold, legend, share, table, tiles
from fusedet.train.evaluation.report.figures.charts import Curve, line_chart, nice_ticks
from fusedet.train.evaluation.report.figures.confusion import Confusion
from fusedet.train.evaluation.report.figures.maps import confusion_matrix, heat_map, size_histogram

EVIL = "<script>alert('&')</script>\""


def points(svg: str) -> np.ndarray:
    """Of the one curve in a chart."""
    (drawn,) = (p.get("d") for p in ElementTree.fromstring(svg).iter("path") if "curve" in p.get("class", ""))
    return np.array([[float(x) for x in pair] for pair in re.findall(r"([\d.]+) ([\d.]+)", drawn or "")])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (1, 3, [1, 1.5, 2, 2.5, 3]),
        (0, 0.0198, [0, 0.005, 0.01, 0.015]),
        (0, 3.4, [0, 1, 2, 3]),
        (5, 5, [5]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert nice_ticks(low, high) == pytest.approx(expected)


def test_whole_ticks_have_nothing_between_them() -> None:
    assert nice_ticks(1, 3, whole=True) == [1, 2, 3]
    assert nice_ticks(1, 100, whole=True) == nice_ticks(1, 100)
    svg = line_chart([Curve("AP", [1, 2], [0, 1])], "epoch", (1, 2), (0, 1), whole_x=True)
    assert ">1.5<" not in svg
    assert ">2<" in svg


def test_a_curve_is_drawn_from_few_points_and_stays_where_it_is() -> None:
    x = np.linspace(0, 1, 2001)
    y = np.where(x < 0.5, x, 1 - x)
    drawn = points(line_chart([Curve("tent", x, y)], "x", (0, 1), (0, 1)))
    assert len(drawn) == 3
    assert drawn[:, 0].tolist() == pytest.approx([44, 197, 350])
    wave = np.sin(9 * x) / 2 + 0.5
    drawn = points(line_chart([Curve("wave", x, wave)], "x", (0, 1), (0, 1)))
    assert len(drawn) < 100
    back = np.interp((x * 306) + 44, drawn[:, 0], drawn[:, 1])
    assert np.abs(back - (8 + (1 - wave) * 188)).max() < 1, "in pixels, where it is steep too"


def test_a_gap_stays_a_gap_and_a_single_point_is_a_dot() -> None:
    svg = line_chart([Curve("broken", [0, 1, 2, 3, 4], [1, 1, math.nan, 1, 1])], "x", (0, 4))
    assert svg.count("M") >= 2
    assert len(re.findall(r"M[\d.]+ [\d.]+L", svg)) == 2
    assert "<circle" in line_chart([Curve("dot", [1], [0.5])], "x", (1, 2))
    nothing = line_chart([Curve("nothing", [0, 1], [math.nan, math.nan])], "x", (0, 1))
    assert "curve" not in nothing


def test_what_leaves_the_frame_is_held_at_its_edge() -> None:
    drawn = points(line_chart([Curve("high", [0, 1], [0, 9])], "x", (0, 1), (0, 1)))
    assert drawn[:, 1].min() == 8


@pytest.mark.parametrize("count", [1, 3, 12, 40, 80])
def test_a_matrix_of_any_size_is_sound(count: int) -> None:
    names = tuple(f"{EVIL} {i}" for i in range(count))
    counts = np.eye(count + 1, dtype=np.int64) * 9
    counts[0, -1] = 1
    html = confusion_matrix(Confusion(names, counts))
    assert "<script" not in html
    root = ElementTree.fromstring(html)
    titles = [title.text or "" for title in root.iter("title")]
    assert any(title.startswith(f"{EVIL} 0 → missed: 1 (10 %)") for title in titles)


def test_maps_are_sound() -> None:
    cells = np.zeros((4, 4), np.int64)
    empty = ElementTree.fromstring(heat_map(cells, EVIL, EVIL))
    cells[1, 2] = 4
    filled = ElementTree.fromstring(heat_map(cells, "across", "down", 2.0))
    assert len(list(filled.iter("rect"))) == len(list(empty.iter("rect"))) + 1
    edges = 2.0 ** np.arange(5)
    for counts in (np.zeros(4, np.int64), np.array([0, 3, 1, 0])):
        ElementTree.fromstring(size_histogram(edges, [("a", counts), (EVIL, counts)], "px"))


def test_texts_are_escaped() -> None:
    for html in (
        legend([(EVIL, "red")]),
        tiles([(EVIL, EVIL)]),
        fold(EVIL, ""),
        table([EVIL], []),
        line_chart([Curve(EVIL, [0, 1], [0, 1])], EVIL, (0, 1), None, (0.5, EVIL)),
    ):
        assert "<script" not in html
        assert "&lt;script" in html


def test_figures() -> None:
    assert share(0.12345) == "0.123"
    assert share(math.nan) == "–"
