"""``fusedet compare``: several trainings side by side, in the terminal and as a page."""

import argparse
import math
from collections.abc import Sequence
from os.path import commonprefix
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusedet.cli.shared.arguments import add_json, check_json, print_json
from fusedet.cli.shared.files import counter, refuse_to_replace, write_or_refuse
from fusedet.cli.shared.terminal import print_columns
from fusedet.common.text import millions

if TYPE_CHECKING:  # imported when the command runs
    from fusedet.train.evaluation.report.compare import ComparedRun, RunComparison

_TITLES = (
    *("", "AP50-95", "AP50", "small", "medium", "large", "threshold", "duplicates", "count error"),
    *("best", "epochs", "time", "parameters"),
)
#: Letters of a setting's value in the terminal.
_LETTERS = 28


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="run folders, two or more")
    parser.add_argument("--out", metavar="FILE", type=Path, help="also write a page with curves, and AP by class")
    parser.add_argument(
        "--no-eval", action="store_true", help="look at no image for the page, where a run does not tell AP by class"
    )
    add_json(parser)
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")


def run(args: argparse.Namespace) -> int:
    """Prints the tables, and writes the page."""
    refuse_to_replace("--out", args.out, args.force)
    check_json(args)
    from fusedet.train.evaluation.report.compare import compare_runs

    by_class = args.out is not None and not args.no_eval
    comparison = compare_runs(args.runs, by_class=by_class, on_batch=counter())
    if not print_json(args, _as_json(comparison)):
        _print(comparison)
    if args.out is not None:
        from fusedet.train.evaluation.report.compare import compare_page

        write_or_refuse(args.out, compare_page(comparison))
        if args.json is None:
            print(f"\npage in {args.out}")
    return 0


def _as_json(comparison: "RunComparison") -> dict[str, Any]:
    """Figures of the best epoch of each run, and the settings that differ."""
    return {
        "same_images": comparison.same_images,
        "runs": [
            {
                "name": run.name,
                "best": run.record.best_row,
                "epochs_done": run.record.epochs_done,
                "epochs": run.record.config.train.epochs,
                "seconds": run.record.seconds,
                "parameters": run.record.best.parameters if run.record.best else None,
                "operating_point": None
                if run.record.evaluated_output is None
                else run.record.evaluated_output.point.as_dict(),
                "per_class": run.per_class,
                "settings": {key: values[i] for key, values in comparison.differing.items()},
            }
            for i, run in enumerate(comparison.runs)
        ],
    }


def _print(comparison: "RunComparison") -> None:
    print_columns([_TITLES, *(_row(run) for run in comparison.runs)])
    if not comparison.same_images:
        print("\nThe runs were evaluated on different annotations: their figures do not compare.")
    if not comparison.differing:
        print("\nNo setting differs.")
        return
    print("\nsettings that differ")
    values = ([key, *_short(found)] for key, found in comparison.differing.items())
    print_columns([["", *(run.name for run in comparison.runs)], *values], left=len(comparison.runs) + 1)


def _row(run: "ComparedRun") -> list[str]:
    from fusedet.train.evaluation.report.head import duration

    record, best = run.record, run.record.best_row or {}
    figures = [_figure(best.get(key, math.nan)) for key in ("ap", "ap50", "ap_small", "ap_medium", "ap_large")]
    parameters = millions(record.best.parameters) if record.best else "-"
    epochs = [f"{best.get('epoch', 0):.0f}", f"{record.epochs_done}/{record.config.train.epochs}"]
    return [run.name, *figures, *_operating_point(run), *epochs, duration(record.seconds), parameters]


def _operating_point(run: "ComparedRun") -> list[str]:
    """Recommended score threshold, and duplicates and count error there; folders of earlier versions lack them."""
    output = run.record.evaluated_output
    if output is None:
        return ["-"] * 3
    point = output.point
    duplicates = "-" if math.isnan(point.duplicate_share) else f"{100 * point.duplicate_share:.1f} %"
    return [f"{point.threshold:.2f}", duplicates, _figure(point.count_error)]


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _short(values: Sequence[object]) -> list[str]:
    """Values of a setting; where they are long, from the place on where they begin to differ."""
    texts = ["-" if value is None else str(value) for value in values]
    if max(map(len, texts)) <= _LETTERS:
        return texts
    alike = len(commonprefix([text for text in texts if text != "-"]))  # noqa: RUF071 - letters are meant
    start = max(0, alike - _LETTERS // 4)
    ahead = "..." if start else ""
    return [_cut(ahead + text[start:]) if text != "-" else text for text in texts]


def _cut(text: str) -> str:
    """``text``, cut to the table's width."""
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 3]}..."
