"""Every package that an ARM board installs has a wheel for it, on each Python: nothing is compiled on the board."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.environments import PYTHONS

pytestmark = pytest.mark.slow

#: glibc of the systems that are meant: 2.28 and newer. Raspberry Pi OS 12 has 2.36.
PLATFORMS = [f"manylinux_2_{minor}_aarch64" for minor in range(36, 16, -1)] + ["manylinux2014_aarch64"]


@pytest.mark.parametrize("version", PYTHONS)
def test_wheels_for_arm(version: str, wheel: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    command = [
        *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"),
        *("--report", str(report)),
        *("--python-version", version, "--only-binary", ":all:", "--target", str(tmp_path / "none"), *platforms),
        f"{wheel}[headless,run,web,mqtt]",
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    found = {
        entry["metadata"]["name"].lower(): entry["download_info"]["url"].rpartition("/")[2]
        for entry in json.loads(report.read_text())["install"]
    }
    print(version, *sorted(found.values()), sep="\n  ")
    assert {"numpy", "onnxruntime", "opencv-python-headless", "aiohttp", "paho-mqtt", "pydantic-core"} <= {
        name.replace("_", "-") for name in found
    }
    for name in found.values():
        assert name.endswith(("-none-any.whl", "aarch64.whl")), f"{name} is for another machine"
