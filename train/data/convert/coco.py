"""COCO: ``annotations/SPLIT.json`` and ``images/``."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fusedet.common.atomic import write_text
from fusedet.common.errors import InputError
from fusedet.configs.layouts import find_sets
from fusedet.train.data.coco import CocoDataset, load_coco, read_json
from fusedet.train.data.convert.sets import LabelledSet, prefixes
from fusedet.train.labelling.folders import copy_file

#: What the form can say beside classes and boxes, as far as it passes through a conversion.
HOLDS = frozenset({"crowd regions", "scores", "areas"})


def read_coco(source: Path) -> list[LabelledSet]:
    """The sets of a folder. Raises InputError if there is none, or a file cannot be used."""
    files = find_sets(source)
    if not files:
        raise InputError(f"{source}: expected annotations/train.json, val.json or test.json, but there is none")
    return [
        LabelledSet(name, data := load_coco(path, images), images, _extras(path, data))
        for name, (path, images) in files.items()
    ]


def write_coco(sets: Sequence[LabelledSet], out: Path, link: bool = False) -> None:
    """Writes the sets; ids count from 1."""
    (out / "annotations").mkdir()
    before = prefixes(sets)
    for one in sets:
        names = {s.image_id: before[one.name] + one.file_name(s) for s in one.dataset.samples}
        truth = one.dataset.ground_truth()
        truth["images"] = [{**entry, "file_name": names[entry["id"]]} for entry in truth["images"]]
        scores = np.concatenate([sample.scores for sample in one.dataset.samples])
        if (scores < 1).any():
            for entry, score in zip(truth["annotations"], scores, strict=True):
                entry["score"] = round(float(score), 6)
        for entry in truth["annotations"]:
            entry["bbox"] = [round(side, 3) for side in entry["bbox"]]
        text = json.dumps({"info": {}, **truth}, ensure_ascii=False)
        write_text(out / "annotations" / f"{one.name}.json", text)
        for sample in one.dataset.samples:
            copy_file(sample.path, out / "images" / names[sample.image_id], link)


def _extras(path: Path, data: CocoDataset) -> dict[str, int]:
    content = read_json(path)
    known = {"id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation", "score"}
    areas = [(sample.areas, (sample.boxes_xyxy[:, 2:] - sample.boxes_xyxy[:, :2]).prod(1)) for sample in data.samples]
    counts = {
        "segmentations": sum(bool(entry.get("segmentation")) for entry in content["annotations"]),
        "areas": sum(int((~np.isclose(area, of_box, rtol=0.01)).sum()) for area, of_box in areas),
        "other keys": sum(bool(entry.keys() - known) for entry in content["annotations"]),
    }
    return {what: count for what, count in counts.items() if count}
