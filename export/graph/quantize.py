"""INT8: convolutions on bytes, as many as the accuracy bears.

Static quantisation in ONNX Runtime's QDQ form: the ranges of all activations are measured on real images, weights get
a scale for each output channel. The convolutions that predict stay in float: one scale for all class logits, or for
boxes of all sizes, would round small differences away, and these decide. Where accuracy still falls by more than the
budget, the layers that disturb the predictions most go back to float until it holds.
"""

import copy
import logging
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QDQQuantizer, QuantType
from onnxruntime.quantization.calibrate import create_calibrator

from fusedet.common.errors import InputError
from fusedet.common.text import counted
from fusedet.deploy.detector.letterbox import letterbox, to_blob
from fusedet.deploy.detector.session import open_session, read_contract
from fusedet.export.errors import ExportError
from fusedet.export.graph.node_order import sort_nodes
from fusedet.export.graph.nodes import replace_all
from fusedet.export.proof.images import Images

Method = Literal["minmax", "entropy", "percentile"]
#: AP50-95 of an ONNX file, 0..1.
Accuracy = Callable[[Path], float]

_METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
#: Images on which the layers' sensitivity is measured.
_PROBES = 8


@dataclass(frozen=True)
class Int8Settings:
    """How to quantise.

    Attributes:
        images: so many of the images given serve to measure ranges, drawn by ``seed``.
        method: how a range comes from what was measured: ``minmax`` takes it all, the others leave out what is rare.
        per_channel: weights have a scale for each output channel; else one for the layer.
        reduce_range: weights use 7 bits, for x86 processors without VNNI, whose 16-bit sums would overflow.
        ap_loss: most of AP50-95 that may be lost.
    """

    images: int = 100
    method: Method = "minmax"
    per_channel: bool = True
    reduce_range: bool = False
    seed: int = 0
    ap_loss: float = 0.01

    def __post_init__(self) -> None:
        if self.images < 1:
            raise InputError(f"int8: images must be at least 1, but got {self.images}")
        if self.method not in _METHODS:
            raise InputError(f"int8: method must be one of {', '.join(_METHODS)}, but got {self.method!r}")
        if self.ap_loss < 0:
            raise InputError(f"int8: ap_loss must be 0 or more, but got {self.ap_loss}")


@dataclass(frozen=True)
class Sensitivity:
    """What it does to the raw predictions to quantise one layer alone: root mean square change over their own."""

    layer: str
    error: float


@dataclass(frozen=True)
class Attempt:
    """One attempt: how many of the sensitive layers stayed in float, and what AP50-95 that gave, 0..1."""

    in_float: int
    ap: float


@dataclass(frozen=True)
class Quantized:
    """What was written: which convolutions are quantised, and which are not, the predicting ones among them.

    Where accuracy was evaluated, ``sensitivities`` are of every layer that could be quantised, the most sensitive
    first, and ``steps`` are attempts, the last of which was kept.
    """

    path: Path
    settings: Int8Settings
    layers: tuple[str, ...]
    in_float: tuple[str, ...]
    sensitivities: tuple[Sensitivity, ...]
    ap_before: float | None
    steps: tuple[Attempt, ...]


def quantize(
    plain: Path,
    out: Path,
    images: Images,
    settings: Int8Settings | None = None,
    accuracy: Accuracy | None = None,
) -> Quantized:
    """Writes the INT8 form of a plain exported file.

    Args:
        plain: as ``fusedet export`` writes it.
        out: the file to write.
        images: of the training; ranges are measured on some of them.
        settings: left out, the defaults.
        accuracy: evaluates a file; left out, no layer goes back to float.

    Raises:
        ExportError: the budget does not hold even with all but one layer in float.
        InputError: the file cannot be used.
    """
    settings = settings or Int8Settings()
    model = onnx.load(plain)
    blobs = _blobs(plain, images, settings)
    layers = [n.name for n in model.graph.node if n.op_type == "Conv"]
    fixed = predicting_convolutions(model)
    candidates = [name for name in layers if name not in fixed]
    if not candidates:
        raise InputError(f"{plain}: has no convolution that could be quantised")
    ranges = _measure_ranges(plain, model, blobs, settings)
    if accuracy is None:
        out.write_bytes(_quantized(model, ranges, candidates, settings).SerializeToString(deterministic=True))
        return Quantized(out, settings, tuple(candidates), tuple(n for n in layers if n in fixed), (), None, ())

    sensitivities = _sensitivities(model, ranges, candidates, fixed, blobs[:_PROBES], settings)
    before, steps = accuracy(plain), list[Attempt]()
    for in_float in _attempts(len(candidates)):
        spared = {one.layer for one in sensitivities[:in_float]}
        chosen = [name for name in candidates if name not in spared]
        out.write_bytes(_quantized(model, ranges, chosen, settings).SerializeToString(deterministic=True))
        steps.append(Attempt(in_float, accuracy(out)))
        _log.info("int8: %d layers in float: AP %.4f, in float %.4f", in_float, steps[-1].ap, before)
        if steps[-1].ap >= before - settings.ap_loss:
            break
    else:
        out.unlink()
        tried = ", ".join(f"{step.ap:.4f} with {counted(step.in_float, 'layer')} in float" for step in steps)
        raise ExportError(
            f"INT8 loses more than {settings.ap_loss:g} of AP: {before:.4f} became {tried}; more or other "
            "calibration images may help, or another method"
        )
    rest = tuple(name for name in layers if name not in chosen)
    return Quantized(out, settings, tuple(chosen), rest, tuple(sensitivities), before, tuple(steps))


def predicting_convolutions(model: onnx.ModelProto) -> frozenset[str]:
    """Names of the convolutions after which no other one comes: those whose output is scores and boxes."""
    feeding = set[str]()  # values on which a convolution depends
    last = set[str]()
    for node in reversed(model.graph.node):
        if node.op_type == "Conv" and feeding.isdisjoint(node.output):
            last.add(node.name)
        if node.op_type == "Conv" or not feeding.isdisjoint(node.output):
            feeding.update(node.input)
    return frozenset(last)


_log = logging.getLogger(__name__)


class _Blobs(CalibrationDataReader):
    """Feeds the calibrator."""

    def __init__(self, name: str, blobs: Iterable[NDArray[Any]]) -> None:
        self._feeds = ({name: blob} for blob in blobs)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._feeds, None)


def _blobs(plain: Path, images: Images, settings: Int8Settings) -> list[NDArray[Any]]:
    """Some of the images, as the network takes them."""
    contract = read_contract(open_session(plain, threads=1), str(plain))
    names = sorted(images)
    order = np.random.default_rng(settings.seed).permutation(len(names))[: settings.images]
    return [
        to_blob([letterbox(images[names[i]], contract.input_size, contract.pad_value)[0]], contract.input_format)
        for i in order
    ]


def _measure_ranges(plain: Path, model: onnx.ModelProto, blobs: Sequence[NDArray[Any]], settings: Int8Settings) -> Any:
    """ONNX Runtime's own record of what each activation reached."""
    with tempfile.TemporaryDirectory() as folder:
        calibrator = create_calibrator(
            plain,
            ["Conv"],
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            calibrate_method=_METHODS[settings.method],
        )
        with redirect_stdout(None):  # it prints what it does
            calibrator.collect_data(_Blobs(model.graph.input[0].name, blobs))
            return calibrator.compute_data()


def _quantized(model: onnx.ModelProto, ranges: Any, layers: Sequence[str], settings: Int8Settings) -> onnx.ModelProto:
    """A copy of the model in which these layers are quantised."""
    quantizer = QDQQuantizer(
        copy.deepcopy(model),  # it is changed in place
        settings.per_channel,
        settings.reduce_range,
        QuantType.QInt8,
        QuantType.QUInt8,
        ranges,
        list(layers),
        [],
        ["Conv"],
        {},
    )
    quantizer.quantize_model()
    result: onnx.ModelProto = quantizer.model.model
    sort_nodes(result.graph, "the quantised network")  # the quantiser puts its nodes at the end
    replace_all(result.metadata_props, model.metadata_props)
    return result


def _sensitivities(
    model: onnx.ModelProto,
    ranges: Any,
    candidates: Sequence[str],
    predicting: frozenset[str],
    blobs: Sequence[NDArray[Any]],
    settings: Int8Settings,
) -> list[Sensitivity]:
    """Each layer quantised alone, and what becomes of the raw predictions; the most sensitive first."""
    values = [node.output[0] for node in model.graph.node if node.name in predicting]
    expected = _run(model, values, blobs)
    found = []
    for name in candidates:
        got = _run(_quantized(model, ranges, [name], settings), values, blobs)
        errors = (_relative_error(got[value], expected[value]) for value in values)
        found.append(Sensitivity(name, float(np.mean(list(errors)))))
    return sorted(found, key=lambda one: -one.error)


def _run(model: onnx.ModelProto, values: Sequence[str], blobs: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Inner values of a graph for all images, one after the other."""
    model = copy.deepcopy(model)
    replace_all(model.graph.output, [onnx.helper.make_empty_tensor_value_info(value) for value in values])
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    runs = [session.run(list(values), {session.get_inputs()[0].name: blob}) for blob in blobs]
    return {value: np.stack([run[i] for run in runs]) for i, value in enumerate(values)}


def _relative_error(got: NDArray[Any], expected: NDArray[Any]) -> float:
    return float(np.sqrt(np.square(got - expected).mean() / max(np.square(expected).mean(), 1e-12)))


def _attempts(layers: int) -> Iterable[int]:
    """How many layers to leave in float: none, then one, two, four, ... but one at least is to be quantised."""
    yield 0
    count = 1
    while count < layers:
        yield count
        count *= 2
