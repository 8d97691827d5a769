"""Sets with the same share of every class, and groups that stay together."""

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

from fusedet.train.data.split import divide, group_names


def content(images: int, seed: int = 0) -> dict[str, Any]:
    """Images of 20 cameras with objects of a frequent, a middling and a rare class."""
    rng = np.random.default_rng(seed)
    annotations = []
    for i in range(images):
        for category, chance in ((1, 0.9), (2, 0.3), (3, 0.05)):
            for _ in range(int(rng.integers(1, 4)) if rng.uniform() < chance else 0):
                annotations.append({"id": len(annotations), "image_id": i, "category_id": category, "more": [1]})
    names = [{"id": i, "file_name": f"cam{i % 20:02}_{i:04}.jpg"} for i in range(images)]
    return {"info": {"by": "me"}, "images": names, "annotations": annotations, "categories": [{"id": 1, "name": "a"}]}


def shares(sets: dict[str, Any], whole: dict[str, Any], name: str) -> dict[int, float]:
    total = Counter(a["category_id"] for a in whole["annotations"])
    part = Counter(a["category_id"] for a in sets[name]["annotations"])
    return {category: part[category] / total[category] for category in total}


def test_every_class_gets_its_share() -> None:
    whole = content(400)
    sets = divide(whole, {"train": 80, "val": 20}, group_names([i["file_name"] for i in whole["images"]], None), 0)
    assert len(sets["val"]["images"]) == pytest.approx(80, abs=4)
    for share in shares(sets, whole, "val").values():
        assert share == pytest.approx(0.2, abs=0.03)


def test_three_sets_hold_everything_once() -> None:
    whole = content(200)
    groups = group_names([i["file_name"] for i in whole["images"]], None)
    sets = divide(whole, {"train": 0.7, "val": 0.15, "test": 0.15}, groups, 3)
    assert sorted(i["id"] for part in sets.values() for i in part["images"]) == list(range(200))
    assert sum(len(part["annotations"]) for part in sets.values()) == len(whole["annotations"])
    for part in sets.values():
        ids = {image["id"] for image in part["images"]}
        assert all(a["image_id"] in ids and a["more"] == [1] for a in part["annotations"])
        assert part["info"] == {"by": "me"}


def test_groups_stay_together_and_shares_are_near() -> None:
    whole = content(400)
    names = [i["file_name"] for i in whole["images"]]
    groups = group_names(names, re.compile(r"^(cam\d+)_"))
    assert len(set(groups)) == 20
    sets = divide(whole, {"train": 75, "val": 25}, groups, 0)
    cameras = [{i["file_name"][:5] for i in part["images"]} for part in sets.values()]
    assert cameras[0].isdisjoint(cameras[1])
    assert shares(sets, whole, "val")[1] == pytest.approx(0.25, abs=0.08)


def test_a_seed_says_all() -> None:
    whole = content(100)
    groups = group_names([i["file_name"] for i in whole["images"]], None)
    first, again, other = (divide(whole, {"train": 8, "val": 2}, groups, seed) for seed in (1, 1, 2))
    assert first == again
    assert first["val"]["images"] != other["val"]["images"]


def test_images_without_objects_are_shared_out_too() -> None:
    whole = {**content(50), "annotations": []}
    groups = group_names([i["file_name"] for i in whole["images"]], None)
    sets = divide(whole, {"train": 80, "val": 20}, groups, 0)
    assert [len(part["images"]) for part in sets.values()] == [40, 10]


def test_groups_of_names() -> None:
    pattern = re.compile(r"v(\d)|clip")
    assert group_names(["v1a", "xv1b", "other", "other", "v2"], pattern) == ["1", "1", "2:other", "3:other", "2"]
    assert group_names(["clip-1", "clip-2"], re.compile("clip")) == ["clip", "clip"]
