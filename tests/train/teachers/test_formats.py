"""Each format by hand: what the network is fed, and what its outputs mean in the picture."""

import numpy as np
import pytest
from numpy.typing import NDArray

from fusedet.configs import InputError
from fusedet.deploy import Detections
from fusedet.train.config import EvalConfig
from fusedet.train.evaluate import load_predictor
from fusedet.train.teachers import FORMATS, ForeignDetector
from fusedet.train.teachers.coco_names import COCO_NAMES
from tests.train.teachers.conftest import MakeFile, Outputs

DOG = COCO_NAMES.index("dog")
#: Twice as wide as high, blue on the left and red on the right.
PICTURE = np.zeros((64, 128, 3), np.uint8)
PICTURE[:, :64, 0] = 250
PICTURE[:, 64:, 2] = 200

#: ``{0: 'cat', ...}`` is what Ultralytics writes.
ULTRALYTICS = {"author": "Ultralytics", "task": "detect", "names": "{0: 'cat', 1: 'dog'}"}


def yolox(score: float = 0.9) -> Outputs:
    """At 32 px: stride 8, cell (1, 0): centre (12, 4), 16 px wide and high. Everything else is unlikely."""
    rows = np.zeros((1, 16 + 4 + 1, 85), np.float32)
    rows[0, 1, :5] = [0.5, 0.5, np.log(2), np.log(2), 0.5]
    rows[0, 1, 5 + DOG] = 2 * score
    return {"output": rows}


def picodet(score: float = 0.9) -> Outputs:
    """At 64 px: stride 16, cell (1, 2): centre (24, 40), from which each side is one stride away, the top one half."""
    counts = [(64 // stride) ** 2 for stride in (8, 16, 32, 64)]
    scores = [np.zeros((1, count, 80), np.float32) for count in counts]
    sides = [np.zeros((1, count, 32), np.float32) for count in counts]
    place = 2 * 4 + 1
    scores[1][0, place, DOG] = score
    bins = np.full((4, 8), -50, np.float32)
    bins[[0, 2, 3], 1] = 50
    bins[1, :2] = 50  # as likely 0 as 1
    sides[1][0, place] = bins.ravel()
    return {f"out_{i}": array for i, array in enumerate([*scores, *sides])}


def detr(score: float = 0.9) -> Outputs:
    """In pixels of the picture already; the second box reaches beyond it."""
    return {
        "labels": np.array([[DOG, 0]], np.int64),
        "boxes": np.array([[[10, 20, 50, 60], [100, 40, 200, 90]]], np.float32),
        "scores": np.array([[score, 0.5]], np.float32),
    }


def ultralytics_final(score: float = 0.9) -> Outputs:
    """At 32 px the picture lies between rows 8 and 24."""
    return {"output0": np.array([[[4, 10, 12, 20, score, 1], [0, 8, 4, 12, 0, 0]]], np.float32)}


def ultralytics_raw(score: float = 0.9) -> Outputs:
    """The same box twice, as centre and size, the second time a little shifted and less sure."""
    rows = np.zeros((1, 4 + 2, 21), np.float32)
    rows[0, :4, 3] = [8, 15, 8, 10]
    rows[0, :4, 7] = [9, 15, 8, 10]
    rows[0, 5, [3, 7]] = score, score / 2
    return {"output0": rows}


CASES = {
    "YOLOX": (yolox, 32, {}, [16, 0, 80, 48]),  # the letterbox zooms by a quarter
    "PicoDet": (picodet, 64, {}, [16, 32, 80, 56]),  # stretched by 2 and by 1
    "DEIMv2": (detr, 32, {}, [10, 20, 50, 60]),
    "Ultralytics": (ultralytics_final, 32, ULTRALYTICS, [16, 8, 48, 48]),
    "Ultralytics, with suppression": (ultralytics_raw, 32, ULTRALYTICS, [16, 8, 48, 48]),
}


def opened(make_file: MakeFile, case: str, score: float = 0.9, **config: float) -> ForeignDetector:
    outputs, side, metadata, _ = CASES[case]
    predictor = load_predictor(make_file(outputs(score), side, **metadata), EvalConfig.model_validate(config))
    assert isinstance(predictor, ForeignDetector)
    assert case.partition(",")[0] in predictor.format
    return predictor


@pytest.mark.parametrize("case", CASES)
def test_a_box_is_found_where_it_is(make_file: MakeFile, case: str) -> None:
    predictor = opened(make_file, case, score_threshold=0.6)
    found, again = predictor.batch([PICTURE, PICTURE])
    assert found.labels == ["dog"]
    np.testing.assert_allclose(found.boxes_xyxy, [CASES[case][3]], atol=1e-3)
    np.testing.assert_allclose(found.scores, [0.9], rtol=1e-5)
    np.testing.assert_array_equal(found.boxes_xyxy, again.boxes_xyxy)
    assert isinstance(found, Detections)


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_found_where_nothing_is_sure(make_file: MakeFile, case: str) -> None:
    (found,) = opened(make_file, case, score=0.3, score_threshold=0.6).batch([PICTURE])
    assert len(found) == 0
    assert found.boxes_xyxy.shape == (0, 4)


def test_boxes_are_clipped_sorted_and_counted(make_file: MakeFile) -> None:
    (both,) = opened(make_file, "DEIMv2", score=0.3).batch([PICTURE])
    assert both.labels == ["person", "dog"]
    np.testing.assert_allclose(both.boxes_xyxy[0], [100, 40, 128, 64])
    (best,) = opened(make_file, "DEIMv2", score=0.3, max_detections=1).batch([PICTURE])
    assert best.labels == ["person"]


def test_suppression_only_where_it_is_due(make_file: MakeFile) -> None:
    (found,) = opened(make_file, "Ultralytics, with suppression").batch([PICTURE])
    assert len(found) == 1
    assert opened(make_file, "Ultralytics").nms_iou is opened(make_file, "DEIMv2").nms_iou is None
    assert opened(make_file, "YOLOX").nms_iou == 0.65


def fed(make_file: MakeFile, case: str) -> NDArray[np.float32]:
    (image, *rest) = opened(make_file, case).feed(PICTURE).values()
    assert image.dtype == np.float32
    if case == "DEIMv2":
        np.testing.assert_array_equal(rest[0], [[128, 64]])
    return np.asarray(image[0])  # [3, H, W]


@pytest.mark.parametrize(
    ("case", "blue", "red"),
    [
        ("DEIMv2", (0, 0, 250 / 255), (200 / 255, 0, 0)),
        ("YOLOX", (250, 0, 0), (0, 0, 200)),
        ("Ultralytics", (0, 0, 250 / 255), (200 / 255, 0, 0)),
        (
            "PicoDet",
            (-123.675 / 58.395, -116.28 / 57.12, (250 - 103.53) / 57.375),
            ((200 - 123.675) / 58.395, -116.28 / 57.12, -103.53 / 57.375),
        ),
    ],
)
def test_colors_are_in_the_order_and_range_that_is_wanted(
    make_file: MakeFile, case: str, blue: tuple[float, ...], red: tuple[float, ...]
) -> None:
    planes = fed(make_file, case)
    row = 12 if case == "Ultralytics" else 4  # in the picture, not in a bar
    np.testing.assert_allclose(planes[:, row, 2], blue, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(planes[:, row, -3], red, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("case", "grey_rows", "grey"),
    [("DEIMv2", [], 0), ("PicoDet", [], 0), ("YOLOX", range(16, 32), 114), ("Ultralytics", [0, 7, 24, 31], 114 / 255)],
)
def test_pictures_are_stretched_or_keep_their_proportions(
    make_file: MakeFile, case: str, grey_rows: list[int], grey: float
) -> None:
    planes = fed(make_file, case)
    bars = np.isclose(planes, grey).all((0, 2)) if grey else np.zeros(planes.shape[1], bool)
    assert set(grey_rows) <= set(np.flatnonzero(bars).tolist())
    assert bars.sum() == (16 if grey else 0)


@pytest.mark.parametrize("case", CASES)
def test_a_file_is_recognised_as_one_format_only(make_file: MakeFile, case: str) -> None:
    session = opened(make_file, case)._session
    assert [kind.recognises(session) for kind in FORMATS].count(True) == 1


@pytest.mark.parametrize(
    ("outputs", "metadata"),
    [
        ({"output": np.zeros((1, 20, 85), np.float32)}, {}),  # another number of points
        ({"output": np.zeros((1, 84, 21), np.float32)}, {}),  # nothing says what it is
        ({"output": np.zeros((1, 84, 21), np.float32)}, {**ULTRALYTICS, "task": "segment"}),
        ({"scores": np.zeros((1, 21), np.float32)}, {}),
    ],
)
def test_other_files_are_refused(make_file: MakeFile, outputs: Outputs, metadata: dict[str, str]) -> None:
    path = make_file(outputs, 32, **metadata)
    with pytest.raises(InputError, match=r"not a fusedet model, nor an Ultralytics export, DEIMv2 .*, PicoDet, YOLOX"):
        load_predictor(path, EvalConfig())


def test_a_picture_must_be_one(make_file: MakeFile) -> None:
    with pytest.raises(ValueError, match=r"must be uint8 \[H, W, 3\]"):
        opened(make_file, "YOLOX").batch([PICTURE.astype(np.float32)])


def test_coco_has_80_classes() -> None:
    assert len(COCO_NAMES) == len(set(COCO_NAMES)) == 80
    assert (COCO_NAMES[0], COCO_NAMES[-1], COCO_NAMES.index("hot dog")) == ("person", "toothbrush", 52)
