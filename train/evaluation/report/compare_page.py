"""The comparison of several runs as a page: one HTML file that needs nothing else."""

from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from fusedet.common.pages import render
from fusedet.train.charts import color, line_chart
from fusedet.train.evaluation.report.compare import ComparedRun, RunComparison
from fusedet.train.evaluation.report.figures.training import epoch_curve
from fusedet.train.evaluation.report.head import duration


class _Figure(NamedTuple):
    """One that has a chart: its name, the title of its axis, and the ends of that where they are known."""

    title: str
    axis: str
    span: tuple[float, float] | None = None


_CHARTS = {
    "ap": _Figure("AP50-95 on the validation images", "AP50-95", (0.0, 1.0)),
    "ap50": _Figure("AP50 on the validation images", "AP50", (0.0, 1.0)),
    "loss": _Figure("Training loss", "loss"),
    "box": _Figure("Training loss of the boxes", "loss"),
    "cls": _Figure("Training loss of the classes", "loss"),
    "lr": _Figure("Learning rate", "learning rate"),
}


def compare_page(comparison: RunComparison) -> str:
    """The page's text."""
    runs = comparison.runs
    return render(
        Path(__file__).with_name("compare.html"),
        comparison=comparison,
        runs=runs,
        names=[(run.name, color(number)) for number, run in enumerate(runs)],
        colors=[color(number) for number in range(len(runs))],
        duration=duration,
        charts=_charts(runs),
        classes=list(dict.fromkeys(name for run in runs for name in run.per_class)),
        nan=float("nan"),
    )


def _charts(runs: tuple[ComparedRun, ...]) -> list[tuple[str, Markup]]:
    last = float(max(2, *(run.record.epochs_done for run in runs)))
    charts = []
    for key, figure in _CHARTS.items():
        curves = [epoch_curve(run.record.rows, key, run.name, color(i)) for i, run in enumerate(runs)]
        svg = line_chart(curves, "epoch", figure.axis, (1.0, last), figure.span, whole_x=True)
        charts.append((figure.title, svg))
    return charts
