import os
import signal
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
import torch

from fusedet.common.errors import InputError
from fusedet.train.config import AugmentConfig, DataConfig
from fusedet.train.data.coco import CocoDataset, load_coco
from fusedet.train.data.dataset import (
    PADDING,
    Batch,
    Share,
    TrainLoader,
    ValidationImages,
    build_train_loader,
    collate,
    iterate_images,
)
from fusedet.train.data.transforms import CROWD, Example
from tests.train.drawing import draw_set

STILL = AugmentConfig(mosaic=0, flip=0, hue=0, saturation=0, value=0, translate=0, scale=0)
LIVELY = AugmentConfig(mixup=0.5, rotate=10, flip_vertical=0.5)


def loader(
    dataset: CocoDataset,
    augment: AugmentConfig = LIVELY,
    batch: int = 4,
    seed: int = 1,
    workers: int = 0,
    size: tuple[int, int] = (64, 96),
    cache: str = "memory",
    **ranks: int,
) -> TrainLoader:
    data = DataConfig.model_validate({"workers": workers, "cache": cache})
    return build_train_loader(dataset, size, augment, data, batch, seed, Share(**ranks))


def assert_same(first: list[Batch], second: list[Batch]) -> None:
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        for x, y in zip(a, b, strict=True):
            assert torch.equal(x, y)


def ids(batches: list[Batch]) -> list[int]:
    return [int(i) for batch in batches for i in batch.image_ids]


NO_OBJECTS = (np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32))


def test_collate_pads_to_the_image_with_the_most_objects() -> None:
    image = np.zeros((32, 64, 3), np.uint8)
    two = Example(image, np.float32([[1, 2, 3, 4], [5, 6, 7, 8]]), np.array([3, CROWD]), np.float32([0.25, 0.5]))
    none = Example(image + 1, *NO_OBJECTS)
    batch = collate([two, none], [11, 12])
    assert batch.images.shape == (2, 32, 64, 3)
    assert batch.labels.tolist() == [[3, CROWD], [PADDING, PADDING]]
    assert batch.boxes.tolist() == [[[1, 2, 3, 4], [5, 6, 7, 8]], [[0] * 4] * 2]
    assert batch.image_ids.tolist() == [11, 12]
    assert batch.weights.tolist() == [[0.25, 0.5], [0, 0]]
    assert [tensor.dtype for tensor in batch] == [torch.uint8, torch.float32, torch.int64, torch.int64, torch.float32]


def test_a_batch_without_any_object_has_one_row_of_padding() -> None:
    none = Example(np.zeros((32, 32, 3), np.uint8), *NO_OBJECTS)
    batch = collate([none, none], [1, 2])
    assert batch.boxes.shape == (2, 1, 4)
    assert batch.labels.tolist() == [[PADDING], [PADDING]]


def test_an_epoch_shows_every_image_and_fills_its_last_batch(drawn: CocoDataset) -> None:
    train = loader(drawn)
    assert len(train) == 2
    batches = list(train.epoch(0, mosaic=True))
    assert [len(batch.images) for batch in batches] == [4, 4]
    shown = ids(batches)
    assert sorted(shown[:6]) == [1, 2, 3, 4, 5, 6]
    assert shown[6:] == shown[:2]


def test_a_set_smaller_than_a_batch_repeats(drawn: CocoDataset) -> None:
    train = loader(drawn, batch=16)
    (batch,) = train.epoch(0, mosaic=False)
    assert len(train) == 1
    order = batch.image_ids.tolist()
    assert sorted(order[:6]) == [1, 2, 3, 4, 5, 6]
    assert order == (order[:6] * 3)[:16]
    assert not torch.equal(batch.images[0], batch.images[6])  # the same image, varied anew


def test_batches_depend_on_seed_and_epoch_alone(drawn: CocoDataset) -> None:
    train = loader(drawn)
    first, second = list(train.epoch(0, mosaic=True)), list(train.epoch(1, mosaic=True))
    assert_same(list(loader(drawn).epoch(1, mosaic=True)), second)
    assert_same(list(train.epoch(0, mosaic=True)), first)
    assert ids(first) != ids(second)
    assert not torch.equal(first[0].images, second[0].images)
    other = list(loader(drawn, seed=2).epoch(0, mosaic=True))
    assert not torch.equal(first[0].images, other[0].images)
    assert not torch.equal(first[0].images, next(train.epoch(0, mosaic=False)).images)


def test_the_cache_does_not_change_the_batches(drawn: CocoDataset) -> None:
    assert_same(
        list(loader(drawn, size=(32, 32)).epoch(0, mosaic=True)),
        list(loader(drawn, size=(32, 32), cache="none").epoch(0, mosaic=True)),
    )


def test_workers_give_the_same_batches_epoch_after_epoch(drawn: CocoDataset) -> None:
    alone, helped = loader(drawn, batch=2), loader(drawn, batch=2, workers=2)
    for epoch, mosaic in ((0, True), (1, True), (2, False), (0, True)):
        assert_same(list(alone.epoch(epoch, mosaic)), list(helped.epoch(epoch, mosaic)))


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_can_be_left_and_entered_anywhere(drawn: CocoDataset, workers: int) -> None:
    train = loader(drawn, batch=2, workers=workers)
    whole = list(train.epoch(3, mosaic=True))
    assert_same(list(islice(train.epoch(3, mosaic=True), 1)), whole[:1])
    assert_same(list(train.epoch(3, mosaic=True, start=2)), whole[2:])
    assert_same(list(train.epoch(3, mosaic=True)), whole)


def test_workers_ask_for_no_threads_and_leave_ours_alone(drawn: CocoDataset) -> None:
    usual = cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        before = cv2.getNumThreads(), torch.get_num_threads()
        list(loader(drawn, workers=1).epoch(0, mosaic=True))
        assert (cv2.getNumThreads(), torch.get_num_threads()) == before
    finally:
        cv2.setNumThreads(usual)


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is no signal to one process on Windows")
def test_ctrl_c_does_not_end_the_workers(drawn: CocoDataset) -> None:
    train = loader(drawn, batch=1, workers=2)
    batches = train.epoch(0, mosaic=True)
    next(batches)
    for worker in psutil.Process().children():
        worker.send_signal(signal.SIGINT)
    assert len(list(batches)) == 5
    assert len(list(train.epoch(1, mosaic=True))) == 6


def test_ranks_share_an_epoch(drawn: CocoDataset) -> None:
    whole = list(loader(drawn, batch=4).epoch(0, mosaic=True))
    parts = [list(loader(drawn, batch=2, rank=rank, world_size=2).epoch(0, mosaic=True)) for rank in (0, 1)]
    assert [len(part) for part in parts] == [2, 2]
    for step, batch in enumerate(whole):
        for rank in (0, 1):
            assert parts[rank][step].image_ids.tolist() == batch.image_ids[2 * rank : 2 * rank + 2].tolist()
            assert torch.equal(parts[rank][step].images, batch.images[2 * rank : 2 * rank + 2])


@pytest.mark.parametrize("size", [(64, 64), (32, 96), (96, 64)])
def test_boxes_lie_on_their_objects(drawn: CocoDataset, size: tuple[int, int]) -> None:
    """The drawn rectangles are the only red things; discs may lie upon them, so one clear box is enough an image."""
    found = 0
    for batch in loader(drawn, AugmentConfig(mosaic=0, hue=0, saturation=0, value=0), size=size).epoch(0, mosaic=True):
        assert batch.images.shape == (4, *size, 3)
        for image, boxes, labels in zip(batch.images.numpy(), batch.boxes.numpy(), batch.labels.numpy(), strict=True):
            red = (image[..., 2] > 150) & (image[..., 0] < 100)
            for x1, y1, x2, y2 in boxes[labels == 0].round().astype(int):
                inside = red[y1:y2, x1:x2]
                found += inside.mean() > 0.8
                red[max(0, y1 - 1) : y2 + 1, max(0, x1 - 1) : x2 + 1] = False
            assert red.sum() <= 4  # nothing red but in a box
    assert found >= 3


def test_crowd_regions_and_empty_images_reach_the_batch(drawn_root: Path) -> None:
    path = drawn_root / "annotations" / "train.json"
    content = path.read_text().replace('"iscrowd": 0', '"iscrowd": 1', 1)
    path.write_text(content.replace('"image_id": 2,', '"image_id": 3,'))
    dataset = load_coco(path, drawn_root / "images")
    (batch,) = loader(dataset, STILL, batch=6).epoch(0, mosaic=False)
    labels = dict(zip(batch.image_ids.tolist(), batch.labels.tolist(), strict=True))
    assert labels[1] == [CROWD, 1, PADDING, PADDING]  # a region of class 0
    assert labels[2] == [PADDING] * 4
    assert labels[3] == [0, 1, 0, 1]


def test_boxes_follow_an_image_that_is_larger_than_annotated(drawn: CocoDataset) -> None:
    (expected,) = loader(drawn, STILL, batch=6).epoch(0, mosaic=False)
    for sample in drawn.samples:
        cv2.imwrite(str(sample.path), cv2.resize(cv2.imread(str(sample.path)), None, fx=2, fy=2))
    (batch,) = loader(drawn, STILL, batch=6).epoch(0, mosaic=False)
    assert torch.equal(batch.boxes, expected.boxes)
    assert (batch.images.float() - expected.images.float()).abs().mean() < 3


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_vanishes_during_the_training_is_named(drawn: CocoDataset, workers: int) -> None:
    train = loader(drawn, cache="none", workers=workers)
    drawn.samples[2].path.unlink()
    with pytest.raises(InputError, match=r"train-3\.png: cannot be read: No such file or directory$"):
        list(train.epoch(0, mosaic=False))


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_validation_images_come_in_order_again_and_again(tmp_path: Path, cache: str) -> None:
    root = draw_set(tmp_path / "drawn", val=9)
    dataset = load_coco(root / "annotations" / "val.json", root / "images")
    images = ValidationImages(dataset, DataConfig.model_validate({"cache": cache}))
    assert len(images) == 9
    for _ in range(2):
        pairs = list(images)
        assert [sample.image_id for sample, _ in pairs] == list(range(1, 10))
        for (sample, image), (same, read) in zip(pairs, iterate_images(dataset), strict=True):
            assert sample is same
            np.testing.assert_array_equal(image, cv2.imread(str(sample.path)))
            np.testing.assert_array_equal(image, read)


def test_validation_images_are_of_the_annotated_size(drawn: CocoDataset) -> None:
    path = drawn.samples[0].path
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (48, 32)))
    assert next(iter(ValidationImages(drawn, DataConfig())))[1].shape == (64, 96, 3)
    assert next(iterate_images(drawn))[1].shape == (64, 96, 3)


def test_a_damaged_validation_image_is_found_at_once(drawn: CocoDataset) -> None:
    drawn.samples[5].path.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"train-6\.png: not an image"):
        ValidationImages(drawn, DataConfig(cache="none"))
