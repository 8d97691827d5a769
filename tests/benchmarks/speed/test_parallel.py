from pathlib import Path

import cv2
import onnx

from benchmarks.speed.parallel import detect, label, make_video
from fusedet.deploy import Contract
from tests.deploy.conftest import NAMES, build_model, draw_image


def test_folder_video_and_labelling_are_measured(tmp_path: Path) -> None:
    exported = tmp_path / "model.onnx"
    onnx.save(build_model(Contract(names=NAMES, input_size=(64, 64))), exported)
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(4):
        cv2.imwrite(str(folder / f"{i}.png"), draw_image((16, 32, 80, 64), i % 3))
    make_video(sorted(folder.iterdir()), tmp_path / "video.mp4")
    runs = [detect(exported, source, 4, 2, "--no-images") for source in (folder, tmp_path / "video.mp4")]
    runs.append(label(exported, folder, 2, tmp_path / "labels.json"))
    assert all(run.images_per_s > 0 and run.cpu_ms > 0 for run in runs)
