"""Rules of the images themselves: each is read once, and what later rules need of it is kept."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusedet.deploy.camera.sources import count_images
from fusedet.deploy.detector.opencv import cv2
from fusedet.train.data.doctor.checks.header import Header, read_header
from fusedet.train.data.doctor.finding import Finding
from fusedet.train.data.doctor.source import Image, Split
from fusedet.train.data.image_cache import same_shape

#: Side of the small grey copies, in pixels.
THUMB = 48
#: Columns and rows of the difference hash: 16 x 16 = 256 bits.
_HASH_SIDE = 16
_LARGE_PIXELS = 24_000_000
#: Bits of a value that OpenCV makes 8 of, and below how many all images of a set are nearly black then.
_MOST_BITS, _MOST_UNUSED = 16, 14


@dataclass(frozen=True, eq=False)
class Look:
    """An image that was read, or why it could not be."""

    split: Split  # the set that it is in
    image: Image
    header: Header  # what its file says
    fault: str = ""  # kind of the finding where it could not be read, else ""
    detail: str = ""  # what came instead of an image
    size_wh: tuple[int, int] = (0, 0)  # of the decoded image as it is stored, in pixels
    digest: bytes = b""  # of all pixels
    #: [256]: whether each of 16 x 17 grey cells is brighter than its left neighbour (dHash)
    bits: NDArray[np.bool_] | None = None
    thumb: NDArray[np.uint8] | None = None  # [THUMB, THUMB] grey
    blank: bool = False  # all pixels are of one colour
    brightest: int | None = None  # the largest value of an image of 16 bits; None of others
    count: int = 1  # images in the file, of which this is the first


def look(split: Split, image: Image, path: Path) -> Look:
    """Reads an image."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return Look(split, image, Header(""), "unreadable-image", error.strerror or "it cannot be opened")
    header = read_header(data)
    if header.format and not header.complete:
        return Look(split, image, header, "truncated-image", f"{len(data)} bytes, and the end is missing")
    if header.format == "tiff" and header.bits > _MOST_BITS:
        detail = f"a TIFF of {header.bits} bits a value: save it as PNG of 8 bits"
        return Look(split, image, header, "unreadable-image", detail)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        return Look(split, image, header, "unreadable-image", str(error.err))
    if pixels is None:
        if header.format:
            detail = f"a damaged {header.format.upper()} file"
            if header.format == "tiff":
                detail += ", or one of a kind that OpenCV does not know: then save it as PNG of 8 bits"
            return Look(split, image, header, "unreadable-image", detail)
        return Look(split, image, header, "not-a-image", f"a file that begins with {data[:8]!r}")
    height, width = pixels.shape[:2]
    bits, thumb = fingerprint(np.asarray(pixels, np.uint8))
    return Look(
        split,
        image,
        header,
        size_wh=(width, height),
        digest=hashlib.blake2b(np.array([height, width]).tobytes() + pixels.tobytes(), digest_size=16).digest(),
        bits=bits,
        thumb=thumb,
        blank=bool((pixels == pixels[0, 0]).all()),
        brightest=_brightest(data) if header.bits == _MOST_BITS else None,
        count=count_images(path),
    )


def _brightest(data: bytes) -> int | None:
    """The largest value of an image of 16 bits, before 8 of them are taken; alpha, which is opaque, does not count."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    return int(pixels.max()) if pixels is not None and pixels.dtype == np.uint16 else None


def check_depth(looks: Sequence[Look]) -> Iterator[Finding]:
    """Whether values of 16 bits use their upper ones, which are all that is read of them; cameras give 10 to 14."""
    for split in dict.fromkeys(seen.split for seen in looks):
        values = [seen.brightest for seen in looks if seen.split is split and seen.brightest is not None]
        brightest = max(values, default=0)
        if 0 < brightest < 1 << _MOST_UNUSED:
            bits = max(8, brightest.bit_length())
            found = (
                f"{len(values)} images of 16 bits with values up to {brightest}: {bits} bits, read as "
                f"{brightest >> 8} of 255; multiply the values by {1 << (16 - bits)}, here and on the camera"
            )
            yield split.about_all("unused-bits", "values up to 65535 in images of 16 bits", found)


def fingerprint(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """``bits`` and ``thumb`` of a :class:`Look`, of uint8 BGR ``[H, W, 3]``."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    cells = cv2.resize(grey, (_HASH_SIDE + 1, _HASH_SIDE), interpolation=cv2.INTER_AREA)
    thumb = np.asarray(cv2.resize(grey, (THUMB, THUMB), interpolation=cv2.INTER_AREA), np.uint8)
    return (cells[:, 1:] > cells[:, :-1]).ravel(), thumb


def check_against_annotations(seen: Look) -> Iterator[Finding]:
    """Whether the image can be read and is the annotated one."""
    split, image = seen.split, seen.image
    if seen.fault:
        yield split.about_image(seen.fault, image, "an image that OpenCV can decode", seen.detail)
        return
    yield from _size(seen)
    width, height = seen.size_wh
    if seen.count > 1:
        found = f"{seen.count} images, of which the first is read"
        yield split.about_image("several-images", image, "a file of one image", found)
    if seen.blank:
        yield split.about_image("blank-image", image, "an image of something", "a single colour")
    if width * height > _LARGE_PIXELS:
        found = f"{width}x{height} pixels"
        yield split.about_image("large-image", image, f"at most {_LARGE_PIXELS / 1e6:.0f} million pixels", found)


def _size(seen: Look) -> Iterator[Finding]:
    """The size that the annotations say, against the file's. Which way an image that EXIF turns lies: ``exif``."""
    split, image, stored, orientation = seen.split, seen.image, seen.size_wh, seen.header.orientation
    if image.size_wh is None:
        return
    said = image.size_wh
    expected = f"{said[0]}x{said[1]} pixels, as annotated"
    found = f"{stored[0]}x{stored[1]} pixels" + (f" and EXIF orientation {orientation}" if orientation > 1 else "")
    if not same_shape(stored, said) and not (seen.header.lying and same_shape(stored[::-1], said)):
        yield split.about_image("wrong-size", image, expected, found)
    elif stored != said and orientation == 1:
        yield split.about_image("other-size", image, expected, found)
