from pathlib import Path

import pytest

from benchmarks.speed.throughput import Setting, Side, Turn

SETTING = Setting("pico", "yolo26n", Path("data"), 64, 4, threads=1)


def work(setting: Setting, folder: Path, turn: Turn) -> None:
    """Takes its turns, the third one never ends."""
    for number in range(3):
        turn.begin()
        (folder / f"epoch-{number}").touch()
        if number == 2:
            raise ValueError("no images any more")
        turn.end()


def test_a_side_trains_when_it_is_its_turn(tmp_path: Path) -> None:
    side = Side(work, SETTING, tmp_path / "side")
    try:
        first = side.epoch()
        assert first.seconds > 0
        assert first.cpu >= 0
        assert not (tmp_path / "side" / "epoch-1").exists()
        side.epoch()
        with pytest.raises(SystemExit, match="no images any more"):
            side.epoch()
    finally:
        side.close()
