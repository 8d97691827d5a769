"""Files for chips with tools of their own: scores and boxes of each stride."""

import re
from pathlib import Path

import onnxruntime as ort
import pytest

from fusedet.common.errors import InputError
from fusedet.deploy import Detections, Detector, letterbox, nms, to_blob
from fusedet.export import ExportResult, export_onnx
from fusedet.export.proof.images import draw_images
from tests.detections import assert_same
from tests.export.networks import NAMES, change_metadata, small_config, trained_net

ROOT = Path(__file__).parents[3]
IMAGES = draw_images(4)
OPERATORS = {"Conv", "LeakyRelu", "Add", "Resize", "Sigmoid"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ExportResult]:
    net, folder = trained_net(small_config()), tmp_path_factory.mktemp("raw")
    return {layout: export_onnx(net, folder, names=NAMES, layout=layout) for layout in ("fusedet", "raw")}


def test_names_and_shapes_are_fixed(results: dict[str, ExportResult]) -> None:
    raw = results["raw"]
    assert (raw.plain.name, raw.fused.name) == ("model.raw.onnx", "model.raw.fused.onnx")
    session = ort.InferenceSession(raw.plain)
    assert {one.name: one.shape for one in session.get_inputs()} == {"images": [1, 3, 64, 64]}
    assert {one.name: one.shape for one in session.get_outputs()} == {
        f"{what}_{stride}": [1, channels, 64 // stride, 64 // stride]
        for stride in (8, 16, 32)
        for what, channels in (("scores", 3), ("boxes", 4))
    }


def test_nothing_but_convolutions_and_what_joins_them_is_in_it(results: dict[str, ExportResult]) -> None:
    assert set(results["raw"].plain_ops) <= OPERATORS
    assert not results["raw"].unfused
    assert results["raw"].fused_ops["LeakyRelu"] == 0


@pytest.mark.parametrize("form", ["plain", "fused"])
def test_the_runtime_finds_in_it_what_it_finds_in_our_layout(form: str, results: dict[str, ExportResult]) -> None:
    ours, raw = (Detector(getattr(results[layout], form), score_threshold=0.05) for layout in ("fusedet", "raw"))
    for image in IMAGES.values():
        assert_same(raw(image), ours(image))


def test_the_decoding_of_the_documents_finds_the_same(results: dict[str, ExportResult]) -> None:
    section = (ROOT / "docs" / "interop.md").read_text().partition("## Raw outputs")[2]
    names: dict[str, object] = {}
    exec(re.search(r"```python\n(.*?)```", section, re.DOTALL)[1], names)  # type: ignore[index]  # noqa: S102
    decode = names["decode"]
    assert callable(decode)
    session = ort.InferenceSession(results["raw"].plain)
    detector = Detector(results["raw"].plain, score_threshold=0.05, one_label=False)
    for image in IMAGES.values():
        canvas, place = letterbox(image, (64, 64), 114)
        given = session.run(None, {"images": to_blob([canvas], "float32_nchw_rgb")})
        outputs = {one.name: array[0] for one, array in zip(session.get_outputs(), given, strict=True)}
        boxes, scores, class_ids = decode(outputs, score_threshold=0.05)
        boxes = place.to_image(boxes)
        kept = nms(boxes, scores, class_ids, 0.6)
        kept = kept[(boxes[kept, 2:] > boxes[kept, :2]).all(axis=1)]  # what lies in the padding alone
        found = Detections(boxes[kept], scores[kept], class_ids[kept], NAMES)
        assert_same(found, detector(image), side_px=1e-3, score=1e-6)


@pytest.mark.parametrize("setting", [{"nms": False}, {"max_detections": 9}])
def test_what_does_not_go_with_it_is_refused(setting: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the layout raw gives all points for NMS"):
        export_onnx(trained_net(small_config()), tmp_path, names=NAMES, layout="raw", **setting)


def test_a_file_whose_outputs_are_not_those_of_its_metadata_is_refused(
    results: dict[str, ExportResult], tmp_path: Path
) -> None:
    change_metadata(results["raw"].plain, {"fusedet.strides": "[8, 16]"}, tmp_path / "other.onnx")
    with pytest.raises(InputError, match=r"expected the outputs .*scores_16.* but the graph gives .*scores_32"):
        Detector(tmp_path / "other.onnx")
