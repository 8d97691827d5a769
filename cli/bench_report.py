"""How ``fusedet bench`` tells what it measured: lines for people, values for JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusedet.common.text import gmacs

if TYPE_CHECKING:
    from fusedet.common.machine import Machine
    from fusedet.deploy.bench.contest import Entrant, Samples
    from fusedet.deploy.bench.figures import Figures
    from fusedet.deploy.bench.forms import Form
    from fusedet.deploy.bench.operators import Node, Operators
    from fusedet.deploy.bench.tuned import Tuned

#: Of what is written with ``--json``.
FORMAT_VERSION = 2
_LABEL = 11
_CONVOLUTIONS = ("Conv", "FusedConv", "NhwcFusedConv", "ConvInteger", "QLinearConv")
_REORDERS = ("ReorderInput", "ReorderOutput")
#: Characters of a node's name that are shown, its end.
_NAME = 44


def machine_lines(machine: "Machine", load: float | None) -> list[str]:
    """The machine, its versions, and how busy it was before the measurement."""
    board = f"{machine.board}: " if machine.board else ""
    memory = "" if machine.memory_mb is None else f", {machine.memory_mb:,} MB"
    cores = f"{machine.cores} core{'s' if machine.cores > 1 else ''}"
    rows = [
        ("machine", f"{board}{machine.cpu}, {cores}, {machine.architecture} ({machine.vector}){memory}"),
        ("versions", ", ".join(f"{name} {number}" for name, number in machine.versions.items())),
    ]
    if load is not None:
        busy = "; something else runs here, times will be longer" if load > machine.cores / 4 else ""
        rows.append(("load", f"{load:.2f} of {machine.cores} before the measurement{busy}"))
    return _rows(rows)


def model_lines(figures: "Figures") -> list[str]:
    """All figures of one model."""
    lines = [str(figures.entrant.model), *indented(_rows(_what(figures))), *indented(_stage_table(figures))]
    lines += indented(_rows(_after(figures)))
    if figures.samples.unsteady:
        lines.append("  note: p95 lies far above p50: the machine did something else as well; compare the minimums")
    lines += [f"  warning: {trouble}" for trouble in figures.health.troubles]
    return lines


def operator_lines(operators: "Operators") -> list[str]:
    """Time by type of operator, and the ten slowest nodes."""
    whole = operators.milliseconds
    lines = [f"{'operator':<20} {'nodes':>5} {'ms':>8} {'share':>7}"]
    lines += [f"{kind:<20} {count:5} {ms:8.3f} {ms / whole:7.1%}" for kind, count, ms in operators.by_kind()]
    lines.append(f"{'all':<20} {len(operators.nodes):5} {whole:8.3f} {1:7.1%}")
    if any(node.kind in _REORDERS for node in operators.nodes):
        lines.append(
            "ReorderInput, ReorderOutput: copies into and out of ONNX Runtime's blocked layout; not in the file"
        )
    lines += ["", f"{'slowest nodes':<{_NAME}} {'ms':>7} {'share':>6} {'GMAC/s':>7}  shapes"]
    lines += [_node_line(node, whole) for node in operators.slowest()]
    return lines


def tuning_lines(samples: "Mapping[Entrant, Samples]", fps: float | None) -> list[str]:
    """A table of what was tried."""
    paced = "" if fps is None else f" {'age p50':>8} {'dropped':>8}"
    lines = [f"{'threads':>7} {'spinning':>8} {'min ms':>8} {'p50 ms':>8} {'p95 ms':>8} {'CPU ms':>8}{paced}"]
    for entrant, own in samples.items():
        if not len(own):
            continue
        total, spinning = own.total, "yes" if entrant.spinning else "no"
        line = f"{entrant.threads:7} {spinning:>8} {total.min:8.2f} {total.p50:8.2f} {total.p95:8.2f} {own.cpu_ms:8.2f}"
        lines.append(line if fps is None else f"{line} {own.ages.p50:8.2f} {own.dropped:8}")
    return lines


def form_lines(chosen: "Mapping[Form, tuple[Tuned, Samples]]", left_out: "Mapping[Form, str]") -> list[str]:
    """A table of a bundle's forms with the best settings of each, the quickest first; then what does not run here."""
    width = max(len(form.path.name) for form in [*chosen, *left_out])
    lines = [
        f"{'file':<{width}} {'threads':>7} {'min ms':>8} {'p50 ms':>8} {'p95 ms':>8} {'found again':>11} {'AP50-95':>8}"
    ]
    for form, (tuned, samples) in sorted(chosen.items(), key=lambda item: item[1][1].total.p50):
        total = samples.total
        share = "-" if form.matched_share is None else f"{form.matched_share:.1%}"
        ap = "-" if form.ap is None else f"{form.ap:.4f}"
        times = f"{total.min:8.2f} {total.p50:8.2f} {total.p95:8.2f}"
        spinning, note = "*" if tuned.spinning else " ", "" if form.certified else "  not certified"
        lines.append(f"{form.path.name:<{width}} {tuned.threads:6}{spinning} {times} {share:>11} {ap:>8}{note}")
    if any(tuned.spinning for tuned, _ in chosen.values()):
        lines.append("* spinning")
    return [*lines, *(f"{form.path.name:<{width}} left out: {reason}" for form, reason in left_out.items())]


def as_json(
    machine: "Machine",
    load: float | None,
    figures: "Sequence[Figures]",
    tuning: "Mapping[Path, tuple[Mapping[Entrant, Samples], Tuned, str]]",
) -> dict[str, Any]:
    """Everything, with the keys of docs/bench.md."""
    return {
        "format_version": FORMAT_VERSION,
        "machine": asdict(machine),
        "load_before": load,
        "models": [_model_json(one) for one in figures],
        "tuning": [
            {
                "model": str(model),
                "threads": tuned.threads,
                "spinning": tuned.spinning,
                "reason": reason,
                "tried": [_tried_json(entrant, own) for entrant, own in samples.items() if len(own)],
            }
            for model, (samples, tuned, reason) in tuning.items()
        ],
    }


def _what(figures: "Figures") -> list[tuple[str, str]]:
    height, width = figures.input_size
    entrant, start = figures.entrant, figures.startup
    rows = [
        ("input", f"{width} x {height}, fed with {figures.images}"),
        ("settings", f"{entrant.settings}{'' if entrant.spinning else ', not spinning'}"),
    ]
    if start is not None:
        parts = f"import {start.import_ms:.0f}, open {start.open_ms:.0f}, first image {start.first_ms:.0f}"
        rows.append(("start", f"{start.total_ms:.0f} ms from the start of a process to its first result: {parts}"))
        if start.resident_mb is not None:
            rows.append(("memory", f"{start.resident_mb:.0f} MB resident in that process"))
    return rows


def _stage_table(figures: "Figures") -> list[str]:
    names = {"pre": "pre", "inference": "network", "post": "post", "total": "sum", "age": "age"}
    lines = [f"{'ms':<{_LABEL}}{'min':>8} {'p50':>8} {'p95':>8} {'p99':>8}"]
    for name, one in figures.stages.items():
        lines.append(f"  {names[name]:<{_LABEL - 2}}{one.min:8.2f} {one.p50:8.2f} {one.p95:8.2f} {one.p99:8.2f}")
    return lines


def _after(figures: "Figures") -> list[tuple[str, str]]:
    own, fps = figures.samples, figures.fps
    rate = f"{figures.frames_per_s:.1f} frames/s"
    if fps is not None:
        from fusedet.deploy.bench.tune import holds

        verdict = "holds" if holds(own, fps) else "does not hold"
        rate = f"{rate} of {fps:g}, {own.dropped} dropped; {verdict} it with a fifth to spare"
    rows = [("rate", rate)]
    if (found := figures.throughput) is not None:
        text = f"{found.images_per_s:.1f} frames/s, {found.at_a_time} at a time with one thread each"
        rows.append(("all cores", text))
    rows.append(("CPU", f"{figures.cpu_share:.2f} cores busy, {own.cpu_ms:.2f} ms of computing for a frame"))
    if figures.operators is not None:
        rows += [("speed", _speed(figures)), ("operators", _shares(figures.operators))]
    health = figures.health
    if health.clock_mhz is not None:
        first, least, last = health.clock_mhz
        rows.append(("clock", f"{first:.0f} MHz at first, {least:.0f} at least, {last:.0f} at last"))
    if health.temperature_c is not None:
        rows.append(("heat", f"{health.temperature_c[0]:.0f} °C at first, {health.temperature_c[1]:.0f} at most"))
    return rows


def _speed(figures: "Figures") -> str:
    assert figures.operators is not None
    text = f"{gmacs(figures.operators.macs)} in convolutions, {figures.gmac_per_s:.1f} GMAC/s"
    share = figures.share_of_peak
    if share is None:
        return text
    threads = figures.entrant.threads
    how = f"{threads} thread{'s' if threads > 1 else ''}"
    return f"{text}: {share:.0%} of the {figures.peak_gmac_per_s:.1f} that dense convolutions reach here with {how}"


def _shares(operators: "Operators") -> str:
    whole = operators.milliseconds
    convolutions = sum(node.milliseconds for node in operators.nodes if node.kind in _CONVOLUTIONS) / whole
    reorders = sum(node.milliseconds for node in operators.nodes if node.kind in _REORDERS) / whole
    rest = 1 - convolutions - reorders
    return f"convolutions {convolutions:.1%}, reorders of memory {reorders:.1%}, everything else {rest:.1%}"


def _node_line(node: "Node", whole: float) -> str:
    name = node.name if len(node.name) <= _NAME else f"...{node.name[3 - _NAME :]}"
    speed = f"{node.macs / 1e6 / node.milliseconds:7.1f}" if node.macs and node.milliseconds else f"{'':7}"
    inputs = " ".join(_shape(shape) for shape in node.inputs[:2])
    shapes = f"{node.kind} {inputs} -> {_shape(node.output)}"
    return f"{name:<{_NAME}} {node.milliseconds:7.3f} {node.milliseconds / whole:6.1%} {speed}  {shapes}"


def _shape(sides: Sequence[int]) -> str:
    return "x".join(map(str, sides)) or "1"


def _rows(rows: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{name:<{_LABEL}}{text}" for name, text in rows]


def indented(lines: Sequence[str]) -> list[str]:
    """Lines that belong to the one above them."""
    return [f"  {line}" for line in lines]


def _model_json(figures: "Figures") -> dict[str, Any]:
    operators = figures.operators
    return {
        "model": str(figures.entrant.model),
        "input_size": list(figures.input_size),
        "images": figures.images,
        "threads": figures.entrant.threads,
        "spinning": figures.entrant.spinning,
        "fps": figures.fps,
        "startup": None if figures.startup is None else asdict(figures.startup),
        "milliseconds": {name: asdict(stats) for name, stats in figures.stages.items()},
        "frames_per_s": figures.frames_per_s,
        "throughput": None if figures.throughput is None else asdict(figures.throughput),
        "dropped": figures.samples.dropped,
        "cpu_share": figures.cpu_share,
        "cpu_ms_per_frame": figures.samples.cpu_ms,
        "gmac": None if operators is None else operators.macs / 1e9,
        "gmac_per_s": figures.gmac_per_s,
        "peak_gmac_per_s": figures.peak_gmac_per_s or None,
        "share_of_peak": figures.share_of_peak,
        "health": asdict(figures.health),
        "unsteady": figures.samples.unsteady,
        "operators": []
        if operators is None
        else [{"type": kind, "nodes": count, "milliseconds": ms} for kind, count, ms in operators.by_kind()],
        "nodes": [] if operators is None else [asdict(node) for node in operators.nodes],
    }


def _tried_json(entrant: "Entrant", own: "Samples") -> dict[str, Any]:
    return {
        "threads": entrant.threads,
        "spinning": entrant.spinning,
        "milliseconds": asdict(own.total),
        "age": asdict(own.ages),
        "cpu_ms_per_frame": own.cpu_ms,
        "dropped": own.dropped,
    }
