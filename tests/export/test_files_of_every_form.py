"""Every form of file that an export writes is a valid ONNX file, for others' tools too."""

from pathlib import Path

import onnx
import pytest

from fusedet.export import Int8Settings, export_onnx, quantize
from fusedet.export.graph.half import halve_weights
from fusedet.export.proof.images import draw_images
from tests.export.networks import NAMES, small_config, trained_net

SETTINGS = {
    "plain": {},
    "nms-free": {"nms": False},
    "float-input": {"input_format": "float32_nchw_rgb"},
    "dynamic-batch": {"dynamic_batch": True},
    "ultralytics": {"layout": "ultralytics"},
    "ultralytics-nms-free": {"layout": "ultralytics", "nms": False},
    "raw": {"layout": "raw"},
}
FORMS = [*SETTINGS, *(f"{name}.fused" for name in SETTINGS), "half", "int8", "int8-per-tensor", "nms-free.int8"]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder, net, found = tmp_path_factory.mktemp("forms"), trained_net(small_config()), {}
    for name, settings in SETTINGS.items():
        result = export_onnx(net, folder / f"{name}.onnx", names=NAMES, **settings)
        found[name], found[f"{name}.fused"] = result.plain, result.fused
    found["half"] = folder / "half.onnx"
    onnx.save(halve_weights(onnx.load(found["plain.fused"])), found["half"])
    for name, plain, per_channel in (
        ("int8", "plain", True),
        ("int8-per-tensor", "plain", False),
        ("nms-free.int8", "nms-free", True),
    ):
        settings = Int8Settings(images=2, per_channel=per_channel)
        found[name] = quantize(found[plain], folder / f"{name}.onnx", draw_images(2), settings).path
    return found


@pytest.mark.parametrize("form", FORMS)
def test_the_checker_of_onnx_takes_the_file(form, files):
    onnx.checker.check_model(str(files[form]), full_check=True)


@pytest.mark.parametrize("form", FORMS)
def test_onnxsim_takes_the_file(form, files):
    onnxsim = pytest.importorskip("onnxsim")
    _, same = onnxsim.simplify(onnx.load(files[form]))
    assert same


@pytest.mark.parametrize("form", [form for form in FORMS if "fused" not in form and form != "half"])
def test_openvino_takes_the_file_that_has_standard_operators_only(form, files):
    openvino = pytest.importorskip("openvino")
    core = openvino.Core()
    core.compile_model(core.read_model(files[form]), "CPU")
