"""Makes the report of a run folder: right after a training, or at any time later."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fusedet.common.atomic import write_text
from fusedet.common.errors import InputError
from fusedet.train.config import DataConfig
from fusedet.train.data.coco import CocoDataset
from fusedet.train.data.image_cache import load_annotated
from fusedet.train.data.training_sets import load_sets
from fusedet.train.evaluation.evaluate import find_objects, load_predictor
from fusedet.train.evaluation.metrics import evaluate_detections
from fusedet.train.evaluation.operating_point import operating_point
from fusedet.train.evaluation.outputs import Output
from fusedet.train.evaluation.report.analysis import Evaluation, analyse
from fusedet.train.evaluation.report.head import Content
from fusedet.train.evaluation.report.latency import measure_latency
from fusedet.train.evaluation.report.page import report_page
from fusedet.train.evaluation.report.record import RunRecord, read_record
from fusedet.train.run_folder import RunFolder


@dataclass(frozen=True)
class ReportOptions:
    """What a report is to hold."""

    data: Path | None = None  # folder of the data set, where it is no longer where the training found it
    #: look at the validation images with the best weights; else there are only the curves of the training
    evaluate: bool = True
    exported: Sequence[Path] = ()  # more exported files to time, beside those in the run folder
    on_batch: Callable[[int], None] = lambda count: None  # called with the number of images after each batch


def report_run(path: Path, out: Path, options: ReportOptions | None = None) -> Content:
    """Writes the report of the run at ``path``, its folder or a file in it, to ``out``, which is replaced.

    Raises InputError if there is no such run, or its data cannot be used.
    """
    options = options or ReportOptions()
    record = read_record(path)
    try:
        sets = sets_of(record, options.data) if options.evaluate else None
    except InputError as error:
        raise InputError(f"{error}; --data says where the data set is now, --no-eval does without it") from error
    evaluation, without = None, ""
    if sets is None:
        without = "Made without the data: curves, classes and images are left out."
    elif record.best is None:
        without = "There are no best weights yet: no epoch was evaluated, or the validation images have no object."
    else:
        evaluation = evaluate_best(record, sets[1], options.on_batch)
    return _write(record, sets, evaluation, options.exported, out, without)


def report_after_training(run: RunFolder, sets: tuple[CocoDataset, CocoDataset], evaluation: Evaluation | None) -> Path:
    """Writes ``report.html`` of a training that is done. Raises InputError if what it needs cannot be read.

    ``evaluation`` is the best epoch's; None where the training was resumed since, and it has to be done once more.
    """
    record = read_record(run.path)
    if record.best is not None and evaluation is None:
        evaluation = evaluate_best(record, sets[1])
    without = "" if evaluation else "There are no best weights: the validation images have no object to find."
    _write(record, sets, evaluation, (), run.report, without)
    return run.report


def _write(
    record: RunRecord,
    sets: tuple[CocoDataset, CocoDataset] | None,
    evaluation: Evaluation | None,
    exported: Sequence[Path],
    out: Path,
    without: str,
) -> Content:
    analysis = None if evaluation is None else analyse(evaluation)
    if evaluation is not None and not record.outputs:  # folders of earlier versions do not hold the figures of both
        metrics, point = evaluation.metrics, operating_point(evaluation.dataset, evaluation.found)
        record = replace(record, outputs=(Output(record.config.eval.nms, metrics.ap, metrics.ap50, point),))
    files = [*exported, *sorted(record.run.path.glob("*.onnx"))]
    latencies = measure_latency(files, load_annotated(sets[1].samples[0])) if files and sets is not None else []
    content = Content(record, sets, evaluation, analysis, latencies, without)
    write_text(out, report_page(content))
    return content


def sets_of(record: RunRecord, moved_to: Path | None = None) -> tuple[CocoDataset, CocoDataset]:
    """The training and the validation set of the run, or those at ``moved_to``. InputError if they cannot be used."""
    if moved_to is None:
        return load_sets(record.config.data)
    data = record.config.data
    return load_sets(DataConfig(root=moved_to, min_score=data.min_score, ignore_score=data.ignore_score))


def evaluate_best(
    record: RunRecord, dataset: CocoDataset, on_batch: Callable[[int], None] = lambda count: None
) -> Evaluation:
    """Looks at the validation images with the best weights. Raises InputError if either cannot be used."""
    start = time.perf_counter()
    config = record.config.eval
    found = find_objects(load_predictor(record.run.best, config), dataset, None, config.batch, on_batch)
    return Evaluation(dataset, found, evaluate_detections(dataset, found), time.perf_counter() - start)
