"""Pascal VOC: ``Annotations/*.xml``, ``JPEGImages/`` and ``ImageSets/Main/SPLIT.txt``.

Boxes are edges in pixels from 0, with decimals, as labelImg and CVAT write them. VOC's own files count pixels from 1
and name the last one inside; ``one_based`` reads and writes that.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from fusedet.common.errors import InputError
from fusedet.train.data.coco import CocoDataset, Sample
from fusedet.train.data.convert.sets import LabelledSet, Row, image_names, image_size, make_sample, prefixes, read_text
from fusedet.train.labelling.folders import copy_file

#: ``difficult`` objects are ignored in evaluation, as crowd regions are.
HOLDS = frozenset({"crowd regions"})


def read_voc(source: Path, one_based: bool = False) -> list[LabelledSet]:
    """The sets that ``ImageSets/Main`` lists, or all files as one set ``train``. Raises InputError if there is none."""
    annotations = next(
        (source / n for n in ("Annotations", "annotations", ".") if any((source / n).glob("**/*.xml"))), None
    )
    if annotations is None:
        raise InputError(f"{source}: expected Annotations/*.xml, but there is none")
    images = next((source / name for name in ("JPEGImages", "images") if (source / name).is_dir()), annotations)
    stems = {Path(name).with_suffix("").as_posix(): name for name in image_names(images)}
    lists = _lists(source) or {
        "train": sorted(p.relative_to(annotations).with_suffix("").as_posix() for p in annotations.rglob("*.xml"))
    }
    parsed = {split: [_parse(annotations / f"{stem}.xml", stem) for stem in names] for split, names in lists.items()}
    classes = _classes(source, parsed)
    sets = []
    for split, entries in parsed.items():
        samples = []
        for image_id, (stem, root) in enumerate(entries, start=1):
            path = _image(root, stem, stems, images, annotations)
            size = _size(root) or image_size(path)
            samples.append(make_sample(image_id, path, size, list(_rows(root, stem, classes, one_based))))
        names, ids = tuple(classes), tuple(range(1, len(classes) + 1))
        sets.append(LabelledSet(split, CocoDataset(names, ids, tuple(samples), annotations), images))
    return sets


def write_voc(sets: Sequence[LabelledSet], out: Path, link: bool = False, one_based: bool = False) -> None:
    """Writes the sets, and the order of the classes as ``labels.txt``, for VOC has no place for it."""
    (out / "ImageSets" / "Main").mkdir(parents=True)
    (out / "labels.txt").write_text("".join(f"{name}\n" for name in sets[0].dataset.names), encoding="utf-8")
    before, seen = prefixes(sets), dict[str, str]()
    for one in sets:
        listed = ""
        for sample in one.dataset.samples:
            name = before[one.name] + one.file_name(sample)
            stem = Path(name).with_suffix("").as_posix()
            if seen.setdefault(stem, name) != name:
                raise InputError(f"{sample.path}: VOC knows images by their name without its ending, as {seen[stem]}")
            listed += f"{stem}\n"
            copy_file(sample.path, out / "JPEGImages" / name, link)
            root = _as_xml(name, sample, one.dataset.names, one_based)
            target = out / "Annotations" / f"{stem}.xml"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(ElementTree.tostring(root, encoding="unicode") + "\n", encoding="utf-8")
        (out / "ImageSets" / "Main" / f"{one.name}.txt").write_text(listed, encoding="utf-8")


def _as_xml(name: str, sample: Sample, classes: Sequence[str], one_based: bool) -> ElementTree.Element:
    root = ElementTree.Element("annotation")
    _add(root, "folder", "JPEGImages")
    _add(root, "filename", name)
    size = ElementTree.SubElement(root, "size")
    for key, value in (("width", sample.width), ("height", sample.height), ("depth", 3)):
        _add(size, key, str(value))
    shift = 1 if one_based else 0
    for box, label, crowd in zip(sample.boxes_xyxy.astype(float), sample.labels, sample.crowd, strict=True):
        thing = ElementTree.SubElement(root, "object")
        _add(thing, "name", classes[label])
        _add(thing, "difficult", str(int(crowd)))
        bounds = ElementTree.SubElement(thing, "bndbox")
        left, top, right, bottom = box.tolist()
        edges = {"xmin": left + shift, "ymin": top + shift, "xmax": right, "ymax": bottom}
        for key, edge in edges.items():
            _add(bounds, key, str(round(edge)) if one_based else f"{edge:.3f}".rstrip("0").rstrip("."))
    ElementTree.indent(root)
    return root


def _add(parent: ElementTree.Element, key: str, text: str) -> None:
    ElementTree.SubElement(parent, key).text = text


def _lists(source: Path) -> dict[str, list[str]]:
    files = {split: source / "ImageSets" / "Main" / f"{split}.txt" for split in ("train", "val", "test")}
    return {
        split: [line.strip() for line in read_text(path).splitlines() if line.strip()]
        for split, path in files.items()
        if path.is_file()
    }


def _parse(path: Path, stem: str) -> tuple[str, ElementTree.Element]:
    try:
        return stem, ElementTree.parse(path).getroot()
    except FileNotFoundError as error:
        raise InputError(f"{path!s:.300}: no such annotation file, but a list names it") from error
    except OSError as error:
        raise InputError(f"{path!s:.300}: cannot be read: {error.strerror}") from error
    except ElementTree.ParseError as error:
        raise InputError(f"{path!s:.300}:{error.position[0]}: not XML: {error}") from error
    except (ValueError, LookupError) as error:  # an encoding that Python does not know, a name that is none
        raise InputError(f"{path!s:.300}: not XML that can be read: {error!s:.200}") from error


def _classes(source: Path, parsed: dict[str, list[tuple[str, ElementTree.Element]]]) -> dict[str, int]:
    """Class name -> index: in the order of labels.txt, or of the alphabet."""
    labels = source / "labels.txt"
    names = [line for line in read_text(labels).splitlines() if line] if labels.is_file() else []
    used = {_text(thing, "name") for entries in parsed.values() for _, root in entries for thing in root.iter("object")}
    return {name: i for i, name in enumerate([*names, *sorted(used - set(names))])}


def _image(root: ElementTree.Element, stem: str, stems: dict[str, str], images: Path, annotations: Path) -> Path:
    """By the name of the XML file, else by the name in it, which some tools spell with a folder of theirs."""
    said = Path((root.findtext("filename") or "").replace("\\", "/")).name
    for name in (stems.get(stem), said, stems.get(Path(said).stem)):
        if name and (images / name).is_file():
            return images / name
    raise InputError(f"{annotations / stem!s:.300}.xml: there is no image {said or stem:.100} in {images}")


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    try:
        width, height = (int(float(root.findtext(f"size/{side}") or 0)) for side in ("width", "height"))
    except (ValueError, OverflowError):  # OverflowError: infinite
        return None
    return (width, height) if width > 0 and height > 0 else None


def _rows(root: ElementTree.Element, stem: str, classes: dict[str, int], one_based: bool) -> Iterator[Row]:
    shift = 1 if one_based else 0
    for thing in root.iter("object"):
        name = _text(thing, "name")
        try:
            left, top, right, bottom = (
                float(thing.findtext(f"bndbox/{k}") or "") for k in ("xmin", "ymin", "xmax", "ymax")
            )
        except ValueError as error:
            raise InputError(f"{stem}.xml: an object {name!r:.60} has no bndbox of four numbers") from error
        crowd = (thing.findtext("difficult") or "0").strip() == "1"
        yield Row(classes[name], (left - shift, top - shift, right, bottom), crowd)


def _text(thing: ElementTree.Element, key: str) -> str:
    return (thing.findtext(key) or "").strip() or "unnamed"
