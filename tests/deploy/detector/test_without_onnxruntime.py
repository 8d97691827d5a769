"""A board that runs another runtime has no ONNX Runtime."""

import subprocess
import sys
from pathlib import Path

_BLOCKED = """
import sys
sys.modules["onnxruntime"] = None
from fusedet.common.errors import InputError
from fusedet.common.machine import this_machine
from fusedet.deploy import Detector
from fusedet.deploy.bench.figures import Figures
from fusedet.deploy.bench.peak import measure_peak
from fusedet.deploy.bench.tuned import read_tuned

assert measure_peak(1) == 0
assert "numpy" in this_machine().versions
assert "onnxruntime" not in this_machine().versions
assert read_tuned(sys.argv[1]) is None
try:
    Detector(sys.argv[1])
except InputError as error:
    print(error)
"""


def test_the_library_is_there_without_it_and_says_what_an_onnx_file_needs(model: Path) -> None:
    said = subprocess.run([sys.executable, "-c", _BLOCKED, str(model)], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == (f"{model}: needs ONNX Runtime, which is not installed: pip install onnxruntime")
