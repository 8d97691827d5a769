"""Evaluates a network or an exported file, through the same letterbox and decoding as on the board."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from fusedet.deploy.detector.bundle import is_bundle
from fusedet.deploy.detector.contract import Contract
from fusedet.deploy.detector.decoding import decode_outputs
from fusedet.deploy.detector.detections import Detections, Predictor
from fusedet.deploy.detector.letterbox import letterbox, to_blob
from fusedet.deploy.detector.pool import DetectorPool
from fusedet.deploy.detector.session import OTHER_RUNTIMES
from fusedet.model.checkpoint import load_detector
from fusedet.model.detector import STRIDES, DetectorNet
from fusedet.model.inference import InferenceGraph
from fusedet.train.config import EvalConfig
from fusedet.train.data.coco import CocoDataset, Sample, load_coco
from fusedet.train.data.dataset import iterate_images
from fusedet.train.data.image_cache import in_batches
from fusedet.train.evaluation.by_name import by_name, known_to
from fusedet.train.evaluation.metrics import Metrics, evaluate_detections

_T = TypeVar("_T")


class TorchDetector:
    """A network in torch behind the runtime's interface: only the graph runs in torch.

    The network is copied; ``graph`` is the copy, folded and with its decoding. ``config`` says thresholds and
    branch.
    """

    def __init__(self, net: DetectorNet, names: Sequence[str], config: EvalConfig) -> None:
        self.contract = Contract(
            names=tuple(names),
            input_size=net.config.input_size,
            nms=config.nms,
            nms_iou=config.nms_iou,
            strides=STRIDES,
            activation=net.config.activation,
        )
        self._config = config
        # Images are [B, H, W, 3] in memory: kernels in the same order spare a copy at every convolution.
        self.graph = InferenceGraph(net, nms=config.nms).eval()
        self.graph.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def names(self) -> tuple[str, ...]:
        """Class names; a class id is an index into them."""
        return self.contract.names

    @torch.inference_mode()
    def batch(self, images_bgr: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Detections in each image, in its own pixels."""
        contract, config = self.contract, self._config
        boxed = [letterbox(image, contract.input_size, contract.pad_value) for image in images_bgr]
        blob = to_blob([canvas for canvas, _ in boxed], contract.input_format)
        outputs = self.graph(torch.from_numpy(blob).to(self.graph.points.device))
        arrays = zip(*(output.cpu().numpy() for output in outputs), strict=True)
        return [
            decode_outputs(
                boxes,
                scores,
                ids,
                place,
                contract,
                config.score_threshold,
                config.max_detections,
                one_label=False,
                duplicate_iou=config.duplicate_iou,
            )
            for (boxes, scores, ids), (_, place) in zip(arrays, boxed, strict=True)
        ]


def evaluate_predictor(
    predictor: Predictor,
    dataset: CocoDataset,
    images: Iterable[tuple[Sample, NDArray[np.uint8]]] | None = None,
    batch: int = 16,
    on_batch: Callable[[int], None] = lambda count: None,
) -> Metrics:
    """Evaluates a predictor on a data set, on the classes that it was trained on; see :func:`find_objects`."""
    dataset = known_to(predictor, dataset)
    return evaluate_detections(dataset, find_objects(predictor, dataset, images, batch, on_batch))


def find_objects(
    predictor: Predictor,
    dataset: CocoDataset,
    images: Iterable[tuple[Sample, NDArray[np.uint8]]] | None = None,
    batch: int = 16,
    on_batch: Callable[[int], None] = lambda count: None,
) -> dict[int, Detections]:
    """What a predictor finds in the images of a data set, by image id. Classes go by name; others are left out.

    Args:
        predictor: finds objects in images.
        dataset: the annotations.
        images: its images with their samples, where they are at hand already; else they are read from disk.
        batch: images for each call of the predictor.
        on_batch: called with the number of images after each batch, for a progress bar.

    Raises:
        InputError: the data has a class that the predictor has not.
    """
    predictor = by_name(predictor, dataset)
    found: dict[int, Detections] = {}
    for group in in_batches(images if images is not None else iterate_images(dataset), batch):
        for (sample, _), detections in zip(group, predictor.batch([image for _, image in group]), strict=True):
            found[sample.image_id] = detections
        on_batch(len(group))
    return found


def evaluate_model(
    model: Path,
    annotations: Path,
    images: Path,
    config: EvalConfig | None = None,
    on_batch: Callable[[int], None] = lambda count: None,
) -> Metrics:
    """Evaluates a checkpoint (``.pt``) or an exported file (``.onnx``) on COCO annotations.

    Args:
        model: the file, or one of another project (:mod:`fusedet.deploy.detector.formats`). An exported file decides
            itself whether NMS follows; ``config.nms`` chooses for a checkpoint.
        annotations: COCO JSON.
        images: folder that its file names are relative to.
        config: thresholds and batch size.
        on_batch: see :func:`evaluate`.

    Raises:
        InputError: a file cannot be used, or the classes differ.
    """
    config = config or EvalConfig()
    predictor = load_predictor(model, config)
    return evaluate_predictor(predictor, load_coco(annotations, images), batch=config.batch, on_batch=on_batch)


def load_predictor(model: Path, config: EvalConfig) -> Predictor:
    """A checkpoint, an exported file or one of another project, with all cores. Raises InputError if it is none."""
    if model.suffix in (".onnx", *OTHER_RUNTIMES) or is_bundle(model):
        return DetectorPool(
            model,
            score_threshold=config.score_threshold,
            max_detections=config.max_detections,
            one_label=False,
            duplicate_iou=config.duplicate_iou,
        )
    net, meta = load_detector(model)
    return TorchDetector(net, meta["names"], config)
