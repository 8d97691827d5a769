"""Several annotation files as one training set, and what becomes of labels that a detector is not sure of."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fusedet.configs import InputError
from fusedet.train import TrainConfig, train
from fusedet.train.config import DataConfig, load_train_config
from fusedet.train.data.coco import load_coco
from fusedet.train.data.dataset import build_train_loader
from fusedet.train.data.training_sets import count_objects, join, load_sets, sort_by_score
from fusedet.train.data.transforms import CROWD
from fusedet.train.run_folder import RunFolder
from tests.train.drawing import draw_set
from tests.train.trainings import changed


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def with_scores(root: Path, scores: list[object]) -> Path:
    """The training half, whose first labels got these scores; None stands for no score at all."""

    def change(content: dict[str, Any]) -> None:
        for annotation, score in zip(content["annotations"], scores, strict=False):
            if score is not None:
                annotation["score"] = score

    return edit(root / "annotations" / "train.json", change)


@pytest.fixture
def extra_root(tmp_path: Path) -> Path:
    """A second set whose classes have other ids, in another order, and only one of which it needs."""
    root = draw_set(tmp_path / "extra", train=2, val=1, seed=1)

    def change(content: dict[str, Any]) -> None:
        content["categories"] = [{"id": 1, "name": "disc"}]
        content["annotations"] = [a for a in content["annotations"] if a["category_id"] == 7]
        for annotation in content["annotations"]:
            annotation.update(category_id=1, score=0.5)

    edit(root / "annotations" / "train.json", change)
    return root


def extra_data(root: Path, extra_root: Path, **more: object) -> DataConfig:
    extra = {"annotations": extra_root / "annotations" / "train.json", "images": extra_root / "images"}
    return DataConfig.model_validate({"root": root, "extra_train": [extra], "workers": 0, **more})


@pytest.mark.parametrize("score", ["high", -0.1, 1.5, True, float("nan")])
def test_a_score_must_be_one(drawn_root: Path, score: object) -> None:
    path = with_scores(drawn_root, [None, score])
    with pytest.raises(InputError, match=r"train\.json: annotation 2: 'score' must be a number in 0\.\.1, but is"):
        load_coco(path, drawn_root / "images")


def test_scores_are_read_and_missing_ones_are_certain(drawn_root: Path) -> None:
    path = with_scores(drawn_root, [0.25, None, 0, 1])
    edit(path, lambda content: content["annotations"][4].update(score=None))
    samples = load_coco(path, drawn_root / "images").samples
    np.testing.assert_array_equal(np.concatenate([s.scores for s in samples])[:5], np.float32([0.25, 1, 0, 1, 1]))
    assert samples[0].scores.dtype == np.float32


@pytest.mark.parametrize(
    ("min_score", "ignore_score", "objects", "regions"),
    [
        (0.0, 0.0, [0.1, 0.3, 0.5, 0.7, 1.0], []),
        (0.5, 0.0, [0.5, 0.7, 1.0], [0.1, 0.3]),
        (0.5, 0.3, [0.5, 0.7, 1.0], [0.3]),
        (0.5, 0.5, [0.5, 0.7, 1.0], []),
        (1.0, 0.6, [1.0], [0.7]),
    ],
)
def test_unsure_labels_become_regions_or_go(
    drawn_root: Path, min_score: float, ignore_score: float, objects: list[float], regions: list[float]
) -> None:
    path = with_scores(drawn_root, [0.1, 0.3, 0.5, 0.7, None])
    dataset = sort_by_score(load_coco(path, drawn_root / "images"), min_score, ignore_score)
    scores, crowd = (np.concatenate([getattr(s, name) for s in dataset.samples[:3]]) for name in ("scores", "crowd"))
    np.testing.assert_allclose(scores[~crowd], [*objects, 1.0])  # the sixth label of these images has no score
    np.testing.assert_allclose(scores[crowd], regions)
    for sample in dataset.samples:
        lengths = {len(getattr(sample, name)) for name in ("boxes_xyxy", "labels", "crowd", "areas", "scores")}
        assert len(lengths) == 1
    assert count_objects(dataset) == (len(objects) + 7, len(regions))


def test_a_crowd_stays_one_whatever_its_score(drawn_root: Path) -> None:
    path = with_scores(drawn_root, [0.1])
    edit(path, lambda content: content["annotations"][0].update(iscrowd=1))
    dataset = sort_by_score(load_coco(path, drawn_root / "images"), 0.5, 0.5)
    assert count_objects(dataset) == (11, 1)


def test_sets_are_joined_by_the_names_of_their_classes(drawn_root: Path, extra_root: Path) -> None:
    first = load_coco(drawn_root / "annotations" / "train.json", drawn_root / "images")
    second = load_coco(extra_root / "annotations" / "train.json", extra_root / "images")
    both = join(first, second)
    assert (both.names, both.category_ids, both.source) == (first.names, first.category_ids, first.source)
    assert both.samples[:6] == first.samples
    added = both.samples[6:]
    assert [sample.image_id for sample in added] == [7, 8]
    assert [sample.path for sample in added] == [sample.path for sample in second.samples]
    assert [both.names[i] for sample in added for i in sample.labels] == ["disc", "disc"]
    np.testing.assert_array_equal(added[0].boxes_xyxy, second.samples[0].boxes_xyxy)


def test_a_class_that_the_training_set_lacks_is_told(drawn_root: Path, extra_root: Path) -> None:
    edit(extra_root / "annotations" / "train.json", lambda content: content["categories"][0].update(name="disk"))
    with pytest.raises(InputError) as caught:
        load_sets(extra_data(drawn_root, extra_root))
    assert str(caught.value) == (
        f"{extra_root}/annotations/train.json: the class 'disk' is none of {drawn_root}/annotations/train.json, "
        "did you mean 'disc'?; its classes are box, disc"
    )


def test_extra_sets_teach_and_are_not_graded_on(drawn_root: Path, extra_root: Path) -> None:
    train_set, val_set = load_sets(extra_data(drawn_root, extra_root, min_score=0.6))
    assert (len(train_set.samples), len(val_set.samples)) == (8, 3)
    assert count_objects(train_set) == (12, 2)
    assert count_objects(val_set) == (6, 0)


def test_one_file_for_all_images_is_divided(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As Label Studio exports it: file names begin with ``images/``."""
    root = tmp_path / "label studio"
    draw_set(root, train=10, val=2)
    content = json.loads((root / "annotations" / "train.json").read_text())
    for image in content["images"]:
        image["file_name"] = f"images/{image['file_name']}"
    shutil.rmtree(root / "annotations")
    (root / "result.json").write_text(json.dumps(content))
    sets = load_sets(DataConfig(root=root))
    assert [len(one.samples) for one in sets] == [8, 2]
    assert all(sample.path.is_file() for one in sets for sample in one.samples)
    assert "8 of them" in caplog.text
    assert f"data split '{root / 'result.json'}'" in caplog.text
    assert [one.source for one in load_sets(DataConfig(root=root))] == [one.source for one in sets]


def test_one_file_of_too_few_images_is_told(tmp_path: Path) -> None:
    draw_set(tmp_path, train=1, val=1)
    (tmp_path / "annotations" / "train.json").rename(tmp_path / "result.json")
    (tmp_path / "annotations" / "val.json").unlink()
    with pytest.raises(InputError, match=r"result\.json is the only annotation file"):
        load_sets(DataConfig(root=tmp_path))


def test_a_threshold_above_every_label_is_told(drawn_root: Path) -> None:
    with_scores(drawn_root, [0.5] * 12)
    with pytest.raises(InputError, match=r"train\.json: .*no annotation with a score of data\.min_score=0\.6 or more"):
        load_sets(DataConfig(root=drawn_root, min_score=0.6))


def test_scores_reach_the_batch(drawn_root: Path) -> None:
    with_scores(drawn_root, [0.25, 0.75] * 6)
    data = DataConfig(root=drawn_root, workers=0, min_score=0.5)
    config = load_train_config("pico").augment.model_copy(update={"mosaic": 0.0, "translate": 0.0, "scale": 0.0})
    (batch,) = build_train_loader(load_sets(data)[0], (64, 96), config, data, 6, 0).epoch(0, mosaic=False)
    assert (batch.weights[batch.labels >= 0] == 0.75).all()
    assert (batch.labels <= CROWD).sum() == 6


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.min_score=2", "data.min_score: must be less than or equal to 1, but got 2"),
        ("data.ignore_score=0.5", "data: ignore_score is 0.5, but must not be above min_score, 0.0"),
        ("data.extra_train=[{annotations: a.json}]", "data.extra_train.0.images: required, but missing"),
        ("data.extra_train=a.json", "data.extra_train: must be a list, but got 'a.json'"),
        ("data.extra_train=[{annotation: a.json, images: b}]", "unknown key, did you mean 'annotations'?"),
    ],
)
def test_mistakes_in_a_config(override: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        load_train_config("nano", [override])
    assert said in str(caught.value)


def test_a_training_on_soft_labels(tiny: TrainConfig, rectangles: Path, tmp_path: Path) -> None:
    """Half as sure, half the pull on the boxes, as long as the network has hardly changed."""
    path = tmp_path / "scored.json"
    path.write_text((rectangles / "annotations" / "train.json").read_text())
    edit(path, lambda content: [annotation.update(score=0.5) for annotation in content["annotations"]])
    config = changed(tiny, train={"epochs": 1}, data={"train_annotations": path}, optim={"lr": 1e-9})
    losses = []
    for soft in (False, True):
        out = tmp_path / f"soft-{soft}"
        train(changed(config, train={"out": out}, loss={"soft_labels": soft}))
        losses.append(RunFolder(out).read_metrics()[0]["box"])
    assert losses[1] == pytest.approx(losses[0] / 2, rel=1e-3)


def test_a_part_of_the_classes_can_be_learned(drawn_root: Path, extra_root: Path) -> None:
    whole, _ = load_sets(DataConfig(root=drawn_root))
    kept = whole.names[1]
    train_set, val_set = load_sets(extra_data(drawn_root, extra_root, classes=[kept]))
    assert train_set.names == val_set.names == (kept,)
    assert train_set.category_ids == whole.category_ids[1:2]
    assert len(train_set.samples) == len(whole.samples) + 2
    for sample, before in zip(train_set.samples, whole.samples, strict=False):
        of_class = before.labels == 1
        np.testing.assert_array_equal(sample.boxes_xyxy, before.boxes_xyxy[of_class])
        assert (sample.labels == 0).all()
        assert len(sample.scores) == len(sample.crowd) == len(sample.areas) == of_class.sum()


def test_a_class_to_learn_that_the_data_have_not_is_named(drawn_root: Path) -> None:
    with pytest.raises(InputError, match=r"data\.classes: .*train\.json: no class 'dics', did you mean 'disc'\?"):
        load_sets(DataConfig(root=drawn_root, classes=["dics"]))
