"""Real annotated images, from the folder in ``FUSEDET_DATA``: what people make differs from what one draws."""

import dataclasses
import json
import logging
import os
from pathlib import Path

import pytest
import torch

from fusedet.model import load_detector
from fusedet.train import train
from fusedet.train.config import AugmentConfig, DataConfig, load_train_config
from fusedet.train.data.coco import CocoDataset, check_same_categories, load_coco
from fusedet.train.data.dataset import PADDING, build_train_loader
from fusedet.train.data.transforms import CROWD
from fusedet.train.run_folder import RunFolder
from tests import ROOT

DATA = ROOT / os.environ.get("FUSEDET_DATA", "../shared/data")
#: Classes of each set.
SETS = {"bccd": 3, "coco80": 80, "fruits": 3, "playing_cards": 6, "raccoon": 1}
SIZE = (256, 320)


def folder(name: str) -> Path:
    """Of the data set; skips the test where it is not there."""
    if not (DATA / name / "annotations").is_dir():
        pytest.skip(f"no real data: {DATA / name} has no annotations; FUSEDET_DATA names another folder")
    return DATA / name


def load(name: str, split: str = "train") -> CocoDataset:
    return load_coco(folder(name) / "annotations" / f"{split}.json", folder(name) / "images")


@pytest.mark.parametrize("name", SETS)
def test_annotations_are_read_without_complaint(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        train_set, val_set = load(name), load(name, "val")
    assert not caplog.messages
    check_same_categories(train_set, val_set)
    assert len(train_set.names) == SETS[name]
    assert {sample.path for sample in train_set.samples}.isdisjoint(sample.path for sample in val_set.samples)
    for sample in (*train_set.samples, *val_set.samples):
        x1, y1, x2, y2 = sample.boxes_xyxy.T
        assert ((x1 >= 0) & (y1 >= 0) & (x1 < x2) & (y1 < y2) & (x2 <= sample.width) & (y2 <= sample.height)).all()
        assert ((sample.labels >= 0) & (sample.labels < SETS[name])).all()


@pytest.mark.parametrize("name", SETS)
def test_augmented_boxes_lie_inside_the_image(name: str) -> None:
    whole = load(name)
    dataset = dataclasses.replace(whole, samples=whole.samples[:16])
    # The strongest variations that a config allows, or nearly.
    wild = AugmentConfig(mixup=0.5, rotate=30, shear=10, scale=0.9, translate=0.5, flip_vertical=0.5)
    loader = build_train_loader(dataset, SIZE, wild, DataConfig(workers=0), batch=8, seed=0)
    objects = 0
    for epoch, mosaic in enumerate((True, True, False, False)):
        for batch in loader.epoch(epoch, mosaic):
            assert batch.images.shape == (8, *SIZE, 3)
            assert batch.images.dtype == torch.uint8
            boxes = batch.boxes[batch.labels != PADDING]
            assert torch.isfinite(batch.boxes).all()
            assert (boxes >= 0).all()
            assert (boxes <= torch.tensor([SIZE[1], SIZE[0]] * 2)).all()
            assert (boxes[:, :2] < boxes[:, 2:]).all()
            labels = batch.labels[batch.labels != PADDING]
            classes = torch.where(labels <= CROWD, CROWD - labels, labels)
            assert ((classes >= 0) & (classes < SETS[name])).all()
            objects += int((batch.labels >= 0).sum())
    assert objects > 16, "the images are hardly empty"


def first_images(source: Path, target: Path, count: int) -> Path:
    """The first images of an annotation file and what is in them."""
    content = json.loads(source.read_text())
    content["images"] = content["images"][:count]
    ids = {image["id"] for image in content["images"]}
    content["annotations"] = [entry for entry in content["annotations"] if entry["image_id"] in ids]
    target.write_text(json.dumps(content))
    return target


def test_an_epoch_on_real_images(tmp_path: Path) -> None:
    source = folder("raccoon")
    overrides = [f"data.{split}_images={source / 'images'}" for split in ("train", "val")]
    for split, count in (("train", 16), ("val", 8)):
        annotations = first_images(source / "annotations" / f"{split}.json", tmp_path / f"{split}.json", count)
        overrides.append(f"data.{split}_annotations={annotations}")
    run = ["data.workers=0", "train.epochs=1", "train.batch=8", "train.device=cpu", "model.input_size=160"]
    result = train(load_train_config("nano", [*overrides, *run, f"train.out={tmp_path / 'run'}"]))
    assert result.finished
    (row,) = RunFolder(result.run_dir).read_metrics()
    assert 0 < row["loss"] < 100
    net, meta = load_detector(result.run_dir / "best.pt")
    assert meta["names"] == ["raccoon"]
    assert all(torch.isfinite(tensor).all() for tensor in net.state_dict().values())
