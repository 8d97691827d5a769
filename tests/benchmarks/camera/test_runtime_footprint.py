"""The measurement of what a board installs, without installing anything."""

import sys
from pathlib import Path

import pytest

from benchmarks.camera.footprint import FIRST, size_of, without_needless


def test_needless_files_are_deleted_and_counted_once(tmp_path: Path) -> None:
    tests = tmp_path / "numpy" / "lib" / "tests" / "tests"
    tests.mkdir(parents=True)
    (tests / "data.bin").write_bytes(b"0" * 3000)
    (tmp_path / "numpy" / "core.py").write_bytes(b"0" * 500)
    (tmp_path / "numpy" / "core.pyi").write_bytes(b"0" * 1000)
    assert size_of(tmp_path) == 4500
    assert without_needless(tmp_path, sys.executable, FIRST.format(model='starter_model("nano")')) == pytest.approx(
        0.004
    )
    assert size_of(tmp_path) == 500
