"""The comparison of several runs as a page: one HTML file that needs nothing else."""

import math
from html import escape

from fusedet.common.html import figure, grid, legend, page, percent, section, share, table
from fusedet.train.evaluation.outputs import Output
from fusedet.train.evaluation.report.compare import ComparedRun, Comparison
from fusedet.train.evaluation.report.figures.charts import color, line_chart
from fusedet.train.evaluation.report.figures.training import epoch_curve
from fusedet.train.evaluation.report.head import duration

__all__ = ["compare_page"]

_CHARTS = {
    "ap": "AP50-95 on the validation images",
    "ap50": "AP50",
    "loss": "Loss in training",
    "box": "Loss of the boxes",
    "cls": "Loss of the classes",
    "lr": "Learning rate",
}
_IN_0_1 = ("ap", "ap50")


_RESULTS_NOTE = (
    "Of the epoch with the best AP50-95. Duplicates and count error are those at the recommended score threshold, that "
    "of the best F1; a training writes them when it is done."
)


def compare_page(comparison: Comparison) -> str:
    """The page's text."""
    runs = comparison.runs
    names = ", ".join(run.name for run in runs)
    warning = (
        ""
        if comparison.same_pictures
        else '<p class="notice">The runs were graded on different annotations: their figures do not compare.</p>'
    )
    parts = [
        f"<h1>{len(runs)} runs compared</h1><p class='quiet'>{escape(names)}</p>{warning}",
        section("Results", _results(runs), _RESULTS_NOTE),
        section("Curves", _curves(runs)),
        section("Settings that differ", _settings(comparison)),
        section("Classes", _classes(runs), f"AP50-95, and what it differs by from that of {escape(runs[0].name)}."),
    ]
    return page(f"{len(runs)} runs compared", "\n".join(parts))


def _results(runs: tuple[ComparedRun, ...]) -> str:
    rows = []
    for number, run in enumerate(runs):
        best, record = run.record.best_row or {}, run.record
        figures = [share(best.get(key, math.nan)) for key in ("ap", "ap50", "ap_small", "ap_medium", "ap_large")]
        parameters = f"{record.best.parameters / 1e6:.2f} M" if record.best else "–"
        epochs = [f"{best.get('epoch', 0):.0f}", f"{record.epochs_done} of {record.config.train.epochs}"]
        shown = _operating_point(record.evaluated_output)
        costs = [duration(record.seconds), parameters]
        rows.append([_swatch(number) + escape(run.name), *figures, *shown, *epochs, *costs])
    titles = (
        *("run", "AP50-95", "AP50", "small", "medium", "large", "score threshold", "duplicates", "count error"),
        *("best epoch", "epochs", "time", "parameters"),
    )
    return table(titles, rows, range(1, len(titles)))


def _operating_point(output: Output | None) -> list[str]:
    if output is None:
        return ["–"] * 3
    point = output.point
    return [share(point.threshold, 2), percent(point.duplicate_share), share(point.count_error)]


def _swatch(number: int) -> str:
    return f'<span class="bar" style="width:.7rem;margin-right:.5rem;background:{color(number)}"></span>'


def _curves(runs: tuple[ComparedRun, ...]) -> str:
    last = max(max((run.record.epochs_done for run in runs), default=0), 2)
    charts = []
    for key, title in _CHARTS.items():
        curves = [epoch_curve(run.record.rows, key, run.name, color(i)) for i, run in enumerate(runs)]
        span = (0.0, 1.0) if key in _IN_0_1 else None
        charts.append(figure(title, line_chart(curves, "epoch", (1.0, float(last)), span, whole_x=True)))
    return legend((run.name, color(i)) for i, run in enumerate(runs)) + grid(charts, wide=True)


def _settings(comparison: Comparison) -> str:
    if not comparison.differing:
        return "<p>None.</p>"
    rows = (
        [f"<code>{escape(key)}</code>", *(escape(_value(value)) for value in values)]
        for key, values in comparison.differing.items()
    )
    return table(("", *(run.name for run in comparison.runs)), rows)


def _value(value: object) -> str:
    return "–" if value is None else str(value)


def _classes(runs: tuple[ComparedRun, ...]) -> str:
    names = dict.fromkeys(name for run in runs for name in run.per_class)
    rows = []
    for name in names:
        found = [run.per_class.get(name, math.nan) for run in runs]
        cells = [escape(name), share(found[0])]
        for ap in found[1:]:
            cells += [share(ap), _difference(ap - found[0])]
        rows.append(cells)
    titles = ["class", runs[0].name]
    for run in runs[1:]:
        titles += [run.name, ""]
    return table(titles, rows, range(1, len(titles))) if rows else ""


def _difference(value: float) -> str:
    if math.isnan(value):
        return ""
    kind = "good" if value > 0.0005 else "bad" if value < -0.0005 else "quiet"
    return f'<span class="{kind}">{value:+.3f}</span>'
