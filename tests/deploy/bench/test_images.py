from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from fusedet.common.errors import InputError
from fusedet.deploy import Detections
from fusedet.deploy.bench.images import FRAME_HW, load_images, own_image
from fusedet.deploy.detector.self_test import SelfTest
from tests.deploy.conftest import draw_image, write_video


def test_images_of_a_folder_a_file_and_a_video(tmp_path: Path):
    for i in range(25):
        cv2.imwrite(str(tmp_path / f"{i:02}.png"), np.full((8, 8, 3), i, np.uint8))
    images = load_images(tmp_path, 20)
    assert [int(image[0, 0, 0]) for image in images.values()] == list(range(20)), "no more than are needed are held"
    assert list(images)[:2] == ["00.png #0", "01.png #1"]
    assert len(load_images(str(tmp_path / "03.png"), 20)) == 1
    write_video(tmp_path / "video.mp4", frames=4)
    assert len(load_images(tmp_path / "video.mp4", 20)) == 4


@pytest.mark.parametrize("source", ["0", "/dev/video0", "rtsp://camera/stream"])
def test_a_camera_is_refused(source: str):
    with pytest.raises(InputError, match="but this is a camera"):
        load_images(source, 20)


def test_nothing_that_can_be_read_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="no image in this folder"):
        load_images(tmp_path, 20)
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(InputError, match="none of the images can be read"):
        load_images(tmp_path, 20)


def test_a_files_own_image_or_noise(model: Path, tmp_path: Path):
    found, told = own_image(model)
    assert (found.shape, told) == ((*FRAME_HW, 3), "noise of 640 x 480")
    drawn = draw_image((8, 8, 40, 40))
    none = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), ("a", "b", "c"))
    content = onnx.load(model)
    metadata = {entry.key: entry.value for entry in content.metadata_props}
    onnx.helper.set_model_props(content, {**metadata, **SelfTest(drawn, none, 0.25).to_metadata()})
    onnx.save(content, tmp_path / "tested.onnx")
    found, told = own_image(tmp_path / "tested.onnx")
    assert told == "the model's own image"
    assert np.array_equal(found, drawn)
