"""Both outputs of a trained network side by side, with NMS and NMS-free, and which of them to export."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.atomic import write_text
from fusedet.common.errors import InputError
from fusedet.model.checkpoint import load_detector
from fusedet.train.config import EvalConfig
from fusedet.train.data.coco import CocoDataset, Sample
from fusedet.train.evaluation.evaluate import TorchDetector, find_objects
from fusedet.train.evaluation.metrics import evaluate_detections
from fusedet.train.evaluation.operating_point import OperatingPoint, operating_point
from fusedet.train.run_folder import RunFolder

#: The flag of ``fusedet export`` and ``fusedet eval`` for the output that is not the default.
NMS_FREE_FLAG = "--nms-free"
_WITH_NMS, _NMS_FREE = "with NMS", "NMS-free"
#: An output that finds less than this more, in AP, is not worth a change of the default.
_LEAST_GAIN = 0.005


@dataclass(frozen=True)
class Output:
    """What one output of a network reaches on a data set."""

    nms: bool  # the output with NMS, of the one-to-many branch; False: the NMS-free output, of the one-to-one branch
    ap: float  # COCO's AP50-95, in 0..1
    ap50: float  # AP at IoU 0.50, in 0..1
    point: OperatingPoint  # what is shown at the recommended score threshold

    @property
    def name(self) -> str:
        """What people call it."""
        return _WITH_NMS if self.nms else _NMS_FREE


def measure_outputs(
    run: RunFolder,
    dataset: CocoDataset,
    images: Iterable[tuple[Sample, NDArray[np.uint8]]] | None,
    config: EvalConfig,
) -> tuple[Output, Output]:
    """Evaluates ``best.pt`` of a run folder with NMS and NMS-free, in this order.

    ``images``, with their samples, are iterated over twice; left out, they are read from disk. Raises InputError if
    there is no ``best.pt``, or an image cannot be read.
    """
    net, meta = load_detector(run.best)
    outputs = []
    for nms in (True, False):
        detector = TorchDetector(net, meta["names"], config.model_copy(update={"nms": nms}))
        found = find_objects(detector, dataset, images, config.batch)
        metrics = evaluate_detections(dataset, found)
        outputs.append(Output(nms, metrics.ap, metrics.ap50, operating_point(dataset, found)))
    return outputs[0], outputs[1]


def output_table(outputs: Iterable[Output]) -> str:
    """A table for the terminal, at the recommended score threshold of each output."""
    lines = ["output        AP   AP50  score  precision  recall  duplicates  count error"]
    for output in outputs:
        point = output.point
        lines.append(
            f"{output.name}  {output.ap:.3f}  {output.ap50:.3f}   {point.threshold:.2f}      {point.precision:.2f}   "
            f"   {point.recall:.2f}     {100 * point.duplicate_share:5.1f} %         {point.count_error:.2f}"
        )
    return "\n".join(lines).replace(" nan", "   -")  # of no box, and of no object, there is no share


def better_output(with_nms: Output, nms_free: Output) -> Output:
    """The output to export: NMS-free where it finds more and shows no more duplicates, else that with NMS."""
    finds_more = nms_free.ap > with_nms.ap + _LEAST_GAIN
    return nms_free if finds_more and nms_free.point.duplicates <= with_nms.point.duplicates else with_nms


def reason(with_nms: Output, nms_free: Output) -> str:
    """Which output to export and why, as the beginning of a sentence."""
    better = better_output(with_nms, nms_free)
    worse = nms_free if better.nms else with_nms
    duplicates = f"{better.point.duplicates} duplicates against {worse.point.duplicates}"
    return f"export the output {better.name}: AP {better.ap:.3f} against {worse.ap:.3f}, {duplicates}"


def recommend(with_nms: Output, nms_free: Output, run: RunFolder) -> str:
    """One sentence: which output to export, why, and by which command."""
    flag = "" if better_output(with_nms, nms_free).nms else f" {NMS_FREE_FLAG}"
    return f"{reason(with_nms, nms_free)}; fusedet export {run.path}{flag}"


def write_outputs(run: RunFolder, outputs: Iterable[Output]) -> None:
    """Writes ``outputs.json`` into the run folder: figures in 0..1, null for what cannot be told."""
    content = [
        {"output": one.name, "ap": one.ap, "ap50": one.ap50, "operating_point": one.point.as_dict()} for one in outputs
    ]
    write_text(run.outputs, json.dumps(content, indent=1) + "\n")


def read_outputs(run: RunFolder) -> tuple[Output, ...]:
    """What :func:`write_outputs` wrote, with NMS and NMS-free; empty where a run folder has no such file.

    Folders of trainings that are not done have none, nor have those of earlier versions. Raises InputError if the file
    holds something else.
    """
    if not run.outputs.exists():
        return ()
    try:
        outputs = tuple(_output(one) for one in json.loads(run.outputs.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise InputError(f"{run.outputs}: expected figures of both outputs, but it holds something else") from error
    if [output.nms for output in outputs] != [True, False]:
        names = ", ".join(output.name for output in outputs) or "none"
        raise InputError(f"{run.outputs}: expected the outputs {_WITH_NMS}, {_NMS_FREE}, but got {names}")
    return outputs


def _output(content: dict[str, Any]) -> Output:
    point = content["operating_point"]
    counts = (int(point[name]) for name in ("shown", "objects", "found", "duplicates", "miscounted"))
    nms = {_WITH_NMS: True, _NMS_FREE: False}[content["output"]]
    return Output(nms, float(content["ap"]), float(content["ap50"]), OperatingPoint(float(point["threshold"]), *counts))
