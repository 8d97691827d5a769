"""The report as a page: one HTML file that needs nothing else."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from fusedet.configs.errors import InputError
from fusedet.deploy.opencv import cv2
from fusedet.deploy.sources import read_image
from fusedet.train.doctor.balance import SMALL_PX
from fusedet.train.doctor.check import Report
from fusedet.train.doctor.figures import class_bars, histogram, place_map
from fusedet.train.doctor.finding import KINDS, SEVERITIES, Finding
from fusedet.train.doctor.report import summary
from fusedet.train.doctor.source import Image, Split
from fusedet.train.doctor.statistics import Statistics
from fusedet.train.sheet import draw_labels, fit

__all__ = ["report_page"]

#: Longest side of the small pictures in pixels, how many of them a kind has at most, and how many rows of text.
_SIDE, _MOST_PICTURES, _MOST_ROWS = 280, 12, 200
_RED, _CALM = (40, 40, 230), (190, 160, 90)

_NONE = '<div class="none">no picture</div>'

_SIDES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_COUNTS = (0, 1, 2, 3, 4, 5, 8, 12, 20, 50)
_RATIOS = (0.125, 0.25, 0.5, 0.71, 1.41, 2, 4, 8)

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2430; background: #fff; max-width: 70rem; margin: 2rem auto;
  padding: 0 1rem }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem; scroll-margin-top: 1rem }
h3 { font-size: 1rem; margin: 1rem 0 .3rem } p { margin: .3rem 0 } .quiet { color: #5a6675 }
.verdict, .tag { display: inline-block; border-radius: .4rem; color: #fff; font-weight: 600 }
.verdict { margin: .8rem 0; padding: .3rem .9rem } .tag { padding: 0 .5rem; font-size: .8rem; margin-right: .4rem }
.error { background: #b3261e } .warning { background: #a15c00 } .note { background: #5a6675 }
.good { background: #1a7f4b }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #dde3ea; vertical-align: top;
  overflow-wrap: anywhere } td.number { text-align: right; white-space: nowrap } .scroll { overflow-x: auto }
a { color: inherit } summary { cursor: pointer; margin: .4rem 0 }
.pictures { display: flex; flex-wrap: wrap; gap: .8rem; margin: .6rem 0 } figure { margin: 0; width: 280px }
.pair { display: flex; gap: .3rem } .wide { width: 566px } img { max-width: 100%; border-radius: .3rem; display: block }
figcaption { color: #5a6675; font-size: .82rem; overflow-wrap: anywhere }
.none { width: 280px; height: 90px; border-radius: .3rem; background: #eef1f5; color: #5a6675; display: grid;
  place-items: center; font-size: .85rem }
.sets { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .4rem 2rem }
svg { width: 100%; max-width: 22rem; height: auto; display: block } svg.map { max-width: 10rem }
svg text { font-size: 10px; fill: #5a6675 } rect.some { fill: #2f6fb0 } rect.few { fill: #c2571a }
rect.frame { fill: none; stroke: #9aa7b5; stroke-width: .2 }
.bar { display: grid; grid-template-columns: 7rem 1fr; position: relative; font-size: .85rem; align-items: center }
.bar span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap } .bar b { font-weight: 400;
  grid-column: 2; padding-left: .3rem } .bar i { display: inline-block; height: .7rem; background: #2f6fb0;
  border-radius: 2px }
.bar { display: flex; gap: .4rem } .bar span { flex: 0 0 7rem }
@media (prefers-color-scheme: dark) {
  body { background: #14181d; color: #e3e8ee } .quiet, figcaption, svg text { color: #9aa7b5; fill: #9aa7b5 }
  th, td { border-color: #2c343d } .none { background: #222a33 } }
"""


def report_page(report: Report, title: str) -> str:
    """The page's text.

    Args:
        report: what was found.
        title: what was examined.
    """
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="quiet">{escape(_sets(report))}</p>',
        f'<p class="verdict {_verdict(report)}">{escape(summary(report))}</p>',
        _overview(report),
        *(_kind(report, kind, findings) for kind, findings in report.by_kind().items()),
        "<h2>The sets</h2>",
        f'<div class="sets">{"".join(_figures(figures, report.input_size) for figures in report.statistics)}</div>',
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}: data check</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )


def _sets(report: Report) -> str:
    texts = [f"{figures.split}: {figures.pictures} pictures, {figures.boxes} boxes" for figures in report.statistics]
    height, width = report.input_size
    return "; ".join(texts) + f"; sizes are judged for an input of {width} x {height} px"


def _verdict(report: Report) -> str:
    return next((severity for severity in SEVERITIES[:2] if report.count(severity)), "good")


def _overview(report: Report) -> str:
    rows = "".join(
        f'<tr><td><span class="tag {KINDS[kind].severity}">{KINDS[kind].severity}</span></td>'
        f'<td class="number">{len(found)}</td><td><a href="#{kind}">{escape(KINDS[kind].title)}</a></td>'
        f'<td class="quiet">{escape(KINDS[kind].fix) or "for a person to judge"}</td></tr>'
        for kind, found in report.by_kind().items()
    )
    head = "<tr><th></th><th></th><th>what</th><th>what <code>--fix</code> does</th></tr>"
    return f'<div class="scroll"><table>{head}{rows}</table></div>' if rows else ""


def _kind(report: Report, kind: str, findings: Sequence[Finding]) -> str:
    severity, title, _ = KINDS[kind]
    rows = "".join(
        f"<tr><td>{escape(f.split)}</td><td>{escape(f.place)}</td><td>{escape(f.expected)}</td>"
        f"<td>{escape(f.found)}</td></tr>"
        for f in findings[:_MOST_ROWS]
    )
    more = f"<p class=quiet>and {len(findings) - _MOST_ROWS} more</p>" if len(findings) > _MOST_ROWS else ""
    head = "<tr><th>set</th><th>where</th><th>expected</th><th>found</th></tr>"
    table = f'<div class="scroll"><table>{head}{rows}</table></div>{more}'
    if len(findings) > 6:
        table = f"<details><summary>All {len(findings)}</summary>{table}</details>"
    return (
        f'<h2 id="{kind}"><span class="tag {severity}">{len(findings)}</span>{escape(title)}</h2>'
        f'<div class="pictures">{"".join(_pictures(report, findings))}</div>{table}'
    )


def _pictures(report: Report, findings: Sequence[Finding]) -> Iterable[str]:
    """A small picture for each picture that the findings name, with its boxes; those that are meant are red."""
    splits = {split.name: split for split in report.splits}
    images = {(s.name, i.position): i for s in report.splits for i in s.pictures}
    things = {(s.name, t.position): t for s in report.splits for t in s.objects}
    unreadable = {(seen.split.name, seen.image.position) for seen in report.looks if seen.fault}
    groups: dict[tuple[str, int], list[Finding]] = {}
    for finding in findings:
        image = None
        if finding.section == "images" and finding.position is not None:
            image = images.get((finding.split, finding.position))
        elif finding.section == "annotations" and finding.position is not None:
            thing = things.get((finding.split, finding.position))
            image = thing.image if thing is not None else None
        if image is not None:
            groups.setdefault((finding.split, image.position), []).append(finding)
    for (name, position), group in list(groups.items())[:_MOST_PICTURES]:
        image, split = images[name, position], splits[name]
        red = {f.position for f in group if f.section == "annotations" and f.position is not None}
        caption = f"{name}: {group[0].place}: {group[0].found}" + (f" (+{len(group) - 1})" if len(group) > 1 else "")
        tile, other = _tile(split, image, red) if (name, position) not in unreadable else _NONE, group[0].other
        if other is not None and other in images:
            pair = f'<div class="pair">{tile}{_tile(splits[other[0]], images[other], set())}</div>'
            yield f'<figure class="wide">{pair}<figcaption>{escape(caption)}</figcaption></figure>'
        else:
            yield f"<figure>{tile}<figcaption>{escape(caption)}</figcaption></figure>"
    if len(groups) > _MOST_PICTURES:
        yield f'<figure><div class="none">and {len(groups) - _MOST_PICTURES} more pictures</div></figure>'


def _tile(split: Split, image: Image, red: set[int]) -> str:
    path = split.path(image)
    try:
        picture = None if path is None else read_image(path, upright=False)
    except InputError:
        picture = None
    if picture is None:
        return _NONE
    small, _ = fit(picture, _SIDE)
    _draw(small, image, red)
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])
    text = base64.b64encode(data.tobytes()).decode("ascii")
    return f'<img alt="" loading="lazy" src="data:image/jpeg;base64,{text}">'


def _draw(small: NDArray[np.uint8], image: Image, red: set[int]) -> None:
    height, width = small.shape[:2]
    said = image.size_wh or (width, height)
    things = sorted((t for t in image.objects if t.box_xywh is not None), key=lambda t: t.position in red)
    boxes = np.array([thing.box_xywh for thing in things], np.float64).reshape(-1, 4)
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1) * np.tile(
        np.divide((width, height), said), 2
    )
    corners = np.concatenate(
        [np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:])], 1
    )
    colors = [_RED if thing.position in red else _CALM for thing in things]
    draw_labels(small, corners.astype(np.float32), [0] * len(things), colors=colors)


def _figures(figures: Statistics, input_size: tuple[int, int]) -> str:
    ratios = figures.boxes_wh[:, 0] / np.maximum(figures.boxes_wh[:, 1], 1e-9)
    mark = _SIDES.index(SMALL_PX)
    return (
        f"<div><h3>{escape(figures.split)}</h3><p class=quiet>{figures.pictures:,} pictures, {figures.boxes:,} boxes"
        f"{f', {figures.crowd:,} crowd regions' if figures.crowd else ''}</p>{class_bars(figures.per_class)}"
        f"<h3>Shorter side of the boxes at {input_size[1]} x {input_size[0]}, px</h3>"
        f"{histogram(figures.letterboxed, _SIDES, [f'{s}' for s in _SIDES], mark)}"
        "<h3>Width over height</h3>"
        f"{histogram(ratios, _RATIOS, ['1:8', '1:4', '1:2', '', '', '2:1', '4:1', '8:1'])}"
        "<h3>Boxes in a picture</h3>"
        f"{histogram(figures.per_picture.astype(np.float64), _COUNTS, [f'{c}' for c in _COUNTS])}"
        f"<h3>Where their middles lie</h3>{place_map(figures.places)}</div>"
    )
