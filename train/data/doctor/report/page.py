"""The report as a page: one HTML file that needs nothing else."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.common.html import fold, page, table, verdict
from fusedet.deploy.camera.sources import read_image
from fusedet.deploy.detector.opencv import cv2
from fusedet.train.data.contact_sheet import draw_labels, fit
from fusedet.train.data.doctor.check import Report
from fusedet.train.data.doctor.checks.balance import SMALL_PX
from fusedet.train.data.doctor.finding import KINDS, Finding, Severity
from fusedet.train.data.doctor.report.figures import class_bars, histogram, place_map
from fusedet.train.data.doctor.report.report import summary
from fusedet.train.data.doctor.source import Image, Split
from fusedet.train.data.doctor.statistics import Statistics

__all__ = ["report_page"]

#: Longest side of the small pictures in pixels, how many of them a kind has at most, and how many rows of text.
_SIDE, _MOST_PICTURES, _MOST_ROWS = 280, 12, 200
_RED, _CALM = (40, 40, 230), (190, 160, 90)

_NONE = '<div class="none">no picture</div>'

_SIDES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_COUNTS = (0, 1, 2, 3, 4, 5, 8, 12, 20, 50)
_RATIOS = (0.125, 0.25, 0.5, 0.71, 1.41, 2, 4, 8)

_STYLE = """
.tag { display: inline-block; border-radius: .4rem; padding: 0 .5rem; font-size: .8rem; margin-right: .4rem;
  font-weight: 600; color: #fff } .error { background: #b3261e } .warning { background: #a15c00 }
.note { background: #5a6675 }
h2 { scroll-margin-top: 1rem } h2 .tag { vertical-align: .1rem } td a { color: inherit }
.pictures { display: flex; flex-wrap: wrap; gap: .8rem; margin: .6rem 0 } .pictures figure { width: 280px }
.pictures .wide { width: 566px } .pictures .pair { display: flex; gap: .3rem; margin: 0 }
.pictures img { max-width: 100%; border-radius: .3rem; display: block } .pictures figcaption { overflow-wrap: anywhere }
.none { width: 280px; height: 90px; border-radius: .3rem; background: var(--card); color: var(--quiet); display: grid;
  place-items: center; font-size: .85rem }
.sets { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .4rem 2rem }
.sets svg { max-width: 22rem } .sets svg.map { max-width: 10rem } .sets svg text { font-size: 10px }
rect.some { fill: #2f6fb0 } rect.few { fill: #c2571a } rect.frame { fill: none; stroke: #9aa7b5; stroke-width: .2 }
.row { display: flex; gap: .4rem; align-items: center; font-size: .85rem }
.row span { flex: 0 0 7rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.row b { font-weight: 400; padding-left: .3rem } .row i { display: inline-block; height: .7rem; background: #2f6fb0;
  border-radius: 2px }
"""

#: Severity -> how the verdict looks.
_VERDICTS: dict[Severity, str] = {"error": "bad", "warning": "warn"}


def report_page(report: Report, title: str) -> str:
    """The page's text.

    Args:
        report: what was found.
        title: what was examined.
    """
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="quiet">{escape(_sets(report))}</p>',
        verdict(summary(report), _verdict(report)),
        _overview(report),
        *(_kind(report, kind, findings) for kind, findings in report.by_kind().items()),
        "<h2>The sets</h2>",
        f'<div class="sets">{"".join(_figures(figures, report.input_size) for figures in report.statistics)}</div>',
    ]
    return page(f"{title}: data check", "\n".join(part for part in parts if part), _STYLE)


def _sets(report: Report) -> str:
    texts = [f"{figures.split}: {figures.pictures} pictures, {figures.boxes} boxes" for figures in report.statistics]
    height, width = report.input_size
    return "; ".join(texts) + f"; sizes are judged for an input of {width} x {height} px"


def _verdict(report: Report) -> str:
    return next((kind for severity, kind in _VERDICTS.items() if report.count(severity)), "good")


def _overview(report: Report) -> str:
    rows = [
        [
            f'<span class="tag {KINDS[kind].severity}">{KINDS[kind].severity}</span>',
            f"{len(found)}",
            f'<a href="#{kind}">{escape(KINDS[kind].title)}</a>',
            f'<span class="quiet">{escape(KINDS[kind].fix) or "for a person to judge"}</span>',
        ]
        for kind, found in report.by_kind().items()
    ]
    return table(("", "", "what", "what --fix does"), rows, (1,)) if rows else ""


def _kind(report: Report, kind: str, findings: Sequence[Finding]) -> str:
    severity, title, _ = KINDS[kind]
    rows = ([escape(text) for text in (f.split, f.place, f.expected, f.found)] for f in findings[:_MOST_ROWS])
    more = f'<p class="quiet">and {len(findings) - _MOST_ROWS} more</p>' if len(findings) > _MOST_ROWS else ""
    listed = table(("set", "where", "expected", "found"), rows) + more
    return (
        f'<h2 id="{kind}"><span class="tag {severity}">{len(findings)}</span>{escape(title)}</h2>'
        f'<div class="pictures">{"".join(_pictures(report, findings))}</div>'
        f"{fold(f'All {len(findings)}', listed) if len(findings) > 6 else listed}"
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
