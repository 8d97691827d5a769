"""The measurement of what a board installs, without installing anything."""

import sys
from pathlib import Path

import pytest

from benchmarks.camera.footprint import Footprint, size_of, table, without_needless


def test_needless_files_are_deleted_and_counted_once(tmp_path: Path) -> None:
    tests = tmp_path / "numpy" / "lib" / "tests" / "tests"
    tests.mkdir(parents=True)
    (tests / "data.bin").write_bytes(b"0" * 3000)
    (tmp_path / "numpy" / "core.py").write_bytes(b"0" * 500)
    (tmp_path / "numpy" / "core.pyi").write_bytes(b"0" * 1000)
    assert size_of(tmp_path) == 4500
    assert without_needless(tmp_path, sys.executable) == pytest.approx(0.004)
    assert size_of(tmp_path) == 500


def test_the_table_has_a_row_for_each_set_of_extras() -> None:
    one = Footprint("headless", ["fusedet", "numpy"], 324.4, {"numpy": 43.0}, 128.2, 154.0, 100.2, 101.0, 20.0)
    lines = table([one], 2000).splitlines()
    assert lines[-1] == "| `headless` | 2 | 324 | 20 | 128 | 154 | 100.2 | 101.0 |"
    assert {line.count("|") for line in lines} == {9}
