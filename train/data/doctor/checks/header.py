"""What an image's file says of itself before it is decoded: format, size, EXIF orientation, and whether it ends."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PIL import ExifTags, Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from PIL.WebPImagePlugin import WebPImageFile

#: Where a PNG says the bits of a value, and the tag in which a TIFF does (TIFF 6.0).
_PNG_DEPTH, _BITS_PER_SAMPLE = 24, 258
#: What Pillow raises for damaged files.
_DAMAGED = (
    *(OSError, SyntaxError, ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)


class Header(NamedTuple):
    """What is known of a file."""

    format: str  # ``jpeg``, ``png``, ``webp``, ``bmp``, ``gif``, ``tiff``, or "" for none of them
    size_wh: tuple[int, int] | None = None  # stored width and height in pixels; None where it is not known
    orientation: int = 1  # EXIF's number: 1 upright, 2 to 4 mirrored or upside down, 5 to 8 lying on a side
    complete: bool = True  # False where the end is missing
    bits: int = 8  # of a value, where PNG and TIFF say that they are not 8

    @property
    def lying(self) -> bool:
        """Whether width and height change places where it is shown upright."""
        return self.orientation >= 5


def read_header(data: bytes | Path) -> Header:
    """Reads the header of a file, or of its bytes. A file that is too short or damaged is no error: see ``Header``.

    Raises OSError if the file cannot be read.
    """
    if isinstance(data, Path):
        data = data.read_bytes()
    if data.startswith((b"II*\0", b"MM\0*")):
        return Header("tiff", bits=_tiff_bits(data))  # its orientation is the decoder's own business
    known = next((one for one in _FORMATS if data.startswith(one.start) and one.mark in data[:12]), None)
    if known is None:
        return Header("")
    complete = known.is_complete(data)
    bits = data[_PNG_DEPTH] if known.name == "png" and len(data) > _PNG_DEPTH else 8
    try:
        with known.reader(io.BytesIO(data)) as image:  # reads the header; its pixels stay as they are
            return Header(known.name, image.size, _orientation(image.info.get("exif", b"")), complete, bits)
    except _DAMAGED:  # what the decoder makes of it is its own business
        return Header(known.name, complete=complete)


def _tiff_bits(data: bytes) -> int:
    """Of a value, also of those that Pillow opens no image of; 8 where its tags do not tell."""
    file = io.BytesIO(data)
    try:
        tags = ImageFileDirectory_v2(file.read(8))
        file.seek(tags.next)
        tags.load(file)
        return int(tags[_BITS_PER_SAMPLE][0])
    except (*_DAMAGED, EOFError, AttributeError):
        return 8


def _orientation(exif: bytes) -> int:
    tags = Image.Exif()
    try:
        tags.load(exif)
        value = int(tags.get(ExifTags.Base.Orientation, 1))
    except _DAMAGED:
        return 1
    return value if value in range(1, 9) else 1


class _Format(NamedTuple):
    """How files of a format begin, what else stands in their first 12 bytes, what reads them, and how they end."""

    name: str
    start: bytes
    mark: bytes
    reader: type[ImageFile]
    is_complete: Callable[[bytes], bool]


def _ends_after_its_scan(data: bytes) -> bool:
    """JPEG: the marker EOI (FFD9) follows the last scan, which begins with SOS (FFDA) and holds no FFD9 itself."""
    return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")


_FORMATS = (
    _Format("jpeg", b"\xff\xd8", b"", JpegImageFile, _ends_after_its_scan),
    _Format("png", b"\x89PNG\r\n\x1a\n", b"", PngImageFile, lambda data: b"IEND\xaeB`\x82" in data),
    _Format("webp", b"RIFF", b"WEBP", WebPImageFile, lambda data: len(data) >= _length(data, 4) + 8),
    _Format("bmp", b"BM", b"", BmpImageFile, lambda data: len(data) >= _length(data, 2)),
    _Format("gif", b"GIF8", b"", GifImageFile, lambda data: data.rstrip(b"\0").endswith(b";")),
)


def _length(data: bytes, at: int) -> int:
    """Of the whole file, as its bytes from ``at`` on say it."""
    return int.from_bytes(data[at : at + 4], "little")
