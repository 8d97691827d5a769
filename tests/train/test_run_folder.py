import math
import subprocess
import sys
from pathlib import Path

import pytest

from fusedet.configs import InputError
from fusedet.train.run_folder import RunFolder


def test_runs_are_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [RunFolder.create("nano", None).path for _ in range(3)] == [Path(f"runs/nano-{i}") for i in (1, 2, 3)]


def test_a_folder_with_something_in_it_is_not_taken(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        RunFolder.create("nano", tmp_path)
    assert (tmp_path / "note.txt").read_text() == "mine"


def test_a_run_is_found_by_its_folder_or_a_checkpoint(tmp_path):
    run = RunFolder.create("nano", tmp_path / "run")
    with pytest.raises(InputError, match="no run to resume"):
        RunFolder.find(run.path)
    run.last.touch()
    assert RunFolder.find(run.path).path == RunFolder.find(run.last).path == run.path


def test_epochs_to_be_trained_again_leave_the_table(tmp_path):
    run = RunFolder(tmp_path)
    for epoch in (1, 2, 3):
        run.append_metrics({"epoch": epoch, "loss": 1 / epoch, "ap": math.nan if epoch == 2 else 0.5})
    run.forget_metrics_from(3)
    rows = run.read_metrics()
    assert [row["epoch"] for row in rows] == [1, 2]
    assert math.isnan(rows[1]["ap"])
    run.append_metrics({"epoch": 3, "loss": 0.1, "ap": 0.6})
    assert [row["loss"] for row in run.read_metrics()] == [1, 0.5, 0.1]


def test_half_a_row_that_a_power_cut_left_is_no_row(tmp_path):
    run = RunFolder(tmp_path)
    run.append_metrics({"epoch": 1, "loss": 0.5})
    with run.metrics.open("a") as file:
        file.write("2,0.")
    assert run.read_metrics() == [{"epoch": 1, "loss": 0.5}]
    run.forget_metrics_from(2)
    run.append_metrics({"epoch": 2, "loss": 0.25})
    assert [row["loss"] for row in run.read_metrics()] == [0.5, 0.25]


def test_a_run_of_an_older_release_keeps_its_columns(tmp_path):
    run = RunFolder(tmp_path)
    run.append_metrics({"epoch": 1, "loss": 0.5, "grip": 0.25})
    run.append_metrics({"epoch": 2, "waiting": 0.01, "loss": 0.25})
    first, second = run.read_metrics()
    assert first == {"epoch": 1, "loss": 0.5, "grip": 0.25}
    assert (second["epoch"], second["loss"]) == (2, 0.25)
    assert math.isnan(second["grip"])


HOLD = """
import sys
from pathlib import Path
from fusedet.train.run_folder import RunFolder
with RunFolder(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_one_process_at_a_time_trains_in_a_folder(tmp_path):
    """Until it ends, and be it by a kill."""
    run = RunFolder(tmp_path)
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="another process is training there"), run.held():
            pass
    finally:
        other.kill()
        other.communicate()
    with run.held():
        pass
    with run.held():
        pass
