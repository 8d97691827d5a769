"""The commands on ARM: the self-test that a file carries, and a video."""

import json
import math
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest

from fusedet.cli.main import main
from fusedet.deploy import Detections
from fusedet.deploy.detector.self_test import read_self_test
from fusedet.export.proof.images import draw_images
from fusedet.export.proof.self_test import choose_self_test, embed_self_test
from fusedet.export.proof.verify import Tolerance, compare
from tests.arm64.agreement import TOLERANCE, detections
from tests.arm64.conftest import MODELS, with_slope
from tests.arm64.emulator import Emulator
from tests.arm64.guest.frames import frames

pytestmark = pytest.mark.arm64

FRAMES = 6


class Film(NamedTuple):
    """A kind of video, and how far two machines may differ on it.

    Attributes:
        codec: four letters.
        suffix: of the file.
        levels: largest difference of a pixel.
        tolerance: of the detections.
    """

    codec: str
    suffix: str
    levels: int
    tolerance: Tolerance


#: Lossless videos of whole pixels are read alike. Most codecs keep brightness and a part of the colours, and to make
#: pixels of these FFmpeg rounds in another way on each kind of processor: up to what a self-test allows may come of it.
FILMS = [
    Film("FFV1", "avi", 0, TOLERANCE),
    Film("mp4v", "mp4", 4, Tolerance(threshold=0.1, adaptive=False, rounding=0.02, iou=0.95, side=0, tie=-math.inf)),
]


@pytest.fixture(scope="module")
def tested(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file itself where it carries a self-test, else a copy that carries one."""
    if read_self_test(model) is not None:
        return model
    copy = Path(shutil.copy(model, tmp_path_factory.mktemp("tested")))
    test = choose_self_test(model, draw_images(8))
    assert test is not None
    embed_self_test(test, [copy])
    return copy


def test_check(emulator: Emulator, tested: Path) -> None:
    done = emulator.fusedet("check", emulator.put(tested), "--json")

    result = json.loads(done.stdout)
    print(result)
    assert (done.returncode, result["passed"], result["faults"]) == (0, True, [])
    assert result["expected"] > 0
    assert result["largest_score_difference"] <= TOLERANCE.rounding
    assert result["least_iou"] >= TOLERANCE.iou


def test_check_notices_another_slope(emulator: Emulator, tested: Path, tmp_path: Path) -> None:
    done = emulator.fusedet("check", emulator.put(with_slope(tested, 0.2, tmp_path / "steeper.onnx")))

    assert done.returncode == 1
    assert "FAILED" in done.stdout


def draw_video(path: Path, codec: str) -> None:
    """A drawn image that a camera passes over."""
    (still,) = draw_images(1, seed=3).values()
    scene = cv2.resize(still, (480, 360))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10.0, (400, 300))
    assert writer.isOpened()
    for index in range(FRAMES):
        writer.write(np.ascontiguousarray(scene[6 * index :][:300, 12 * index :][:, :400]))
    writer.release()


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def detections_of(record: dict[str, Any]) -> Detections:
    found = record["detections"]
    boxes = np.array([one["box_xyxy"] for one in found], np.float32).reshape(-1, 4)
    class_ids = np.array([one["class_id"] for one in found], np.int64)
    return detections(boxes, np.array([one["score"] for one in found]), class_ids)


@pytest.mark.parametrize("film", FILMS, ids=lambda film: film.codec)
def test_detect_on_a_video(emulator: Emulator, tmp_path: Path, film: Film) -> None:
    model, video = MODELS[0], tmp_path / f"street.{film.suffix}"
    draw_video(video, film.codec)
    # A little below what is compared, so that the counterpart of a detection just above is there.
    flags = ("--score", "0.05", "--threads", "2")
    assert main(["detect", str(model), str(video), *flags, "--no-images", "--json", str(tmp_path / "x86.jsonl")]) == 0
    out, lines = emulator.folder / f"annotated-{film.codec}", emulator.folder / f"{film.codec}.jsonl"

    done = emulator.fusedet(
        *("detect", emulator.put(model), emulator.put(video), *flags),
        *("--out", emulator.inside(out), "--json", emulator.inside(lines)),
    )

    assert done.returncode == 0, done.stderr
    assert f"{FRAMES} frames" in done.stdout
    x86, arm = records((tmp_path / "x86.jsonl").read_text()), records(lines.read_text())
    assert [about(record) for record in x86] == [about(record) for record in arm]
    assert len(x86) == FRAMES
    found = [{str(record["frame"]): detections_of(record) for record in machine} for machine in (x86, arm)]
    agreement = compare(("x86-64", "ARM64"), *found, film.tolerance, strict=False)
    print(agreement)
    assert agreement.missing == ()
    assert agreement.compared >= FRAMES // 2  # nothing compared would be no agreement
    assert len(frames(out / "street.mp4")) == FRAMES


@pytest.mark.parametrize("film", FILMS, ids=lambda film: film.codec)
def test_reads_a_video(emulator: Emulator, tmp_path: Path, film: Film) -> None:
    video, out = tmp_path / f"street.{film.suffix}", emulator.folder / "frames.npy"
    draw_video(video, film.codec)

    emulator.guest("frames", emulator.put(video), emulator.inside(out))

    levels = np.abs(np.load(out).astype(int) - np.stack(frames(video)))
    print(f"{film.codec}: {(levels > 0).mean():.0%} of the values differ, by at most {levels.max()} levels")
    assert levels.max() <= film.levels


def about(record: dict[str, Any]) -> dict[str, Any]:
    """All of a line but the detections and the file's place."""
    return {key: value for key, value in record.items() if key not in ("source", "detections")}
