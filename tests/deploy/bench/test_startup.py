from pathlib import Path

import pytest

from fusedet.common.errors import InputError
from fusedet.deploy.bench.startup import measure_startup


def test_a_fresh_process_tells_its_steps_and_its_memory(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "json.py").write_text("raise SystemExit('the folder that one is in was imported from')")
    monkeypatch.chdir(tmp_path)
    startup = measure_startup(model, threads=1)
    assert min(startup.import_ms, startup.open_ms, startup.first_ms) > 0
    assert startup.import_ms > startup.first_ms
    assert startup.total_ms == pytest.approx(startup.import_ms + startup.open_ms + startup.first_ms)
    assert startup.resident_mb is None or 20 < startup.resident_mb < 1000
    assert startup.peak_mb is None or startup.resident_mb <= startup.peak_mb < 1000


def test_a_process_that_fails_says_why(tmp_path: Path):
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"could not run it: .*broken\.onnx: not an ONNX file"):
        measure_startup(tmp_path / "broken.onnx", threads=1)
