"""What ONNX Runtime makes of a file: the operators it really runs."""

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnxruntime as ort

from fusedet.common.errors import InputError
from fusedet.export.graph.nodes import attributes_of, node_name

_SHORT_DOMAINS = {"": "", "ai.onnx": "", "com.microsoft": "", "com.microsoft.nchwc": "nchwc."}


def optimize(path: Path) -> onnx.ModelProto:
    """The graph after ONNX Runtime's optimisation at its highest level, for the CPU of this machine.

    It is something to look at, never to ship: it holds kernels of one kind of CPU. On x86 convolutions in the blocked
    layout become ``nchwc`` ones, with a ``ReorderInput`` and ``ReorderOutput`` wherever another operator needs the
    plain layout; ARM has no such layout.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # it warns that the file is bound to this CPU, which is the point
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "optimized.onnx"
        options.optimized_model_filepath = str(saved)
        ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        return onnx.load(saved)


def optimize_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """:func:`optimize` of a model in memory; InputError where this ONNX Runtime cannot run it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        try:
            return optimize(path)
        except Exception as error:  # ONNX Runtime's errors share no base class
            reason = str(error).splitlines()[0].replace(str(path), "the model") if str(error) else type(error).__name__
            raise InputError(f"ONNX Runtime {ort.__version__} cannot run it: {reason}") from error


def count_ops(model: onnx.ModelProto) -> Counter[str]:
    """How often each operator occurs; those of the blocked layout are called ``nchwc.Conv`` and the like."""
    return Counter(short_name(node) for node in model.graph.node)


def short_name(node: onnx.NodeProto) -> str:
    """An operator as :func:`count_ops` calls it."""
    return _SHORT_DOMAINS.get(node.domain, node.domain + ".") + node.op_type


@dataclass(frozen=True)
class FusedActivation:
    """A convolution, ``FusedConv`` or ``nchwc.Conv``, with an activation and its numbers inside, such as its slope."""

    node: str
    op: str
    activation: str
    parameters: tuple[float, ...]


def fused_activations(model: onnx.ModelProto) -> tuple[FusedActivation, ...]:
    """Every convolution of a graph that holds an activation, in the order in which they run."""
    found = []
    for node in model.graph.node:
        attributes = attributes_of(node)
        if attributes.get("activation"):
            parameters = tuple(round(float(value), 6) for value in attributes.get("activation_params", ()))
            activation = attributes["activation"].decode()
            found.append(FusedActivation(node_name(node), short_name(node), activation, parameters))
    return tuple(found)
