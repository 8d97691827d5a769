"""``fusedet info``: says what a checkpoint or an exported file is."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fusedet.common.duplicates import DUPLICATE_IOU
from fusedet.common.hashing import sha256
from fusedet.common.text import gmacs, millions
from fusedet.configs.inputs import CHECKPOINTS, model_file

__all__ = ["add_arguments", "run"]

#: Class names that are listed; the rest is counted.
MOST_NAMES = 10
#: What becomes of boxes that need no NMS, unless another IoU is set.
_NO_NMS = f"none; duplicate detections above IoU {DUPLICATE_IOU} are removed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        type=Path,
        help="exported file, also of Ultralytics and others, checkpoint, run folder with best.pt in it, or preset "
        "with starter weights",
    )


def run(args: argparse.Namespace) -> int:
    """Prints one line for each thing that is known of the file.

    Raises:
        InputError: there is no such file, or it is none that fusedet knows.
    """
    path = model_file(args.model)
    rows = _checkpoint(path) if path.suffix in CHECKPOINTS else _exported(path)
    if path.is_file():  # not a bundle's folder
        rows += [("size", f"{path.stat().st_size:,} bytes"), ("sha256", sha256(path))]
    print(path)
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"  {name:<{width}}  {text}")
    return 0


def _exported(path: Path) -> list[tuple[str, str]]:
    """What an ONNX file says of itself; needs no more than the runtime."""
    from fusedet.deploy.detector.formats import FusedetFile, find_format
    from fusedet.deploy.detector.session import open_session

    session = open_session(path, threads=1)
    kind = find_format(session, str(path))
    contract = kind.contract
    rows = [
        ("kind", "exported file" if isinstance(kind, FusedetFile) else f"file of {kind}"),
        ("classes", _names(contract.names)),
        ("input size", _size(contract.input_size)),
        ("input format", kind.takes),
        ("NMS", f"after the network, at IoU {contract.nms_iou}" if contract.nms else _NO_NMS),
    ]
    if isinstance(kind, FusedetFile):
        slope = f", slope {contract.negative_slope}" if contract.activation == "leaky_relu" else ""
        rows.append(("activation", contract.activation + slope))
    return [
        *rows,
        *(("input", _tensor(tensor)) for tensor in session.get_inputs()),
        *(("output", _tensor(tensor)) for tensor in session.get_outputs()),
        *((name, _fact(name, text)) for name, text in contract.extra.items()),
    ]


def _checkpoint(path: Path) -> list[tuple[str, str]]:
    from fusedet.model import count_macs, count_parameters, load_detector

    net, meta = load_detector(path)
    figures = meta.get("metrics")
    numbers = figures.items() if isinstance(figures, dict) else ()
    metrics = "  ".join(f"{name} {value:.3f}" for name, value in numbers if _is_figure(value))
    rows = [
        ("kind", "checkpoint"),
        ("classes", _names(meta["names"])),
        ("input size", _size(net.config.input_size)),
        ("activation", net.config.activation),
        ("parameters", f"{millions(count_parameters(net))} when exported"),
        ("macs", f"{gmacs(count_macs(net))} for one image"),
        ("epoch", str(meta.get("epoch", ""))),
        ("metrics", metrics),
        ("data", str(meta.get("data", ""))),
        ("written by", f"fusedet {meta.get('fusedet_version', '')}"),
    ]
    return [(name, text) for name, text in rows if text]


def _fact(name: str, text: str) -> str:
    """What a file says of itself, numbers as they are told elsewhere."""
    if name == "parameters" and text.isdecimal():
        return millions(int(text))
    return f"{gmacs(int(text))} for one image" if name == "macs" and text.isdecimal() else text


def _is_figure(value: object) -> bool:
    """Whether it is a number that was measured: not NaN either."""
    return isinstance(value, int | float) and abs(value) < 1e9


def _names(names: Iterable[str]) -> str:
    listed = list(names)
    rest = f", ... ({len(listed)} in all)" if len(listed) > MOST_NAMES else ""
    return ", ".join(listed[:MOST_NAMES]) + rest


def _size(size_hw: tuple[int, int]) -> str:
    return f"{size_hw[0]} x {size_hw[1]} (height x width)"


def _tensor(tensor: Any) -> str:
    return f"{tensor.name}: {tensor.type.removeprefix('tensor(').removesuffix(')')} {list(tensor.shape)}"
