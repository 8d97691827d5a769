"""JPEGs are found whatever the camera says of them, and broken ones are counted."""

import cv2
import numpy as np
import pytest

from fusedet.deploy.camera.sources.http.jpeg import JpegStream


def jpeg(number: int, *flags: int) -> bytes:
    image = np.random.default_rng(number).integers(50, 80, (48, 64, 3), np.uint8)
    return cv2.imencode(".jpg", image, flags)[1].tobytes()


def part(
    data: bytes, length: int | None = None, boundary: str = "--next", head: str = "Content-Type: image/jpeg"
) -> bytes:
    of_length = "" if length is None else f"Content-Length: {length}\r\n"
    return f"{boundary}\r\n{head}\r\n{of_length}\r\n".encode() + data + b"\r\n"


def found(data: bytes, piece: int = 4096) -> tuple[list[bytes], int]:
    """The JPEGs in ``data``, which comes in pieces, and how many could not be read."""
    stream, images = JpegStream(), []
    for start in range(0, len(data), piece):
        stream.put(data[start : start + piece])
        while (image := stream.take()) is not None:
            images.append(image)
    stream.finish()
    while (image := stream.take()) is not None:
        images.append(image)
    return images, stream.unreadable


GOOD = [jpeg(number) for number in range(4)]
PROGRESSIVE = [jpeg(number, cv2.IMWRITE_JPEG_PROGRESSIVE, 1) for number in range(3)]
RESTARTS = [jpeg(number, cv2.IMWRITE_JPEG_RST_INTERVAL, 4) for number in range(3)]
EXIF = [one[:2] + b"\xff\xe1\x00\x0c" + b"\xff\xd8\xff\xd9" * 2 + b"ab" + one[2:] for one in GOOD]  # a small one within


@pytest.mark.parametrize(
    "images", [GOOD, PROGRESSIVE, RESTARTS, EXIF], ids=["plain", "progressive", "restarts", "exif"]
)
@pytest.mark.parametrize(
    "stream",
    [
        lambda images: b"".join(part(one, len(one)) for one in images),
        lambda images: b"".join(part(one) for one in images),
        lambda images: b"".join(part(one, len(one) - 200) for one in images),
        lambda images: b"".join(part(one, len(one) + 5000) for one in images),
        lambda images: b"".join(part(one, boundary="\r\n--b--") for one in images),
        lambda images: b"".join(part(one).partition(b"\r\n")[2] + b"--next\r\n" for one in images),
        lambda images: b"\n\n".join(images),
        lambda images: b"".join(one + bytes(100) for one in images),
        lambda images: b"".join(b"--x\nContent-type: image/jpeg\n\n" + one for one in images) + b"\n--x--\n",
    ],
    ids=["right", "none", "short", "long", "dashes", "late boundary", "bare", "padded", "linefeeds"],
)
@pytest.mark.parametrize("piece", [1, 1000, 1 << 20])
def test_every_image_is_found(images: list[bytes], stream: object, piece: int) -> None:
    assert callable(stream)
    if piece == 1 and images is not GOOD:
        return  # one is enough, byte by byte
    assert found(stream(images), piece) == (images, 0)


def broken(kind: str) -> bytes:
    half = GOOD[1][: len(GOOD[1]) // 2]
    noise = np.random.default_rng(1).integers(0, 256, len(half), np.uint8).tobytes()
    return {
        "empty": b"",
        "cut off": half,
        "noise after half": half + noise,
        "noise": noise,
        "text": b"camera is busy",
        "headers alone": GOOD[1][:100],
        "start alone": b"\xff\xd8\xff",
    }[kind]


@pytest.mark.parametrize(
    "kind", ["empty", "cut off", "noise after half", "noise", "text", "headers alone", "start alone"]
)
@pytest.mark.parametrize("at", [0, 1, 4], ids=["first", "middle", "last"])
def test_a_part_that_is_no_image_is_left_out_and_counted(kind: str, at: int) -> None:
    parts = list(GOOD)
    parts.insert(at, broken(kind))
    assert found(b"".join(part(one, len(one)) for one in parts)) == (GOOD, 1)


def test_what_never_becomes_an_image_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fusedet.deploy.camera.sources.http.jpeg._MOST_BYTES", 10_000)
    for data in (b"\xff\xd8\xff\xe0\x00\x10" + bytes(14) + b"\xff\xda\x00\x04ab" + bytes(50_000), b"a" * 50_000):
        stream = JpegStream()
        for start in range(0, len(data), 1000):
            stream.put(data[start : start + 1000])
            assert stream.take() is None
            assert len(stream._data) <= 11_000
