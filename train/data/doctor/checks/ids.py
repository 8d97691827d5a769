"""Rules of ids, names and references: what stands where, and whether it points to something."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from fusedet.train.data.coco import is_number, is_whole
from fusedet.train.data.doctor.finding import Finding
from fusedet.train.data.doctor.source import Category, Image, Object, Split


def check_ids(split: Split) -> Iterator[Finding]:
    """Ids of images and annotations, and whom annotations refer to."""
    yield from _broken_entries(split)
    seen: dict[object, Image] = {}
    for image in split.images:
        yield from _image(split, image, seen.get(image.key))
        if image.key is not None:
            seen.setdefault(image.key, image)
    seen_ids: set[object] = set()
    for thing in split.objects:
        yield from _object_id(split, thing, seen_ids)
        yield from _references(split, thing)


def check_categories(split: Split) -> Iterator[Finding]:
    """Ids and names of the classes."""
    seen: set[object] = set()
    names = Counter(category.name for category in split.categories)
    again = set[str | None]()
    loose = Counter(_loose(name) for name in names if name is not None)
    for category in split.categories:
        value = category.raw.get("id")
        if not is_whole(value):
            yield split.about_category("category-id", category, "a whole number as 'id'", _shown(value))
        elif category.key in seen:
            yield split.about_category("category-id-repeated", category, "each id once", f"id {value} again")
        seen.add(category.key)
        if category.name is not None and category.name in again:
            found = f"{category.name!r} again, as category {value}"
            yield split.about_category("category-name-repeated", category, "each name once", found)
        again.add(category.name)
        yield from _name(split, category, names, loose)


def check_same_classes(splits: Sequence[Split]) -> Iterator[Finding]:
    """All sets must mean the same classes by the same ids, as training demands."""
    first = splits[0]
    ours = _names_by_id(first)
    for split in splits[1:]:
        theirs = _names_by_id(split)
        for key in sorted(ours.keys() | theirs.keys(), key=str):
            wanted, found = (repr(names[key]) if key in names else "missing" for names in (ours, theirs))
            if wanted != found:
                yield split.about_all("categories-differ", f"category {key} {wanted}, as in {first.name}", found)


def _names_by_id(split: Split) -> dict[object, str]:
    return {c.key: c.name for c in reversed(split.categories) if c.key is not None and c.name is not None}


def _broken_entries(split: Split) -> Iterator[Finding]:
    for section in ("images", "categories", "annotations"):
        for position, entry in enumerate(split.content[section]):
            if not isinstance(entry, dict):
                about = split.about_all("broken-entry", "a dictionary", _shown(entry))
                yield replace(about, section=section, position=position)


def _image(split: Split, image: Image, first: Image | None) -> Iterator[Finding]:
    value = image.raw.get("id")
    if not is_whole(value):
        yield split.about_image("image-id", image, "a whole number as 'id'", _shown(value))
    elif value < 0:
        yield split.about_image("negative-id", image, "an id of at least 0", _shown(value))
    if first is not None:
        other = (split.name, first.position)
        yield split.about_image("image-id-repeated", image, "each id once", f"the id of {first.file_name} again", other)
    if image.size_wh is None:
        shown = f"width {_shown(image.raw.get('width'))}, height {_shown(image.raw.get('height'))}"
        yield split.about_image("image-size", image, "whole numbers of at least 1 as 'width' and 'height'", shown)


def _object_id(split: Split, thing: Object, seen: set[object]) -> Iterator[Finding]:
    value = thing.raw.get("id")
    if not is_whole(value):
        yield split.about_object("annotation-id", thing, "a whole number as 'id'", _shown(value))
        return
    if value < 0:
        yield split.about_object("negative-id", thing, "an id of at least 0", _shown(value))
    if value in seen:
        yield split.about_object("annotation-id-repeated", thing, "each id once", f"id {value} again")
    seen.add(value)


def _references(split: Split, thing: Object) -> Iterator[Finding]:
    for key, a, what, entry in (
        ("image_id", "an", "image", thing.image),
        ("category_id", "a", "category", thing.category),
    ):
        shown = _shown(thing.raw.get(key))
        if entry is None:
            yield split.about_object(f"unknown-{what}", thing, f"the id of {a} {what}", shown)
        elif not is_whole(thing.raw.get(key)) and is_whole(entry.raw.get("id")):
            yield split.about_object("text-reference", thing, f"a whole number as {key!r}", shown)
    score = thing.raw.get("score")
    if score is not None and not (is_number(score) and 0 <= score <= 1):
        yield split.about_object("bad-score", thing, "a number in 0..1 as 'score'", _shown(score))


def _name(split: Split, category: Category, names: Counter[str | None], loose: Counter[str]) -> Iterator[Finding]:
    name = category.name
    if name is None:
        yield split.about_category("category-name", category, "a text as 'name'", _shown(category.raw.get("name")))
    elif loose[_loose(name)] > 1:
        alike = sorted(other for other in names if other is not None and _loose(other) == _loose(name))
        yield split.about_category("category-name-similar", category, "names that differ clearly", f"{alike}")


def _loose(name: str) -> str:
    return " ".join(name.replace("_", " ").replace("-", " ").casefold().split())


def _shown(value: object) -> str:
    return "nothing" if value is None else f"{value!r:.60}"
