"""``fusedet report``: one page about a training: curves, what it finds and misses, its labels, where it comes from."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from fusedet.cli.shared.files import counter, refuse_to_replace
from fusedet.common.errors import InputError
from fusedet.configs.inputs import BEST_CHECKPOINT

if TYPE_CHECKING:  # imported when the command runs
    from fusedet.train.evaluation.report.write import ReportOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="run folder; the training may still go on")
    parser.add_argument("--out", metavar="FILE", type=Path, help="the page (default: report.html in RUN)")
    parser.add_argument("--data", metavar="DIR", type=Path, help="the data set, where it has moved since the training")
    parser.add_argument(
        "--no-eval", action="store_true", help="curves of the training only: look at no image, need no data"
    )
    parser.add_argument("--latency", action="store_true", help="export the best weights for the moment, and time them")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")


def run(args: argparse.Namespace) -> int:
    """Writes the page."""
    folder = args.run_folder if args.run_folder.is_dir() else args.run_folder.parent
    out = args.out or folder / "report.html"
    if not (folder / "config.yaml").is_file():
        raise InputError(f"{args.run_folder}: expected the folder of a training, but there is no {folder}/config.yaml")
    refuse_to_replace("--out", out, args.force)
    if args.no_eval and (args.data or args.latency):
        raise InputError("--no-eval needs no images, so --data and --latency have no place beside it")
    from fusedet.train.evaluation.report.write import ReportOptions

    options = ReportOptions(args.data, not args.no_eval, (), counter())
    if not args.latency:
        return _report(folder, out, options)
    from fusedet.export import export_onnx

    if not (folder / BEST_CHECKPOINT).is_file():
        raise InputError(f"--latency: there are no weights to export in {folder} yet")
    with TemporaryDirectory() as temporary:
        exported = export_onnx(folder, Path(temporary) / "best.onnx")
        return _report(folder, out, ReportOptions(args.data, True, (exported.fused, exported.plain), counter()))


def _report(folder: Path, out: Path, options: "ReportOptions") -> int:
    from fusedet.train.evaluation.report.write import report_run

    content = report_run(folder, out, options)
    print(f"report in {out}")
    if content.evaluation is not None and content.analysis is not None:
        metrics, threshold = content.evaluation.metrics, content.analysis.best_threshold
        print(
            f"AP {metrics.ap:.3f}  AP50 {metrics.ap50:.3f}  recommended score threshold {threshold:.2f}  "
            f"({content.evaluation.seconds:.1f} s for {len(content.evaluation.dataset.samples)} images)"
        )
    return 0
