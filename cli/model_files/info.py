"""``fusedet info``: says what a checkpoint or an exported file is."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fusedet.cli.shared.arguments import add_json, check_json, print_json
from fusedet.common.arguments import DUPLICATE_IOU
from fusedet.common.hashing import sha256
from fusedet.common.text import gmacs, millions
from fusedet.configs.inputs import CHECKPOINTS, model_file

#: Class names that are listed; the rest is counted.
MOST_NAMES = 10
#: What becomes of boxes that need no NMS, unless another IoU is set.
_NO_NMS = f"none; duplicate detections above IoU {DUPLICATE_IOU} are removed"


#: Facts that are numbers, and how they are told.
_NUMBERS = {
    "parameters": lambda count: f"{millions(count)} when exported",
    "macs": lambda count: f"{gmacs(count)} for one image",
    "size": lambda count: f"{count:,} bytes",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        type=Path,
        help="exported file, also of Ultralytics and others, checkpoint, run folder with best.pt in it, or preset "
        "with starter weights",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Prints one line for each thing that is known of the file."""
    path = model_file(args.model)
    check_json(args)
    facts = _checkpoint(path) if path.suffix in CHECKPOINTS else _exported(path)
    if path.is_file():  # not a bundle's folder
        facts |= {"size": path.stat().st_size, "sha256": sha256(path)}
    if print_json(args, {"file": str(path), **facts}):
        return 0
    print(path)
    rows = [(name, text) for name, value in facts.items() for text in _texts(name, value) if text]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"  {name:<{width}}  {text}")
    return 0


def _exported(path: Path) -> dict[str, Any]:
    """What an ONNX file says of itself; needs no more than the runtime."""
    from fusedet.deploy.detector.formats import FusedetFile, find_format
    from fusedet.deploy.detector.session import open_session

    session = open_session(path, threads=1)
    kind = find_format(session, str(path))
    contract = kind.contract
    facts = {
        "kind": "exported file" if isinstance(kind, FusedetFile) else f"file of {kind}",
        "classes": list(contract.names),
        "input size": contract.input_size,
        "input format": kind.takes,
        "NMS": f"after the network, at IoU {contract.nms_iou}" if contract.nms else _NO_NMS,
    }
    if isinstance(kind, FusedetFile):
        slope = f", slope {contract.negative_slope}" if contract.activation == "leaky_relu" else ""
        facts["activation"] = contract.activation + slope
    own = {name: int(text) if name in _NUMBERS and text.isdecimal() else text for name, text in contract.extra.items()}
    tensors = {"input": session.get_inputs(), "output": session.get_outputs()}
    return {**facts, **{name: [_tensor(one) for one in found] for name, found in tensors.items()}, **own}


def _checkpoint(path: Path) -> dict[str, Any]:
    from fusedet.model import count_macs, count_parameters, load_detector

    net, meta = load_detector(path)
    figures, epoch = meta.get("metrics"), meta.get("epoch")
    numbers = figures.items() if isinstance(figures, dict) else ()
    return {
        "kind": "checkpoint",
        "classes": list(meta["names"]),
        "input size": net.config.input_size,
        "activation": net.config.activation,
        "parameters": count_parameters(net),
        "macs": count_macs(net),
        "epoch": epoch if _is_figure(epoch) else None,
        "metrics": {str(name): value for name, value in numbers if _is_figure(value)},
        "data": str(meta.get("data", "")),
        "written by": f"fusedet {meta.get('fusedet_version', '')}",
    }


def _texts(name: str, value: Any) -> list[str]:
    """The lines for a fact; none where it is not known."""
    if name == "classes":
        return [_names(value)]
    if name == "input size":
        return [f"{value[0]} x {value[1]} (height x width)"]
    if isinstance(value, dict):
        return ["  ".join(f"{key} {figure:.3f}" for key, figure in value.items())]
    if isinstance(value, int) and name in _NUMBERS:
        return [_NUMBERS[name](value)]
    if isinstance(value, list):
        return value
    return [] if value is None else [str(value)]


def _is_figure(value: object) -> bool:
    """Whether it is a number that was measured: not NaN either."""
    return isinstance(value, int | float) and abs(value) < 1e9


def _names(names: Iterable[str]) -> str:
    listed = list(names)
    rest = f", ... ({len(listed)} in all)" if len(listed) > MOST_NAMES else ""
    return ", ".join(listed[:MOST_NAMES]) + rest


def _tensor(tensor: Any) -> str:
    return f"{tensor.name}: {tensor.type.removeprefix('tensor(').removesuffix(')')} {list(tensor.shape)}"
