import pytest
import torch

from fusedet.model import ModelConfig, build_detector
from tests.model.conftest import tiny_config


@pytest.mark.parametrize("activation", ["leaky_relu", "relu", "prelu", "silu", "hardswish", "elu"])
@pytest.mark.parametrize("size", [(64, 64), (32, 96)])
def test_predictions_cover_every_anchor_point(activation: str, size: tuple[int, int]):
    net = build_detector(tiny_config(activation=activation, input_size=size)).eval()
    cells = sum((size[0] // stride) * (size[1] // stride) for stride in (8, 16, 32))
    for branch in net(torch.rand(2, 3, *size) * 255):
        assert branch.logits.shape == (2, 3, cells)
        assert branch.distances.shape == (2, 4, cells)


def test_one_picture_gives_what_a_batch_gives(net):
    pictures = torch.rand(3, 3, 64, 64) * 255
    together = net(pictures)
    for i in range(3):
        alone = net(pictures[i : i + 1])
        torch.testing.assert_close(alone.one_to_one.logits[0], together.one_to_one.logits[i], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(
            alone.one_to_many.distances[0], together.one_to_many.distances[i], atol=1e-5, rtol=1e-5
        )


def test_first_scores_are_low_and_first_boxes_are_sane():
    torch.manual_seed(0)
    output = build_detector(tiny_config()).train()(torch.rand(4, 3, 64, 64) * 255).one_to_one
    assert float(output.logits.detach().sigmoid().mean()) == pytest.approx(0.01, abs=0.005)
    assert (output.distances > 0).all()


@pytest.mark.parametrize("detach", [True, False])
def test_the_one_to_one_branch_reaches_the_backbone_only_when_asked(detach: bool):
    net = build_detector(tiny_config())
    net.detach_one_to_one = detach
    net(torch.rand(2, 3, 64, 64) * 255).one_to_one.logits.sum().backward()
    assert (net.backbone.stem.conv[0].weight.grad is None) == detach
    assert net.one_to_one.class_predictors[0].weight.grad is not None


def test_classes_must_be_known():
    with pytest.raises(ValueError, match="classes must be set"):
        build_detector(ModelConfig(stages=[{"channels": 16}] * 4))
