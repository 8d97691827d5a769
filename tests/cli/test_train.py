import json
from pathlib import Path

import pytest

from fusedet.cli.main import main


def test_a_training_of_one_epoch_and_its_resume(
    rectangles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    annotations = rectangles / "annotations"
    (annotations / "train.json").write_text((annotations / "val.json").read_text())
    Path("tiny.yaml").write_text(
        "base: pico\n"
        "model: {input_size: 64, stages: [{channels: 16}, {channels: 16}, {channels: 16}, {channels: 16}]}\n"
        "data: {root: rectangles, workers: 0}\n"
        "train: {epochs: 1, batch: 2, device: cpu}\n"
    )
    assert main(["train", "tiny.yaml", "lr=1e-3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["run"], told["finished"], told["best_epoch"]) == ("runs/tiny-1", True, 1)
    run = Path("runs/tiny-1")
    assert {"best.pt", "last.pt", "config.yaml"} <= {path.name for path in run.iterdir()}
    capsys.readouterr()

    assert main(["train", str(run / "config.yaml"), "out=again", "-q"]) == 0, "the saved config is a config"
    assert capsys.readouterr().out.splitlines()[0].startswith("again  best epoch 1  AP ")
    assert (Path("again") / "config.yaml").read_text().replace("out: again", "out: null") == (
        run / "config.yaml"
    ).read_text()

    assert main(["train", "--resume", str(run)]) == 0
    assert json.loads((annotations / "val.json").read_text())["images"], "the data are as they were"
