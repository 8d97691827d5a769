"""ONNX Runtime keeps no database of what it was used for, and sends none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

PROGRAM = """
import sys, importlib
importlib.import_module(sys.argv[1])
import onnxruntime
import os
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""


@pytest.mark.parametrize(
    ("package", "wanted"),
    [
        ("fusedet.deploy", None),
        ("fusedet.deploy", "0"),
        ("fusedet.train", None),
    ],
)
def test_telemetry_is_off_unless_somebody_wants_it(package: str, wanted: str | None, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment |= {"ORT_DISABLE_TELEMETRY": wanted} if wanted else {}
    command = [sys.executable, "-c", PROGRAM, package]

    told = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    assert told.stdout.strip() == (wanted or "1")
    if wanted is None:
        assert not [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name]
