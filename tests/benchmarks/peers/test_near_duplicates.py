"""The pairs that the limits of copies were chosen by."""

from pathlib import Path

import cv2
import pytest

from benchmarks.peers import near_duplicates
from tests.train.data.doctor.drawing import DrawnSet, draw_clean_set


def test_copies_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = DrawnSet(draw_clean_set(tmp_path / "set", train=12, val=4))
    picture = cv2.imread(str(drawn.path(3)))
    assert picture is not None
    cv2.imwrite(str(drawn.path(7)), picture, [cv2.IMWRITE_JPEG_QUALITY, 70])
    monkeypatch.setattr("sys.argv", ["near_duplicates", str(drawn.root), "--count", "3"])
    near_duplicates.main()
    said = capsys.readouterr().out.splitlines()
    assert "16 pictures; copies are at most 32 bits" in said[0]
    assert "train/train-3.jpg  train/train-7.jpg  copies" in said[1]
    assert not any(line.endswith("copies") for line in said[2:])
