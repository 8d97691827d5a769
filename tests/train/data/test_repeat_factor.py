import numpy as np
import pytest

from fusedet.train.config import AugmentConfig, DataConfig
from fusedet.train.data.coco import load_coco
from fusedet.train.data.dataset import Share, build_train_loader
from fusedet.train.data.repeat_factor import repeat_factors, repeated


class Image:
    """What the factors look at of a sample."""

    def __init__(self, *labels: int, crowd: tuple[int, ...] = ()) -> None:
        self.labels = np.array(labels, np.int64)
        self.crowd = np.isin(np.arange(len(labels)), crowd)


def test_factors_are_those_of_lvis():
    """Class 0 is in 16 of 16 images, class 1 in one, class 2 nowhere: worked by hand."""
    samples = [Image(0, 0), *(Image(0) for _ in range(13)), Image(0, 1), Image(0, 2, crowd=(1,))]
    factors = repeat_factors(samples, 3, 0.25)
    assert factors.tolist() == [1.0] * 14 + [2.0, 1.0]  # sqrt(0.25 / (1 / 16)) = 2; a region to ignore asks for nothing
    assert repeat_factors(samples, 3, 1 / 16).tolist() == [1.0] * 16, "nothing is rarer than that"
    assert repeat_factors([*samples, Image()], 3, 0.25)[-1] == pytest.approx(1, abs=0.1), "an empty image"
    odd = repeat_factors(samples, 3, 0.3)
    assert odd.sum() == pytest.approx(round(odd.sum()))
    assert (odd >= 1).all()
    assert odd[14] == pytest.approx(np.sqrt(0.3 * 16), rel=0.06)


def test_epochs_are_equally_long_and_factors_are_kept_on_average():
    factors = np.array([1.0, 1.3, 2.5, 1.2, 1.0])
    epochs = [np.bincount(repeated(factors, np.random.default_rng(seed)), minlength=5) for seed in range(500)]
    assert {int(counts.sum()) for counts in epochs} == {7}
    for counts in epochs:
        assert (counts >= np.floor(factors)).all()
        assert (counts <= np.ceil(factors)).all()
    assert np.mean(epochs, 0) == pytest.approx(factors, abs=0.1)


def test_a_training_sees_rare_classes_more_often(rectangles):
    dataset = load_coco(rectangles / "annotations" / "train.json", rectangles / "images")

    def seen(balance: float, rank: int = 0, ranks: int = 1) -> list[list[int]]:
        data = DataConfig(workers=0, balance=balance)
        batch = 4 // ranks
        loader = build_train_loader(dataset, (64, 64), AugmentConfig(), data, batch, 0, Share(rank, ranks))
        ids = [[int(i) for one in loader.epoch(epoch, mosaic=False) for i in one.image_ids] for epoch in (0, 1)]
        assert len(ids[0]) == len(loader) * batch
        return ids

    plain, balanced = seen(0.0), seen(1.0)
    everything = {sample.image_id for sample in dataset.samples}
    assert set(plain[0]) == everything
    assert set(balanced[0]) >= everything
    assert balanced == seen(1.0), "the seed decides"
    assert balanced[0] != balanced[1]
    factors = repeat_factors(dataset.samples, len(dataset.names), 1.0)
    assert len(balanced[0]) >= factors.sum() > len(everything)
    # Two processes share the very batches that one would see.
    parts = [seen(1.0, rank, 2) for rank in (0, 1)]
    joined = [image for i in range(0, len(parts[0][0]), 2) for part in parts for image in part[0][i : i + 2]]
    assert joined == balanced[0]
