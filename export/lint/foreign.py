"""Fuses an ONNX file that somebody else exported, and proves that the fused file computes the same.

    plain file -> read and check -> take weights off the inputs, fold BatchNorm -> fuse -> run both -> write

What a foreign file finds on an image is not known here: there is no contract. So every output is compared, value by
value, on random inputs of the declared shapes.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, inliner, numpy_helper

from fusedet.common.atomic import write_bytes
from fusedet.common.errors import InputError
from fusedet.common.model_inputs import without_weight_inputs
from fusedet.common.plain_json import parse_json
from fusedet.deploy.detector.weights import check_weights
from fusedet.export.errors import ExportError
from fusedet.export.graph.batchnorm import fold_batchnorms
from fusedet.export.graph.external_data import load_whole
from fusedet.export.graph.fuse import FusionResult, fuse
from fusedet.export.graph.node_order import sort_nodes
from fusedet.export.graph.nodes import constant_tensors, metadata_of, replace_all, subgraphs

#: ONNX Runtime's optimisation levels by the names they have here.
LEVELS = {
    "none": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}

#: Two values are the same that differ by less than this, times the value where it is larger than 1. In float16: this.
TOLERANCE = 1e-4
TOLERANCE_FLOAT16 = 1e-2
#: And by this much of the largest value of the same output, for what is small because large numbers cancel.
_ROUNDING = 1e-6

#: Side of an image whose size the file leaves open.
SIDE = 320

#: Operators that decide between nearly equal numbers: rounding may turn the decision.
_DECISIONS = frozenset({"ArgMax", "ArgMin", "NonMaxSuppression", "NonZero", "TopK", "Unique"})
_QUANTISED = frozenset({"ConvInteger", "DynamicQuantizeLinear", "QLinearConv", "QuantizeLinear"})

Inputs = Mapping[str, NDArray[Any]]
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Prepared:
    """A copy of a model that is ready to be fused: weights that were inputs are none, norms after convolutions are
    folded.
    """

    model: onnx.ModelProto
    weight_inputs: tuple[str, ...]
    batchnorms: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """How well two models agree, at one optimisation level of ONNX Runtime: the largest difference of so many values.

    Attributes:
        inputs: how many sets of inputs both looked at.
        decided: operators whose decision between equals turned; their inputs were compared instead of what follows.
    """

    level: str
    inputs: int
    values: int
    difference: float
    decided: tuple[str, ...]

    def __str__(self) -> str:
        before = f", before {', '.join(self.decided)} decides between equals" if self.decided else ""
        return (
            f"plain = fused at level {self.level}: {self.values} values of {self.inputs} inputs{before}, "
            f"largest difference {self.difference:.1e}"
        )


@dataclass(frozen=True)
class ForeignResult:
    """What was written, what was done to it, and how well it agrees with the plain file on inputs of ``shapes``."""

    plain: Path
    fused: Path
    prepared: Prepared
    fusion: FusionResult
    shapes: Shapes
    agreement: tuple[Comparison, ...]


def fuse_file(
    path: str | Path,
    out: str | Path | None = None,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    overwrite: bool = False,
) -> ForeignResult:
    """Writes ``out``: the network of ``path`` with its activations inside their convolutions.

    Args:
        path: any float ONNX file of convolutions.
        out: left out, ``NAME.fused.onnx`` beside it.
        shapes: of inputs whose dimensions are open, see :func:`input_shapes`.
        overwrite: replace ``out``.

    Raises:
        ExportError: the fused file would not compute the same; nothing is written.
        InputError: a file or an argument cannot be used, or there is nothing to fuse.
    """
    path = Path(path)
    target = path.with_suffix(".fused.onnx") if out is None else Path(out)
    _check_target(path, target, overwrite)
    model = read_foreign(path)
    if any(node.op_type in _QUANTISED for node in model.graph.node):
        raise InputError(f"{path}: expected a float network, but this one is quantised: fuse it before it is quantised")
    given = input_shapes(model, shapes or {}, str(path))
    prepared = prepare(model)
    fusion = fuse(prepared.model)
    if not (fusion.fused or prepared.batchnorms or prepared.weight_inputs):
        raise InputError(f"{path}: {_nothing_to_fuse(model, fusion)}")
    inputs = random_inputs(model, given, str(path))
    # At the highest level, weights among the inputs would give the plain file other kernels, with other rounding.
    references = {"none": model, "all": without_weight_inputs(model)}
    agreement = tuple(
        compare_outputs(plain, fusion.model, inputs, level, str(path)) for level, plain in references.items()
    )
    _write(target, fusion.model)
    return ForeignResult(path, target, prepared, fusion, given, agreement)


def read_foreign(path: str | Path) -> onnx.ModelProto:
    """Reads and checks an ONNX file; nodes are sorted, functions in it written out, weights beside it taken in.

    Raises:
        InputError: no such file, not ONNX, damaged, incomplete, too large, bound to one CPU, or with weights that are
            no finite numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: {'expected a file, but this is a folder' if path.is_dir() else 'no such file'}")
    model = load_whole(path)
    if not model.graph.node:
        raise InputError(f"{path}: not an ONNX file, or one without a graph")
    check_weights(path.read_bytes(), path.parent, str(path))
    if any(node.domain == "com.microsoft.nchwc" for node in model.graph.node):
        raise InputError(
            f"{path}: ONNX Runtime saved it after optimising it for one CPU; give the file that it was made from"
        )
    for graph in (model.graph, *model.functions):
        sort_nodes(graph, str(path))
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a valid ONNX graph: {str(error).splitlines()[0]}") from error
    odd = next((name for name in _names(model.graph) if isinstance(name, bytes)), None)
    if odd is not None:  # ONNX's checker lets it pass
        raise InputError(f"{path}: not a valid ONNX graph: expected names in UTF-8, but one is {odd[:60]!r}")
    for tensor in (*model.graph.initializer, *constant_tensors(model.graph).values()):
        try:
            numpy_helper.to_array(tensor)
        except (TypeError, ValueError) as error:  # nor do too many values trouble it
            raise InputError(f"{path}: not a valid ONNX graph: the values of {tensor.name[:60]!r}: {error}") from error
    return inliner.inline_local_functions(model) if model.functions else model


def _names(graph: onnx.GraphProto) -> Iterator[str | bytes]:
    """Of nodes and values, those of subgraphs included; protobuf gives bytes for what is not UTF-8."""
    yield from (tensor.name for tensor in graph.initializer)
    yield from (value.name for value in (*graph.input, *graph.output, *graph.value_info))
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
        for subgraph in subgraphs(node):
            yield from _names(subgraph)


def prepare(model: onnx.ModelProto) -> Prepared:
    """Takes out of a copy of ``model`` what keeps activations from their convolutions without any need."""
    weights = {tensor.name for tensor in model.graph.initializer}
    listed = tuple(value.name for value in model.graph.input if value.name in weights)
    prepared = without_weight_inputs(model)
    return Prepared(prepared, listed, fold_batchnorms(prepared))


def input_shapes(model: onnx.ModelProto, given: Mapping[str, Sequence[int]], source: str) -> dict[str, tuple[int, ...]]:
    """Shapes of a model's inputs, weights among them left out.

    A dimension that the file leaves open is what ``given`` says of its input, under an empty name of the only one, or
    else a guess: a batch of one, three channels, and an image of the size in Ultralytics' metadata or of
    :data:`SIDE`.

    Raises:
        InputError: no input has such a name, or a shape contradicts the file's; ``source`` is the file's name in the
            message.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    values = {value.name: value for value in model.graph.input if value.name not in weights}
    named = dict(given)
    if "" in named:
        if len(values) != 1:
            raise InputError(f"{source}: --shape needs a name, NAME=1x3x320x320: the inputs are {', '.join(values)}")
        named[next(iter(values))] = named.pop("")
    for name in named:
        if name not in values:
            raise InputError(f"{source}: no input is called {name!r}; the inputs are {', '.join(values)}")
    sides = _sides(model)
    return {name: _shape(value, named.get(name), sides, source) for name, value in values.items()}


def random_inputs(model: onnx.ModelProto, shapes: Shapes, source: str, seed: int = 0) -> list[dict[str, NDArray[Any]]]:
    """Three sets of inputs: noise in 0..1, and patches of colour, as images have them, in 0..1 and in 0..255.

    Raises:
        InputError: an input is neither a number nor a truth value.
    """
    rng = np.random.default_rng(seed)
    kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    sides = _sides(model)
    sets = []
    for patches, top in ((False, 1.0), (True, 1.0), (True, 255.0)):
        arrays = {}
        for name, shape in shapes.items():
            try:
                kind = helper.tensor_dtype_to_np_dtype(kinds[name])
            except KeyError:
                kind = np.dtype(object)
            if kind.kind == "f":
                arrays[name] = (_values(rng, shape, patches) * top).astype(kind)
            elif kind == np.uint8:
                arrays[name] = (_values(rng, shape, patches) * 255).astype(kind)
            elif kind.kind in "iu":  # the image's size, where a network asks for it
                arrays[name] = np.full(shape, sides[0], kind)
            elif kind.kind == "b":
                arrays[name] = np.ones(shape, kind)
            else:
                raise InputError(
                    f"{source}: expected inputs of numbers, but {name} is {TensorProto.DataType.Name(kinds[name])}"
                )
        sets.append(arrays)
    return sets


def open_model(model: onnx.ModelProto | bytes, level: str, source: str, threads: int = 1) -> ort.InferenceSession:
    """Opens a model in memory at one of :data:`LEVELS`; InputError where this ONNX Runtime cannot run it."""
    options = ort.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal only: what goes wrong is raised, and said once
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    content = model if isinstance(model, bytes) else model.SerializeToString()
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise InputError(f"{source}: ONNX Runtime {ort.__version__} cannot run it: {_first_line(error)}") from error


def compare_outputs(
    plain: onnx.ModelProto, fused: onnx.ModelProto, inputs: Sequence[Inputs], level: str, source: str
) -> Comparison:
    """Runs both models on all sets of inputs, at one of :data:`LEVELS`, and compares all outputs, value by value.

    Where the graph decides between numbers (:data:`_DECISIONS`) a rounding may turn a decision between equals, and
    everything after it. If outputs differ, what goes into the decisions is compared instead of what comes out.

    Raises:
        ExportError: a value differs by more than :data:`TOLERANCE`, or no finite number was there to compare.
        InputError: ONNX Runtime cannot run one of them.
    """
    names = [value.name for value in plain.graph.output]
    try:
        return _compare(plain, fused, inputs, level, source, names, ())
    except ExportError:
        before, ops = _before_decisions(plain)
        if not ops:
            raise
        return _compare(_with_outputs(plain, before), _with_outputs(fused, before), inputs, level, source, before, ops)


def _compare(
    plain: onnx.ModelProto,
    fused: onnx.ModelProto,
    inputs: Sequence[Inputs],
    level: str,
    source: str,
    names: Sequence[str],
    decided: tuple[str, ...],
) -> Comparison:
    sessions = [open_model(model, level, f"{source} ({kind})") for model, kind in ((plain, "plain"), (fused, "fused"))]
    values, largest = 0, 0.0
    for number, arrays in enumerate(inputs, 1):
        try:
            results = [session.run(list(names), dict(arrays)) for session in sessions]
        except Exception as error:  # ONNX Runtime's errors share no base class
            shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
            raise InputError(f"{source}: does not run on {shapes} (see --shape): {_first_line(error)}") from error
        for name, one, other in zip(names, *results, strict=True):
            where = f"{source}: output {name} of random input {number} at level {level}"
            count, difference = _difference(np.asarray(one), np.asarray(other), where)
            values, largest = values + count, max(largest, difference)
    if not values:
        raise ExportError(f"{source}: on random inputs there is no finite number to compare; nothing is proved")
    return Comparison(level, len(inputs), values, largest, decided)


def _difference(one: NDArray[Any], other: NDArray[Any], where: str) -> tuple[int, float]:
    """How many numbers were compared, and the largest difference; ExportError where it is too large."""
    if one.shape != other.shape:
        raise ExportError(f"{where}: plain gives {list(one.shape)}, fused {list(other.shape)}")
    if one.dtype.kind not in "fiub":
        if not np.array_equal(one, other):
            raise ExportError(f"{where}: plain and fused differ")
        return one.size, 0.0
    tolerance = TOLERANCE_FLOAT16 if one.dtype == np.float16 else TOLERANCE
    a, b = one.astype(np.float64), other.astype(np.float64)
    finite = np.isfinite(a)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True) or not np.isfinite(b[finite]).all():
        raise ExportError(f"{where}: plain and fused are not finite in the same places")
    a, b = a[finite], b[finite]
    if not a.size:
        return 0, 0.0
    gap = np.abs(a - b)
    allowed = tolerance * np.maximum(1, np.abs(a)) + _ROUNDING * np.abs(a).max()
    if (gap > allowed).any():
        worst = int((gap - allowed).argmax())
        raise ExportError(
            f"{where}: plain gives {a[worst]:.6g}, fused {b[worst]:.6g}; they may differ by {allowed[worst]:.1e}"
        )
    return a.size, float(gap.max())


def _before_decisions(model: onnx.ModelProto) -> tuple[list[str], tuple[str, ...]]:
    """The outputs that no decision lies before, the numbers that go into decisions, and what decides."""
    graph = model.graph
    decided: set[str] = set()
    into, ops = [], []
    for node in graph.node:
        if not decided.isdisjoint(node.input):
            decided.update(node.output)
        elif node.op_type in _DECISIONS:
            into += node.input[: 2 if node.op_type == "NonMaxSuppression" else 1]
            ops.append(node.op_type)
            decided.update(node.output)
    made = {name for node in graph.node for name in node.output}
    outputs = [value.name for value in graph.output if value.name not in decided]
    return list(dict.fromkeys((*outputs, *(name for name in into if name in made)))), tuple(dict.fromkeys(ops))


def _with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """A copy whose outputs are ``names``."""
    changed = copy.deepcopy(model)
    known = {value.name: value for value in model.graph.output}
    outputs = [known.get(name) or helper.make_empty_tensor_value_info(name) for name in names]
    replace_all(changed.graph.output, outputs)
    return changed


def _shape(
    value: onnx.ValueInfoProto, given: Sequence[int] | None, sides: tuple[int, int], source: str
) -> tuple[int, ...]:
    """The shape of one input, open dimensions filled in."""
    if not value.type.tensor_type.HasField("shape"):
        if given is None:
            raise InputError(f"{source}: the shape of input {value.name} is not known: give it with --shape")
        return tuple(given)
    fixed = [dim.dim_value if dim.HasField("dim_value") else None for dim in value.type.tensor_type.shape.dim]
    declared = f"{value.name} [{', '.join('?' if side is None else str(side) for side in fixed)}]"
    if given is not None:
        fits = len(given) == len(fixed) and all(
            side in (None, new) and new > 0 for side, new in zip(fixed, given, strict=True)
        )
        if not fits:
            raise InputError(f"{source}: --shape {'x'.join(map(str, given))} does not fit the input {declared}")
        return tuple(given)
    guess = [1] * len(fixed)
    if len(fixed) == 4:
        last = fixed[3] in (1, 3, 4)  # channels last
        guess = [1, *sides, 3] if last else [1, 3, *sides]
    return tuple(new if side is None else side for side, new in zip(fixed, guess, strict=True))


def _sides(model: onnx.ModelProto) -> tuple[int, int]:
    """Height and width of an image, as far as the file tells."""
    try:
        height, width = parse_json(metadata_of(model).get("imgsz", ""))  # as Ultralytics writes it: "[320, 320]"
        return int(height), int(width)
    except (ValueError, TypeError, OverflowError):
        return SIDE, SIDE


def _values(rng: np.random.Generator, shape: tuple[int, ...], patches: bool) -> NDArray[np.float64]:
    """Random numbers in 0..1; with ``patches`` neighbours in a map are mostly alike."""
    if not patches or len(shape) < 3:
        return rng.random(shape)
    steps = [max(1, side // 8) for side in shape]
    coarse = rng.random([-(-side // step) for side, step in zip(shape, steps, strict=True)])
    for axis, step in enumerate(steps):
        coarse = np.repeat(coarse, step, axis=axis)
    return coarse[tuple(slice(side) for side in shape)]


def _nothing_to_fuse(model: onnx.ModelProto, fusion: FusionResult) -> str:
    fused = sum(node.op_type == "FusedConv" for node in model.graph.node)
    if fusion.declined:
        first = fusion.declined[0]
        return (
            f"nothing can be fused: {len(fusion.declined)} activations stand outside convolutions, the first one is "
            f"{first} (`fusedet lint` says what to write instead)"
        )
    if fused:
        return f"is fused already: {fused} convolutions hold their activation, and none is left outside"
    return "there is nothing to fuse: no activation stands between its convolutions"


def _check_target(path: Path, target: Path, overwrite: bool) -> None:
    if target.is_dir():
        raise InputError(f"{target}: expected a file to write, but this is a folder")
    if not target.parent.is_dir():
        raise InputError(f"{target}: there is no folder {target.parent}")
    if target.exists() and path.exists() and target.samefile(path):
        raise InputError(f"{target}: is the file to be fused; choose another place")
    if target.exists() and not overwrite:
        raise InputError(f"{target}: is already there; --force replaces it")


def _write(path: Path, model: onnx.ModelProto) -> None:
    """Writes ``path`` so that it holds either what it held before or the whole model."""
    try:
        write_bytes(path, model.SerializeToString(deterministic=True))
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
