"""Whole searches of tiny trainings."""

import csv
import errno
import os
import signal
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fusedet.common.errors import GaveUpError, InputError
from fusedet.configs.reader.validate import dump_config
from fusedet.model import checkpoint
from fusedet.train import TrainConfig
from fusedet.train.config import load_train_config
from fusedet.train.data.dataset import Batch
from fusedet.train.loop.rollback import Step
from fusedet.train.loop.trainer import Trainer
from fusedet.train.run_folder import RunFolder
from fusedet.train.tune.space import Axis, Range, read_space
from tests.train.trainings import stop_at

pytest.importorskip("optuna")

Configs = Callable[[Sequence[str]], TrainConfig]
WORDS = ["optim.lr=0.001..0.1:log", "loss.box=5,7.5,10"]


@pytest.fixture
def configs(tiny: TrainConfig, tmp_path: Path) -> Configs:
    source = tmp_path / "tiny.yaml"
    short = tiny.model_copy(update={"train": tiny.train.model_copy(update={"out": None, "epochs": 2})})
    source.write_text(dump_config(short))
    return lambda more: load_train_config(source, more)


def search(configs: Configs, folder: Path, count: int, words: Sequence[str] = WORDS) -> tuple[list, bool, list[str]]:
    from fusedet.train.tune.search import tune

    said: list[str] = []
    space: dict[str, Axis] = read_space(words, configs)
    return *tune(configs, space, count, folder, said.append), said


def test_a_search_finds_the_best_and_goes_on(configs: Configs, tmp_path: Path) -> None:
    folder = tmp_path / "search"
    trials, complete, said = search(configs, folder, 2)
    assert complete
    assert [trial.state for trial in trials] == ["done", "done"]
    assert trials[0].settings == {"optim.lr": "0.02", "loss.box": "7.5"}, "the config as it is comes first"
    assert trials[1].settings != trials[0].settings
    assert len(said) == 2
    assert said[1].startswith("trial 1, 2 of 2  AP ")
    best = max(trials, key=lambda trial: trial.ap)
    config = load_train_config(folder / "best.yaml")
    assert f"{config.optim.lr:g}" == best.settings["optim.lr"]
    assert config.train.out is None
    rows = list(csv.DictReader((folder / "trials.csv").read_text().splitlines()))
    assert [row["run"] for row in rows] == [str(folder / "trial-0"), str(folder / "trial-1")]
    assert all(RunFolder(trial.run).best.exists() for trial in trials if trial.ap > 0)
    assert (folder / "trials.png").exists()

    more, complete, said = search(configs, folder, 3)
    assert complete
    assert [trial.settings for trial in more[:2]] == [trial.settings for trial in trials]
    assert len(more) == 3
    assert len(said) == 1
    with pytest.raises(InputError, match="was begun with other settings or another --search"):
        search(configs, folder, 3, WORDS[:1])


def test_an_interrupted_trial_goes_on_where_it_was(
    configs: Configs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, handler = tmp_path / "search", signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        stop_at(patch, step=4)  # three steps an epoch: in the second epoch of the first trial
        trials, complete, said = search(configs, folder, 1)
    assert not complete
    assert not said
    assert not trials
    steps, plain = 0, Trainer._step

    def count(trainer: Trainer, batch: Batch) -> Step:
        nonlocal steps
        steps += 1
        return plain(trainer, batch)

    monkeypatch.setattr(Trainer, "_step", count)
    trials, complete, _ = search(configs, folder, 1)
    assert complete
    assert steps == 2, "of six, four were done"
    assert [(trial.state, trial.run.name, trial.epochs) for trial in trials] == [
        ("left", "trial-0", 1),
        ("done", "trial-0", 2),
    ]
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize("saved", [0, 1], ids=["before anything was trained", "within a trial"])
def test_on_a_full_disk_the_same_command_goes_on(
    saved: int, configs: Configs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, plain, written = tmp_path / "search", checkpoint.save_checkpoint, 0

    def save(path: Path, *args: Any, **kwargs: Any) -> None:
        nonlocal written
        written += 1
        if written > saved:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        plain(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr("fusedet.train.loop.trainer.save_checkpoint", save)
        with pytest.raises(GaveUpError, match=r"trial-0.*pt: No space left on device; .*the same command goes on"):
            search(configs, folder, 1)
    trials, complete, _ = search(configs, folder, 1)
    assert complete
    assert [trial.state for trial in trials] == ["left", "done"]


def _foreign_table(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE studies (text)")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b"hello" * 1000), id="no database"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:30000]), id="cut"),
        pytest.param(_foreign_table, id="of another program"),
    ],
)
def test_a_damaged_study_is_named(damage: Callable[[Path], None], configs: Configs, tmp_path: Path) -> None:
    folder = tmp_path / "search"
    search(configs, folder, 1)
    damage(folder / "study.db")
    with pytest.raises(InputError, match=r"study.db: expected what an earlier search has written"):
        search(configs, folder, 2)


def test_a_study_that_cannot_be_written_is_told(
    configs: Configs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import optuna

    folder = tmp_path / "search"
    search(configs, folder, 1)

    def full(_: object) -> None:
        raise optuna.exceptions.StorageInternalError("commit") from sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "ask", full)
        with pytest.raises(GaveUpError, match=r"study.db: database or disk is full; .*the same command goes on"):
            search(configs, folder, 2)


def test_a_trial_that_others_leave_behind_ends_early(configs: Configs, tmp_path: Path) -> None:
    import optuna

    from fusedet.train.tune.search import _HopelessError, _Watched

    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(2, n_warmup_steps=1))
    for _ in range(3):
        trial = study.ask()
        watched = _Watched(9, trial)
        for epoch in (1, 2, 3):
            watched.finish_epoch(epoch, 1.0, 0.5, 0.6, 10.0, 0.0)
        study.tell(trial, 0.5)
    watched = _Watched(9, study.ask())
    watched.finish_epoch(1, 1.0, float("nan"), 0.2, 10.0, 0.0)  # it was not graded: that says nothing
    with pytest.raises(_HopelessError):
        watched.finish_epoch(2, 1.0, 0.1, 0.2, 10.0, 0.0)


def test_settings_that_do_not_go_together_are_told(configs: Configs, tmp_path: Path) -> None:
    sure = ["data.min_score=0.4"]
    words = ["data.ignore_score=0.3,0.4", "data.min_score=0.1,0.2"]
    with pytest.raises(InputError, match=r"trial 0 \(data.ignore_score=0..*, data.min_score=0..\): .*ignore_score is"):
        search(lambda more: configs([*sure, *more]), tmp_path / "search", 3, words)


def test_a_folder_of_something_else_is_not_taken(configs: Configs, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").touch()
    with pytest.raises(InputError, match="mine: expected a folder of fusedet tune or none"):
        search(configs, tmp_path / "mine", 1)


def test_steps_are_counted_from_the_low_end() -> None:
    assert Range(0, 1, step=0.5).text(0.5) == "0.5"
