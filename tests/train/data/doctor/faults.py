"""Faults that people's data sets have: how each is made, and what must be found of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import Image

from tests.train.data.doctor.drawing import HEIGHT, WIDTH, DrawnSet, add_exif


@dataclass(frozen=True)
class Fault:
    """A fault of its own image, so that all of them can be in one set.

    Attributes:
        kind: that must be found.
        plant: makes the fault.
        file: that the finding must name.
        annotation: id that it must name.
        split: in which it must be.
        also: kinds that come along, when nothing else is wrong.
    """

    kind: str
    plant: Callable[[DrawnSet], object]
    file: str
    annotation: Any = None
    split: str = "train"
    also: frozenset[str] = frozenset()


def image_fault(kind: str, i: int, plant: Callable[[DrawnSet], object], *also: str) -> Fault:
    """A fault of training image ``i``."""
    return Fault(kind, plant, f"train-{i}.{'png' if i % 10 == 9 else 'jpg'}", also=frozenset(also))


def first_object(kind: str, i: int, *also: str, annotation: object = None, **values: object) -> Fault:
    """The first annotation of training image ``i`` gets other values."""
    named = 3 * i + 1 if annotation is None else annotation
    return Fault(kind, lambda s: s.objects(i)[0].update(values), f"train-{i}.jpg", named, also=frozenset(also))


def category(kind: str, entry: object, *also: str) -> Fault:
    """One more entry in the list of classes."""
    return Fault(kind, lambda s: s.train["categories"].append(entry), "train.json", also=frozenset(also))


def cut(s: DrawnSet, i: int) -> None:
    data = s.path(i).read_bytes()
    s.path(i).write_bytes(data[: len(data) * 2 // 3])


def spoil_png(s: DrawnSet, i: int) -> None:
    """The chunks stay whole, what they hold does not."""
    data = bytearray(s.path(i).read_bytes())
    at = data.index(b"IDAT") + 4
    data[at : at + 40] = bytes(40)
    s.path(i).write_bytes(bytes(data))


def without(i: int, key: str, **values: object) -> Callable[[DrawnSet], object]:
    def plant(s: DrawnSet) -> None:
        s.objects(i)[0].pop(key)
        s.objects(i)[0].update(values)

    return plant


def read(s: DrawnSet, i: int) -> np.ndarray:
    image = cv2.imread(str(s.path(i)))
    assert image is not None
    return image


def half_size(s: DrawnSet, i: int) -> None:
    cv2.imwrite(str(s.path(i)), cv2.resize(read(s, i), (WIDTH // 2, HEIGHT // 2)))


def turned(s: DrawnSet, i: int) -> None:
    """Stored lying, turned upright by EXIF, and annotated upright, as most tools show it."""
    cv2.imwrite(str(s.path(i)), cv2.rotate(read(s, i), cv2.ROTATE_90_COUNTERCLOCKWISE))
    add_exif(s.path(i), 6)


def corners(s: DrawnSet, i: int) -> None:
    for entry, box in zip(s.objects(i), ([60, 40, 120, 90], [50, 50, 125, 95], [5, 5, 30, 30]), strict=True):
        entry["bbox"] = box


def copy_of(s: DrawnSet, i: int, name: str, split: str, change: Callable[[np.ndarray], np.ndarray] | None) -> None:
    """Lists a copy of training image ``i`` as another image, with one of its boxes."""
    if change is None:
        (s.image_folder / name).write_bytes(s.path(i).read_bytes())
    else:
        cv2.imwrite(str(s.image_folder / name), change(read(s, i)), [cv2.IMWRITE_JPEG_QUALITY, 60])
    height, width = cv2.imread(str(s.image_folder / name)).shape[:2]
    number = 50000 + i
    s.content[split]["images"].append({"id": number, "file_name": name, "width": width, "height": height})
    box = [side * width / WIDTH for side in s.objects(i)[0]["bbox"]]
    entry = {"id": number, "image_id": number, "category_id": 1, "bbox": box, "iscrowd": 0}
    s.content[split]["annotations"].append(entry)


def listed_twice(s: DrawnSet, i: int) -> None:
    s.train["images"].append({**s.image(i), "id": 60000})
    s.train["annotations"].append({**s.objects(i)[0], "id": 60000, "image_id": 60000, "bbox": [1, 1, 9, 9]})


def listed_in_both(s: DrawnSet, i: int) -> None:
    s.val["images"].append({**s.image(i), "id": 60001})
    s.val["annotations"].append({**s.objects(i)[0], "id": 60001, "image_id": 60001})


def brighter(image: np.ndarray) -> np.ndarray:
    return np.clip(image * 0.9 + 12, 0, 255).astype(np.uint8)


def smaller(image: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(image, (WIDTH * 3 // 4, HEIGHT * 3 // 4), interpolation=cv2.INTER_AREA))


def rename_id(s: DrawnSet, i: int, value: object, objects: object) -> None:
    s.image(i)["id"] = value
    for entry in s.objects(i):
        entry["image_id"] = objects


def repeat_image_id(s: DrawnSet) -> None:
    s.image(21)["id"] = s.image(22)["id"]


def two_boxes(s: DrawnSet, i: int, number: int, **values: object) -> None:
    s.train["annotations"].append({**s.objects(i)[0], "id": number, **values})


def flat(s: DrawnSet, i: int) -> None:
    cv2.imwrite(str(s.path(i)), np.full((HEIGHT, WIDTH, 3), 77, np.uint8))


def moving(s: DrawnSet, i: int) -> None:
    first = Image.fromarray(read(s, i)[:, :, ::-1])
    first.save(s.path(i), "WEBP", lossless=True, save_all=True, append_images=[first.rotate(9)])


#: A name for each -> what it is. No two are about one image.
FAULTS = {
    "no dictionary": Fault("broken-entry", lambda s: s.train["annotations"].append(7), "train.json"),
    "text as class id": category("category-id", {"id": "nine", "name": "nine"}, "categories-differ", "class-unused"),
    "class id twice": category("category-id-repeated", {"id": 1, "name": "other"}, "class-unused"),
    "nameless class": category("category-name", {"id": 8}),
    "class name twice": category("category-name-repeated", {"id": 11, "name": "box"}, "categories-differ"),
    "class name alike": category(
        "category-name-similar", {"id": 12, "name": "Disc "}, "categories-differ", "class-unused"
    ),
    "other classes to grade": Fault(
        "categories-differ",
        lambda s: s.val["categories"].append({"id": 13, "name": "cube"}),
        "val.json",
        split="val",
        also=frozenset({"class-unused"}),
    ),
    "text as image id": image_fault("image-id", 0, lambda s: rename_id(s, 0, "img-0", "img-0")),
    "number as text as image id": image_fault("image-id", 1, lambda s: rename_id(s, 1, "2", 2)),
    "image id twice": image_fault("image-id-repeated", 22, repeat_image_id, "unknown-image", "unlabelled-images"),
    "negative image id": image_fault("negative-id", 2, lambda s: rename_id(s, 2, -3, -3)),
    "text as annotation id": first_object("annotation-id", 3, annotation="a", id="a"),
    "annotation id twice": first_object("annotation-id-repeated", 4, annotation=1, id=1),
    "negative annotation id": first_object("negative-id", 5, annotation=-5, id=-5),
    "annotation of nothing": Fault("unknown-image", lambda s: s.objects(6)[0].update(image_id=999), "", 19),
    "annotation of no class": first_object("unknown-category", 7, category_id=99),
    "text as reference": first_object("text-reference", 8, image_id="9"),
    "score in percent": first_object("bad-score", 10, score=87),
    "no file name": Fault(
        "file-name", lambda s: s.image(11).pop("file_name"), "", also=frozenset({"unlisted-file"})
    ),
    "listed twice": image_fault("file-repeated", 12, lambda s: listed_twice(s, 12)),
    "no such file": image_fault("missing-file", 13, lambda s: s.path(13).unlink()),
    "path of another system": Fault(
        "other-path", lambda s: s.image(49).update(file_name="..\\label\\train-49.png"), "..\\label\\train-49.png"
    ),
    "left over": Fault(
        "unlisted-file",
        lambda s: cv2.imwrite(str(s.image_folder / "more.png"), np.full((30, 30), 200, np.uint8)),
        "more.png",
    ),
    "no size": image_fault("image-size", 14, lambda s: s.image(14).pop("width")),
    "zero bytes": image_fault("empty-file", 15, lambda s: s.path(15).write_bytes(b"")),
    "a text": image_fault("not-a-image", 16, lambda s: s.path(16).write_text("<html>not found</html>")),
    "half a JPEG": image_fault("truncated-image", 17, lambda s: cut(s, 17)),
    "half a PNG": image_fault("truncated-image", 19, lambda s: cut(s, 19)),
    "damaged PNG": image_fault("unreadable-image", 29, lambda s: spoil_png(s, 29)),
    "wrong size": image_fault("wrong-size", 18, lambda s: s.image(18).update(width=300)),
    "other size": image_fault("other-size", 20, lambda s: half_size(s, 20)),
    "annotated upright": image_fault("exif-turned", 23, lambda s: turned(s, 23)),
    "annotated lying": image_fault("exif-unturned", 24, lambda s: add_exif(s.path(24), 8)),
    "upside down": image_fault("exif-unclear", 25, lambda s: add_exif(s.path(25), 3)),
    "an image that moves": image_fault("several-images", 50, lambda s: moving(s, 50)),
    "one colour": image_fault("blank-image", 26, lambda s: flat(s, 26)),
    "no box": Fault("no-box", without(27, "bbox"), "train-27.jpg", 82),
    "polygon only": Fault(
        "segmentation-only", without(28, "bbox", segmentation=[[10, 10, 40, 12, 30, 50]]), "train-28.jpg", 85
    ),
    "a mask of width and height": Fault(
        "mask-size",
        without(51, "bbox", segmentation={"size": [WIDTH, HEIGHT], "counts": [5, 7, WIDTH * HEIGHT - 12]}),
        "train-51.jpg",
        154,
    ),
    "no mask either": Fault(
        "no-box", without(39, "bbox", segmentation={"size": [9, 9], "counts": [7]}), "train-39.png", 118
    ),
    "texts as box": first_object("box-not-numbers", 30, bbox=["10", "10", "20.5", "20"]),
    "NaN, beyond all floats": first_object("box-not-numbers", 31, bbox=[10, 10**400, float("nan"), 20]),
    "infinity": first_object("box-not-numbers", 32, bbox=[10, 10, float("inf"), 20]),
    "three numbers": first_object("box-not-numbers", 33, bbox=[10, 10, 20]),
    "parts of the image": first_object("normalised-box", 34, "small-objects", bbox=[0.25, 0.5, 0.3, 0.4]),
    "two corners": Fault("corner-box", lambda s: corners(s, 35), "train-35.jpg", 106),
    "negative width": first_object("inverted-box", 36, bbox=[60, 40, -20, 10]),
    "no height": first_object("empty-box", 37, bbox=[60, 40, 20, 0]),
    "outside": first_object("outside-box", 38, bbox=[200, 40, 20, 10]),
    "half outside": first_object("overhanging-box", 40, bbox=[-10, 40, 30, 20]),
    "two boxes": Fault("duplicate-box", lambda s: two_boxes(s, 41, 70001), "train-41.jpg", 70001),
    "two classes": Fault("two-classes", lambda s: two_boxes(s, 42, 70002, category_id=2), "train-42.jpg", 70002),
    "many objects": Fault("crowd", lambda s: s.objects(43)[0].update(iscrowd=1), "train.json"),
    "the same image to grade": image_fault("leak", 44, lambda s: copy_of(s, 44, "again.jpg", "val", None)),
    "a copy to grade": image_fault("leak", 45, lambda s: copy_of(s, 45, "smaller.jpg", "val", smaller)),
    "one file in both": Fault("leak", lambda s: listed_in_both(s, 46), "train-46.jpg", split="val"),
    "the same image": Fault(
        "duplicate-image", lambda s: copy_of(s, 47, "same.jpg", "train", None), "same.jpg"
    ),
    "a copy": Fault("duplicate-image", lambda s: copy_of(s, 48, "bright.jpg", "train", brighter), "bright.jpg"),
}  # fmt: skip
