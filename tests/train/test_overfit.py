"""Every preset can learn: one batch by heart."""

import pytest
import torch

from fusedet.configs import preset_names
from fusedet.configs.reader.loader import load_config
from fusedet.deploy.detector.boxes import box_iou
from fusedet.model import STRIDES, InferenceGraph, ModelConfig, build_detector
from fusedet.model.decode import anchor_points
from fusedet.train.config import AugmentConfig, DataConfig, LossConfig, OptimConfig
from fusedet.train.data.coco import load_coco
from fusedet.train.data.dataset import build_train_loader
from fusedet.train.optim.optimizer import (
    build_optimizer,
    learning_rate_factor,
    resolve_optim_defaults,
    set_learning_rate,
)
from fusedet.train.targets.assign import GroundTruth
from fusedet.train.targets.losses import detection_loss

SIZE = 96
NO_CHANGES = AugmentConfig(mosaic=0, flip=0, hue=0, saturation=0, value=0, translate=0, scale=0, close_epochs=0)


SLOW = ("demo", "nano", "small")  # one guards the others; the large ones take minutes


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in preset_names()]
)
def test_one_batch_by_heart(name, rectangles):
    """After 200 steps every object is found, once, with IoU above 0.75 and its class; and nothing else is."""
    torch.manual_seed(0)
    settings = load_config(name, []).data["model"]
    net = build_detector(ModelConfig.model_validate({**settings, "classes": 3, "input_size": SIZE}))
    dataset = load_coco(rectangles / "annotations" / "val.json", rectangles / "images")
    loader = build_train_loader(dataset, (SIZE, SIZE), NO_CHANGES, DataConfig(workers=0), 4, 0)
    batch = next(iter(loader.epoch(0, mosaic=False)))
    anchors, truth = anchor_points((SIZE, SIZE), STRIDES), GroundTruth(batch.boxes, batch.labels)
    images = batch.images.permute(0, 3, 1, 2).float()
    optim = resolve_optim_defaults(OptimConfig(warmup_epochs=10))
    optimizer = build_optimizer(net, optim)
    for step in range(200):
        set_learning_rate(optimizer, optim.lr * learning_rate_factor(step, 200, optim))
        loss, _ = detection_loss(net(images), anchors, truth, LossConfig())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    boxes, scores, ids = InferenceGraph(net, nms=False)(batch.images)
    for i in range(len(batch.images)):
        found = scores[i] > 0.4
        wanted = batch.labels[i] >= 0
        assert int(found.sum()) == int(wanted.sum())
        overlap = torch.from_numpy(box_iou(batch.boxes[i][wanted], boxes[i][found].detach()))
        best, where = overlap.max(1)
        assert (best > 0.75).all()
        assert torch.equal(ids[i][found][where], batch.labels[i][wanted])
