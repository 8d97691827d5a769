"""What is sent to loggers, and that none of them can stop a training."""

import json
import multiprocessing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fusedet.configs import InputError
from fusedet.train import TrainConfig, train
from fusedet.train.loop.loggers.logger import Ending, Steady, check_loggers, keep_id, known_id
from fusedet.train.run_folder import RunFolder
from tests.train.trainings import changed

ENDING = Ending(True, {"ap": 0.5}, Path("best.pt"), ())


class Away:
    """A server that does not answer for some calls."""

    def __init__(self, failures: int) -> None:
        self.failures, self.calls = failures, list[Any]()

    def begin(self, settings: Mapping[str, Any]) -> None:
        self._note(dict(settings))

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        self._note((dict(figures), epoch))

    def finish(self, ending: Ending) -> None:
        self._note(ending)

    def close(self) -> None:
        self.calls.append("closed")

    def _note(self, call: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no answer\nfrom there")
        self.calls.append(call)


def test_what_could_not_be_sent_is_sent_later_and_told_once() -> None:
    server, said = Away(failures=2), list[str]()
    logger = Steady("mlflow", server, {"train.epochs": 3}, said.append)
    for epoch in (1, 2, 3):
        logger.log({"loss": 1 / epoch}, epoch)
    logger.finish(ENDING)
    logger.close()
    rows = [({"loss": 1 / epoch}, epoch) for epoch in (1, 2, 3)]
    assert server.calls == [{"train.epochs": 3}, *rows, ENDING, "closed"]
    assert said == ["mlflow: no answer from there; the training goes on, and what is missing is sent when it can be"]


def test_a_server_that_stays_away_stops_nothing() -> None:
    server, said = Away(failures=99), list[str]()
    logger = Steady("wandb", server, {}, said.append)
    logger.log({"loss": 1.0}, 1)
    logger.finish(ENDING)
    logger.close()
    assert server.calls == ["closed"]
    assert len(said) == 1


def test_an_error_that_is_kept_does_not_keep_the_workers(tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = list[Exception]()

    class Keeps(Away):
        def _note(self, call: Any) -> None:
            kept.append(ConnectionError("no answer"))  # as in a cycle, with the frames of the training
            raise kept[-1]

    monkeypatch.setattr("fusedet.train.loop.loggers.logger._logger", lambda name, run: Keeps(0))
    others = set(multiprocessing.active_children())
    train(changed(tiny, train={"epochs": 1}, data={"workers": 1}))
    assert kept
    assert set(multiprocessing.active_children()) <= others


def test_a_package_that_is_missing_is_told_first(monkeypatch: pytest.MonkeyPatch) -> None:
    check_loggers(["tensorboard"])
    monkeypatch.setattr("fusedet.train.loop.loggers.logger.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"train.loggers: wandb is not installed: pip install 'fusedet\[wandb\]'"):
        check_loggers(["tensorboard", "wandb"])


def test_ids_are_kept_side_by_side(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert known_id(run, "mlflow") is None
    keep_id(run, "mlflow", "a")
    keep_id(run, "wandb", "b")
    assert (known_id(run, "mlflow"), known_id(run, "wandb")) == ("a", "b")


def test_without_loggers_the_table_and_the_curves_are_there(tiny: TrainConfig) -> None:
    result = train(changed(tiny, train={"epochs": 1, "loggers": []}))
    run = RunFolder(result.run_dir)
    assert len(run.read_metrics()) == 1
    assert 0 <= run.read_metrics()[0]["waiting"] <= 1
    assert run.curves.exists()
    assert not (run.path / "tensorboard").exists()


@pytest.mark.filterwarnings("ignore")  # theirs
def test_mlflow(tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "cells")
    monkeypatch.chdir(tmp_path)
    result = train(changed(tiny, train={"epochs": 2, "loggers": ["mlflow"], "report": True}))
    client = MlflowClient()
    (found,) = client.search_runs([client.get_experiment_by_name("cells").experiment_id])
    assert found.info.status == "FINISHED"
    assert found.info.run_id == json.loads((result.run_dir / "loggers.json").read_text())["mlflow"]
    assert found.data.params["train.epochs"] == "2"
    assert found.data.tags["best_checkpoint"] == str((result.run_dir / "best.pt").resolve())
    history = client.get_metric_history(found.info.run_id, "loss")
    rows = RunFolder(result.run_dir).read_metrics()
    assert [(metric.step, pytest.approx(metric.value, rel=1e-4)) for metric in history] == [
        (row["epoch"], row["loss"]) for row in rows
    ]
    files = {file.path for file in client.list_artifacts(found.info.run_id)}
    assert files == {"report.html", "curves.png", "config.yaml"}


@pytest.mark.filterwarnings("ignore")  # theirs
def test_wandb_offline(tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    result = train(changed(tiny, train={"epochs": 2, "loggers": ["wandb"]}))
    (folder,) = (result.run_dir / "wandb").glob("offline-run-*")
    identity = json.loads((result.run_dir / "loggers.json").read_text())["wandb"]
    assert folder.name.endswith(identity)
    assert next(folder.glob("*.wandb")).stat().st_size > 1000
