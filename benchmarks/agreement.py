"""Whether a trained network and its exported files find the same boxes in real pictures.

    python -m benchmarks.agreement runs/nano-1/best.pt --images my_data/images --count 100

Each checkpoint is exported into a temporary folder. Then three pairs are compared on the same pictures: torch with the
plain file, the plain with the fused file, both in pixels of the network's input; and torch with the fused file behind
``fusedet.deploy.Detector``, in pixels of the picture, which is what a user gets. Every detection with a score of 0.1
or more must have its counterpart, with an IoU of at least 0.99 and a score that differs by 0.001 at most. The exit
code is 1 where one has not.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fusedet.deploy import Detections, Detector
from fusedet.export import Agreement, ExportError, ExportResult, Tolerance, export_onnx, verify
from fusedet.export.verify import Outputs, compare, load_pictures
from fusedet.model import DetectorNet, InferenceGraph, load_detector
from fusedet.train.config import EvalConfig
from fusedet.train.evaluate import Predictor, TorchDetector

#: A score may differ by 0.01 of the threshold; ``side=0`` leaves no way around the IoU but boxes that are equal.
LIMITS = Tolerance(threshold=0.1, score=0.01, iou=0.99, side=0.0)
#: Pictures for each call of a detector.
BATCH = 16

Pictures = Mapping[str, NDArray[np.uint8]]


def agreements(net: DetectorNet, result: ExportResult, pictures: Pictures) -> Iterator[Agreement]:
    """The three pairs, one after the other.

    Raises:
        ExportError: a limit is broken; the message names the picture and the detection.
    """
    yield from verify(InferenceGraph(net).eval(), result.plain, result.fused, pictures, LIMITS)
    contract = result.contract
    # All that the network gives: a threshold here could part two scores that differ in the last digit.
    settings = EvalConfig(score_threshold=0.0)
    in_torch = TorchDetector(net, contract.names, settings)
    on_board = Detector(result.fused, score_threshold=0.0, max_detections=settings.max_detections, one_label=False)
    found = [find(predictor, pictures) for predictor in (in_torch, on_board)]
    yield compare(("torch", "Detector"), *found, contract, LIMITS)


def find(predictor: Predictor, pictures: Pictures) -> dict[str, Outputs]:
    """Detections by picture, in its own pixels."""
    names, found = iter(pictures), list[Detections]()
    while group := list(islice(names, BATCH)):
        found += predictor.batch([pictures[name] for name in group])
    return {
        name: Outputs(detections.boxes_xyxy, detections.scores, detections.class_ids)
        for name, detections in zip(pictures, found, strict=True)
    }


def show(name: str, agreement: Agreement, result: ExportResult) -> None:
    ops = result.optimized_ops
    cells = (
        name,
        " = ".join(agreement.between),
        f"{agreement.pictures}",
        f"{agreement.compared}",
        f"{agreement.iou:.6f}",
        f"{agreement.score:.1e}",
        f"{agreement.side_px:.1e}",
        f"{len(result.standing)}",
        f"{ops['nchwc.ReorderInput'] + ops['nchwc.ReorderOutput']}",
    )
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", metavar="CHECKPOINT", type=Path, nargs="+")
    parser.add_argument("--images", type=Path, required=True, help="folder of pictures like those of the training")
    parser.add_argument("--count", type=int, default=100, help="how many of them (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: %(default)s)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    pictures = load_pictures(args.images, args.count)
    print("| checkpoint | pair | images | boxes | least IoU | score diff. | side diff. px | act. outside | reorders |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    broken = []
    for path in args.checkpoints:
        net, meta = load_detector(path)
        name = f"{path.parent.name}/{path.name}"
        try:
            with tempfile.TemporaryDirectory() as folder:
                result = export_onnx(net, folder, names=meta["names"])
                for agreement in agreements(net, result, pictures):
                    show(name, agreement, result)
        except ExportError as error:
            broken.append(f"{name}: {error}")
    print("\n".join(["", *broken]), file=sys.stderr, end="\n" if broken else "")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
