from typing import get_args

import pytest
import torch

from fusedet.model import InferenceGraph, ModelConfig, build_detector
from fusedet.model.config import ActivationName
from tests.model.conftest import tiny_config, used


@pytest.mark.parametrize("activation", get_args(ActivationName))
@pytest.mark.parametrize("size", [(64, 64), (32, 96)])
def test_predictions_cover_every_anchor_point(activation: str, size: tuple[int, int]):
    net = build_detector(tiny_config(activation=activation, input_size=size)).eval()
    cells = sum((size[0] // stride) * (size[1] // stride) for stride in (8, 16, 32))
    for branch in net(torch.rand(2, 3, *size) * 255):
        assert branch.logits.shape == (2, 3, cells)
        assert branch.distances.shape == (2, 4, cells)


def test_one_image_gives_what_a_batch_gives(net):
    images = torch.rand(3, 3, 64, 64) * 255
    together = net(images)
    for i in range(3):
        alone = net(images[i : i + 1])
        torch.testing.assert_close(alone.one_to_many.logits[0], together.one_to_many.logits[i], atol=1e-5, rtol=1e-5)
        # Inhibition multiplies rounding by up to two hundred.
        torch.testing.assert_close(alone.one_to_one.logits[0], together.one_to_one.logits[i], atol=1e-3, rtol=1e-5)
        torch.testing.assert_close(
            alone.one_to_many.distances[0], together.one_to_many.distances[i], atol=1e-5, rtol=1e-5
        )


def test_first_scores_are_low_and_first_boxes_are_sane():
    torch.manual_seed(0)
    output = build_detector(tiny_config()).train()(torch.rand(4, 3, 64, 64) * 255).one_to_one
    assert float(output.logits.detach().sigmoid().mean()) == pytest.approx(0.01, abs=0.005)
    assert (output.distances > 0).all()


@pytest.mark.parametrize("detach", [True, False])
def test_the_one_to_one_branch_trains_its_own_layers_and_features_but_no_shared_class_scores(detach: bool):
    net = build_detector(tiny_config(), detach_one_to_one=detach)
    net(torch.rand(2, 3, 64, 64) * 255).one_to_one.logits.square().sum().backward()
    touched = {name for name, weight in net.named_parameters() if weight.grad is not None}
    assert any(name.startswith("head.selector") for name in touched)
    assert any(name.startswith("head.class_corrections") for name in touched)
    assert not any(name.startswith(("head.class_towers", "head.class_predictors")) for name in touched)
    assert any(name.startswith("backbone") for name in touched) != detach


@pytest.mark.parametrize(("training", "gain"), [(True, 4), (False, 100)])
def test_a_point_below_its_neighbours_is_lowered_and_the_best_is_left_alone(training: bool, gain: float):
    torch.manual_seed(0)
    net = used(build_detector(tiny_config()))
    net.train(training)
    for predictor in (*net.head.selector_predictors, *net.head.class_corrections):
        torch.nn.init.zeros_(predictor.weight)
    with torch.no_grad():
        many, one = net(torch.rand(2, 3, 64, 64) * 255)
    assert one.distances is many.distances
    best = many.logits[:, :, :64].amax(1).reshape(2, 8, 8)  # stride 8
    lowered = (many.logits - one.logits)[:, 0, :64].reshape(2, 8, 8)
    for y in range(8):
        for x in range(8):
            around = best[:, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].amax((1, 2))
            torch.testing.assert_close(lowered[:, y, x], gain * (around - best[:, y, x]), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("nms", [False, True])
def test_the_exported_branch_is_the_trained_one(net, nms: bool):
    image = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        branch = net(image.permute(0, 3, 1, 2).float())[0 if nms else 1]
        _, scores, ids = InferenceGraph(net, nms=nms, max_detections=20)(image)
    expected, kept = branch.logits.topk(2, dim=1).values.flatten(1).topk(20)
    torch.testing.assert_close(scores, expected.sigmoid(), atol=1e-4, rtol=1e-4)
    classes = branch.logits.topk(2, dim=1).indices.flatten(1).gather(1, kept)
    assert torch.equal(ids[:, :5], classes[:, :5])


def test_classes_must_be_known():
    with pytest.raises(ValueError, match="classes must be set"):
        build_detector(ModelConfig(stages=[{"channels": 16}] * 4))
