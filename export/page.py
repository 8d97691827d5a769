"""The certificate as a page: one HTML file that needs nothing else."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.detections import Detections
from fusedet.deploy.draw import draw_detections
from fusedet.deploy.opencv import cv2
from fusedet.export.certificate import Certificate, Worst

__all__ = ["certificate_page"]

#: Longest side of the pictures on the page, in pixels.
_SIDE = 640

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2430; background: #fff; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
p { margin: .3rem 0 } .quiet { color: #5a6675 }
.verdict { display: inline-block; margin: .8rem 0; padding: .3rem .9rem; border-radius: .4rem; color: #fff;
  font-weight: 600 }
.passed { background: #1a7f4b } .failed { background: #b3261e }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #dde3ea; vertical-align: top }
td.number, th.number { text-align: right; white-space: nowrap }
td.bad { color: #b3261e; font-weight: 600 } td.good { color: #1a7f4b }
figure { margin: 0 } .pair { display: flex; flex-wrap: wrap; gap: 1rem } .pair figure { flex: 1 1 20rem }
img { width: 100%; border-radius: .3rem } figcaption { color: #5a6675; font-size: .9rem }
code { font-size: .85em; overflow-wrap: anywhere } summary { cursor: pointer }
@media (prefers-color-scheme: dark) {
  body { background: #14181d; color: #e3e8ee } .quiet, figcaption { color: #9aa7b5 }
  th, td { border-color: #2c343d } td.good { color: #5fcf94 } td.bad { color: #ff8a80 } }
"""


def certificate_page(certificate: Certificate) -> str:
    """The page's text."""
    facts = certificate.facts
    name = facts["files"]["plain"]["name"].removesuffix(".onnx")
    verdict = ("passed", "Everything asked of it holds") if certificate.passed else ("failed", "Does not hold")
    model, made = facts["model"], facts["made"]
    height, width = model["input_size"]
    parts = [
        f"<h1>{escape(name)}</h1>",
        f'<p class="quiet">{len(model["classes"])} classes, input {width} x {height} px, '
        f"{'with' if model['nms'] else 'without'} NMS; measured {escape(made['time'])} on "
        f"{escape(made['processor'])}</p>",
        f'<p class="verdict {verdict[0]}">{verdict[1]}</p>',
        _section("What was asked", _checks(certificate)),
        _section("The same boxes", _agreement(facts["agreement"]), _SAME),
        _worst(certificate.worst),
        _section("Accuracy", _accuracy(facts["accuracy"])) if facts["accuracy"] else "",
        _section("Time for one picture", _latency(facts["latency_ms"]), _time_note(facts["latency_ms"])),
        _int8(facts.get("int8")),
        _section("Files", _files(facts["files"])),
        _section("Operators", _operators(facts["operators"])),
        _activations(facts["activations"]),
        _section("Made with", _table(("", ""), ([escape(key), escape(value)] for key, value in made.items()))),
        _section("What the file says of itself", _model(model)),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}: certificate</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )


_SAME = (
    "“Training” is the network as it was trained, in torch, nothing folded, with a letterbox and a decoding of its "
    "own; “plain” and “fused” are the exported files as the runtime runs them. Two detections are a pair when their "
    "class is the same and box and score differ by less than the limits; those of smaller files, “half” and “int8”, "
    "when their IoU is at least 0.8 and their scores at most 0.1 apart, which is told and not asked."
)


def _checks(certificate: Certificate) -> str:
    rows = (
        [escape(check.what), escape(check.wanted), escape(check.found), _mark(check.passed)]
        for check in certificate.checks
    )
    return _table(("", "wanted", "found", ""), rows)


#: What a check came to -> how it is coloured.
_VERDICTS = {"holds": "good", "does not hold": "bad"}


def _mark(passed: bool) -> str:
    return "holds" if passed else "does not hold"


def _agreement(agreements: Sequence[Mapping[str, Any]]) -> str:
    rows = (
        [
            " and ".join(map(escape, one["between"])),
            f"{one['pictures']}",
            f"{one['pairs']}",
            f"{100 * one['matched_share']:.2f} %",
            f"{one['least_iou']:.6f}",
            f"{one['largest_score_difference']:.1e}",
            f"{one['largest_side_difference_px']:.1e}",
        ]
        for one in agreements
    )
    titles = ("", "pictures", "pairs", "share", "least IoU", "score apart by", "sides apart by, px")
    missing = [escape(text) for one in agreements for text in one["missing"]]
    listed = "".join(f"<li>{text}</li>" for text in missing[:20])
    more = f"<li>and {len(missing) - 20} more</li>" if len(missing) > 20 else ""
    faults = f"<details><summary>{len(missing)} without counterpart</summary><ul>{listed}{more}</ul></details>"
    return _table(titles, rows, range(1, 7)) + (faults if missing else "")


def _worst(worst: Worst | None) -> str:
    if worst is None:
        return ""
    figures = "".join(
        f'<figure><img alt="" src="{_picture(worst.image, found)}"><figcaption>{escape(name)}: '
        f"{len(found)} detections</figcaption></figure>"
        for name, found in zip(worst.between, (worst.first, worst.second), strict=True)
    )
    return _section("Where they differ most", f'<div class="pair">{figures}</div>', escape(worst.name))


def _picture(image: NDArray[np.uint8], found: Detections) -> str:
    scale = min(1.0, _SIDE / max(image.shape[:2]))
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        found = Detections(found.boxes_xyxy * np.float32(scale), found.scores, found.class_ids, found.names)
    _, data = cv2.imencode(".jpg", draw_detections(image, found), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _accuracy(accuracy: Mapping[str, Mapping[str, float | None]]) -> str:
    keys = list(dict.fromkeys(key for figures in accuracy.values() for key in figures))
    rows = (
        [escape(name), *("-" if figures.get(key) is None else f"{100 * figures[key]:.2f}" for key in keys)]  # type: ignore[operator]
        for name, figures in accuracy.items()
    )
    return _table(("", *(escape(key) for key in keys)), rows, range(1, len(keys) + 1))


def _latency(latency: Mapping[str, Any]) -> str:
    rows = (
        [escape(name), f"{times['min']:.2f}", f"{times['median']:.2f}"]
        for name, times in latency.items()
        if isinstance(times, Mapping)
    )
    return _table(("ms", "quickest", "median"), rows, (1, 2))


def _time_note(latency: Mapping[str, Any]) -> str:
    threads = "1 thread" if latency["threads"] == 1 else f"{latency['threads']} threads"
    return (
        f"Network and decoding, {threads}, {latency['rounds']} rounds in which every file ran once. ONNX Runtime fuses "
        "the plain file too, when it is opened at its highest level; the fused file is fused at every level and on "
        "every processor."
    )


def _int8(facts: Mapping[str, Any] | None) -> str:
    if facts is None:
        return ""
    settings = ", ".join(f"{key} {value}" for key, value in facts["settings"].items())
    attempts = "".join(
        f"<li>{one['in_float']} of the sensitive layers in float: AP50-95 {100 * one['ap']:.2f}</li>"
        for one in facts["attempts"]
    )
    before = "" if facts["ap_before"] is None else f"<p>AP50-95 in float: {100 * facts['ap_before']:.2f}</p>"
    rows = (
        [escape(one["layer"]), f"{one['error']:.5f}", "in float" if one["layer"] in facts["in_float"] else ""]
        for one in facts["sensitivities"]
    )
    table = _table(("convolution", "change of the predictions when it alone is quantised", ""), rows, (1,))
    return _section(
        "INT8",
        f"{before}<ul>{attempts}</ul><details><summary>How sensitive each layer is</summary>{table}</details>",
        f"{facts['quantised']} convolutions on bytes, {len(facts['in_float'])} in float; {escape(settings)}",
    )


def _files(files: Mapping[str, Mapping[str, Any]]) -> str:
    rows = (
        [escape(kind), escape(one["name"]), f"{one['bytes']:,}", f"<code>{one['sha256']}</code>"]
        for kind, one in files.items()
    )
    return _table(("", "file", "bytes", "SHA-256"), rows, (2,))


def _operators(operators: Mapping[str, Mapping[str, int]]) -> str:
    rows = ([escape(file), escape(", ".join(f"{n} {op}" for op, n in ops.items()))] for file, ops in operators.items())
    return _table(("", ""), rows)


def _activations(carriers: Sequence[Mapping[str, Any]]) -> str:
    rows = (
        [escape(one["node"]), escape(one["op"]), escape(one["activation"]), ", ".join(map(str, one["parameters"]))]
        for one in carriers
    )
    table = _table(("convolution", "operator", "activation inside", "its numbers"), rows)
    return (
        f"<details><summary>{len(carriers)} activations and the convolutions that carry them</summary>{table}</details>"
    )


def _model(model: Mapping[str, Any]) -> str:
    texts = {key: ", ".join(map(str, value)) if isinstance(value, list) else str(value) for key, value in model.items()}
    return _table(("", ""), ([escape(key), escape(text)] for key, text in texts.items()))


def _section(title: str, content: str, note: str = "") -> str:
    return f"<h2>{escape(title)}</h2>" + (f'<p class="quiet">{note}</p>' if note else "") + content


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Cells are HTML already; those of the columns ``numbers`` stand to the right."""

    def cells(texts: Sequence[str], tag: str) -> str:
        kinds = ("number" if column in numbers else _VERDICTS.get(text) for column, text in enumerate(texts))
        return "".join(
            f'<{tag} class="{kind}">{text}</{tag}>' if kind else f"<{tag}>{text}</{tag}>"
            for kind, text in zip(kinds, texts, strict=True)
        )

    head = f"<thead><tr>{cells(titles, 'th')}</tr></thead>" if any(titles) else ""
    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'
