import pytest
import torch
from torch import nn

from fusedet.model import InferenceGraph, build_detector, fold
from fusedet.model.reparam import scale_input
from tests.model.conftest import tiny_config, used


@pytest.mark.parametrize("reparam", [True, False])
def test_folding_keeps_the_results(reparam: bool):
    torch.manual_seed(1)
    net = used(build_detector(tiny_config(reparam=reparam)))
    images = torch.rand(2, 3, 64, 64) * 255
    before, after = net(images), fold(net)(images)
    torch.testing.assert_close(after.one_to_many, before.one_to_many, atol=2e-5, rtol=2e-5)
    # Inhibition multiplies rounding by up to two hundred.
    torch.testing.assert_close(after.one_to_one.logits, before.one_to_one.logits, atol=4e-3, rtol=2e-5)


def test_nothing_is_left_of_branches_and_norms(net):
    folded = fold(net)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in net.modules()), "the original must stay as it was"
    convolutions = sum(isinstance(module, nn.Conv2d) for module in folded.modules())
    plain = build_detector(tiny_config(reparam=False))
    assert convolutions == sum(isinstance(module, nn.Conv2d) for module in plain.modules())


def test_input_scale_and_channel_order_fold_into_the_stem(net):
    rgb = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = net.features(rgb.flip(1))
    folded = fold(net)
    scale_input(folded, 1.0, flip_channels=True)
    for a, b in zip(folded.features(rgb), expected, strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=2e-5)


def test_both_input_formats_find_the_same(net):
    image = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    planes = image.permute(0, 3, 1, 2).flip(1).float() / 255
    boxes, scores, _ = InferenceGraph(net)(image)
    float_boxes, float_scores, _ = InferenceGraph(net, input_format="float32_nchw_rgb")(planes)
    torch.testing.assert_close(float_scores, scores, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(float_boxes[:, :5], boxes[:, :5], atol=1e-2, rtol=1e-4)


def test_no_more_boxes_than_anchor_points(net):
    boxes, scores, ids = InferenceGraph(net, max_detections=1000)(torch.zeros(1, 64, 64, 3, dtype=torch.uint8))
    assert (boxes.shape, scores.shape, ids.shape) == ((1, 84, 4), (1, 84), (1, 84))
