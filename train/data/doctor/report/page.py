"""The report as a page: one HTML file that needs nothing else."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fusedet.common.errors import InputError
from fusedet.common.pages import render
from fusedet.deploy.camera.sources import read_image
from fusedet.deploy.drawing.thumbnail import Box, Thumbnail, small_jpeg, thumbnail
from fusedet.train.data.doctor.check import Report
from fusedet.train.data.doctor.finding import KINDS, Finding
from fusedet.train.data.doctor.report.plots import statistics_charts
from fusedet.train.data.doctor.report.report import summary
from fusedet.train.data.doctor.source import Image, Split

#: How many images a kind has at most, and how many rows of text.
_MOST_IMAGES, _MOST_ROWS = 12, 200
#: Longest side of the small images in pixels.
_SIDE = 280
_RED, _CALM = "#e62828", "#5aa0be"


class _Tile(NamedTuple):
    """An image of some findings, and the other one of those that are there twice; None where it cannot be shown."""

    caption: str
    shown: list[Thumbnail | None]


def check_page(report: Report, title: str) -> str:
    """The page's text; ``title`` says what was examined."""
    kinds = report.by_kind()
    return render(
        Path(__file__).with_name("check.html"),
        title=title,
        report=report,
        summary=summary(report),
        verdict="bad" if report.count("error") else "warn" if report.count("warning") else "good",
        kinds=[(kind, KINDS[kind], findings) for kind, findings in kinds.items()],
        tiles={kind: _tiles(report, findings) for kind, findings in kinds.items()},
        most_rows=_MOST_ROWS,
        charts=[statistics_charts(figures, report.input_size) for figures in report.statistics],
    )


def _tiles(report: Report, findings: Sequence[Finding]) -> tuple[list[_Tile], int]:
    """A small copy of each image that the findings name, and of how many there is none for want of space."""
    splits = {split.name: split for split in report.splits}
    images = {(s.name, i.position): i for s in report.splits for i in s.images}
    owners = {(s.name, t.position): t.image for s in report.splits for t in s.objects if t.image is not None}
    of_section = {"images": images, "annotations": owners}
    unreadable = {(seen.split.name, seen.image.position) for seen in report.looks if seen.fault}
    groups: dict[tuple[str, int], list[Finding]] = {}
    for finding in findings:
        named, at = of_section.get(finding.section, {}), (finding.split, finding.position or 0)
        if at in named:
            groups.setdefault((finding.split, named[at].position), []).append(finding)
    tiles = []
    for (name, position), group in list(groups.items())[:_MOST_IMAGES]:
        red = {f.position for f in group if f.section == "annotations" and f.position is not None}
        caption = f"{name}: {group[0].place}: {group[0].found}" + (f" (+{len(group) - 1})" if len(group) > 1 else "")
        readable = (name, position) not in unreadable
        shown = [_thumbnail(splits[name], images[name, position], red) if readable else None]
        other = group[0].other
        if other is not None and other in images:
            shown.append(_thumbnail(splits[other[0]], images[other], set()))
        tiles.append(_Tile(caption, shown))
    return tiles, len(groups) - len(tiles)


def _thumbnail(split: Split, image: Image, red: set[int]) -> Thumbnail | None:
    path = split.path(image)
    try:
        pixels = None if path is None else read_image(path, upright=False)
    except InputError:
        pixels = None
    if pixels is None:
        return None
    boxes = []
    for thing in image.objects:
        if thing.box_xywh is not None:
            x, y, width, height = thing.box_xywh
            corners = np.clip([min(x, x + width), min(y, y + height), max(x, x + width), max(y, y + height)], -1e6, 1e6)
            meant = thing.position in red
            boxes.append(Box(corners, "", _RED if meant else _CALM, meant))
    return thumbnail(small_jpeg(pixels, _SIDE), image.size_wh or pixels.shape[1::-1], boxes)
