"""Files in the layouts of Ultralytics: what stands in them, and that every reader finds what the network finds."""

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from fusedet.cli.main import main
from fusedet.common.errors import InputError
from fusedet.deploy import Contract, Detector, letterbox, to_blob
from fusedet.deploy.detector.formats import UltralyticsFile
from fusedet.export import ExportError, ExportResult, export_onnx
from fusedet.export.graph.nodes import metadata_of
from fusedet.export.graph.ultralytics_layout import UltralyticsGraph, ultralytics_metadata
from fusedet.export.proof.images import draw_images
from fusedet.export.proof.verify import verify
from fusedet.model import DetectorNet, InferenceGraph
from tests.export.networks import NAMES, small_config, trained_net
from tests.export.test_pipeline import save

POINTS = 64 + 16 + 4
BOTH = pytest.mark.parametrize("nms", [False, True], ids=["nms-free", "nms"])


@pytest.fixture(scope="module")
def net() -> DetectorNet:
    return trained_net(small_config())


@pytest.fixture(scope="module")
def results(net: DetectorNet, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, ExportResult]:
    """Files of both branches, by ``nms``."""
    folder = tmp_path_factory.mktemp("ultralytics")
    return {
        nms: export_onnx(net, folder / f"nms-{nms}.onnx", names=NAMES, nms=nms, layout="ultralytics")
        for nms in (False, True)
    }


@pytest.fixture(scope="module")
def own(net: DetectorNet, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """The same networks in our own layout, by ``nms``."""
    folder = tmp_path_factory.mktemp("own")
    return {
        nms: export_onnx(net, folder / f"nms-{nms}.onnx", names=NAMES, nms=nms, nms_iou=0.7).fused
        for nms in (False, True)
    }


@BOTH
def test_what_ultralytics_reads_of_the_metadata(results: dict[bool, ExportResult], nms: bool) -> None:
    for path in (results[nms].plain, results[nms].fused):
        metadata = metadata_of(onnx.load(path))
        assert metadata["task"] == "detect"
        assert ast.literal_eval(metadata["names"]) == {0: "cat", 1: "dog", 2: "owl"}
        assert ast.literal_eval(metadata["imgsz"]) == [64, 64]
        assert (int(metadata["stride"]), int(metadata["batch"]), int(metadata["channels"])) == (32, 1, 3)
        assert ast.literal_eval(metadata["end2end"]) is not nms
        assert ast.literal_eval(metadata["args"]) == {"batch": 1, "dynamic": False, "nms": False}
        assert metadata["author"] == "fusedet"
        assert "parameters" in metadata["description"]
        assert not Contract.stands_in(metadata)


def test_names_that_need_quotes_survive() -> None:
    names = ("dog's", '"', "a\\b", "новый")
    metadata = ultralytics_metadata(Contract(names, (64, 96)))
    assert tuple(ast.literal_eval(metadata["names"]).values()) == names
    assert metadata["imgsz"] == "[64, 96]"


@BOTH
def test_the_form_of_the_graph(results: dict[bool, ExportResult], nms: bool) -> None:
    result = results[nms]
    session = ort.InferenceSession(result.plain)
    (images,), (output,) = session.get_inputs(), session.get_outputs()
    assert (images.name, images.type, images.shape) == ("images", "tensor(float)", [1, 3, 64, 64])
    assert (output.name, output.type) == ("output0", "tensor(float)")
    assert output.shape == ([1, 4 + len(NAMES), POINTS] if nms else [1, POINTS, 6])
    assert {opset.domain for opset in onnx.load(result.plain).opset_import} == {""}, "the plain file is standard ONNX"
    assert result.unfused == result.declined == ()
    assert result.fused_ops["FusedConv"] == result.fused_activations > 5
    assert "in the layout of Ultralytics" in onnx.load(result.plain).doc_string
    assert [agreement.between for agreement in result.agreement] == [("torch", "plain"), ("plain", "fused")]
    assert all(agreement.compared >= 10 for agreement in result.agreement)


def test_each_number_of_the_raw_layout(net: DetectorNet) -> None:
    images = torch.rand(2, 3, 64, 64)
    many = InferenceGraph(net, nms=True, input_format="float32_nchw_rgb", max_detections=POINTS).eval()
    with torch.no_grad():
        (rows,) = UltralyticsGraph(net, nms=True).eval()(images)
        boxes, scores, class_ids = many(images)  # the best two classes of each point, as far as there is room
    assert rows.shape == (2, 7, POINTS)
    centres, sizes = rows[:, :2].transpose(1, 2), rows[:, 2:4].transpose(1, 2)
    corners = torch.cat((centres - sizes / 2, centres + sizes / 2), 2)
    for image in range(2):
        for box, score, class_id in zip(boxes[image], scores[image], class_ids[image], strict=True):
            point = (corners[image] - box).abs().amax(1).argmin()
            torch.testing.assert_close(corners[image, point], box, atol=1e-3, rtol=0)
            torch.testing.assert_close(rows[image, 4 + class_id, point], score, atol=1e-5, rtol=0)


def test_each_number_of_the_other_layout(net: DetectorNet) -> None:
    images = torch.rand(2, 3, 64, 64)
    one = InferenceGraph(net, nms=False, input_format="float32_nchw_rgb", max_detections=20).eval()
    with torch.no_grad():
        (rows,) = UltralyticsGraph(net, nms=False, max_detections=20).eval()(images)
        boxes, scores, class_ids = one(images)
    assert rows.shape == (2, 20, 6)
    assert torch.equal(rows[..., :4], boxes)
    assert torch.equal(rows[..., 4], scores)
    assert torch.equal(rows[..., 5], class_ids.float())


def as_table(detector: Detector, image: np.ndarray) -> np.ndarray:
    found = detector(image)
    return np.column_stack((found.boxes_xyxy, found.scores * 100, found.class_ids * 100))


@BOTH
@pytest.mark.parametrize("form", ["plain", "fused"])
def test_the_runtime_finds_in_it_what_it_finds_in_our_own_file(
    results: dict[bool, ExportResult], own: dict[bool, Path], nms: bool, form: str
) -> None:
    ours, theirs = Detector(own[nms], score_threshold=0.2), Detector(getattr(results[nms], form), score_threshold=0.2)
    assert isinstance(theirs.format, UltralyticsFile)
    assert theirs.names == ours.names == NAMES
    assert theirs.contract.nms is nms
    assert theirs.contract.extra["author"] == "fusedet"
    for image in draw_images().values():
        expected, found = as_table(ours, image), as_table(theirs, image)
        assert len(found) == len(expected) > 0
        nearest = np.abs(found[:, None] - expected).max(axis=2)
        assert nearest.min(axis=1).max() < 0.15  # 0.05 px, 0.0015 in score
        assert nearest.min(axis=0).max() < 0.15


def test_opencv_reads_the_plain_raw_layout(results: dict[bool, ExportResult]) -> None:
    image = next(iter(draw_images().values()))
    blob = to_blob([letterbox(image, (64, 64), 114)[0]], "float32_nchw_rgb")
    network = cv2.dnn.readNetFromONNX(str(results[True].plain))
    network.setInput(blob)
    expected = ort.InferenceSession(results[True].plain).run(None, {"images": blob})[0]
    np.testing.assert_allclose(network.forward(), expected, rtol=0, atol=1e-3)


def test_a_file_with_other_weights_does_not_pass(results: dict[bool, ExportResult], tmp_path: Path) -> None:
    other = trained_net(small_config(), seed=1)
    result = results[True]
    with pytest.raises(ExportError, match=r"^drawn image \d: (torch|plain) finds (cat|dog|owl) with score"):
        verify(UltralyticsGraph(other, nms=True).eval(), result.plain, result.fused)


@pytest.mark.parametrize("nms", [False, True])
def test_open_batch_and_other_sides(net: DetectorNet, tmp_path: Path, nms: bool) -> None:
    result = export_onnx(
        net, tmp_path, names=NAMES, layout="ultralytics", nms=nms, dynamic_batch=True, input_size=(64, 96)
    )
    assert result.fused == tmp_path / "model.ultralytics.fused.onnx"
    detector = Detector(result.fused, score_threshold=0.2)
    assert detector.input_size == (64, 96)
    images = list(draw_images().values())
    for alone, together in zip(map(detector, images), detector.batch(images), strict=True):
        assert len(alone) == len(together) > 0
        np.testing.assert_allclose(alone.scores, together.scores, atol=1e-4)


def test_names_of_files(net: DetectorNet, tmp_path: Path) -> None:
    result = export_onnx(save(net, tmp_path / "best.pt"), layout="ultralytics")
    assert (result.plain, result.fused) == (
        tmp_path / "best.ultralytics.onnx",
        tmp_path / "best.ultralytics.fused.onnx",
    )
    assert "data animals" in metadata_of(onnx.load(result.plain))["description"]
    with pytest.raises(InputError, match=r"best\.ultralytics\.onnx: is already there"):
        export_onnx(tmp_path / "best.pt", layout="ultralytics")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layout": "yolo"}, "layout must be one of fusedet, ultralytics, raw, but got 'yolo'"),
        ({"layout": "ultralytics", "nms": True, "max_detections": 9}, "max_detections must be left out .* but got 9"),
        ({"layout": "ultralytics", "max_detections": 0}, "max_detections must be at least 1, but got 0"),
    ],
)
def test_arguments_that_cannot_be_used(
    net: DetectorNet, settings: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        export_onnx(net, tmp_path / "model.onnx", names=NAMES, **settings)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_the_command(net: DetectorNet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(net, tmp_path / "best.pt")
    assert main(["export", str(path), "--layout", "ultralytics", "--out", str(tmp_path / "models")]) == 0
    assert "torch = plain: " in capsys.readouterr().out
    file = tmp_path / "models" / "best.ultralytics.fused.onnx"
    assert main(["info", str(file)]) == 0
    assert "file of Ultralytics" in capsys.readouterr().out


WITH_ULTRALYTICS = """
import sys
from pathlib import Path
import cv2
from benchmarks.peers.ultralytics_models import prepare_ultralytics
prepare_ultralytics(Path(sys.argv[1]) / "settings")
from ultralytics import YOLO
for model, image in zip(sys.argv[2::2], sys.argv[3::2]):
    network = YOLO(model, task="detect")
    (found,) = network.predict(cv2.imread(image), imgsz=64, conf=0.2, iou=0.7, device="cpu", verbose=False)
    assert network.names == {0: "cat", 1: "dog", 2: "owl"}, network.names
    for row in found.boxes.data.tolist():
        print("row", *row)
    print("end")
"""


def test_ultralytics_finds_in_it_what_the_runtime_finds(results: dict[bool, ExportResult], tmp_path: Path) -> None:
    if find_spec("ultralytics") is None:
        pytest.skip("Ultralytics is not installed: pip install '.[ultralytics]'")
    file = tmp_path / "image.png"
    image = cv2.resize(draw_images(1)["drawn image 1"], (64, 64))  # nothing to resize: theirs gives other bits
    cv2.imwrite(str(file), image)
    files = [path for result in results.values() for path in (result.plain, result.fused)]
    words = [word for path in files for word in (str(path), str(file))]
    run = subprocess.run(
        [sys.executable, "-c", WITH_ULTRALYTICS, str(tmp_path), *words], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    groups = [
        np.array([line.split()[1:] for line in group.splitlines() if line.startswith("row")], float)
        for group in run.stdout.split("end")[:-1]
    ]
    for path, found in zip(files, groups, strict=True):
        detector = Detector(path, score_threshold=0.2, one_label="nms-True" in path.name)
        expected = as_table(detector, image)
        found[:, 4:] *= 100
        gaps = np.abs(found[:, None] - expected).max(axis=2)
        assert len(found) == len(expected) > 0
        assert gaps.min(axis=0).max() < 0.01
        assert gaps.min(axis=1).max() < 0.01
