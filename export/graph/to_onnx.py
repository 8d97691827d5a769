"""From the network to a plain ONNX graph, which any ONNX runtime can read."""

import tempfile
import warnings
from pathlib import Path

import onnx
import torch
from onnx import helper
from torch import nn

from fusedet.common.atomic import naming
from fusedet.deploy.detector.contract import OUTPUT_NAMES, Contract
from fusedet.export.graph.constants import fold_constants
from fusedet.export.graph.raw_layout import RAW_NAMES, RawGraph, raw_description
from fusedet.export.graph.ultralytics_layout import (
    OUTPUT_NAME,
    UltralyticsGraph,
    ultralytics_description,
    ultralytics_metadata,
)
from fusedet.model import InferenceGraph

INPUT_NAME = "images"
#: The oldest operator set that has all a detector needs, for the sake of older runtimes and converters.
OPSET = 17

_BATCH = "batch"


def to_onnx(
    graph: InferenceGraph | UltralyticsGraph | RawGraph, contract: Contract, *, dynamic_batch: bool = False
) -> onnx.ModelProto:
    """Traces ``graph``, a folded network with its decoding, into a checked ONNX model.

    What the file says of itself is the contract, in the form that belongs to ``graph``, whose input size and format
    it has. The same weights and the same versions of the tools give the same bytes. ``dynamic_batch`` leaves the
    number of images open.

    Returns:
        A model whose input is :data:`INPUT_NAME` and whose outputs are
        :data:`fusedet.deploy.detector.contract.OUTPUT_NAMES`, or those of another layout. Shapes are inferred,
        constants folded.
    """
    if isinstance(graph, UltralyticsGraph):
        names: tuple[str, ...] = (OUTPUT_NAME,)
        description, metadata = ultralytics_description(contract), ultralytics_metadata(contract)
    elif isinstance(graph, RawGraph):
        names, metadata = RAW_NAMES, contract.to_metadata()
        description = raw_description(len(contract.names), contract.input_size, contract.pad_value)
    else:
        names, description, metadata = OUTPUT_NAMES, _describe(contract), contract.to_metadata()
    graph = graph.eval()
    example = _example_input(contract).to(graph.points.device)
    with torch.no_grad():
        outputs = graph(example)
    model = fold_constants(_trace(graph, example, names, dynamic_batch))
    batch = _BATCH if dynamic_batch else 1
    for value, output in zip(model.graph.output, outputs, strict=True):
        # The tracer gives up on some of the sizes when the batch is open.
        element = value.type.tensor_type.elem_type
        value.CopyFrom(helper.make_tensor_value_info(value.name, element, (batch, *output.shape[1:])))
    model.producer_name, model.producer_version = "fusedet", ""
    model.graph.name = "fusedet"
    model.doc_string = description
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return model


def _trace(
    graph: nn.Module, example: torch.Tensor, output_names: tuple[str, ...], dynamic_batch: bool
) -> onnx.ModelProto:
    """The graph as torch's tracer gives it."""
    names = (INPUT_NAME, *output_names)
    with tempfile.TemporaryDirectory() as folder, naming(Path(folder)), warnings.catch_warnings():
        # The tracing exporter is deprecated in favour of one that needs the package onnxscript, takes seven times as
        # long, and gains nothing for a graph of convolutions.
        deprecated = "You are using the legacy TorchScript-based ONNX export|The feature will be removed"
        warnings.filterwarnings("ignore", message=deprecated, category=DeprecationWarning)
        path = Path(folder) / "traced.onnx"
        torch.onnx.export(
            graph,
            (example,),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT_NAME],
            output_names=list(output_names),
            dynamic_axes={name: {0: _BATCH} for name in names} if dynamic_batch else None,
        )
        return onnx.load(path)


def _example_input(contract: Contract) -> torch.Tensor:
    """One black image in the contract's input format."""
    height, width = contract.input_size
    if contract.input_format == "uint8_nhwc_bgr":
        return torch.zeros(1, height, width, 3, dtype=torch.uint8)
    return torch.zeros(1, 3, height, width)


def _describe(contract: Contract) -> str:
    """What somebody who opens the file in a viewer should know."""
    height, width = contract.input_size
    formats = {
        "uint8_nhwc_bgr": f"uint8 [B, {height}, {width}, 3], BGR",
        "float32_nchw_rgb": f"float32 [B, 3, {height}, {width}], RGB in 0..1",
    }
    suppression = f"boxes need NMS at IoU {contract.nms_iou}" if contract.nms else "no NMS needed"
    return (
        f"fusedet object detector of {len(contract.names)} classes. "
        f"{INPUT_NAME}: {formats[contract.input_format]}, letterboxed with padding {contract.pad_value}. "
        f"boxes: xyxy in input pixels; scores: highest first; class_ids; {suppression}."
    )
