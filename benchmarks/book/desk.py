"""What every chapter works with: how long to measure, exported networks, peers, and data to grade on."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort
import torch

from benchmarks.command import read_json, write_json
from benchmarks.peers.ultralytics_models import is_installed
from benchmarks.speed.fresh import fresh_network
from benchmarks.speed.latency import open_session
from fusedet.common.errors import InputError
from fusedet.common.model_inputs import without_weight_inputs
from fusedet.configs.reader.loader import load_config
from fusedet.deploy.detector.formats import FORMATS, FusedetFile, UltralyticsFile
from fusedet.export import export_onnx
from fusedet.model import ModelConfig, count_macs, count_parameters

#: Networks of Ultralytics that take part; it builds yolov5n with its newer, anchor-free head.
ULTRALYTICS = ("yolo26n", "yolo11n", "yolov8n", "yolov5n")
#: Of the sizes at which peers stand beside presets, those at which it exports: the others are there for other peers.
_ULTRALYTICS_SIZES = (320, 416)
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Plan:
    """How much is measured: sizes in pixels, numbers of classes and threads, rounds.

    Presets stand beside peers at ``peer_sizes``; ``images``, ``epochs`` and ``batch`` are of the training, whose
    quickest epoch counts.
    """

    size: int = 320
    peer_sizes: tuple[int, ...] = (320, 352, 416)
    sizes: tuple[int, ...] = (160, 224, 320, 416, 512, 640)
    classes: tuple[int, ...] = (1, 20, 80, 365)
    threads: tuple[int, ...] = (1, 2)
    rounds: int = 80
    processes: int = 3
    pipeline_rounds: int = 3
    pipeline_s: float = 2.0
    images: int = 64
    epochs: int = 3
    batch: int = 16


FULL = Plan()
#: Tries whether everything runs.
QUICK = Plan(
    peer_sizes=(320,),
    sizes=(160, 320),
    classes=(1, 80),
    rounds=5,
    processes=1,
    pipeline_rounds=1,
    pipeline_s=0.5,
    images=16,
    epochs=2,
    batch=8,
)


@dataclass(frozen=True)
class Network:
    """An exported network of ours, with fresh weights: they take as long as trained ones. See
    ``ablation.graphs.Graph``.
    """

    plain: Path
    fused: Path
    gmac: float
    parameters: int
    standing: int
    reorders: int


@dataclass(frozen=True)
class Peer:
    """A detector of another project, without weights among its inputs, which would keep ONNX Runtime from folding them.

    ``left`` is what its output still needs: ``nothing``, ``NMS``, or ``decoding, NMS``; ``ours``: the runtime reads
    its format, so that it can be evaluated.
    """

    name: str
    size: int
    path: Path
    left: str
    ours: bool
    trained: bool


@dataclass
class Desk:
    """The place where the book is written.

    ``presets`` are names to what ``load_config`` reads, ``ultralytics`` is a Python that has Ultralytics, ``coco`` a
    data set of COCO's classes to evaluate on; a chapter puts into ``remarks`` what it leaves out.
    """

    out: Path
    plan: Plan = FULL
    presets: Mapping[str, str] = field(default_factory=lambda: {name: name for name in ("pico", "nano", "small")})
    peers_folder: Path | None = None
    ultralytics: Path | None = None
    coco: Path | None = None
    say: Callable[[str], None] = print
    remarks: list[str] = field(default_factory=list)

    def network(self, preset: str, *, size: int | None = None, classes: int = 80, activation: str = "") -> Network:
        """Exports a preset, or takes what was exported before from the same code."""
        size = size or self.plan.size
        settings = {**load_config(self.presets[preset], []).data["model"], "classes": classes, "input_size": size}
        if activation:
            settings["activation"] = activation
        config = ModelConfig.model_validate(settings)
        folder = self.out / "models" / f"{preset}-{size}-{classes}{activation and '-' + activation}"
        key, record = _digest(config.model_dump_json()), folder / "network.json"
        if not (record.exists() and read_json(record)["key"] == key):
            self.say(f"  exporting {folder.name}")
            write_json(record, {"key": key, **_export(config, folder / f"{preset}.onnx")})
        known = read_json(record)
        del known["key"]
        return Network(folder / f"{preset}.onnx", folder / f"{preset}.fused.onnx", **known)

    @property
    def peers(self) -> list[Peer]:
        """Those at hand, Ultralytics' first; what is missing goes to the remarks of every chapter that asks."""
        peers, missing = self._found_peers
        self.remarks += missing
        return peers

    @cached_property
    def _found_peers(self) -> tuple[list[Peer], list[str]]:
        """The peers, and remarks on those that are missing."""
        exported = self._ultralytics_files()
        given = [] if self.peers_folder is None else sorted(self.peers_folder.rglob("*.onnx"))
        missing = []
        if not exported:
            missing.append("Ultralytics is not installed (`--ultralytics PYTHON`): its networks are left out.")
        if not given:
            missing.append("No peers of other projects at hand (`--peers`, FUSEDET_PEERS): left out.")
        peers = [self._peer(path, trained=False) for path in exported]
        return peers + [self._peer(path, trained=True) for path in given], missing

    def _ultralytics_files(self) -> list[Path]:
        """Exported before, or exported now where Ultralytics is installed."""
        files, folder = [], self.out / "models" / "ultralytics"
        for size in (size for size in self.plan.peer_sizes if size in _ULTRALYTICS_SIZES):
            wanted = [folder / str(size) / f"{name}.onnx" for name in ULTRALYTICS]
            missing = [path.stem for path in wanted if not path.exists()]
            if missing and (self.ultralytics or is_installed()):
                self.say(f"  exporting {', '.join(missing)} at {size} px")
                _export_ultralytics(self.ultralytics or Path(sys.executable), missing, size, folder / str(size))
            files += [path for path in wanted if path.exists()]
        return files

    def _peer(self, path: Path, *, trained: bool) -> Peer:
        try:
            model = without_weight_inputs(onnx.load(path))
            content = model.SerializeToString()
            session = open_session(content, 1)
        except Exception as error:  # protobuf's and ONNX Runtime's share no base class
            raise InputError(f"{path}: cannot take part: {error!s:.200}") from error
        shape = next((one.shape for one in session.get_inputs() if len(one.shape) == 4), None)
        if shape is None:
            raise InputError(f"{path}: cannot take part: it has no input for images")
        size = shape[2]
        size = size if isinstance(size, int) else self.plan.size
        name = re.sub(r"([_-]\d{2,4})?(_coco)?$", "", path.stem)
        cleaned = self.out / "models" / "peers" / f"{name}-{size}.onnx"
        if not (cleaned.exists() and cleaned.read_bytes() == content):
            cleaned.parent.mkdir(parents=True, exist_ok=True)
            cleaned.write_bytes(content)
        left, ours = _left_to_do(session, str(path))
        return Peer(name, size, cleaned, left, ours, trained)


def _export(config: ModelConfig, path: Path) -> dict[str, Any]:
    net = fresh_network(config)
    names = [str(i) for i in range(config.classes)]
    result = export_onnx(net, path, names=names, allow_unfused=True, overwrite=True)
    ops = result.optimized_ops
    return {
        "gmac": count_macs(net) / 1e9,
        "parameters": count_parameters(net),
        "standing": len(result.unfused),
        "reorders": ops["nchwc.ReorderInput"] + ops["nchwc.ReorderOutput"],
    }


def _export_ultralytics(python: Path, names: Sequence[str], size: int, out: Path) -> None:
    command = [str(python), "-m", "benchmarks.peers.ultralytics_models", "--out", str(out), "--size", str(size), *names]
    result = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, env={**os.environ, **_paths()})
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise InputError(f"{python}: Ultralytics' networks could not be exported: {last}")


def _paths() -> dict[str, str]:
    """For another Python: where this one finds the project."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)} if "PYTHONPATH" in os.environ else {}


def _left_to_do(session: ort.InferenceSession, source: str) -> tuple[str, bool]:
    """What the outputs still need, and whether the runtime knows the format."""
    kind = next((kind for kind in FORMATS if kind.recognises(session)), None)
    if kind is None:
        return "decoding, NMS", False
    if not kind(session, source).contract.nms:
        return "nothing", True
    return ("NMS" if kind in (FusedetFile, UltralyticsFile) else "decoding, NMS"), True


def _digest(config: str) -> str:
    """Of everything that an exported file depends on: the code of networks and export, torch, the config."""
    digest = hashlib.sha256(f"{config} {torch.__version__} {onnx.__version__}".encode())
    for package in ("model", "export"):
        for path in sorted((_ROOT / package).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
