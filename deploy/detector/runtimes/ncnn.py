"""ncnn, which is small and quick on ARM: ``NAME.ncnn.param`` with its ``NAME.ncnn.bin`` and ``NAME.ncnn.json``.

The network gives class logits and distances of every anchor point; what the ONNX file works out of them in its graph
is worked out here, so that both give the same boxes.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.deploy.detector.contract import OUTPUT_NAMES
from fusedet.deploy.detector.runtimes.protocol import Feed, Metadata, Tensor

#: Lower ones are no more likely; exp of them would not fit into a float32.
_LEAST_LOGIT = -80.0
_FACTS = {"metadata": dict, "input_size": list, "strides": list, "max_detections": int, "classes_per_point": int}


class NcnnSession:
    """A network in ncnn; see :class:`fusedet.deploy.detector.runtimes.protocol.Session`.

    The input ``images`` is uint8 ``[1, H, W, 3]`` in BGR. ``NAME.ncnn.param`` is opened; the other two files lie beside
    it.
    """

    def __init__(self, path: Path, threads: int) -> None:
        """Raises:
        InputError: ncnn is not installed, a file is missing, or ncnn cannot read them.
        """
        try:
            import ncnn
        except ModuleNotFoundError as error:
            raise InputError(f"{path}: needs ncnn, which is not installed: pip install ncnn") from error
        facts = _read_facts(path)
        self._metadata = Metadata(facts["metadata"])
        self._height, self._width = facts["input_size"]
        self._most, self._classes_per_point = facts["max_detections"], facts["classes_per_point"]
        self._points, self._strides = _anchor_points((self._height, self._width), facts["strides"])
        self._ncnn, self._net = ncnn, ncnn.Net()
        self._net.opt.num_threads = threads
        half = facts.get("precision") == "f16"
        self._net.opt.use_fp16_packed = self._net.opt.use_fp16_storage = self._net.opt.use_fp16_arithmetic = half
        if self._net.load_param(str(path)) or self._net.load_model(str(path.with_suffix(".bin"))):
            raise InputError(f"{path}: not a network that ncnn can read")

    def get_inputs(self) -> Sequence[Tensor]:
        """The network's input."""
        return [Tensor("images", [1, self._height, self._width, 3], "tensor(uint8)")]

    def get_outputs(self) -> Sequence[Tensor]:
        """Those of :mod:`fusedet.deploy.detector.contract`."""
        shapes: list[list[int | str]] = [[1, self._most, 4], [1, self._most], [1, self._most]]
        types = ("tensor(float)", "tensor(float)", "tensor(int64)")
        return [Tensor(*one) for one in zip(OUTPUT_NAMES, shapes, types, strict=True)]

    def get_modelmeta(self) -> Metadata:
        """What the file says of itself."""
        return self._metadata

    def run(self, output_names: Sequence[str] | None, input_feed: Feed) -> list[NDArray[Any]]:
        """Arrays of the named outputs."""
        image = np.ascontiguousarray(input_feed["images"][0])
        pixels = self._ncnn.Mat.from_pixels(image, self._ncnn.Mat.PixelType.PIXEL_BGR, self._width, self._height)
        extractor = self._net.create_extractor()
        extractor.input("in0", pixels)
        blobs = [np.array(extractor.extract(f"out{i}")[1]) for i in range(3)]
        found = dict(zip(OUTPUT_NAMES, self._select_top(*blobs), strict=True))
        return [found[name] for name in output_names or OUTPUT_NAMES]

    def _select_top(
        self, logits: NDArray[np.float32], distances: NDArray[np.float32], best: NDArray[np.float32]
    ) -> tuple[NDArray[Any], ...]:
        """The best boxes, as :func:`fusedet.model.decode.select_top` chooses them.

        Args:
            logits: ``[classes, A]``.
            distances: ``[4, A]`` left, top, right, bottom in strides.
            best: ``[1, A]``, by which points are ranked.
        """
        ranks = best.reshape(-1)
        kept = _largest(ranks, self._most)
        highest, logits = ranks[kept], logits[:, kept].T  # [K], [K, classes]
        class_ids = np.argsort(-logits, axis=1, kind="stable")[:, : self._classes_per_point]
        scores = np.take_along_axis(logits, class_ids, 1)
        scores = (scores + (highest - scores[:, 0])[:, None]).T.reshape(-1)  # [classes_per_point x K]
        order = _largest(scores, self._most)
        places = kept[order % self._most]
        points, sides = self._points[places], (distances[:, places] * self._strides[places]).T
        boxes = np.concatenate((points - sides[:, :2], points + sides[:, 2:]), 1)
        ids = class_ids.T.reshape(-1)[order].astype(np.int64)
        probabilities = 1 / (1 + np.exp(-np.maximum(scores[order], _LEAST_LOGIT)))
        return boxes[None].astype(np.float32), probabilities[None].astype(np.float32), ids[None]


def _largest(values: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Indices of the ``count`` largest values, the largest first."""
    some = np.argpartition(-values, count - 1)[:count] if count < len(values) else np.arange(len(values))
    return some[np.argsort(-values[some], kind="stable")]


def _anchor_points(size_hw: tuple[int, int], strides: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Centres ``[A, 2]`` of all cells of the prediction maps in pixels, and the stride ``[A]`` of each."""
    points, lengths = [], []
    for stride in strides:
        y, x = np.mgrid[: size_hw[0] // stride, : size_hw[1] // stride]
        points.append((np.stack((x, y), -1).reshape(-1, 2) + 0.5) * stride)
        lengths.append(np.full(len(points[-1]), stride))
    return np.concatenate(points).astype(np.float32), np.concatenate(lengths).astype(np.float32)


def _read_facts(path: Path) -> dict[str, Any]:
    for suffix in (".bin", ".json"):
        if not path.with_suffix(suffix).is_file():
            raise InputError(f"{path}: {path.with_suffix(suffix).name} must lie beside it")
    file = path.with_suffix(".json")
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file}: not JSON: {error}") from error
    if not isinstance(facts, dict) or any(not isinstance(facts.get(key), kind) for key, kind in _FACTS.items()):
        raise InputError(f"{file}: expected what fusedet export writes beside a network of ncnn: {', '.join(_FACTS)}")
    return facts
