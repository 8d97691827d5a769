from pathlib import Path

import onnx
import pytest

from benchmarks.peers.interop import collect_files
from fusedet.configs import InputError
from fusedet.deploy import Contract
from tests.deploy.conftest import NAMES, build_model


def test_a_file_that_ultralytics_cannot_read_is_said_before_any_work(tmp_path: Path) -> None:
    onnx.save(build_model(Contract(NAMES, (64, 64))), tmp_path / "model.onnx")
    with pytest.raises(InputError, match="expected a file in a layout of Ultralytics, but it is one of fusedet"):
        collect_files([tmp_path / "model.onnx"], tmp_path)
