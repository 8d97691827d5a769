"""What can be wrong with a data set, and one thing that is."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

#: ``error``: training refuses it, or would learn or evaluate something false. ``warning``: an object or an image is
#: lost, doubtful or counted twice. ``note``: good to know.
Severity = Literal["error", "warning", "note"]
#: Worst first.
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


class Kind(NamedTuple):
    """A kind of finding: how bad it is, what to call it, and what ``--fix`` does about it ("" leaves it as it is)."""

    severity: Severity
    title: str
    fix: str


_JSON_KEYS = (
    *("kind", "severity", "split", "file", "image_id", "annotation_id"),
    *("expected", "found", "section", "position"),
)
_DROP_IMAGE = "leaves the image out"
_DROP_OBJECT = "leaves the box out"

#: Every kind there is, in the order of a report within one severity.
KINDS: dict[str, Kind] = {
    # Entries and ids
    "broken-entry": Kind("error", "entries that are no dictionaries", "leaves the entry out"),
    "category-id": Kind("error", "categories without a whole number as id", "takes the number meant, or a new one"),
    "category-id-repeated": Kind("error", "category ids used twice", "keeps the first"),
    "category-name": Kind("error", "categories without a name", "calls it 'class ID'"),
    "category-name-repeated": Kind("warning", "category names used twice", "makes one category of them"),
    "category-name-similar": Kind("warning", "category names that differ in case or blanks only", ""),
    "categories-differ": Kind("error", "classes that differ between the sets", "gives all sets the same list, by name"),
    "image-id": Kind("error", "images without a whole number as id", "takes the number meant, or a new one"),
    "image-id-repeated": Kind("error", "image ids used twice", "leaves both out: the boxes may be of either"),
    "annotation-id": Kind("warning", "annotations without a whole number as id", "gives it a new one"),
    "annotation-id-repeated": Kind("warning", "annotation ids used twice", "gives the second a new one"),
    "negative-id": Kind("warning", "negative ids", "gives it a new one"),
    "text-reference": Kind("error", "references written as text", "takes the number meant"),
    "unknown-image": Kind("error", "annotations of an image that is not listed", _DROP_OBJECT),
    "unknown-category": Kind("error", "annotations of a category that is not listed", _DROP_OBJECT),
    "bad-score": Kind("error", "scores that are no number in 0..1", _DROP_OBJECT),
    # Files
    "file-name": Kind("error", "images without a file name", _DROP_IMAGE),
    "file-repeated": Kind("warning", "files that are listed twice", "makes one of both, with the boxes of both"),
    "missing-file": Kind("error", "files that are annotated but not there", _DROP_IMAGE),
    "other-path": Kind("error", "files that are there by another path", "takes the file that is there"),
    "unlisted-file": Kind("warning", "images that no annotation file lists", _DROP_IMAGE),
    "image-size": Kind("error", "images without a width and height", "takes them from the file"),
    # Images
    "empty-file": Kind("error", "files of zero bytes", _DROP_IMAGE),
    "not-a-image": Kind("error", "files that are no images", _DROP_IMAGE),
    "truncated-image": Kind("error", "images that were cut off", _DROP_IMAGE),
    "unreadable-image": Kind("error", "images that cannot be read", _DROP_IMAGE),
    "wrong-size": Kind(
        "error", "images of another shape than annotated", "takes the file's size if all boxes fit, or leaves it out"
    ),
    "other-size": Kind("note", "images of another size than annotated, but the same shape", ""),
    "exif-turned": Kind("error", "annotated as the EXIF orientation turns them", "saves the image turned"),
    "exif-unturned": Kind("warning", "annotated as stored, but shown turned", "turns image and boxes"),
    "exif-boxes-shown": Kind("error", "boxes of the image as EXIF shows it", "saves the image turned"),
    "exif-boxes-stored": Kind("error", "boxes of the image as stored", "turns image and boxes"),
    "exif-unclear": Kind("warning", "turned by EXIF; neither size nor boxes say what was annotated", ""),
    "several-images": Kind("warning", "files of several images, moving or of several pages", ""),
    "blank-image": Kind("warning", "images of a single colour", ""),
    "unused-bits": Kind("warning", "16-bit images that are nearly black when they are read", ""),
    "large-image": Kind("note", "very large images, slow to read", ""),
    # Boxes
    "no-box": Kind("error", "annotations without a box", _DROP_OBJECT),
    "segmentation-only": Kind("error", "annotations with a segmentation but no box", "draws the box around it"),
    "mask-size": Kind("error", "masks of another shape than their image", "draws the box if its sides are swapped"),
    "box-not-numbers": Kind("error", "boxes that are not four numbers", "reads text as numbers, or leaves it out"),
    "normalised-box": Kind("error", "boxes in 0..1, not in pixels", "multiplies by the image's size"),
    "corner-box": Kind("error", "boxes as two corners, not as corner and size", "subtracts the corners"),
    "inverted-box": Kind("warning", "boxes of negative width or height", "swaps the sides"),
    "empty-box": Kind("warning", "boxes without an area", _DROP_OBJECT),
    "outside-box": Kind("warning", "boxes wholly outside their image", _DROP_OBJECT),
    "overhanging-box": Kind("warning", "boxes partly outside their image", "cuts it at the border"),
    "duplicate-box": Kind("warning", "boxes of one class that lie on each other", "keeps the first"),
    "two-classes": Kind("note", "boxes of two classes that lie on each other", ""),
    "crowd": Kind("note", "regions of many objects, ignored in training and evaluation", ""),
    # Images that are there twice
    "leak": Kind("warning", "images that are in two sets", "keeps it in the validation set"),
    "duplicate-image": Kind("warning", "images that are in a set twice", "keeps the one with more boxes"),
    # The set as a whole
    "no-objects": Kind("error", "nothing to learn from", ""),
    "no-val-objects": Kind("warning", "validation sets without a box: no AP, and best.pt is the last epoch", ""),
    "class-only-in-val": Kind("warning", "classes that are evaluated but never seen in training", ""),
    "class-not-in-val": Kind("note", "classes that are learned but not evaluated", ""),
    "class-unused": Kind("note", "classes without a single box", ""),
    "rare-class": Kind("note", "classes with very few boxes", ""),
    "imbalance": Kind("note", "classes of very different frequency", ""),
    "unlabelled-images": Kind("note", "images without a box", ""),
    "small-objects": Kind("note", "objects too small at the input size", ""),
    "small-set": Kind("note", "few images", ""),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    kind: str  # one of :data:`KINDS`
    split: str  # the set it is in: ``train``, ``val``, ...
    expected: str  # what should have come, in words
    found: str  # what came
    file: str = ""  # name of the image's file in the folder of images, or ""
    image_id: Any = None  # as the annotations have it, or None
    annotation_id: Any = None  # as the annotations have it, or None
    section: str = ""  # ``images``, ``annotations`` or ``categories``: the list in which the entry stands, or ""
    position: int | None = None  # place of the entry in that list, or None
    #: of something that is there twice, the other one: ``(split, position)`` of its image
    other: tuple[str, int] | None = None

    @property
    def severity(self) -> Severity:
        """See :data:`KINDS`."""
        return KINDS[self.kind].severity

    @property
    def place(self) -> str:
        """Where it is, for a person: the file, the image and the annotation, as far as there are any."""
        image = f"image {self.image_id!s:.60}" if self.image_id is not None else ""
        annotation = f"annotation {self.annotation_id!s:.60}" if self.annotation_id is not None else ""
        entry = f"{self.section}[{self.position}]" if self.section and not (image or annotation) else ""
        return ", ".join(part for part in (self.file, image, annotation, entry) if part)

    def as_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        known = {key: getattr(self, key) for key in _JSON_KEYS}
        return known | ({"other": list(self.other)} if self.other else {})
