"""Readers of what machines write: exported files and their metadata, checkpoints, bundles, what bench saved."""

import contextlib
import hashlib
import io
import json
import random
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from fusedet.cli.main import build_parser
from fusedet.cli.model_files.info import run as info
from fusedet.deploy import Contract, Detections, Detector
from fusedet.deploy.bench.tuned import Tuned, read_tuned, write_tuned
from fusedet.deploy.detector.bundle import MANIFEST, open_bundle
from fusedet.deploy.detector.self_test import SelfTest, read_self_test
from fusedet.export import prepare, read_foreign
from fusedet.export.graph.fuse import fuse
from fusedet.export.lint.lint import lint
from fusedet.model import build_detector, save_checkpoint
from fusedet.train.config import load_train_config
from tests.deploy.conftest import NAMES, build_model
from tests.deploy.foreign_files import ULTRALYTICS, build, detr, picodet, ultralytics_final, ultralytics_raw, yolox
from tests.export.networks import conv, graph_of, node
from tests.fuzz.mutate import spoil_bytes, spoil_json, spoil_text, spoil_value
from tests.fuzz.trial import Target

IMAGE = np.full((40, 60, 3), 200, np.uint8)
#: A network with a layer of each kind, and no more: reading takes most of its time for each tensor.
SMALLEST = (
    *("model.input_size=32", "model.classes=3", "model.neck.channels=16", "model.head.channels=16"),
    *(f"model.stages.{stage}.channels=16" for stage in range(4)),
    *("model.stages.2.depth=0", "model.stages.3.depth=1"),
)


def _metadata() -> dict[str, str]:
    """Of an exported file with a self-test, the values still JSON."""
    boxes = np.array([[1, 2, 30, 40]], np.float32)
    found = Detections(boxes, np.array([0.9], np.float32), np.array([1]), NAMES)
    test = SelfTest(IMAGE, found, 0.25)
    return Contract(NAMES, (64, 64), extra={"data": "drawn"}).to_metadata() | test.to_metadata()


def _exported() -> list[onnx.ModelProto]:
    """Of fusedet and of each other project."""
    own = build_model(Contract(NAMES, (64, 64)), scores=(0.9, 0.4))
    helper.set_model_props(own, _metadata())
    image = {"images": (TensorProto.FLOAT, [1, 3, 32, 32])}
    larger = {"image": (TensorProto.FLOAT, [1, 3, 64, 64])}
    return [
        own,
        build_model(Contract(NAMES, (64, 64), input_format="float32_nchw_rgb", nms=True)),
        build(image, ultralytics_final(), ULTRALYTICS),
        build(image, ultralytics_raw(), {**ULTRALYTICS, "imgsz": "[32, 32]"}),
        build({**image, "orig_target_sizes": (TensorProto.INT64, [1, 2])}, detr(), {}),
        build(larger, picodet(), {}),
        build(image, yolox(), {}),
    ]


def _spoil_metadata(data: bytes, rng: random.Random) -> bytes:
    """A dictionary of texts stays one: its entries go and come, and each text is JSON that changes inside."""
    values: dict[str, str] = json.loads(data)
    for key in rng.sample(list(values), rng.choice((1, 1, 2, 4))):
        if rng.random() < 0.15:
            del values[key]
        else:
            values[key] = spoil_json(values[key].encode(), rng).decode("utf-8", errors="replace")
    return json.dumps(values).encode()


def _read_metadata(path: Path) -> None:
    metadata = json.loads(path.read_bytes())
    contract = Contract.from_metadata(metadata, path.name)
    SelfTest.from_metadata(metadata, contract.names, path.name)


def _spoil_model(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.4:
        return spoil_bytes(data, rng)
    model = onnx.load_from_string(data)
    if model.metadata_props and rng.random() < 0.7:
        entry = rng.choice(model.metadata_props)
        text = entry.value.encode()
        spoil = spoil_json if entry.key.startswith("fusedet.") and rng.random() < 0.7 else spoil_text
        entry.value = spoil(text, rng).decode("utf-8", errors="replace")
    else:
        value = rng.choice([*model.graph.input, *model.graph.output])
        dims = value.type.tensor_type.shape.dim
        side = rng.choice(dims) if dims else value.type.tensor_type.shape.dim.add()
        if rng.random() < 0.3:
            side.dim_param = "n"
        else:
            side.dim_value = rng.choice((0, 1, 2, 3, 31, 85, 2**31, -1))
    return model.SerializeToString()


def _run_model(path: Path) -> None:
    detector = Detector(path, score_threshold=0.1, threads=1)
    found = detector(IMAGE)
    assert np.isfinite(found.boxes_xyxy).all()
    assert len(found.labels) == len(found)
    read_self_test(path)


def _run_foreign(path: Path) -> None:
    """What `fusedet lint` and `fusedet fuse` do before they write."""
    model = read_foreign(path)
    lint(model)
    fuse(prepare(model).model)


def _network(_: Path) -> Sequence[bytes]:
    nodes = [conv("x", "p"), node("LeakyRelu", ["p"], "q"), conv("q", "r"), node("Add", ["r", "q"], "y")]
    return [graph_of(nodes).SerializeToString()]


def _checkpoint(folder: Path) -> Sequence[bytes]:
    config = load_train_config("pico", SMALLEST).model
    meta = {
        "names": list(NAMES),
        "model": config.model_dump(mode="json"),
        "epoch": 7,
        "metrics": {"ap": 0.25},
        "data": {"train": "x"},
        "fusedet_version": "0.1.0",
    }
    save_checkpoint(folder / "seed.pt", {"ema": build_detector(config).state_dict()}, meta)
    data = (folder / "seed.pt").read_bytes()
    (folder / "seed.pt").unlink()
    return [data]


@cache
def _loaded(data: bytes) -> dict[str, Any]:
    return dict(torch.load(io.BytesIO(data), weights_only=True))


def _content(data: bytes) -> dict[str, Any]:
    """Of a checkpoint; its dictionaries may be changed, its tensors not."""
    content = _loaded(data)
    return {**content, "state": {name: dict(weights) for name, weights in content["state"].items()}}


def _spoil_checkpoint(data: bytes, rng: random.Random) -> bytes:
    """Its description, whole tensors, or its bytes."""
    if rng.random() < 0.3:
        return spoil_bytes(data, rng)
    content = _content(data)
    if rng.random() < 0.7:
        content["meta"] = spoil_value(content["meta"], rng)
        if rng.random() < 0.7:  # most mistakes in a description are told before anybody looks at the weights
            content["state"] = {"ema": {}}
    elif rng.random() < 0.7:
        weights = content["state"]["ema"]
        name = rng.choice(list(weights))
        other = weights.pop(rng.choice(list(weights)))
        by = (torch.zeros(0), torch.full((3,), float("nan")), other, other.half(), other.unsqueeze(0), None, "text", 3)
        weights[name] = rng.choice(by)
    else:
        content = spoil_value(content, rng) if rng.random() < 0.5 else spoil_value({"format": content["format"]}, rng)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _read_checkpoint(path: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        info(build_parser("info").parse_args([str(path)]))


def _zipped(files: dict[str, bytes], manifest: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**files, MANIFEST: manifest}.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def _bundle(_: Path) -> Sequence[bytes]:
    files = {"a.fused.onnx": _exported()[0].SerializeToString(), "README.md": b"read me"}
    listed = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
    manifest = {"format_version": 1, "files": listed, "models": {"fused": "a.fused.onnx"}, "made_by": "fusedet"}
    return [_zipped(files, json.dumps(manifest).encode())]


def _spoil_bundle(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return spoil_bytes(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = files.pop(MANIFEST)
    if rng.random() < 0.2:
        files.pop(rng.choice(list(files)))
    return _zipped(files, spoil_json(manifest, rng))


def _read_bundle(path: Path) -> None:
    open_bundle(path).model("fused")
    Detector(path, threads=1)


def _tuned(folder: Path) -> Sequence[bytes]:
    model = folder / "model.onnx"
    model.write_bytes(b"stands in for one")
    path = write_tuned(model, Tuned(2, True), "fastest")
    data = path.read_bytes()
    path.unlink()
    return [data]


TARGETS = (
    Target("metadata", "metadata.json", lambda _: [json.dumps(_metadata()).encode()], _spoil_metadata, _read_metadata),
    Target("model file", "m.onnx", lambda _: [m.SerializeToString() for m in _exported()], _spoil_model, _run_model),
    Target("network of others", "n.onnx", _network, _spoil_model, _run_foreign),
    Target("checkpoint", "best.pt", _checkpoint, _spoil_checkpoint, _read_checkpoint),
    Target("bundle", "b.zip", _bundle, _spoil_bundle, _read_bundle),
    Target("tuned", "model.onnx.tuned.json", _tuned, spoil_json, lambda path: read_tuned(path.with_name("model.onnx"))),
)
