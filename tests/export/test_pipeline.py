"""The whole export: three runs agree, files appear whole or not at all, and a network that breaks a rule is stopped."""

import errno
import tempfile
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from fusedet.common.errors import InputError
from fusedet.deploy import Detector, decode_outputs, letterbox, to_blob
from fusedet.export import ExportError, ExportOptions, export_onnx
from fusedet.export.proof.images import draw_images
from fusedet.export.proof.verify import verify
from fusedet.model import DetectorNet, InferenceGraph, save_checkpoint
from tests.export.networks import NAMES, preset_config, small_config, trained_net
from tests.full_disk import full_disk


def export(net: DetectorNet, folder: Path, **settings):
    return export_onnx(net, folder / "model.onnx", names=NAMES, **settings)


def assert_same_detections(net: DetectorNet, path: Path, **settings) -> None:
    """Torch, and the runtime with the exported file, find the same in the drawn images."""
    detector = Detector(path, score_threshold=0.1)
    contract = detector.contract
    graph = InferenceGraph(net, input_format=contract.input_format, **settings).eval()
    for image in draw_images().values():
        canvas, place = letterbox(image, contract.input_size, contract.pad_value)
        with torch.no_grad():
            outputs = graph(torch.from_numpy(to_blob([canvas], contract.input_format)))
        expected = decode_outputs(*(output[0].numpy() for output in outputs), place, contract, 0.1, 300)
        found = detector(image)
        assert len(found) == len(expected) > 0
        # Near-equal scores may change places, and clipping to the image can make boxes equal.
        first, second = (np.column_stack((d.boxes_xyxy, d.scores * 100, d.class_ids * 100)) for d in (found, expected))
        order = np.abs(first[:, None] - second).max(axis=2).argmin(axis=1)  # [found, expected, 6] -> [found]
        assert sorted(order) == list(range(len(expected)))
        np.testing.assert_array_equal(found.class_ids, expected.class_ids[order])
        np.testing.assert_allclose(found.scores, expected.scores[order], rtol=0, atol=1e-3)
        np.testing.assert_allclose(found.boxes_xyxy, expected.boxes_xyxy[order], rtol=0, atol=0.05)


@pytest.mark.parametrize(
    "preset", ["pico", *(pytest.param(name, marks=pytest.mark.slow) for name in ("nano", "small"))]
)
def test_presets_agree_in_torch_plain_fused_and_on_the_board(preset, tmp_path):
    net = trained_net(preset_config(preset))

    result = export(net, tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.fused.onnx", "model.onnx"]
    assert (result.plain, result.fused) == (tmp_path / "model.onnx", tmp_path / "model.fused.onnx")
    assert [a.between for a in result.agreement] == [("torch", "plain"), ("plain", "fused")]
    for agreement in result.agreement:
        assert agreement.images == 4
        assert agreement.compared >= 10
        assert agreement.score < 1e-3  # inhibition multiplies rounding by up to nine
    assert result.declined == result.unfused == ()
    assert result.fused_activations == result.fused_ops["FusedConv"] > 30
    for path in (result.plain, result.fused):
        assert_same_detections(net, path)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_detections": 20},
        {"input_size": (64, 128)},
        {"nms": False, "input_format": "float32_nchw_rgb", "dynamic_batch": True, "input_size": (96, 64)},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_settings(settings, tmp_path):
    net = trained_net(small_config())

    result = export(net, tmp_path, **settings)

    contract = Detector(result.fused).contract
    assert contract == result.contract
    assert contract.nms == settings.get("nms", True)
    assert contract.input_format == settings.get("input_format", "uint8_nhwc_bgr")
    assert contract.input_size == settings.get("input_size", (64, 64))
    batch = ort.InferenceSession(str(result.fused)).get_inputs()[0].shape[0]
    assert batch == ("batch" if settings.get("dynamic_batch") else 1)
    same = {key: value for key, value in settings.items() if key in ("nms", "max_detections", "input_size")}
    for path in (result.plain, result.fused):
        assert_same_detections(net, path, **same)


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
def test_other_activations_that_fit_into_a_convolution(activation, tmp_path):
    net = trained_net(small_config(activation=activation))

    result = export(net, tmp_path)

    assert result.declined == result.unfused == ()
    assert result.fused_activations == result.fused_ops["FusedConv"] > 20
    assert result.contract.activation == activation
    assert result.contract.negative_slope == 0
    assert_same_detections(net, result.fused)


@pytest.mark.parametrize(
    ("activation", "op", "reason"),
    [
        ("silu", "Sigmoid", "SiLU"),
        pytest.param("prelu", "PRelu", "PRelu is not an activation", marks=pytest.mark.slow),
        pytest.param("hardswish", "HardSwish", "HardSwish is not an activation", marks=pytest.mark.slow),
        ("elu", "Elu", "Elu is not an activation"),
    ],
)
def test_activations_that_do_not_fit_into_a_convolution(activation, op, reason, tmp_path):
    net = trained_net(small_config(activation=activation))

    with pytest.raises(
        ExportError, match=rf"activations outside convolutions, \d+ in all: /backbone/\S+/{op}: {reason}"
    ):
        export(net, tmp_path)
    assert list(tmp_path.iterdir()) == []

    result = export(net, tmp_path, allow_unfused=True)

    assert result.fused_activations == 0
    assert {declined.op for declined in result.declined} == {op}
    assert len(result.declined) == result.plain_ops[op] - (op == "Sigmoid")  # the scores' sigmoid is no activation
    assert_same_detections(net, result.fused)


class ActivatedSum(nn.Module):
    """Breaks the rule that nothing stands behind a sum."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block
        self.late = nn.LeakyReLU(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.late(self.block(x))


def test_an_activation_behind_a_sum_is_named(tmp_path):
    net = trained_net(small_config())
    net.backbone.stages[2][1] = ActivatedSum(net.backbone.stages[2][1])

    message = (
        r"^activations outside convolutions, 1 in all: /backbone/\S*late/LeakyRelu: its input comes from Add, not from"
    )
    with pytest.raises(ExportError, match=message):
        export(net, tmp_path)

    assert list(tmp_path.iterdir()) == []
    result = export(net, tmp_path, allow_unfused=True)
    assert len(result.unfused) == 1
    assert result.declined[0].node.endswith("late/LeakyRelu")


@pytest.mark.parametrize("which", ["plain", "fused"])
def test_a_file_with_other_weights_does_not_pass(which, tmp_path):
    net = trained_net(small_config())
    result = export(net, tmp_path)
    path = getattr(result, which)
    model = onnx.load(path)
    weight = next(t for t in model.graph.initializer if t.name == "backbone.stem.0.weight")
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.05), weight.name))
    onnx.save(model, path)

    finder = "torch|plain" if which == "plain" else "plain|fused"
    with pytest.raises(ExportError, match=rf"^drawn image \d: ({finder}) finds (cat|dog|owl) with score"):
        verify(InferenceGraph(net).eval(), result.plain, result.fused)


class Drifting(nn.Module):
    """Gives something else each time, so that no traced graph can be the network."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.block(x * (1 + self.calls / 10))


def test_a_network_that_is_exported_wrongly_leaves_nothing_behind(tmp_path):
    net = trained_net(small_config())
    net.neck.top_down[0] = Drifting(net.neck.top_down[0])
    before = tmp_path / "model.onnx"
    before.write_bytes(b"the last good one")

    with pytest.raises(ExportError, match=r"^drawn image 1: torch finds (cat|dog|owl) .*, plain does not; nearest"):
        export(net, tmp_path, overwrite=True)

    assert list(tmp_path.iterdir()) == [before]
    assert before.read_bytes() == b"the last good one"


def test_images_of_the_user(tmp_path):
    net = trained_net(small_config())
    (tmp_path / "images").mkdir()
    for name, image in draw_images(2, seed=5).items():
        assert cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), image)

    result = export(net, tmp_path, images=tmp_path / "images")

    assert [agreement.images for agreement in result.agreement] == [2, 2]


def save(net: DetectorNet, path: Path, **meta):
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"names": list(NAMES), "model": net.config.model_dump(), "epoch": 7, "metrics": {"AP": 0.41235}}
    save_checkpoint(path, {"ema": net.state_dict()}, {**facts, "data": "animals", **meta})
    return path


def test_a_run_folder(tmp_path):
    net = trained_net(small_config())
    save(net, tmp_path / "run" / "best.pt")

    result = export_onnx(tmp_path / "run", tmp_path / "models", extra={"licence": "ours", "camera": "left"})

    assert result.fused == tmp_path / "models" / "best.fused.onnx"
    extra = Detector(result.fused).contract.extra
    assert Detector(result.plain).names == NAMES
    assert extra["metrics"] == "AP 0.4123"
    assert (extra["data"], extra["epoch"], extra["licence"], extra["camera"]) == ("animals", "7", "ours", "left")
    assert int(extra["parameters"]) > 1000
    assert int(extra["macs"]) > 100_000
    assert {"fusedet", "torch", "onnx"} <= extra.keys()
    assert_same_detections(net, result.fused)


def test_files_stand_beside_the_checkpoint_and_are_not_replaced_unasked(tmp_path):
    path = save(trained_net(small_config()), tmp_path / "last.pt")
    assert export_onnx(path).plain == tmp_path / "last.onnx"
    first = (tmp_path / "last.onnx").read_bytes()
    (tmp_path / "last.fused.onnx").write_bytes(b"mine")
    (tmp_path / "last.onnx").unlink()

    with pytest.raises(InputError, match=r"last\.fused\.onnx: is already there"):
        export_onnx(path)
    assert (tmp_path / "last.fused.onnx").read_bytes() == b"mine"
    assert not (tmp_path / "last.onnx").exists()

    export_onnx(path, overwrite=True)
    assert (tmp_path / "last.onnx").read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last.fused.onnx", "last.onnx", "last.pt"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input_size": (64, 100)}, r"input_size must be \(height, width\) in multiples of 32, but got \(64, 100\)"),
        ({"input_size": (0, 64)}, "input_size must be"),
        ({"input_format": "bgr"}, "input_format must be one of"),
        ({"max_detections": 0}, "max_detections must be at least 1, but got 0"),
        ({"names": ["cat"]}, "the network has 3 classes, but 1 names were given"),
        ({"names": None}, "names must be given"),
        ({"out": None}, "out must name a file or a folder"),
        ({"out": "model.pt"}, r"model\.pt: expected a folder or a file that ends in \.onnx"),
        ({"images": "nowhere"}, "nowhere: no such file or folder"),
    ],
)
def test_arguments_that_cannot_be_used(settings, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = trained_net(small_config())
    with pytest.raises(InputError, match=message):
        export_onnx(net, **{"out": "model.onnx", "names": NAMES, **settings})
    assert list(tmp_path.iterdir()) == []


def test_models_that_are_not_there(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(InputError, match=r"run: expected a model file.* no best\.pt"):
        export_onnx(tmp_path / "run")
    with pytest.raises(InputError, match=r"gone\.pt: no such model file"):
        export_onnx(tmp_path / "gone.pt")


def test_options_may_come_together_or_one_by_one(tmp_path):
    net, options = trained_net(small_config()), ExportOptions(names=NAMES, nms=False)

    assert not export_onnx(net, tmp_path / "a.onnx", options).contract.nms
    assert export_onnx(net, tmp_path / "b.onnx", options, nms=True).contract.nms
    with pytest.raises(TypeError, match="nmss"):
        export_onnx(net, tmp_path / "c.onnx", nmss=True)


def test_a_full_disk_is_said_of_the_file_that_was_to_be_written(tmp_path, monkeypatch):
    def fail(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        export(trained_net(small_config()), tmp_path)
    assert caught.value.filename == str(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_full_folder_for_temporary_files_is_named(tmp_path):
    with full_disk(4096), pytest.raises(OSError, match="too large") as caught:
        export(trained_net(small_config()), tmp_path)
    assert caught.value.filename.startswith(tempfile.gettempdir())
