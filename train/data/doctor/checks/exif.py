"""Images that EXIF turns: their size and their boxes may each be those of the stored image or of the shown one.

The size says it by itself where the sides change places. Of the boxes those say it that leave the one image and fit
into the other; where nearly all of a set agree, the others are taken to be the same, since one tool wrote them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from fusedet.common.text import counted
from fusedet.train.data.doctor.checks.boxes import OVERHANG_PX, is_normalised
from fusedet.train.data.doctor.checks.files import present
from fusedet.train.data.doctor.checks.header import read_header
from fusedet.train.data.doctor.checks.images import Look
from fusedet.train.data.doctor.finding import Finding
from fusedet.train.data.doctor.source import Image, Split
from fusedet.train.data.image_cache import same_shape

#: The image as it is stored, or as EXIF says to show it.
Frame = Literal["stored", "shown"]
#: Part of the boxes that say anything that must agree to speak for all.
_AGREE = 0.9
#: Where size and boxes lie -> the kind of finding.
_KINDS: Mapping[tuple[Frame | None, Frame | None], str] = {
    ("shown", "shown"): "exif-turned",
    ("stored", "stored"): "exif-unturned",
    (None, "stored"): "exif-unturned",
    ("stored", "shown"): "exif-boxes-shown",
    (None, "shown"): "exif-boxes-shown",
    ("shown", "stored"): "exif-boxes-stored",
}
_OVER = ("overhanging-box", "outside-box")


class TurnedImage(NamedTuple):
    """An image whose file says an EXIF orientation from 2 to 8, with its stored width and height."""

    split: Split
    image: Image
    orientation: int
    stored_wh: tuple[int, int]

    @property
    def size_frame(self) -> Frame | None:
        """Whose size the annotations say; None where both images have it."""
        if self.orientation < 5 or same_shape(self.stored_wh, self.stored_wh[::-1]):
            return None
        return "stored" if same_shape(self.stored_wh, self.image.size_wh or (0, 0)) else "shown"

    def size(self, frame: Frame) -> tuple[int, int]:
        """Width and height of the image in a frame, in the pixels of the annotations."""
        width, height = self.image.size_wh or (0, 0)
        as_said = self.orientation < 5 or frame == (self.size_frame or "stored")
        return (width, height) if as_said else (height, width)

    def votes(self) -> "Counter[Frame]":
        """How many boxes fit into the image of one frame alone."""
        boxes = [t.box_xywh for t in self.image.objects if t.box_xywh is not None and not is_normalised(t.box_xywh)]
        fits = [(_fits(box, self.size("stored")), _fits(box, self.size("shown"))) for box in boxes]
        return Counter("stored" if stored else "shown" for stored, shown in fits if stored != shown)


def turned_images(looks: Sequence[Look]) -> list[TurnedImage]:
    """Those of the images that EXIF turns, where the annotations say a size that theirs can be."""
    return [
        TurnedImage(seen.split, seen.image, seen.header.orientation, seen.size_wh)
        for seen in looks
        if not seen.fault and seen.header.orientation > 1 and _is_one_of(seen.image.size_wh, seen.size_wh)
    ]


def turned_images_of(splits: Sequence[Split], findings: Sequence[Finding]) -> list[TurnedImage]:
    """Those of sets in which a box leaves an image that EXIF lays on a side; no more than headers are read."""
    over = {(finding.split, finding.position) for finding in findings if finding.kind in _OVER}
    turned = []
    for split in splits:
        owners = {t.image.position for t in split.objects if t.image and (split.name, t.position) in over}
        files = dict(present(split)) if owners else {}
        if any(read_header(path).lying for image, path in files.items() if image.position in owners):
            for image, path in files.items():
                header = read_header(path)
                if header.lying and header.size_wh and _is_one_of(image.size_wh, header.size_wh):
                    turned.append(TurnedImage(split, image, header.orientation, header.size_wh))
    return turned


def check_exif(turned: Sequence[TurnedImage], frame: Frame | None = None) -> Iterator[Finding]:
    """A finding for each image. ``frame`` is where those boxes lie that do not tell it, if a person says so."""
    all_votes = {id(one): one.votes() for one in turned}
    of_group = {
        size_frame: _agreed(sum((all_votes[id(one)] for one in turned if one.size_frame == size_frame), Counter()))
        for size_frame in ("stored", "shown", None)
    }
    for one in turned:
        votes = all_votes[id(one)]
        boxes = of_group[one.size_frame] or _agreed(votes) or frame
        if boxes is None and one.size_frame == "shown" and not votes:
            boxes = "shown"
        kind = _KINDS.get((one.size_frame, boxes), "exif-unclear")
        yield one.split.about_image(kind, one.image, _expected(one, kind), _found(one, kind, votes))


def without_false_overhang(findings: Sequence[Finding], turned: Sequence[TurnedImage]) -> list[Finding]:
    """Without those of boxes that leave the image of the annotated size, but fit into the one that they are of."""
    frames: dict[str, Frame] = {"exif-boxes-shown": "shown", "exif-boxes-stored": "stored"}
    of_kind = {(f.split, f.position): frames[f.kind] for f in findings if f.kind in frames}
    right = {
        (one.split.name, thing.position)
        for one in turned
        if (frame := of_kind.get((one.split.name, one.image.position))) is not None
        for thing in one.image.objects
        if thing.box_xywh is not None and _fits(thing.box_xywh, one.size(frame))
    }
    return [f for f in findings if f.kind not in _OVER or (f.split, f.position) not in right]


def _agreed(votes: "Counter[Frame]") -> Frame | None:
    return next((frame for frame, count in votes.items() if count >= _AGREE * votes.total()), None)


def _expected(one: TurnedImage, kind: str) -> str:
    size = "{}x{} pixels, as annotated".format(*(one.image.size_wh or (0, 0)))
    if kind.startswith("exif-boxes"):
        return f"boxes inside {size}"
    return size if kind == "exif-turned" else "an image stored as it is shown"


def _found(one: TurnedImage, kind: str, votes: "Counter[Frame]") -> str:
    file = "{}x{} pixels and EXIF orientation {}".format(*one.stored_wh, one.orientation)
    if kind == "exif-unclear":
        return f"{file}; its boxes may be of the stored or of the shown image: --exif-boxes stored or shown says it"
    if kind.startswith("exif-boxes"):
        frame: Frame = "stored" if kind == "exif-boxes-stored" else "shown"
        only = f"{votes[frame]} of {counted(len(one.image.objects), 'box', 'boxes')}"
        return f"{file}, and boxes of the image as {frame}: {only} fit into that alone"
    return file


def _is_one_of(said: tuple[int, int] | None, stored: tuple[int, int]) -> bool:
    """Whether the annotated size can be that of the stored or of the shown image."""
    return said is not None and (same_shape(stored, said) or same_shape(stored[::-1], said))


def _fits(box_xywh: tuple[float, float, float, float], size_wh: tuple[int, int]) -> bool:
    x, y, width, height = box_xywh
    return (
        min(x, y) >= -OVERHANG_PX and x + width <= size_wh[0] + OVERHANG_PX and y + height <= size_wh[1] + OVERHANG_PX
    )
