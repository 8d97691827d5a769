"""What an image's file says of itself before it is decoded: format, size, EXIF orientation, and whether it ends."""

import struct
from pathlib import Path
from typing import NamedTuple

__all__ = ["Header", "read_header"]

_ORIENTATION = 0x0112


class Header(NamedTuple):
    """What is known of a file.

    Attributes:
        format: ``jpeg``, ``png``, ``webp``, ``bmp``, ``gif``, ``tiff``, or "" for none of them.
        size_wh: stored width and height in pixels; None where it is not known.
        orientation: EXIF's number: 1 upright, 2 to 4 mirrored or upside down, 5 to 8 lying on a side.
        complete: False where the end is missing.
    """

    format: str
    size_wh: tuple[int, int] | None = None
    orientation: int = 1
    complete: bool = True

    @property
    def lying(self) -> bool:
        """Whether width and height change places where it is shown upright."""
        return self.orientation >= 5


def read_header(data: bytes | Path) -> Header:
    """Reads the header of a file, or of its bytes. A file that is too short or damaged is no error: see ``Header``.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(data, Path):
        data = data.read_bytes()
    for start, read in _READERS.items():
        if data.startswith(start):
            try:
                return read(data)
            except (struct.error, IndexError):
                return Header(read.__name__[1:], complete=False)
    return Header("")


def _jpeg(data: bytes) -> Header:
    """JPEG (ITU-T T.81, B.1): segments up to the first scan, whose end is the marker EOI."""
    size, orientation, at = None, 1, 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return Header("jpeg", size, orientation, False)
        marker = data[at + 1]
        if marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD7:  # fill bytes, and markers without a segment
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        body = data[at + 4 : at + 2 + length]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", body, 1)
            size = (width, height)
        elif marker == 0xE1 and body.startswith(b"Exif\0\0"):
            orientation = _exif_orientation(body[6:])
        elif marker == 0xDA:  # a scan holds no FFD9: its own FF are followed by 00
            return Header("jpeg", size, orientation, data.rfind(b"\xff\xd9") >= at)
        at += 2 + length
    return Header("jpeg", size, orientation, False)


def _png(data: bytes) -> Header:
    """PNG (ISO/IEC 15948): chunks of length, name, content and checksum, the last of which is IEND."""
    size, orientation, at = None, 1, 8
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        if name == b"IHDR":
            width, height = struct.unpack_from(">II", body)
            size = (width, height)
        elif name == b"eXIf":
            orientation = _exif_orientation(body)
        elif name == b"IEND":
            return Header("png", size, orientation)
        at += 12 + length
    return Header("png", size, orientation, False)


def _webp(data: bytes) -> Header:
    """WebP: RIFF chunks; the size of the whole stands at its start."""
    if data[8:12] != b"WEBP":
        return Header("")
    (whole,) = struct.unpack_from("<I", data, 4)
    orientation, at = 1, 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        if name == b"EXIF":
            orientation = _exif_orientation(data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))
        at += 8 + length + length % 2
    return Header("webp", None, orientation, len(data) >= whole + 8)


def _bmp(data: bytes) -> Header:
    whole, width, height = (struct.unpack_from(form, data, at)[0] for form, at in (("<I", 2), ("<i", 18), ("<i", 22)))
    return Header("bmp", (abs(width), abs(height)), 1, len(data) >= whole)


def _gif(data: bytes) -> Header:
    return Header("gif", struct.unpack_from("<HH", data, 6), 1, data.rstrip(b"\0").endswith(b";"))


def _tiff(data: bytes) -> Header:
    return Header("tiff")  # its orientation is the decoder's own business


_READERS = {
    b"\xff\xd8": _jpeg,
    b"\x89PNG\r\n\x1a\n": _png,
    b"RIFF": _webp,
    b"BM": _bmp,
    b"GIF8": _gif,
    b"II*\0": _tiff,
    b"MM\0*": _tiff,
}


def _exif_orientation(tiff: bytes) -> int:
    """The orientation in EXIF data, which has the form of a TIFF file; 1 where it says none."""
    try:
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        (first,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, first)
        for at in range(first + 2, first + 2 + 12 * entries, 12):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, at)
            if tag == _ORIENTATION:
                return value if 1 <= value <= 8 else 1
    except (KeyError, struct.error):
        pass
    return 1
