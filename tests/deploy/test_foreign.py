"""Each format by hand: what the network is fed, and what its outputs mean in the image."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from fusedet.cli.main import main
from fusedet.configs import InputError
from fusedet.deploy import Detections, Detector, open_session
from fusedet.deploy.detector.formats import FORMATS
from tests.deploy.foreign_files import (
    DOG,
    ULTRALYTICS,
    MakeFile,
    Outputs,
    build,
    detr,
    fastestdet,
    nanodet,
    picodet,
    ultralytics_final,
    ultralytics_raw,
    yolox,
    yolox_decoded,
)

#: Twice as wide as high, blue on the left and red on the right.
IMAGE = np.zeros((64, 128, 3), np.uint8)
IMAGE[:, :64, 0] = 250
IMAGE[:, 64:, 2] = 200

CASES = {
    "YOLOX": (yolox, 32, {}, [16, 0, 80, 48]),  # the letterbox zooms by a quarter
    "YOLOX, decoded": (yolox_decoded, 32, {}, [16, 0, 80, 48]),
    "NanoDet": (nanodet, 64, {}, [16, 32, 80, 64]),  # 2 times larger, and 16 rows of padding above
    "FastestDet": (fastestdet, 64, {}, [16, 32, 80, 48]),  # stretched by 2 and by 1
    "PicoDet": (picodet, 64, {}, [16, 32, 80, 56]),  # stretched by 2 and by 1
    "DEIMv2": (detr, 32, {}, [10, 20, 50, 60]),  # stretched by 4 and by 2
    "Ultralytics": (ultralytics_final, 32, ULTRALYTICS, [16, 8, 48, 48]),
    "Ultralytics, with suppression": (ultralytics_raw, 32, ULTRALYTICS, [16, 8, 48, 48]),
}


def opened(make_file: MakeFile, case: str, score: float = 0.9, **settings: float) -> Detector:
    outputs, side, metadata, _ = CASES[case]
    detector = Detector(make_file(outputs(score), side, **metadata), **settings)
    assert str(detector.format).startswith(case.partition(",")[0])
    return detector


@pytest.mark.parametrize("case", CASES)
def test_a_box_is_found_where_it_is(make_file: MakeFile, case: str) -> None:
    detector = opened(make_file, case, score_threshold=0.6)
    found, again = detector.batch([IMAGE, IMAGE])
    assert found.labels == ["dog"]
    np.testing.assert_allclose(found.boxes_xyxy, [CASES[case][3]], atol=1e-3)
    np.testing.assert_allclose(found.scores, [0.9], rtol=1e-5)
    np.testing.assert_array_equal(found.boxes_xyxy, again.boxes_xyxy)
    assert isinstance(found, Detections)
    assert detector.timings.total > 0


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_found_where_nothing_is_sure(make_file: MakeFile, case: str) -> None:
    (found,) = opened(make_file, case, score=0.3, score_threshold=0.6).batch([IMAGE])
    assert len(found) == 0
    assert found.boxes_xyxy.shape == (0, 4)


def test_boxes_are_clipped_sorted_and_counted(make_file: MakeFile) -> None:
    both = opened(make_file, "DEIMv2", score=0.3)(IMAGE)
    assert both.labels == ["person", "dog"]
    np.testing.assert_allclose(both.boxes_xyxy[0], [100, 40, 128, 64])
    assert opened(make_file, "DEIMv2", score=0.3, max_detections=1)(IMAGE).labels == ["person"]


def test_suppression_only_where_it_is_due(make_file: MakeFile) -> None:
    detector = opened(make_file, "Ultralytics, with suppression")
    assert len(detector(IMAGE)) == 1
    detector.one_label = False
    assert len(detector(IMAGE)) == 1, "two points, one object"
    assert not opened(make_file, "Ultralytics").contract.nms
    assert not opened(make_file, "DEIMv2").contract.nms
    assert opened(make_file, "YOLOX").contract.nms_iou == 0.65


def fed(make_file: MakeFile, case: str) -> NDArray[np.float32]:
    kind = opened(make_file, case).format
    canvas, _ = kind.prepare(IMAGE)
    (image, *rest) = kind.feed([canvas]).values()
    assert image.dtype == np.float32
    if case == "DEIMv2":
        np.testing.assert_array_equal(rest[0], [[32, 32]], "boxes are wanted in pixels of the input")
    return np.asarray(image[0])  # [3, H, W]


@pytest.mark.parametrize(
    ("case", "blue", "red"),
    [
        ("DEIMv2", (0, 0, 250 / 255), (200 / 255, 0, 0)),
        ("YOLOX", (250, 0, 0), (0, 0, 200)),
        ("FastestDet", (250 / 255, 0, 0), (0, 0, 200 / 255)),
        (
            "NanoDet",
            ((250 - 103.53) / 57.375, -116.28 / 57.12, -123.675 / 58.395),
            (-103.53 / 57.375, -116.28 / 57.12, (200 - 123.675) / 58.395),
        ),
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
    row = {"Ultralytics": 12, "NanoDet": 32}.get(case, 4)  # in the image, not in a bar
    np.testing.assert_allclose(planes[:, row, 2], blue, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(planes[:, row, -3], red, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("case", "grey_rows", "grey"),
    [("DEIMv2", [], 0), ("PicoDet", [], 0), ("YOLOX", range(16, 32), 114), ("Ultralytics", [0, 7, 24, 31], 114 / 255)],
)
def test_images_are_stretched_or_keep_their_proportions(
    make_file: MakeFile, case: str, grey_rows: list[int], grey: float
) -> None:
    planes = fed(make_file, case)
    bars = np.isclose(planes, grey).all((0, 2)) if grey else np.zeros(planes.shape[1], bool)
    assert set(grey_rows) <= set(np.flatnonzero(bars).tolist())
    assert bars.sum() == (16 if grey else 0)


@pytest.mark.parametrize("case", CASES)
def test_a_file_is_recognised_as_one_format_only(make_file: MakeFile, case: str) -> None:
    outputs, side, metadata, _ = CASES[case]
    session = open_session(make_file(outputs(), side, **metadata))
    assert [kind.recognises(session) for kind in FORMATS].count(True) == 1


@pytest.mark.parametrize(
    "outputs",
    [
        {"output": np.zeros((1, 20, 85), np.float32)},  # another number of points
        {"output": np.zeros((1, 84, 21), np.float32)},  # nothing says what it is
        {"scores": np.zeros((1, 21), np.float32)},
    ],
)
def test_other_files_are_refused(make_file: MakeFile, outputs: Outputs) -> None:
    message = r"not a fusedet model .*\(Ultralytics: .*; DEIMv2, .*; PicoDet: .*; FastestDet: .*\), but it takes \{'im"
    with pytest.raises(InputError, match=message) as caught:
        Detector(make_file(outputs, 32))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rows: rows.__setitem__((..., 4), 1),  # YOLOv6 has the same shapes, and no objectness
        lambda rows: rows.__setitem__((..., 4), 3),  # no sigmoid
        lambda rows: rows.__setitem__((..., slice(0, 2)), 500),
    ],
    ids=["objectness of 1", "scores beyond 1", "boxes anywhere"],
)
def test_what_only_has_the_shapes_of_yolox_is_refused(make_file: MakeFile, spoil: Callable[..., None]) -> None:
    rows = yolox()["output"].copy()
    spoil(rows)
    with pytest.raises(InputError, match="has the shapes of YOLOX"):
        Detector(make_file({"output": rows}, 32))


def test_what_only_has_the_shapes_of_fastestdet_is_refused(make_file: MakeFile) -> None:
    with pytest.raises(InputError, match="has the shapes of FastestDet"):
        Detector(make_file({"heat": np.full((1, 85, 4, 4), 0.5, np.float32)}, 64))


@pytest.mark.parametrize("make", [yolox, yolox_decoded])
def test_classes_that_nobody_named_are_numbered(make_file: MakeFile, make: Callable[..., Outputs]) -> None:
    rows = make()["output"][..., [0, 1, 2, 3, 4, 5 + DOG]]
    detector = Detector(make_file({"output": rows}, 32))
    assert detector.names == ("class 0",)
    np.testing.assert_allclose(detector(IMAGE).boxes_xyxy, [[16, 0, 80, 48]], atol=1e-3)


def test_distributions_of_other_classes_and_sides_are_read(make_file: MakeFile) -> None:
    outputs = {name: array[..., [DOG, 0]] if array.shape[2] == 80 else array for name, array in nanodet().items()}
    assert Detector(make_file(outputs, 64))(IMAGE).labels == ["class 0"]


# Ultralytics' files: what their metadata and shapes may be.


def test_what_an_ultralytics_file_says_of_itself(make_file: MakeFile) -> None:
    path = make_file(ultralytics_raw(), 32, **ULTRALYTICS, license="AGPL-3.0", docs="")
    contract = Detector(path).contract
    assert (contract.names, contract.input_size, contract.nms, contract.nms_iou) == (
        ("cat", "dog"),
        (32, 32),
        True,
        0.7,
    )
    assert contract.extra == {"author": "Ultralytics", "license": "AGPL-3.0"}


def test_another_author_and_a_list_of_names(make_file: MakeFile) -> None:
    path = make_file(ultralytics_final(), 32, author="somebody", task="detect", names="['cat', 2]")
    assert Detector(path).names == ("cat", "2")


def test_every_class_of_a_point_counts_unless_one_is_wanted(make_file: MakeFile) -> None:
    rows = np.zeros((1, 6, 21), np.float32)
    rows[0, :, 3] = [16, 16, 8, 8, 0.4, 0.8]
    detector = Detector(make_file({"output0": rows}, 32, **ULTRALYTICS), score_threshold=0.3)
    square = np.zeros((32, 32, 3), np.uint8)
    assert detector(square).labels == ["dog"]
    detector.one_label = False
    both = detector(square)
    assert both.labels == ["dog", "cat"]
    assert both.scores.tolist() == pytest.approx([0.8, 0.4])
    assert both.boxes_xyxy.tolist() == [[12, 12, 20, 20]] * 2


def test_boxes_of_two_classes_do_not_suppress_each_other(make_file: MakeFile) -> None:
    rows = ultralytics_raw()["output0"].copy()
    rows[0, 4, 7], rows[0, 5, 7] = 0.5, 0  # the shifted one is a cat
    found = Detector(make_file({"output0": rows}, 32, **ULTRALYTICS))(IMAGE)
    assert found.labels == ["dog", "cat"]


def test_of_many_candidates_the_best_are_taken(make_file: MakeFile) -> None:
    points, rng = 3000, np.random.default_rng(0)
    rows = np.ones((1, 6, points), np.float32)
    rows[0, 0], rows[0, 1] = np.arange(points) % 64 * 8, np.arange(points) // 64 * 8  # apart from each other
    rows[0, 4:] = rng.permutation(2 * points).reshape(2, points) / (2 * points)
    detector = Detector(
        make_file({"output0": rows}, 512, **ULTRALYTICS), score_threshold=0.0, max_detections=5000, one_label=False
    )
    found = detector(np.zeros((512, 512, 3), np.uint8))
    expected = np.sort(rows[0, 4:].ravel())[::-1][:1000]
    assert set(found.scores) <= set(expected)
    assert len(found) > 950  # a few lie at the border, half a pixel large


def dynamic_file(path: Path, **metadata: str) -> Path:
    """Batch, height and width are open, as Ultralytics' ``dynamic=True`` leaves them."""
    inputs = {"images": (TensorProto.FLOAT, ["batch", 3, "height", "width"])}
    onnx.save(build(inputs, ultralytics_final(), {**ULTRALYTICS, **metadata}), path)
    return path


def test_an_open_size_is_that_of_the_metadata(tmp_path: Path) -> None:
    detector = Detector(dynamic_file(tmp_path / "model.onnx", imgsz="[64, 32]"))
    assert detector.input_size == (64, 32)
    assert Detector(dynamic_file(tmp_path / "square.onnx", imgsz="32")).input_size == (32, 32)
    assert detector(np.zeros((64, 32, 3), np.uint8)).boxes_xyxy.tolist() == [[4, 10, 12, 20]]


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"task": "segment"}, r"an Ultralytics file of task 'segment', but fusedet reads those of 'detect'"),
        ({"names": "__import__('os').abort()"}, r"metadata names must be a Python literal, but got .*abort"),
        ({"names": "{0: 'cat', 1:"}, r"metadata names must be a Python literal"),
        ({"names": "{[]: 'cat'}"}, r"metadata names must be a Python literal"),
        ({"names": DEEP}, r"metadata names must be a Python literal, but got '\[\[.*\.\.\.$"),
        ({"names": "-" * 100_000 + "1"}, r"metadata names must be a Python literal"),
        ({"names": "+".join("1" * 50_000)}, r"metadata names must be a Python literal"),
        ({"names": " " * 5_000_000}, r"metadata names must not be longer than"),
        ({"names": "2"}, r"metadata names must be a dict such as \{0: 'cat', 1: 'dog'\}, but got 2"),
        ({"names": "{}"}, r"metadata names must be a dict"),
        (
            {"names": "{1: 'cat', 2: 'dog'}"},
            r"metadata names must give texts to the numbers 0 to 1, but got \{1: 'cat'",
        ),
        ({"names": "{0: 'cat', 1: None}"}, r"metadata names must give texts to the numbers 0 to 1"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_metadata_that_cannot_be_used_are_one_line(make_file: MakeFile, metadata: dict[str, str], message: str) -> None:
    path = make_file(ultralytics_raw(), 32, **{**ULTRALYTICS, **metadata})
    with pytest.raises(InputError, match=f"^{path}: {message}") as caught:
        Detector(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("size", ["[64]", "'64'", "[64, -1]", "[64, 10**9]", "[1000000, 64]", "{"])
def test_an_open_size_that_nothing_tells(tmp_path: Path, size: str) -> None:
    with pytest.raises(InputError, match="metadata imgsz must be"):
        Detector(dynamic_file(tmp_path / "model.onnx", imgsz=size))
    with pytest.raises(InputError, match=r"must have imgsz in its metadata, which has \['author', 'names', 'task'\]"):
        Detector(dynamic_file(tmp_path / "none.onnx"))


def test_names_are_not_missing(make_file: MakeFile) -> None:
    with pytest.raises(InputError, match=r"must have names in its metadata, which has \['author'\]"):
        Detector(make_file(ultralytics_raw(), 32, author="Ultralytics"))


@pytest.mark.parametrize("shape", [(1, 7, 21), (1, 21, 84), (6, 21)])
def test_outputs_that_do_not_fit_the_names(make_file: MakeFile, shape: tuple[int, ...]) -> None:
    message = r"of 2 classes must give one output, \[1, 6, points\] or \[1, N, 6\], but the graph gives \{'output0'"
    with pytest.raises(InputError, match=message):
        Detector(make_file({"output0": np.zeros(shape, np.float32)}, 32, **ULTRALYTICS))


@pytest.mark.parametrize(
    ("kind", "shape"),
    [(TensorProto.FLOAT16, [1, 3, 32, 32]), (TensorProto.FLOAT, [4, 3, 32, 32]), (TensorProto.FLOAT, [1, 32, 32, 3])],
)
def test_inputs_that_do_not_fit(tmp_path: Path, kind: int, shape: list[int]) -> None:
    onnx.save(build({"images": (kind, shape)}, ultralytics_raw(), ULTRALYTICS), tmp_path / "model.onnx")
    with pytest.raises(InputError, match=r"must take one float32 input \[1 or any, 3, H, W\], but the graph takes"):
        Detector(tmp_path / "model.onnx")


@pytest.mark.parametrize("number", [2, -1, np.nan])
def test_a_class_without_name(make_file: MakeFile, number: float) -> None:
    rows = np.array([[[4, 10, 12, 20, 0.9, number]]], np.float32)
    with pytest.raises(InputError, match=r"gives class (2|-1|nan), but its metadata name 2 classes"):
        Detector(make_file({"output0": rows}, 32, **ULTRALYTICS))(IMAGE)


def test_rows_without_score_may_hold_anything(make_file: MakeFile) -> None:
    rows = np.array([[[4, 10, 12, 20, 0.9, 1], [0, 0, 0, 0, 0, -1], [np.nan] * 6]], np.float32)
    assert Detector(make_file({"output0": rows}, 32, **ULTRALYTICS))(IMAGE).labels == ["dog"]


# The commands.


def test_info_of_a_foreign_file(make_file: MakeFile, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_file(ultralytics_raw(), 32, **ULTRALYTICS, license="AGPL-3.0")
    assert main(["info", str(path)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert {
        "kind file of Ultralytics",
        "classes cat, dog",
        "input size 32 x 32 (height x width)",
        "input format float32_nchw_rgb",
        "NMS after the network, at IoU 0.7",
        "output output0: float [1, 6, 21]",
        "license AGPL-3.0",
    } <= set(lines)
    assert not any(line.startswith("activation") for line in lines)


def test_sides_that_cannot_be_are_no_known_format(make_file: MakeFile) -> None:
    for outputs in (yolox(), picodet(), detr()):
        path = make_file(outputs, 64)
        model = onnx.load(path)
        sides = model.graph.input[0].type.tensor_type.shape.dim
        for spoiled in (0, 2**31, 2**40):
            sides[2].dim_value = sides[3].dim_value = spoiled
            onnx.save(model, path)
            with pytest.raises(InputError, match="not a fusedet model"):
                Detector(path, threads=1)


def test_text_that_is_none_is_a_damaged_file(make_file: MakeFile) -> None:
    path = make_file(ultralytics_final(), 32, **ULTRALYTICS)
    path.write_bytes(path.read_bytes().replace(b"Ultralytics", b"Ultra\xff\xfetics"))
    with pytest.raises(InputError, match="its text is not UTF-8"):
        Detector(path, threads=1)


def test_a_class_without_a_name_names_the_file(make_file: MakeFile) -> None:
    outputs = {**detr(), "labels": np.array([[2**56, 0]], np.int64)}
    with pytest.raises(InputError, match=r"foreign\.onnx: class_ids must be in 0\.\.79"):
        Detector(make_file(outputs, 32), threads=1)(np.zeros((32, 32, 3), np.uint8))
