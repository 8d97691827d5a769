"""Readers of data sets: annotations of all forms, images, videos, run folders, and the queues of outputs."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fusedet.configs.layouts import explain, find_sets
from fusedet.deploy.camera.sinks.spool import Spool
from fusedet.deploy.camera.sources import open_source, read_image
from fusedet.deploy.camera.sources.settings import SourceSettings
from fusedet.train.data.coco import load_coco
from fusedet.train.data.convert.openimages import read_openimages
from fusedet.train.data.convert.voc import read_voc
from fusedet.train.data.convert.yolo import read_yolo
from fusedet.train.data.doctor.check import validate_splits
from fusedet.train.data.doctor.checks.header import read_header
from fusedet.train.data.doctor.copy import write_repaired
from fusedet.train.data.doctor.report.page import check_page
from fusedet.train.data.doctor.source import open_splits, read_split
from fusedet.train.evaluation.report.record import read_record
from tests.deploy.conftest import draw_image, write_video
from tests.fuzz.mutate import spoil_bytes, spoil_json, spoil_text
from tests.fuzz.trial import Target
from tests.train.drawing import draw_set

FORMATS = (".jpg", ".png", ".bmp", ".webp", ".gif", ".tiff", ".ppm", ".jp2")
MOST_FRAMES = 20


def _taken_out(path: Path) -> bytes:
    data = path.read_bytes()
    path.unlink()
    return data


def _coco(folder: Path) -> Sequence[bytes]:
    draw_set(folder, train=4, val=2)
    return [(folder / "annotations" / "train.json").read_bytes()]


def _check_data(path: Path) -> None:
    check_page(validate_splits(open_splits(path.parent.parent), (64, 64), fast=True), "spoiled")


def _tool_export(folder: Path) -> Sequence[bytes]:
    """Names of a tool, a mask in runs without a box, ids beyond 64 bits."""
    draw_set(folder, train=4, val=2)
    content = json.loads((folder / "annotations" / "train.json").read_text())
    names = ("images\\\\1\\{}", "..\\label\\{}", "/data/local-files/?d=set/{}", "%20{}")
    for image, name in zip(content["images"], names, strict=True):
        image["file_name"] = name.format(image["file_name"])
    content["annotations"][0].update(bbox=None, segmentation={"size": [64, 96], "counts": [640, 9, 55, 9, 5431]})
    content["annotations"][1].update(bbox=None, segmentation={"size": [64, 96], "counts": "PT0h0V1h0hY5"})
    content["annotations"][2]["id"] = 2**70
    return [json.dumps(content).encode()]


def _repair(path: Path) -> None:
    sets = find_sets(path.parent.parent)
    explain(path.parent.parent)
    with tempfile.TemporaryDirectory() as out:
        report = validate_splits([read_split(name, *files) for name, files in sets.items()], (64, 64))
        write_repaired(report, Path(out) / "copy", leave_out=True)


def _images_in(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), draw_image((8, 8, 40, 40)))


def _yolo_config(folder: Path) -> Sequence[bytes]:
    _images_in(folder / "images" / "train")
    (folder / "labels" / "train").mkdir(parents=True)
    (folder / "labels" / "train" / "a.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    return [b"path: .\ntrain: images/train\nnames:\n  0: cat\n  1: dog\n", b"train: images/train\nnames: [cat, dog]\n"]


def _yolo_labels(folder: Path) -> Sequence[bytes]:
    _yolo_config(folder)
    (folder / "data.yaml").write_text("train: images/train\nnames: [cat, dog]\n")
    return [b"0 0.5 0.5 0.25 0.25\n1 0.1 0.1 0.2 0.2\n1 0.1 0.1 0.5 0.1 0.3 0.8\n"]


def _yolo_names(folder: Path) -> Sequence[bytes]:
    _images_in(folder / "images")
    (folder / "labels").mkdir()
    (folder / "labels" / "a.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    return ["cat\ndög\n".encode()]


VOC = b"""<annotation><folder>x</folder><filename>a.png</filename>
<size><width>128</width><height>96</height><depth>3</depth></size><object><name>cat</name><difficult>0</difficult><bndbox><xmin>8</xmin><ymin>8</ymin><xmax>40.5</xmax>
<ymax>40</ymax></bndbox></object>
<object><name>dog</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>
"""


def _voc(folder: Path) -> Sequence[bytes]:
    _images_in(folder / "JPEGImages")
    (folder / "Annotations").mkdir()
    return [VOC]


def _voc_list(folder: Path) -> Sequence[bytes]:
    _voc(folder)
    (folder / "Annotations" / "a.xml").write_bytes(VOC)
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    return [b"a\n", b"a\na\n"]


def _openimages(folder: Path) -> Sequence[bytes]:
    _images_in(folder / "train")
    (folder / "class-descriptions-boxable.csv").write_text("/m/1,cat\n/m/2,dog\n")
    head = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction"
    return [f"{head},IsInside\na,x,/m/1,1,0.1,0.5,0.2,0.6,0,0,0,0,0\nb,x,/m/2,1,0.1,0.5,0.2,0.6,0,0,1,0,0\n".encode()]


def _images(_: Path) -> Sequence[bytes]:
    noise = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    encoded = [cv2.imencode(suffix, noise) for suffix in FORMATS]
    assert all(done for done, _ in encoded)
    return [data.tobytes() for _, data in encoded]


def _read_image(path: Path) -> None:
    read_header(path)
    image = read_image(path)
    assert image.ndim == 3
    assert image.dtype == np.uint8


def _videos(folder: Path) -> Sequence[bytes]:
    write_video(folder / "seed.mp4")
    write_video(folder / "seed.avi")
    return [_taken_out(folder / "seed.mp4"), _taken_out(folder / "seed.avi")]


def _read_video(path: Path) -> None:
    source = open_source(str(path), SourceSettings(pace=False))
    try:
        for index, frame in enumerate(source):
            assert frame.image.size > 0
            if index >= MOST_FRAMES:
                break
    finally:
        source.close()


def _queue(folder: Path) -> Sequence[bytes]:
    spool = Spool(folder / "queue", 100)
    for number in range(5):
        spool.put(json.dumps({"camera": "door", "number": number}))
    spool.close()
    return [_taken_out(folder / "queue" / "queue.sqlite3")]


def _read_queue(path: Path) -> None:
    """What a power cut left: the queue opens, gives what is whole, and takes what is new."""
    spool = Spool(path.parent, 100)
    try:
        spool.put("new")
        found = spool.read(0, 1000)
        assert found
        assert found[-1].text == "new"
    finally:
        spool.close()
    for other in path.parent.iterdir():
        if other != path:
            other.unlink()


def _metrics(folder: Path) -> Sequence[bytes]:
    (folder / "config.yaml").write_text("base: pico\nmodel: {input_size: 64, classes: 3}\n")
    return [b"epoch,seconds,lr,loss,ap,ap50\n1,3.5,0.01,4.5,0.1,0.2\n2,7.5,0.01,4.0,nan,nan\n3,9,0.01,3.5,0.3,0.4\n"]


def _read_run(path: Path) -> None:
    record = read_record(path.parent)
    assert record.epochs_done >= 0
    record.best_row  # noqa: B018
    record.finished  # noqa: B018
    record.seconds  # noqa: B018


TARGETS = (
    Target(
        "COCO",
        "annotations/train.json",
        _coco,
        spoil_json,
        lambda path: load_coco(path, path.parent.parent / "images", require_boxes=True),
    ),
    Target("data check", "annotations/train.json", _coco, spoil_json, _check_data),
    Target("data repair", "annotations/train.json", _tool_export, spoil_json, _repair),
    Target("YOLO config", "data.yaml", _yolo_config, spoil_text, lambda path: read_yolo(path.parent)),
    Target("YOLO labels", "labels/train/a.txt", _yolo_labels, spoil_text, lambda path: read_yolo(path.parents[2])),
    Target("YOLO names", "classes.txt", _yolo_names, spoil_text, lambda path: read_yolo(path.parent)),
    Target("VOC", "Annotations/a.xml", _voc, spoil_text, lambda path: read_voc(path.parent.parent)),
    Target("VOC list", "ImageSets/Main/train.txt", _voc_list, spoil_text, lambda path: read_voc(path.parents[2])),
    Target(
        "Open Images",
        "train-annotations-bbox.csv",
        _openimages,
        spoil_text,
        lambda path: read_openimages(path.parent),
    ),
    Target("images", "image.bin", _images, spoil_bytes, _read_image),
    Target("videos", "video.mp4", _videos, spoil_bytes, _read_video),
    Target("queue", "queue/queue.sqlite3", _queue, spoil_bytes, _read_queue, may_change=True),
    Target("metrics", "metrics.csv", _metrics, spoil_text, _read_run),
)
