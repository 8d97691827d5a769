"""An exported network in ncnn's form, for boards where that is quicker than ONNX Runtime."""

import json
import os
import subprocess
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from fusedet.common.errors import InputError
from fusedet.export.errors import ExportError
from fusedet.export.graph.nodes import metadata_of
from fusedet.model import STRIDES, InferenceGraph


class _RawOutputs(nn.Module):
    """The network without the end of its decoding.

    It gives logits ``[1, classes, A]``, distances ``[1, 4, A]`` and best ``[1, 1, A]``; see ``ExportOutput``.
    """

    def __init__(self, graph: InferenceGraph) -> None:
        super().__init__()
        self.backbone, self.neck, self.head = graph.backbone, graph.neck, graph.head

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output = self.head(self.neck(self.backbone(images)))
        return output.logits, output.distances, output.best[:, None]


def check_ncnn() -> None:
    """Raises InputError: ncnn or its converter is not installed."""
    try:
        import ncnn  # noqa: F401
        import pnnx  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed: pip install 'fusedet[ncnn]'") from error


def to_ncnn(graph: InferenceGraph, plain: Path, out: Path, precision: str, more: Mapping[str, str]) -> None:
    """Writes ``NAME.ncnn.param``, ``.bin`` and ``.json``, the last with what the ONNX file says of itself, and
    ``more``.

    ``precision`` is ``f32``, or ``f16`` of weights and, where the processor can, of arithmetic. Where the network is
    there already, ``.json`` alone is written.

    Raises:
        ExportError: the converter failed.
    """
    metadata = metadata_of(onnx.load(plain, load_external_data=False))
    height, width = graph.input_size
    if not out.is_file():
        _convert(graph, out, precision)
    facts = {
        "metadata": {**metadata, **more},
        "input_size": [height, width],
        "strides": list(STRIDES),
        "max_detections": graph.max_detections,
        "classes_per_point": graph.classes_per_point,
        "precision": precision,
    }
    out.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _convert(graph: InferenceGraph, out: Path, precision: str) -> None:
    """Writes ``NAME.ncnn.param`` and its ``.bin``."""
    import pnnx

    height, width = graph.input_size
    with tempfile.TemporaryDirectory(prefix=".ncnn-", dir=out.parent) as folder:
        traced = Path(folder) / "network.pt"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the converter reads no newer form
            torch.jit.trace(_RawOutputs(graph).eval(), torch.zeros(1, 3, height, width)).save(str(traced))
        half = int(precision == "f16")
        command = [pnnx.EXEC_PATH, traced.name, f"inputshape=[1,3,{height},{width}]", f"fp16={half}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        made = traced.with_suffix(".ncnn.param")
        if done.returncode or not made.is_file():
            raise ExportError(f"pnnx cannot convert this network: {(done.stderr or done.stdout)[-300:]}")
        for suffix in (".bin", ".param"):
            os.replace(made.with_suffix(suffix), out.with_suffix(suffix))
