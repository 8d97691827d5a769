"""Rules of a set as a whole: enough images, enough of each class, large enough."""

from collections.abc import Iterator, Sequence

from fusedet.train.data.doctor.finding import Finding
from fusedet.train.data.doctor.source import Split
from fusedet.train.data.doctor.statistics import Statistics

#: The finest map of the network has one point for each 8 x 8 pixels: what is smaller may share it.
SMALL_PX = 8
#: Fewer boxes of a class than this teach little; one class may have so many times the boxes of another.
_RARE, _RATIO = 20, 50
_FEW_IMAGES = {"train": 100, "val": 20}


def check_balance(splits: Sequence[Split], statistics: Sequence[Statistics]) -> Iterator[Finding]:
    """All rules of this file; ``statistics`` belong to ``splits``."""
    for split, figures in zip(splits, statistics, strict=True):
        yield from _of_one(split, figures)
    by_name = {figures.split: (split, figures) for split, figures in zip(splits, statistics, strict=True)}
    if "train" in by_name and "val" in by_name:
        yield from _of_both(*by_name["train"], *by_name["val"])


def _of_one(split: Split, figures: Statistics) -> Iterator[Finding]:
    if split.name == "train" and not figures.boxes:
        yield split.about_all("no-objects", "at least one usable box", "none")
    if split.name == "val" and not figures.boxes:
        yield split.about_all("no-val-objects", "at least one usable box", "none")
    empty = int((figures.per_image == 0).sum())
    if empty:
        found = f"{empty} without ({empty / max(1, figures.images):.1%})"
        yield split.about_all("unlabelled-images", "images with boxes", found)
    small = int((figures.letterboxed < SMALL_PX).sum())
    if small:
        found = f"{small} boxes ({small / figures.boxes:.1%}) with a smaller one"
        yield split.about_all("small-objects", f"sides of at least {SMALL_PX} px at the input size", found)
    least = _FEW_IMAGES.get(split.name, 0)
    if figures.images < least:
        yield split.about_all("small-set", f"at least {least} images", f"{figures.images}")
    if split.name != "train":
        return
    counts = {name: count for name, count in figures.per_class.items() if count}
    for name, count in counts.items():
        if count < _RARE:
            yield split.about_all("rare-class", f"at least {_RARE} boxes of {name!r}", f"{count}")
    if counts and max(counts.values()) > _RATIO * min(counts.values()):
        most, fewest = max(counts, key=lambda n: counts[n]), min(counts, key=lambda n: counts[n])
        found = f"{counts[most]} of {most!r}, {counts[fewest]} of {fewest!r}"
        yield split.about_all("imbalance", f"at most {_RATIO} times the boxes of another class", found)


def _of_both(train: Split, learned: Statistics, val: Split, validated: Statistics) -> Iterator[Finding]:
    for name in dict.fromkeys([*learned.per_class, *validated.per_class]):
        here, there = learned.per_class.get(name, 0), validated.per_class.get(name, 0)
        if there and not here:
            yield val.about_all("class-only-in-val", f"boxes of {name!r} in train", f"0 there, {there} here")
        elif here and not there:
            yield train.about_all("class-not-in-val", f"boxes of {name!r} in val", f"0 there, {here} here")
        elif not here and not there:
            yield train.about_all("class-unused", f"boxes of {name!r}", "none, in train or in val")
