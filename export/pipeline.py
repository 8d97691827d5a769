"""The whole export: network -> plain file and fused file, verified before either reaches its place."""

import logging
import math
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
import torch

from fusedet.common.atomic import naming
from fusedet.common.errors import InputError
from fusedet.configs.inputs import model_file
from fusedet.configs.starter import starter_checkpoint
from fusedet.deploy.bench.images import load_images
from fusedet.deploy.detector.contract import Contract
from fusedet.export.errors import ExportError
from fusedet.export.graph.fuse import Declined, fuse, unfused_activations
from fusedet.export.graph.ops import count_ops, optimize
from fusedet.export.graph.raw_layout import RawGraph
from fusedet.export.graph.to_onnx import to_onnx
from fusedet.export.graph.ultralytics_layout import UltralyticsGraph
from fusedet.export.proof.images import Images
from fusedet.export.proof.verify import Agreement, verify
from fusedet.model import STRIDES, DetectorNet, InferenceGraph, count_macs, count_parameters, load_detector

#: ``fusedet``: the three outputs of :mod:`fusedet.deploy.detector.contract`. ``ultralytics``: the one output of
#: :mod:`fusedet.export.graph.ultralytics_layout`. ``raw``: those of :mod:`fusedet.export.graph.raw_layout`.
LAYOUTS = ("fusedet", "ultralytics", "raw")

_MOST_NAMED = 5
#: That files are verified on.
_MOST_IMAGES = 32

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportOptions:
    """What is exported, and how.

    Attributes:
        names: class names; a checkpoint knows its own.
        extra: free text for the metadata, added to what is known: training data, metrics, versions, licence, size.
        nms: export the one-to-many branch, whose boxes the detector library suppresses; False: the one-to-one branch,
            whose boxes need no suppression.
        nms_iou: IoU above which that suppression drops a box.
        input_format: one of :data:`fusedet.deploy.detector.contract.INPUT_FORMATS`; other layouts always take
            ``float32_nchw_rgb``.
        input_size: ``(height, width)`` in pixels, multiples of 32; left out, that of the training.
        max_detections: boxes for each image, before NMS where it follows; left out, 500, or 300 without ``nms``.
        dynamic_batch: leave the number of images in a batch open. A fixed 1 is a few percent faster.
        layout: one of :data:`LAYOUTS`; others than ``fusedet`` add their name to that of a file that ``out`` does not
            name.
        images: folder, image or video to verify on; left out, drawn images.
        allow_unfused: write the files although activations stand outside convolutions.
    """

    names: Sequence[str] | None = None
    extra: Mapping[str, str] | None = None
    nms: bool = True
    nms_iou: float = 0.6
    input_format: str = "uint8_nhwc_bgr"
    input_size: tuple[int, int] | None = None
    max_detections: int | None = None
    dynamic_batch: bool = False
    layout: str = "fusedet"
    images: str | Path | None = None
    allow_unfused: bool = False


@dataclass(frozen=True)
class ExportResult:
    """What was written, and what is known of it.

    Attributes:
        contract: what both files say of themselves, those of another layout in its own words.
        fused_activations: how many activations moved into a convolution.
        declined: activations that could not, each with the reason; empty unless ``allow_unfused`` was given.
        optimized_ops: operators that ONNX Runtime runs on this machine for the fused file, at its highest level.
        unfused: names of the activations among these that are operators of their own.
        agreement: torch with the plain file, and the plain with the fused one.
    """

    plain: Path
    fused: Path
    contract: Contract
    fused_activations: int
    declined: tuple[Declined, ...]
    plain_ops: Counter[str]
    fused_ops: Counter[str]
    optimized_ops: Counter[str]
    unfused: tuple[str, ...]
    agreement: tuple[Agreement, Agreement]


def export_onnx(
    model: str | Path | DetectorNet,
    out: str | Path | None = None,
    options: ExportOptions | None = None,
    *,
    overwrite: bool = False,
    **settings: Any,
) -> ExportResult:
    """Writes ``NAME.onnx`` and ``NAME.fused.onnx``, after a check that both find what the network finds.

    The fused file is the one to run on CPUs and boards. The plain one is for everything else: other runtimes,
    converters, and GPUs, whose kernels refuse a ``FusedConv`` with LeakyReLU.

    Args:
        model: a checkpoint, a run folder with ``best.pt`` in it, a preset with starter weights, or a network.
        out: the plain file to write, or a folder; left out, beside the checkpoint.
        options: what is exported, and how; left out, the defaults.
        overwrite: replace files that are there.
        settings: single options by name, as in ``export_onnx("runs/nano-1", nms=False)``.

    Raises:
        ExportError: an activation cannot be fused, or the files do not do what the network does.
        InputError: an argument or the checkpoint cannot be used, or a file is already there.
        TypeError: there is no such option.
    """
    options = replace(options or ExportOptions(), **settings)
    if options.layout not in LAYOUTS:
        raise InputError(f"layout must be one of {', '.join(LAYOUTS)}, but got {options.layout!r}")
    checkpoint = None if isinstance(model, DetectorNet) else model_file(Path(model), starter_checkpoint)
    paths = output_paths(checkpoint, out, options.layout)
    refuse_to_overwrite(paths, overwrite)
    net, meta = (model, {}) if isinstance(model, DetectorNet) else load_detector(Path(checkpoint or model))
    images = None if options.images is None else load_images(options.images, _MOST_IMAGES)
    contract, graph = _contract(net, meta, options), _graph(net, options)
    plain = to_onnx(graph.eval(), contract, dynamic_batch=options.dynamic_batch)
    fusion = fuse(plain)
    onnx.checker.check_model(fusion.model, full_check=True)  # FusedConv is unknown to it; everything around is checked
    if fusion.declined and not options.allow_unfused:
        raise ExportError(_unfused_message(fusion.declined))
    agreement, optimized = _write(paths, (plain, fusion.model), graph, images)
    return ExportResult(
        plain=paths[0],
        fused=paths[1],
        contract=contract,
        fused_activations=len(fusion.fused),
        declined=fusion.declined,
        plain_ops=count_ops(plain),
        fused_ops=count_ops(fusion.model),
        optimized_ops=count_ops(optimized),
        unfused=unfused_activations(optimized),
        agreement=agreement,
    )


def _contract(net: DetectorNet, meta: Mapping[str, Any], options: ExportOptions) -> Contract:
    """What the files say of themselves."""
    size = _checked_size(options.input_size or net.config.input_size)
    leaky = net.config.activation == "leaky_relu"
    return Contract(
        names=_checked_names(options.names or meta.get("names"), net),
        input_size=size,
        input_format=options.input_format if options.layout == "fusedet" else "float32_nchw_rgb",
        nms=options.nms,
        nms_iou=options.nms_iou,
        strides=STRIDES,
        activation=net.config.activation,
        negative_slope=net.config.negative_slope if leaky else 0.0,
        extra={**_known_facts(net, meta, size), **(options.extra or {})},
    )


def _graph(net: DetectorNet, options: ExportOptions) -> InferenceGraph | UltralyticsGraph | RawGraph:
    """What is traced: the network with its decoding."""
    size, most = options.input_size or net.config.input_size, options.max_detections
    if most is not None and most < 1:
        raise InputError(f"max_detections must be at least 1, but got {most}")
    if options.layout == "raw":
        if not options.nms or most is not None:
            raise InputError("the layout raw gives all points for NMS: nms=False and max_detections must be left out")
        return RawGraph(net, input_size=size)
    if options.layout == "ultralytics":
        if options.nms and most is not None:
            raise InputError(
                f"max_detections must be left out with nms in the layout ultralytics, which gives all points, but got "
                f"{most}"
            )
        return UltralyticsGraph(net, nms=options.nms, max_detections=most, input_size=size)
    return InferenceGraph(net, nms=options.nms, input_format=options.input_format, max_detections=most, input_size=size)


def _write(
    paths: tuple[Path, Path],
    models: tuple[onnx.ModelProto, onnx.ModelProto],
    graph: InferenceGraph | UltralyticsGraph | RawGraph,
    images: Images | None,
) -> tuple[tuple[Agreement, Agreement], onnx.ModelProto]:
    """Writes both files where they find what the network finds; also returns what ONNX Runtime makes of the fused one.

    They are made in a folder beside their place, on the same disk, and moved when they have proved themselves.
    """
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    with naming(paths[0]), tempfile.TemporaryDirectory(prefix=".export-", dir=paths[0].parent) as folder:
        plain, fused = (Path(folder) / path.name for path in paths)
        for draft, model in zip((plain, fused), models, strict=True):
            draft.write_bytes(model.SerializeToString(deterministic=True))
        agreement, optimized = verify(graph, plain, fused, images), optimize(fused)
        os.replace(plain, paths[0])
        os.replace(fused, paths[1])
    _log.info("wrote %s and %s", *paths)
    return agreement, optimized


def output_paths(checkpoint: Path | None, out: str | Path | None, layout: str = "fusedet") -> tuple[Path, Path]:
    """Where the plain and the fused file go: what ``out`` does not name is called after the checkpoint and the layout.

    Raises:
        InputError: ``out`` is neither a folder nor an ``.onnx`` file, or missing where no checkpoint gives a place.
    """
    name = (checkpoint.stem if checkpoint else "model") + ("" if layout == "fusedet" else f".{layout}") + ".onnx"
    if out is None:
        if checkpoint is None:
            raise InputError("out must name a file or a folder when a network is exported, but it is None")
        plain = checkpoint.with_name(name)
    elif Path(out).suffix == ".onnx":
        plain = Path(out)
    elif Path(out).is_dir() or not Path(out).suffix:
        plain = Path(out) / name
    else:
        raise InputError(f"{out}: expected a folder or a file that ends in .onnx")
    return plain, plain.with_suffix(".fused.onnx")


def refuse_to_overwrite(paths: Iterable[Path], overwrite: bool) -> None:
    """Raises InputError where one of the paths is a folder, or a file that is not to be replaced."""
    for path in paths:
        if path.is_dir():
            raise InputError(f"{path}: expected a file, but this is a folder")
        if path.exists() and not overwrite:
            raise InputError(f"{path}: is already there; --force replaces it")


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    stride = max(STRIDES)
    if len(size) != 2 or any(side < stride or side % stride for side in size):
        raise InputError(f"input_size must be (height, width) in multiples of {stride}, but got {size}")
    return size


def _checked_names(names: Sequence[str] | None, net: DetectorNet) -> tuple[str, ...]:
    if names is None:
        raise InputError("names must be given when a network is exported: it does not know its classes by name")
    if len(names) != net.config.classes:
        raise InputError(f"the network has {net.config.classes} classes, but {len(names)} names were given")
    return tuple(names)


def _known_facts(net: DetectorNet, meta: Mapping[str, Any], size: tuple[int, int]) -> dict[str, str]:
    """What people will want to know of the file later on."""
    facts = {
        "parameters": str(count_parameters(net)),
        "macs": str(count_macs(net, size)),
        "fusedet": version("fusedet"),
        "torch": torch.__version__,
        "onnx": onnx.__version__,
        "licence": str(meta.get("licence", "weights: subject to the terms of the training data; software: Apache-2.0")),
    }
    if meta.get("data"):
        facts["data"] = str(meta["data"])
    if meta.get("metrics"):
        figures = ((name, value) for name, value in meta["metrics"].items() if not math.isnan(value))
        facts["metrics"] = ", ".join(f"{name} {value:.4g}" for name, value in figures)
    if "epoch" in meta:
        facts["epoch"] = str(meta["epoch"])
    return facts


def _unfused_message(declined: Sequence[Declined]) -> str:
    shown = "; ".join(map(str, declined[:_MOST_NAMED]))
    more = f"; and {len(declined) - _MOST_NAMED} more" if len(declined) > _MOST_NAMED else ""
    remedy = "(--allow-unfused writes the files all the same)"
    return f"activations outside convolutions, {len(declined)} in all: {shown}{more} {remedy}"
