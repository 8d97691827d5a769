"""INT8: what is quantised and what is not, the way back to float, and what it costs."""

import numpy as np
import onnx
import pytest

from fusedet.common.errors import InputError
from fusedet.deploy import Detector
from fusedet.export import ExportError, Int8Settings, export_onnx
from fusedet.export.graph.quantize import predicting_convolutions, quantize
from fusedet.export.proof.images import draw_images
from tests.export.networks import NAMES, small_config, trained_net

IMAGES = draw_images(6)
SETTINGS = Int8Settings(images=4)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return export_onnx(trained_net(small_config()), tmp_path_factory.mktemp("out") / "model.onnx", names=NAMES).plain


@pytest.fixture(scope="module")
def quantized(plain, tmp_path_factory):
    return quantize(plain, tmp_path_factory.mktemp("int8") / "model.int8.onnx", IMAGES, SETTINGS)


def weights(path, kind):
    return {tensor.name for tensor in onnx.load(path).graph.initializer if tensor.data_type == kind}


def convolutions(path):
    return [node.name for node in onnx.load(path).graph.node if node.op_type == "Conv"]


def test_all_but_the_predicting_convolutions_are_quantised(plain, quantized):
    predicting = predicting_convolutions(onnx.load(plain))

    assert len(predicting) == 6
    assert all("predictors" in name for name in predicting)
    assert set(quantized.in_float) == predicting
    assert {*quantized.layers, *quantized.in_float} == set(convolutions(plain))
    in_bytes = [name for name in weights(quantized.path, onnx.TensorProto.INT8) if name.endswith("_quantized")]
    assert len(in_bytes) == len(quantized.layers)


def test_the_runtime_reads_it_like_any_file(plain, quantized):
    before, after = (Detector(path, score_threshold=0.2) for path in (plain, quantized.path))

    assert after.contract == before.contract
    found, expected = ([detector(image) for image in IMAGES.values()] for detector in (after, before))
    assert sum(map(len, expected)) > 10
    best = [[detections.scores.max(initial=0.2) for detections in several] for several in (found, expected)]
    assert np.abs(np.subtract(*best)).mean() < 0.1


def in_float(path):
    """How many layers of a file stayed in float, beside those that predict."""
    kept = set(weights(path, onnx.TensorProto.FLOAT))
    return sum(name.endswith(".weight") for name in kept) - 6


def test_sensitive_layers_go_back_to_float_until_the_budget_holds(plain, tmp_path):
    def accuracy(path):
        return 0.5 if path == plain else {0: 0.1, 1: 0.4, 2: 0.48}.get(in_float(path), 0.495)

    result = quantize(plain, tmp_path / "int8.onnx", IMAGES, SETTINGS, accuracy)

    assert [(step.in_float, step.ap) for step in result.steps] == [(0, 0.1), (1, 0.4), (2, 0.48), (4, 0.495)]
    assert result.ap_before == 0.5
    assert set(result.in_float) >= {one.layer for one in result.sensitivities[:4]}
    assert len(result.in_float) == 6 + 4
    assert in_float(result.path) == 4
    errors = [one.error for one in result.sensitivities]
    assert len(errors) == len(convolutions(plain)) - 6
    assert errors == sorted(errors, reverse=True)
    assert 0 < errors[-1] <= errors[0] < 1


def test_a_budget_that_never_holds_leaves_no_file(plain, tmp_path):
    out = tmp_path / "int8.onnx"

    with pytest.raises(ExportError, match=r"^INT8 loses more than 0\.01 of AP: 0.5000 became 0.1000 with 0 layers"):
        quantize(plain, out, IMAGES, SETTINGS, lambda path: 0.5 if path == plain else 0.1)
    assert not out.exists()


def test_the_same_images_and_seed_give_the_same_file(plain, quantized, tmp_path):
    again = quantize(plain, tmp_path / "again.onnx", IMAGES, SETTINGS)
    other = quantize(plain, tmp_path / "other.onnx", IMAGES, Int8Settings(images=2, seed=5))

    assert again.path.read_bytes() == quantized.path.read_bytes()
    assert other.path.read_bytes() != quantized.path.read_bytes()


@pytest.mark.parametrize(
    "settings",
    [
        Int8Settings(images=2, method="entropy"),
        pytest.param(Int8Settings(images=2, method="percentile"), marks=pytest.mark.slow),
        Int8Settings(images=2, per_channel=False),
        pytest.param(Int8Settings(images=2, reduce_range=True), marks=pytest.mark.slow),
    ],
    ids=["entropy", "percentile", "per tensor", "7 bits"],
)
def test_settings_make_another_file_that_runs(settings, plain, quantized, tmp_path):
    result = quantize(plain, tmp_path / "int8.onnx", IMAGES, settings)

    assert result.path.read_bytes() != quantized.path.read_bytes()
    assert len(Detector(result.path, score_threshold=0.0)(IMAGES["drawn image 1"])) > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"images": 0}, "images must be at least 1, but got 0"),
        ({"method": "best"}, "method must be one of minmax, entropy, percentile, but got 'best'"),
        ({"ap_loss": -1.0}, "ap_loss must be 0 or more, but got -1"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(InputError, match=f"int8: {message}"):
        Int8Settings(**settings)
