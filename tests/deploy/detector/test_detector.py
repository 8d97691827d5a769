import copy
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from fusedet.configs import InputError
from fusedet.deploy import Detector
from fusedet.deploy.detector.session import default_threads, open_session
from tests.deploy.conftest import NAMES, draw_image

ModelMaker = Callable[..., Path]


@pytest.mark.parametrize("input_format", ["uint8_nhwc_bgr", "float32_nchw_rgb"])
@pytest.mark.parametrize("batch", [None, 1])
@pytest.mark.parametrize("color", [0, 1, 2])
def test_finds_the_rectangle_and_its_color(
    make_model: ModelMaker, input_format: str, batch: int | None, color: int
) -> None:
    detector = Detector(make_model(batch, input_format=input_format))
    found = detector(draw_image((16, 32, 80, 64), color))  # halved, so that its sides fall between pixels
    np.testing.assert_allclose(found.boxes_xyxy, [[16, 32, 80, 64]], atol=1e-4)
    assert found.labels == [NAMES[color]]
    assert found.scores == pytest.approx([0.9])  # and not the box whose score is NaN


@pytest.mark.parametrize("input_size", [(64, 64), (32, 96), (96, 32)])
@pytest.mark.parametrize("size_hw", [(96, 128), (300, 200), (41, 77), (20, 30), (64, 64)])
def test_boxes_are_true_for_every_shape(
    make_model: ModelMaker, input_size: tuple[int, int], size_hw: tuple[int, int]
) -> None:
    detector = Detector(make_model(input_size=input_size))
    height, width = size_hw
    box = (width // 4, height // 4, width * 3 // 4, height * 3 // 4)
    found = detector(draw_image(box, size_hw=size_hw))
    pixel = max(1.0, height / input_size[0], width / input_size[1])  # of the input, measured in the image
    np.testing.assert_allclose(found.boxes_xyxy, [box], atol=pixel)


def test_a_model_that_is_no_name_of_a_file_is_refused() -> None:
    for path in (None, ["model.onnx"], 5, b"model.onnx", True):
        with pytest.raises(InputError, match="a model must be given by its file's name"):
            Detector(path)


@pytest.mark.parametrize("image", [None, "street.jpg", np.zeros((1, 4, 4, 3), np.uint8)], ids=str)
def test_what_is_no_image_is_refused(model: Path, image: Any) -> None:
    detector = Detector(model)
    for call in (detector, detector.prepare, lambda image: detector.batch([image])):
        with pytest.raises(InputError, match=r"an image must be .*uint8 \[H, W, 3\] in BGR, but got"):
            call(image)


def test_what_is_no_list_of_images_is_refused(model: Path) -> None:
    for images in (None, 5, np.zeros((4, 4, 3), np.uint8), iter([])):
        with pytest.raises(InputError, match="images must be a list of images"):
            Detector(model).batch(images)


def test_a_pillow_image_is_refused_with_the_way_out(model: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    with pytest.raises(InputError, match=r"np\.asarray\(image\.convert\('RGB'\)\)"):
        Detector(model)(pillow.new("RGB", (8, 8)))


@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy, copy.copy])
def test_a_detector_cannot_be_copied_and_says_what_to_do(model: Path, copied: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"cannot be pickled or copied.*Detector\(\.\.\.\) in each process"):
        copied(Detector(model))


@pytest.mark.parametrize("batch", [None, 1])
def test_batch_equals_one_at_a_time(make_model: ModelMaker, batch: int | None) -> None:
    detector = Detector(make_model(batch))
    images = [
        draw_image((16, 32, 80, 64), 0),
        np.zeros((10, 10, 3), np.uint8),
        draw_image((5, 5, 30, 30), 2, (60, 40)),
    ]
    together = detector.batch(images)
    assert [len(found) for found in together] == [1, 0, 1]
    assert detector.batch([]) == []
    for image, found in zip(images, together, strict=True):
        alone = detector(image)
        np.testing.assert_array_equal(found.boxes_xyxy, alone.boxes_xyxy)
        np.testing.assert_array_equal(found.class_ids, alone.class_ids)


def test_an_object_that_the_network_reports_twice_is_one_detection(make_model: ModelMaker) -> None:
    path, image = make_model(scores=(0.8, 0.9)), draw_image((16, 32, 80, 64))
    detector = Detector(path)
    assert detector.duplicate_iou == 0.7
    assert detector(image).scores == pytest.approx([0.9])
    assert detector.batch([image])[0].scores == pytest.approx([0.9])
    assert Detector(path, duplicate_iou=0.95)(image).scores == pytest.approx([0.9, 0.8])  # IoU 31 / 33
    detector.duplicate_iou = None
    assert detector(image).scores == pytest.approx([0.9, 0.8])


def test_the_bars_are_as_grey_as_the_contract_says(make_model: ModelMaker) -> None:
    detector = Detector(make_model(pad_value=255))  # bright bars belong to the rectangle
    np.testing.assert_allclose(detector(draw_image((16, 32, 80, 64))).boxes_xyxy, [[0, 0, 128, 96]], atol=1e-4)


def test_onnx_runtime_prints_nothing(model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Detector(model)(draw_image((16, 32, 80, 64)))
    (tmp_path / "text.onnx").write_bytes(b"hello")
    with pytest.raises(InputError):
        Detector(tmp_path / "text.onnx")
    assert capfd.readouterr() == ("", "")


def test_thresholds(make_model: ModelMaker) -> None:
    path = make_model(scores=(0.9, 0.5, 0.1))
    image = draw_image((16, 32, 80, 64))
    assert len(Detector(path, duplicate_iou=None)(image)) == 2
    assert len(Detector(path, score_threshold=0.05, duplicate_iou=None)(image)) == 3
    assert Detector(path, max_detections=1)(image).scores == pytest.approx([0.9])


def test_only_the_classes_that_are_asked_for_are_reported(model: Path) -> None:
    red, green = draw_image((16, 32, 80, 64), 0), draw_image((16, 32, 80, 64), 1)
    detector = Detector(model, classes=["green"])
    assert [found.labels for found in detector.batch([red, green])] == [[], ["green"]]
    detector.classes = None
    assert detector(red).labels == ["red"]
    with pytest.raises(InputError, match="classes: the model has no class 'rde', did you mean 'red'"):
        detector.classes = ["green", "rde"]
    assert detector.classes is None
    with pytest.raises(InputError, match="classes: the model has no class 'cat'; it has red, green, blue"):
        Detector(model, classes=["cat"])


def test_timings_are_of_the_last_call(model: Path) -> None:
    detector = Detector(model)
    assert detector.timings.total == 0
    detector(draw_image((16, 32, 80, 64)))
    timings = detector.timings
    assert min(timings.pre, timings.inference, timings.post) > 0
    assert timings.total == timings.pre + timings.inference + timings.post


def test_threads_may_share_a_detector(model: Path) -> None:
    detector = Detector(model, threads=1)
    images = [draw_image((8 * i, 32, 8 * i + 32, 64)) for i in range(8)]
    lefts: list[list[float]] = [[] for _ in images]

    def work(i: int) -> None:
        lefts[i] = [float(detector(images[i]).boxes_xyxy[0, 0]) for _ in range(30)]

    workers = [threading.Thread(target=work, args=(i,)) for i in range(len(images))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert lefts == [[8.0 * i] * 30 for i in range(len(images))]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"score_threshold": 1.5}, r"score_threshold must be in 0\.\.1, but got 1\.5"),
        ({"score_threshold": float("nan")}, r"score_threshold must be in 0\.\.1, but got nan"),
        ({"duplicate_iou": 1.5}, r"duplicate_iou must be in 0\.\.1, or None to keep .*, but got 1\.5"),
        ({"duplicate_iou": float("nan")}, r"duplicate_iou must be in 0\.\.1, or None to keep .*, but got nan"),
        ({"max_detections": 0}, "max_detections must be at least 1, but got 0"),
        ({"threads": 0}, "threads must be at least 1, but got 0"),
        ({"threads": "2"}, "threads must be a whole number, but got '2'"),
        ({"max_detections": 2.5}, "max_detections must be a whole number, but got 2.5"),
        ({"score_threshold": "0.2"}, r"score_threshold must be in 0\.\.1, but got '0.2'"),
        ({"score_threshold": None}, r"score_threshold must be in 0\.\.1, but got None"),
        ({"classes": "red"}, "classes must be a list of class names, or None for all, but got 'red'"),
        ({"classes": [1]}, "the model has no class 1"),
    ],
)
def test_wrong_settings_are_named(model: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Detector(model, **settings)


def test_session_settings(model: Path) -> None:
    options = open_session(model, threads=3).get_session_options()
    assert options.intra_op_num_threads == 3
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    options = open_session(model, allow_spinning=True).get_session_options()
    assert options.intra_op_num_threads == default_threads()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "1"
    assert 1 <= default_threads() <= 4


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("none.onnx", None, r"none\.onnx: no such model file"),
        ("empty.onnx", b"", r"empty\.onnx: not an ONNX file"),
        ("text.onnx", b"hello", r"text\.onnx: not an ONNX file"),
        ("best.pt", b"PK\x03\x04", r"best\.pt: not an ONNX file .*`fusedet export`"),
        ("", None, "expected a model file or a run folder, but this folder has no"),
        ("net.tflite", b"TFL3", "net.tflite: a file for TensorFlow Lite; expected an ONNX file, or one for OpenVINO"),
        ("net.ENGINE", b"TFL3", "net.ENGINE: a file for TensorRT; expected an ONNX file, or one for OpenVINO"),
    ],
)
def test_what_is_no_onnx_file_is_named(tmp_path: Path, name: str, data: bytes | None, message: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        Detector(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_preset_with_starter_weights_and_a_run_with_an_export_are_opened_by_name(model: Path, tmp_path: Path) -> None:
    assert Detector("pico").names[0] == "person"
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "best.fused.onnx").write_bytes(model.read_bytes())
    assert Detector(tmp_path / "runs").names == Detector(model).names


def test_a_name_that_is_too_long_for_a_file_is_none() -> None:
    with pytest.raises(InputError, match="no such model file"):
        Detector(5000 * "x" + ".onnx")


def test_a_damaged_file_is_named(model: Path, tmp_path: Path) -> None:
    data = model.read_bytes()
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"damaged\.onnx: not an ONNX file that ONNX Runtime"):
        Detector(damaged)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda model: setattr(model.opset_import[0], "version", 99), "till opset"),
        (lambda model: setattr(model.graph.node[1], "op_type", "Strange"), "No Op registered for Strange"),
        (lambda model: setattr(model, "ir_version", 99), "Unsupported model IR version: 99"),
    ],
    ids=["opset", "operator", "form"],
)
def test_the_reason_of_onnx_runtime_is_short(
    change: Callable[[onnx.ModelProto], None], reason: str, model: Path, tmp_path: Path
) -> None:
    changed = onnx.load(model)
    change(changed)
    onnx.save(changed, tmp_path / "changed.onnx")
    with pytest.raises(InputError, match=reason) as caught:
        Detector(tmp_path / "changed.onnx")
    message = str(caught.value).replace(str(tmp_path), "")
    assert len(message) < 400
    assert "ONNXRuntimeError" not in message
    assert message.count("changed.onnx") == 1


def saying(key: str, value: str) -> Callable[[onnx.ModelProto], None]:
    """Changes what a file says of itself."""

    def change(model: onnx.ModelProto) -> None:
        next(entry for entry in model.metadata_props if entry.key == f"fusedet.{key}").value = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model: model.ClearField("metadata_props"), "not a fusedet model"),
        (saying("format_version", "99"), "written in form 99"),
        (
            saying("input_size", "[32, 32]"),
            r"expected tensor\(uint8\) \[1 or any, 32, 32, 3\] for uint8_nhwc_bgr, but .*'batch', 64, 64, 3",
        ),
        (
            saying("input_format", '"float32_nchw_rgb"'),
            r"expected tensor\(float\) \[1 or any, 3, 64.*uint8",
        ),
        (lambda model: model.graph.output.pop(), "expected the outputs .*class_ids.*, but the graph gives {'boxes'"),
    ],
)
def test_a_file_that_breaks_the_contract_is_named(make_model: ModelMaker, change: Any, message: str) -> None:
    path = make_model(change=change)
    with pytest.raises(InputError, match=message) as caught:
        Detector(path)
    assert str(path) in str(caught.value)


def test_a_batch_of_two_is_refused(make_model: ModelMaker) -> None:
    with pytest.raises(InputError, match=r"1 or any.*\[2, 64, 64, 3\]"):
        Detector(make_model(2))


def test_a_graph_that_gives_scores_of_no_image(make_model: Callable[..., Path]) -> None:
    def cut_the_scores(model: Any) -> None:
        for node in model.graph.node:
            node.output[:] = ["all scores" if name == "scores" else name for name in node.output]
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0]), "none"))
        model.graph.node.append(onnx.helper.make_node("Slice", ["all scores", "none", "none", "none"], ["scores"]))

    detector = Detector(make_model(change=cut_the_scores), threads=1)
    with pytest.raises(InputError, match=r"model\.onnx: of 1 image it gives outputs of shapes \[1, "):
        detector(np.zeros((64, 64, 3), np.uint8))


def test_a_graph_that_fails_when_it_is_run(make_model: Callable[..., Path]) -> None:
    def ask_for_a_seventh_channel(model: Any) -> None:
        flip = next(tensor for tensor in model.graph.initializer if tensor.name == "flip")
        flip.CopyFrom(onnx.numpy_helper.from_array(np.array([2, 1, 7]), "flip"))

    detector = Detector(make_model(change=ask_for_a_seventh_channel), threads=1)
    with pytest.raises(InputError, match=r"model\.onnx: its runtime cannot run this network: ") as caught:
        detector(np.zeros((64, 64, 3), np.uint8))
    assert "\n" not in str(caught.value)
