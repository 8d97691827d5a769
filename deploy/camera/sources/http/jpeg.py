"""Finds JPEGs in a stream of bytes by their own structure, because what cameras say of their lengths may be wrong."""

import re

_START = b"\xff\xd8\xff"
_END, _SCAN = 0xD9, 0xDA
#: In a scan, what follows 0xFF is 0x00, a restart or another 0xFF; anything else ends it.
_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
#: A line that begins a part of a multipart answer, and a header in the lines after it.
_BOUNDARY = re.compile(rb"(?:^|\n)--[^\r\n]*\r?\n")
_HEADER = re.compile(rb"^[A-Za-z-]+:")
#: No image is as large; what is not one by then is left out.
_MOST_BYTES = 64 << 20


class _BrokenError(Exception):
    """No JPEG; ``at`` is the first place where another one may begin."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at


class JpegStream:
    """Takes bytes as they come, and gives whole JPEGs.

    Boundaries, headers and lengths of a multipart answer are not needed: they are only looked at to count parts that
    hold no image. ``unreadable`` counts parts that were empty, cut off or broken.
    """

    def __init__(self) -> None:
        self.unreadable = 0
        self._data = bytearray()
        self._has_ended = False
        self._scanned = 0  # how far the scan of the image at the start of the data was looked at

    def put(self, data: bytes) -> None:
        """The next bytes."""
        self._data += data

    def take(self) -> bytes | None:
        """The next whole JPEG, or None until more has come."""
        while True:
            start = self._data.find(_START)
            if start < 0:
                if self._has_ended or len(self._data) > _MOST_BYTES:
                    self._count_empty(bytes(self._data), is_followed=False)
                    self._data.clear()
                return None
            self._count_empty(bytes(self._data[:start]), is_followed=True)
            del self._data[:start]
            try:
                end = self._find_end()
            except _BrokenError as broken:
                self.unreadable += 1
                del self._data[: broken.at]
                self._scanned = 0
                continue
            if end is None:
                return None
            image = bytes(self._data[:end])
            del self._data[:end]
            self._scanned = 0
            return image

    def finish(self) -> None:
        """No more bytes will come: what is left in :meth:`take` is whole, or was cut off."""
        self._has_ended = True

    def _count_empty(self, text: bytes, *, is_followed: bool) -> None:
        """Parts between two images; the last one of them is that of the image that follows."""
        parts = [part for part in _BOUNDARY.split(text)[1:] if _HEADER.match(part)]
        self.unreadable += max(0, len(parts) - is_followed)

    def _find_end(self) -> int | None:
        """Where the JPEG at the start of the data ends; None until more has come."""
        data, at, resume = self._data, 2, 2  # what a broken segment says of its length is not believed
        while at + 4 <= len(data):
            kind = data[at + 1]
            if data[at] != 0xFF or kind in (0x00, 0xD8):
                raise _BrokenError(resume)
            if kind == _END:
                return at + 2
            if kind == 0xFF:  # as many as the camera likes
                at += 1
            elif kind == 0x01 or 0xD0 <= kind <= 0xD7:
                at += 2
            else:
                length = int.from_bytes(data[at + 2 : at + 4], "big")
                if length < 2:
                    raise _BrokenError(resume)
                at += 2 + length
                if kind == _SCAN:
                    at = resume = self._end_of_scan(at)
        if at + 2 <= len(data) and data[at] == 0xFF and data[at + 1] == _END:
            return at + 2
        if self._has_ended or len(data) > _MOST_BYTES:
            raise _BrokenError(resume)
        return None

    def _end_of_scan(self, at: int) -> int:
        """The marker after the scan, or the end of the data, which is remembered."""
        found = _IN_SCAN.search(self._data, max(at, self._scanned))
        if found is None:
            self._scanned = max(at, len(self._data) - 1)
            return len(self._data)
        return found.start()


class OneImage:
    """As :class:`JpegStream`, of an answer that is one image of another format, which may turn out to be broken."""

    def __init__(self) -> None:
        self.unreadable = 0
        self._data, self._whole = bytearray(), b""

    def put(self, data: bytes) -> None:
        """The next bytes; those beyond all measure are none."""
        if len(self._data) < _MOST_BYTES:
            self._data += data

    def take(self) -> bytes | None:
        """The image, once it is there."""
        image, self._whole = self._whole, b""
        return image or None

    def finish(self) -> None:
        """No more bytes will come."""
        self._whole = bytes(self._data)
        self._data.clear()
