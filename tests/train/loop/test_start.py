"""The training as a whole, on a tiny network and twelve images."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from fusedet.common.errors import GaveUpError
from fusedet.configs import InputError
from fusedet.configs.reader.loader import dump_yaml
from fusedet.configs.reader.validate import dump_config
from fusedet.model import load_checkpoint, load_detector
from fusedet.model.checkpoint import save_checkpoint
from fusedet.model.detector import DetectorNet
from fusedet.train import evaluate_model, resume, train
from fusedet.train.config import DataConfig
from fusedet.train.evaluation.report.record import read_record
from fusedet.train.loop import preparation as prepare
from fusedet.train.run_folder import RunFolder
from tests.train.trainings import assert_equal, changed, stop_at, weights

#: Trains from the config file and with the arguments given, in a process of its own that can be killed.
SCRIPT = "import sys; from fusedet.cli.main import main; sys.exit(main(['train', *sys.argv[1:]]))"


def test_a_training_leaves_what_it_promises(tiny):
    result = train(tiny)
    assert result.finished
    names = {path.name for path in result.run_dir.iterdir()}
    assert names >= {"best.pt", "last.pt", "metrics.csv", "curves.png", "config.yaml", "tensorboard"}
    rows = RunFolder(result.run_dir).read_metrics()
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert list((result.run_dir / "tensorboard").iterdir())
    net, meta = load_detector(result.run_dir / "best.pt")
    assert meta["names"] == ["blue", "green", "red"]
    assert net.config.classes == 3
    # The checkpoint, graded by itself, gives what the training said.
    data = tiny.data
    metrics = evaluate_model(result.run_dir / "best.pt", data.val_annotations, data.val_images, tiny.eval)
    assert metrics.summary() == pytest.approx(result.metrics, abs=1e-6, nan_ok=True)


def test_a_resume_of_a_training_that_is_done_says_so(tiny, capsys):
    done = train(changed(tiny, train={"epochs": 1}))
    assert "nothing is left" not in capsys.readouterr().out
    assert resume(done.run_dir).finished
    assert "nothing is left to train: epoch 1 was the last" in capsys.readouterr().out


def wait_for_epoch(run: RunFolder, epoch: int, process: "subprocess.Popen[bytes]") -> None:
    """Until ``last.pt`` holds that epoch."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if run.last.exists() and load_checkpoint(run.last).meta["epoch"] >= epoch:
            return
        assert process.poll() is None, "the training ended by itself"
        time.sleep(0.02)
    pytest.fail(f"no epoch {epoch} within 300 s")


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_training_goes_on_and_ends_as_if_nothing_had_happened(tiny, tmp_path, ending):
    """Killed in the middle, then resumed: bit by bit the network of a training that ran through."""
    config = changed(tiny, train={"epochs": 8})
    train(changed(config, train={"out": tmp_path / "through"}))

    run = RunFolder(tmp_path / "killed")
    killed = changed(config, train={"out": run.path})
    source = tmp_path / "killed.yaml"
    source.write_text(dump_config(killed))
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(source)], env=environment)
    wait_for_epoch(run, 2, process)
    process.send_signal(ending)
    code = process.wait(timeout=300)
    assert code == {signal.SIGKILL: -9, signal.SIGTERM: 130, signal.SIGINT: 130}[ending]
    before = load_checkpoint(run.last).meta["epoch"]
    assert 2 <= before < 8
    (run.path / ".fusedet-0123456789abcdef.part").touch()  # as a kill in the middle of a checkpoint leaves it

    result = resume(run.path)
    assert result.finished
    assert [path.name for path in run.path.glob(".*")] == [".lock"]
    rows = run.read_metrics()
    assert [row["epoch"] for row in rows] == list(range(1, 9)), "no epoch is missing and none is there twice"
    assert_equal(weights(run.last), weights(tmp_path / "through" / "last.pt"))


#: Trains from the config file; kills itself when it has been through the given number of steps.
DIES = """
import os, signal, sys
from fusedet.cli.main import main
from fusedet.train.loop.trainer import Trainer
from tests.train.trainings import assert_equal, changed, stop_at, weights
plain, left = Trainer._step, int(sys.argv[2])
def step(trainer, batch):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return plain(trainer, batch)
Trainer._step = step
main(["train", sys.argv[1]])
"""


def test_a_kill_within_an_epoch_loses_no_step_that_was_saved(tiny, tmp_path):
    """Three batches an epoch: killed in the second one, after its second step, and gone on with from there."""
    config = changed(tiny, train={"epochs": 2, "save_minutes": 1e-9}, data={"workers": 2})
    train(changed(config, train={"out": tmp_path / "through"}))
    run, through = RunFolder(tmp_path / "killed"), RunFolder(tmp_path / "through")
    source = tmp_path / "killed.yaml"
    source.write_text(dump_config(changed(config, train={"out": run.path})))
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    killed = subprocess.run([sys.executable, "-c", DIES, str(source), "5"], env=environment, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    meta = load_checkpoint(run.last).meta
    assert (meta["epoch"], meta["batches_done"]) == (1, 2)

    assert resume(run.path).finished
    for part in ("model", "ema"):
        assert_equal(load_checkpoint(run.last).state[part], load_checkpoint(through.last).state[part])
    timed = {"seconds", "images_per_second", "waiting"}
    rows = [
        [{name: value for name, value in row.items() if name not in timed} for row in folder.read_metrics()]
        for folder in (run, through)
    ]
    assert repr(rows[0]) == repr(rows[1]), "the table tells of whole epochs"  # by text: NaN is not equal to itself


@pytest.mark.parametrize(
    ("step", "accumulate"),
    [
        (3, 2),
        *(
            pytest.param(*pair, marks=pytest.mark.slow)
            for pair in ((1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (4, 1), (4, 2), (6, 1), (6, 2))
        ),
    ],
)
def test_a_stop_at_any_step_is_exact(tiny, tmp_path, monkeypatch, step, accumulate):
    """Three batches an epoch: stops in the middle of an epoch, at its end, and between the passes of one step."""
    config = changed(tiny, train={"epochs": 2, "accumulate": accumulate})
    through = train(changed(config, train={"out": tmp_path / "through"}))
    with monkeypatch.context() as patch:
        stop_at(patch, step)
        stopped = train(changed(config, train={"out": tmp_path / "stopped"}))
    if not stopped.finished:
        assert resume(stopped.run_dir).finished
    assert_equal(weights(stopped.run_dir / "last.pt"), weights(through.run_dir / "last.pt"))
    assert [row["epoch"] for row in RunFolder(stopped.run_dir).read_metrics()] == [1, 2]


def as_with_a_guide(run: RunFolder, guide: str | None) -> None:
    """Makes a run folder one of a version that had ``train.guide``."""
    state, meta = load_checkpoint(run.last).state, load_checkpoint(run.last).meta
    meta["config"]["train"]["guide"], meta["config"]["loss"]["guide"] = guide, 1.0
    save_checkpoint(run.last, state, meta)
    run.config.write_text(dump_yaml(meta["config"]))


def test_a_run_of_a_version_with_guides_goes_on_where_it_had_none(tiny, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        stop_at(patch, 5)
        run = RunFolder(train(changed(tiny, train={"epochs": 2})).run_dir)
    as_with_a_guide(run, None)
    assert resume(run.path).finished
    assert not caplog.messages, "a guide that was not there is not missed"
    as_with_a_guide(run, "teacher.onnx")
    with pytest.raises(InputError, match=r"last\.pt: cannot be resumed: train\.guide was removed"):
        resume(run.path)
    assert read_record(run.path).config.train.epochs == 2, "its report can still be made"


def test_a_resume_checks_that_the_classes_are_the_same(tiny, tmp_path, rectangles):
    train(changed(tiny, train={"epochs": 1}))
    data = with_val(rectangles, tmp_path / "other")
    for path in (data / "annotations").iterdir():
        path.write_text(path.read_text().replace('"green"', '"lime"'))
    run = RunFolder(tmp_path / "run")
    checkpoint = load_checkpoint(run.last)
    checkpoint.meta["config"]["data"] = {"root": str(data), "workers": 0}
    save_checkpoint(run.last, checkpoint.state, checkpoint.meta)
    with pytest.raises(InputError, match=r"classes.*green.*lime"):
        resume(run.path)


def with_val(rectangles: Path, folder: Path, **values: object) -> Path:
    """The set with other values in ``val.json``."""
    (folder / "annotations").mkdir(parents=True)
    (folder / "images").symlink_to(rectangles / "images")
    for split in ("train", "val"):
        content = json.loads((rectangles / "annotations" / f"{split}.json").read_text())
        content |= values if split == "val" else {}
        (folder / "annotations" / f"{split}.json").write_text(json.dumps(content))
    return folder


def test_without_a_box_to_evaluate_on_the_last_epoch_is_the_best(tiny, tmp_path, rectangles, capsys):
    data = DataConfig(root=with_val(rectangles, tmp_path / "other", annotations=[]), workers=0)
    result = train(changed(tiny, train={"epochs": 2}).model_copy(update={"data": data}))
    assert result.best_epoch == 2
    assert load_checkpoint(result.run_dir / "best.pt").meta["epoch"] == 2
    assert "no box to evaluate on" in capsys.readouterr().out
    assert resume(result.run_dir).finished


def test_labels_that_changed_between_stop_and_resume_are_told(tiny, tmp_path, rectangles, monkeypatch, capsys):
    root = with_val(rectangles, tmp_path / "other")
    data = DataConfig(root=root, workers=0)
    with monkeypatch.context() as patch:
        stop_at(patch, 2)
        run = train(changed(tiny, train={"epochs": 2}).model_copy(update={"data": data})).run_dir
    path = root / "annotations" / "train.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["bbox"][2] += 1
    path.write_text(json.dumps(content))
    capsys.readouterr()
    assert resume(run).finished
    said = [line for line in capsys.readouterr().out.splitlines() if "have changed" in line]
    assert len(said) == 1
    assert str(path) in said[0]
    resume(run)
    assert "have changed" not in capsys.readouterr().out


def test_a_full_disk_ends_a_training_in_a_line_and_keeps_its_last_state(tiny, tmp_path, monkeypatch):
    plain, calls = Path.write_bytes, 0

    def fills_up(path, content):
        nonlocal calls
        calls += len(content) > 100_000
        if calls > 3:
            plain(path, bytes(content)[:1000])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return plain(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fills_up)
        with pytest.raises(GaveUpError) as caught:
            train(tiny)
    run = RunFolder(tmp_path / "run")
    assert str(caught.value).startswith(f"{run.path}/")
    assert "No space left on device" in str(caught.value)
    assert f"fusedet train --resume {run.path}" in str(caught.value)
    assert not list(run.path.glob("*.part")) + list(run.path.glob(".*.part"))
    assert load_checkpoint(run.last).meta["epoch"] == 1
    assert resume(run.path).finished
    assert [row["epoch"] for row in run.read_metrics()] == [1, 2, 3, 4]


def test_a_batch_of_a_single_point_is_told_before_it_is_trained(tiny, tmp_path):
    with pytest.raises(InputError, match=r"train\.batch is 1.*32x32.*train\.batch=2"):
        train(changed(tiny, model={"input_size": (32, 32)}, train={"batch": 1}))
    assert not (tmp_path / "run").exists()


def test_wrong_settings_leave_no_folder(tiny, tmp_path):
    with pytest.raises(InputError, match=r"model\.classes is 5, but .* has 3"):
        train(changed(tiny, model={"classes": 5}))
    with pytest.raises(InputError, match=r"none\.pt: no such checkpoint"):
        train(changed(tiny, train={"init": tmp_path / "none.pt"}))
    assert not (tmp_path / "run").exists()


def test_training_starts_from_given_weights(tiny, tmp_path):
    first = train(changed(tiny, train={"epochs": 2}))
    second = train(changed(tiny, train={"out": tmp_path / "second", "epochs": 1, "init": first.run_dir / "best.pt"}))
    assert RunFolder(second.run_dir).read_metrics()[0]["loss"] < RunFolder(first.run_dir).read_metrics()[0]["loss"]


@pytest.mark.parametrize(
    "section",
    [
        {"augment": {"multi_scale": 0.5}},
        {"optim": {"name": "sgd", "lr": 0.01}},
        {"train": {"accumulate": 2, "channels_last": False}, "eval": {"nms": True}},
    ],
)
def test_settings_train(tiny, section):
    epochs = {"train": {**section.get("train", {}), "epochs": 6}}
    result = train(changed(tiny, **{**section, **epochs}))
    losses = [row["loss"] for row in RunFolder(result.run_dir).read_metrics()]
    assert sum(losses[-3:]) / 3 < losses[0]


def test_images_grow_to_their_full_size(tiny, monkeypatch):
    sides = []
    forward = DetectorNet.forward

    def spy(net, images):
        if net.training:
            sides.append(tuple(images.shape[2:]))
        return forward(net, images)

    monkeypatch.setattr(DetectorNet, "forward", spy)
    full = tiny.model.input_size
    train(changed(tiny, augment={"grow_from": 0.5}, train={"epochs": 4}))
    assert sides == sorted(sides)
    assert sides[0] == tuple(side // 2 for side in full)
    assert len(set(sides)) > 1
    assert set(sides[-len(sides) // 4 :]) == {full}


@pytest.mark.parametrize(("small_set", "batch"), [(13, 8), (12, 16)])
def test_the_batch_goes_by_the_number_of_images(tiny, monkeypatch, small_set, batch):
    monkeypatch.setattr(prepare, "SMALL_SET", small_set)  # there are 12 images
    stop_at(monkeypatch, 1)
    run = train(changed(tiny, train={"epochs": 1, "batch": None})).run_dir
    assert load_checkpoint(run / "last.pt").meta["config"]["train"]["batch"] == batch


def test_patience_ends_a_training_that_no_longer_improves(tiny):
    # A learning rate of almost nothing: only the norms' statistics still move, and not for long.
    result = train(changed(tiny, train={"epochs": 40, "patience": 2}, optim={"lr": 1e-9}))
    assert result.finished
    assert len(RunFolder(result.run_dir).read_metrics()) == result.best_epoch + 2 < 40


def test_a_loss_that_explodes_is_said(tiny):
    with pytest.raises(FloatingPointError, match=r"the (loss|gradients) became (nan|inf|[\d.]+e\+\d+).*optim\.lr"):
        train(changed(tiny, optim={"name": "sgd", "lr": 1e12, "warmup_epochs": 0, "clip_norm": 0}))
