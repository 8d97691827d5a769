"""How strongly a point is to be lowered beside a better neighbour: the NMS-free output at several gains.

    python -m benchmarks.ablation.inhibition runs/*/best.pt --data my_data --gains 4 16 100

Prints a row for each checkpoint and gain, and one for the output with NMS: AP, AP50, and what is shown at the score
threshold of the best F1. No suppression follows the NMS-free output here.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.command import run_command
from fusedet.model import head
from fusedet.model.checkpoint import load_detector
from fusedet.train.config import EvalConfig
from fusedet.train.data.coco import CocoDataset, load_coco
from fusedet.train.evaluation.evaluate import TorchDetector, find_objects
from fusedet.train.evaluation.metrics import evaluate_detections
from fusedet.train.evaluation.operating_point import operating_point

HEADER = "| model | output | gain | AP | AP50 | score | F1 | duplicates | count error |"


@contextmanager
def gain_of(value: float) -> Iterator[None]:
    """Sets the gain of evaluation for a while."""
    before = head._INHIBITION
    head._INHIBITION = value
    try:
        yield
    finally:
        head._INHIBITION = before


def row(model: Path, dataset: CocoDataset, config: EvalConfig, gain: float | None) -> str:
    """One line of the table; ``gain`` is None for the output with NMS."""
    net, meta = load_detector(model)
    detector = TorchDetector(net, meta["names"], config.model_copy(update={"nms": gain is None}))
    found = find_objects(detector, dataset, batch=config.batch)
    metrics, point = evaluate_detections(dataset, found), operating_point(dataset, found)
    output = "| with NMS | " if gain is None else f"| NMS-free | {gain:g}"
    return (
        f"| {model} {output} | {metrics.ap:.3f} | {metrics.ap50:.3f} | {point.threshold:.2f} | {point.f1:.2f} | "
        f"{100 * point.duplicate_share:.1f} % | {point.count_error:.2f} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", metavar="CHECKPOINT", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="images/, annotations/val.json")
    parser.add_argument("--gains", type=float, nargs="+", default=[4.0, 16.0, 100.0])
    args = parser.parse_args()
    dataset = load_coco(args.data / "annotations" / "val.json", args.data / "images")
    print(HEADER, "| --- | --- " + "| ---: " * 7 + "|", sep="\n")
    for model in args.models:
        for gain in (None, *args.gains):
            with gain_of(gain or head._INHIBITION):
                print(row(model, dataset, EvalConfig(duplicate_iou=None), gain), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("inhibition", main))
