import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.peers.interop import Row, Unclipped, collect_files, read_saved, table
from fusedet.configs import InputError
from fusedet.deploy import Contract, Letterbox, letterbox
from tests.deploy.conftest import NAMES, build_model


@pytest.mark.parametrize("size", [(64, 64), (48, 100), (333, 127)])
def test_unclipped_boxes_lie_where_the_letterbox_says_and_beyond(size: tuple[int, int]) -> None:
    _, place = letterbox(np.zeros((*size, 3), np.uint8), (64, 64), 114)
    boxes = np.array([[1, 2, 30, size[0] - 1]], np.float32)
    np.testing.assert_allclose(Unclipped(place).to_image(place.to_input(boxes)), boxes, atol=1e-3)
    beyond = np.array([[-5, -6, size[1] + 7, size[0] + 8]], np.float32)
    np.testing.assert_allclose(Unclipped(place).to_image(place.to_input(beyond)), beyond, atol=1e-2)
    assert isinstance(place, Letterbox)


def test_what_val_saves(tmp_path: Path) -> None:
    entries = [
        {"image_id": 7, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.25},
        {"image_id": 3, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.5},
        {"image_id": 7, "category_id": 1, "bbox": [5, 5, 5, 5], "score": 0.75},
    ]
    (tmp_path / "predictions.json").write_text(json.dumps(entries))
    found = read_saved(tmp_path / "predictions.json", ("cat", "dog"))
    assert set(found) == {3, 7}
    assert found[7].labels == ["cat", "dog"], "the best first"
    assert found[7].boxes_xyxy.tolist() == [[5, 5, 10, 10], [1, 2, 4, 6]]
    assert found[7].scores.tolist() == [0.75, 0.25]


def test_the_table() -> None:
    rows = [
        Row("ours.onnx", "[1, 300, 4]", (0.5, 0.8)),
        Row("theirs.onnx", "[1, 300, 6]", (0.5, 0.8), (0.494, 0.801), (0.501, 0.8), (0.495, 0.8)),
    ]
    _, _, first, second = table(rows).splitlines()
    assert first == "| ours.onnx | [1, 300, 4] | 50.0 / 80.0 | - | - | - | - | - |"
    assert second.endswith("| 50.0 / 80.0 | 49.4 / 80.1 | 50.1 / 80.0 | 49.5 / 80.0 | +0.10 | -0.10 |")


def test_a_file_that_ultralytics_cannot_read_is_said_before_any_work(tmp_path: Path) -> None:
    onnx.save(build_model(Contract(NAMES, (64, 64))), tmp_path / "model.onnx")
    with pytest.raises(InputError, match="expected a file in a layout of Ultralytics, but it is one of fusedet"):
        collect_files([tmp_path / "model.onnx"], tmp_path)
