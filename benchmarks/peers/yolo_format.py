"""COCO annotations in the layout that Ultralytics reads: one text file an image, and a YAML that names the folders."""

import os
import shutil
import tempfile
from pathlib import Path

import cv2
import yaml
from PIL import Image

from fusedet.train.data.coco import Sample, load_coco
from fusedet.train.data.image_cache import load_image

_EXIF_ORIENTATION = 0x0112


def write_yolo_format(data: Path, out: Path) -> Path:
    """Makes ``out`` with ``images/``, ``labels/`` and ``data.yaml``, of the splits train and val; gives the path of the
    latter.

    Images are links and are called by their ids, because two folders may hold images of one name. Crowd regions are
    left out: the format has no place for them. What is there already is taken as it is.
    """
    listing = out / "data.yaml"
    if listing.exists():
        return listing
    sets = {split: load_coco(data / "annotations" / f"{split}.json", data / "images") for split in ("train", "val")}
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        for split, dataset in sets.items():
            (part / "images" / split).mkdir(parents=True)
            (part / "labels" / split).mkdir(parents=True)
            for sample in dataset.samples:
                _place_image(sample, part / "images" / split / f"{sample.image_id}{sample.path.suffix.lower()}")
                (part / "labels" / split / f"{sample.image_id}.txt").write_text(label_lines(sample))
        content = {"path": str(out.resolve()), "train": "images/train", "val": "images/val"}
        names = dict(enumerate(sets["train"].names))
        (part / "data.yaml").write_text(yaml.safe_dump({**content, "names": names}, sort_keys=False))
        os.replace(part, out)
    except OSError:
        if not listing.exists():  # another process was quicker
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return listing


def label_lines(sample: Sample) -> str:
    """A line an object: its class, then centre and size of its box as fractions of the image."""
    sides = (sample.width, sample.height)
    lines = []
    for box, label in zip(sample.boxes_xyxy[~sample.crowd], sample.labels[~sample.crowd], strict=True):
        centre, size = (box[:2] + box[2:]) / 2 / sides, (box[2:] - box[:2]) / sides
        lines.append(" ".join([str(label), *(f"{value:.8f}" for value in (*centre, *size))]) + "\n")
    return "".join(lines)


def _place_image(sample: Sample, place: Path) -> None:
    """A link, unless Ultralytics would turn the image as its EXIF data say, which annotations know nothing of."""
    with Image.open(sample.path) as opened:
        upright = opened.getexif().get(_EXIF_ORIENTATION, 1) <= 1
    if upright:
        place.symlink_to(sample.path.resolve())
    else:
        cv2.imwrite(str(place.with_suffix(".png")), load_image(sample))
