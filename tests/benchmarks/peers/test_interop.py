from pathlib import Path

import onnx
import pytest

from benchmarks.peers.interop import Row, collect_files, table
from fusedet.configs import InputError
from fusedet.deploy import Contract
from tests.deploy.conftest import NAMES, build_model


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
