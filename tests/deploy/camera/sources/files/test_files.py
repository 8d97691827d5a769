from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from fusedet.configs import InputError
from fusedet.deploy.camera.sources import Frame, open_source, read_image
from tests.deploy.conftest import Image, draw_image, write_video


def write_image(path: Path, image: Image | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    _, data = cv2.imencode(path.suffix, draw_image((16, 32, 80, 64)) if image is None else image)
    path.write_bytes(data.tobytes())
    return path


def read_all(text: str | Path) -> list[Frame]:
    source = open_source(str(text))
    frames = list(source)
    source.close()
    return frames


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tiff", ".JPG"])
def test_an_image(tmp_path: Path, suffix: str) -> None:
    path = write_image(tmp_path / f"Straße 猫{suffix}")
    [frame] = read_all(path)
    assert (frame.source, frame.name, frame.index, frame.time_s) == (str(path), path.name, 0, None)
    assert frame.image.dtype == np.uint8
    assert np.abs(frame.image.astype(int) - draw_image((16, 32, 80, 64))).mean() < 2


@pytest.mark.parametrize("suffix", [".tiff", ".webp"])
def test_of_a_file_of_several_images_the_first_is_read_with_a_warning(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    images = [PillowImage.fromarray(draw_image((16 + i, 32, 80, 64))) for i in range(3)]
    images[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=images[1:])
    assert len(read_all(tmp_path / f"a{suffix}")) == 1
    assert f"a{suffix}: holds 3 images, of which the first is read" in caplog.text


def test_a_folder_in_order_without_what_is_no_image(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "c.png", "inner/d.png"):
        write_image(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    source = open_source(str(tmp_path))
    assert source.label == tmp_path.name
    assert (source.fps, source.live) == (None, False)
    assert [frame.name for frame in source] == ["a.jpg", "b.png", "c.png"]
    assert source.unreadable == 0


def test_a_glob_reaches_the_folders_and_names_stay_apart(tmp_path: Path) -> None:
    for name in ("photos/x/a.png", "photos/y/a.png", "photos/y/a.jpg", "photos/y/b.txt"):
        write_image(tmp_path / name) if name[-3:] != "txt" else (tmp_path / name).write_text("")
    frames = read_all(tmp_path / "photos" / "**" / "*")
    assert [frame.name for frame in frames] == ["x/a.png", "y/a.jpg", "y/a.png"]
    assert open_source(str(tmp_path / "photos" / "**" / "*.png")).label == "photos"


def test_a_file_with_glob_characters_in_its_name(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a[1].png")
    assert len(read_all(path)) == 1


def test_a_bad_image_among_others_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.png", "c.png"):
        write_image(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"not an image")
    source = open_source(str(tmp_path))
    assert [(frame.name, frame.index) for frame in source] == [("a.png", 0), ("c.png", 2)]
    assert source.unreadable == 1
    assert "b.png: not an image that OpenCV can decode" in caplog.text


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.full((4, 6), 77, np.uint8), (77, 77, 77)),
        (np.full((4, 6), 77 * 256 + 200, np.uint16), (77, 77, 77)),
        (np.full((4, 6, 3), (256, 512, 65535), np.uint16), (1, 2, 255)),
        (np.full((4, 6, 4), (10, 20, 30, 0), np.uint8), (10, 20, 30)),
    ],
    ids=["grey", "grey16", "color16", "alpha"],
)
def test_every_depth_becomes_bgr(tmp_path: Path, image: Image, expected: tuple[int, int, int]) -> None:
    path = write_image(tmp_path / "a.png", image)
    image = read_image(path)
    assert (image.shape, image.dtype) == ((4, 6, 3), np.uint8)
    assert (image == expected).all()


def test_exif_orientation_is_respected(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.jpg", draw_image((0, 0, 128, 48)))  # bright above, 128 wide
    data = path.read_bytes()
    # An APP1 segment behind the SOI marker: TIFF header, one entry, tag 0x0112 (orientation) = 6, turn it clockwise.
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    exif = b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01" + entry + b"\x00\x00\x00\x00"
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    image = read_image(path)
    assert image.shape == (128, 96, 3)
    assert image[:, 60:, 2].min() > 200  # what was above is on the right
    assert image[:, :36, 2].max() < 50


def test_a_video(tmp_path: Path) -> None:
    path = tmp_path / "Größe.mp4"
    lefts = write_video(path, frames=6, fps=10)
    source = open_source(str(path))
    assert (source.label, source.fps, source.live, source.drops, source.files) == ("Größe", 10.0, False, False, (path,))
    frames = list(source)
    source.close()
    assert [frame.index for frame in frames] == list(range(6))
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    for left, frame in zip(lefts, frames, strict=True):
        bright = np.flatnonzero(frame.image[48, :, 1] > 127)
        assert abs(bright[0] - left) <= 2
        assert frame.name == "Größe.mp4"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.png", "no such file or folder"),
        ("none.mp4", "no such file or folder"),
        ("empty", "no image in this folder"),
        ("*.png", "no image matches"),
        ("*.txt", "no image matches"),
        ("bad.png", r"bad\.png: not an image that OpenCV can decode$"),
        ("floats.tif", "is to be saved as PNG of 8 bits"),
        ("zero.png", "it is empty"),
        ("notes.txt", "not an image that OpenCV can decode"),
        ("bad.mp4", r"bad\.mp4: not a video that OpenCV can read"),
    ],
)
def test_wrong_sources_are_named(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "floats.tif").write_bytes(b"II*\0" + bytes(9))
    (tmp_path / "sub").mkdir()
    if name in ("bad.png", "bad.mp4"):
        (tmp_path / name).write_bytes(b"nothing of use" * 100)
    if name == "zero.png":
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=message) as caught:
        open_source(str(tmp_path / name))
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize("name", ["a\0b.png", "\ud800.png"])
def test_a_name_that_cannot_be_one_is_said(name: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_image(name)
