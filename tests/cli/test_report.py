"""``fusedet report`` and ``fusedet compare``, on a training of seconds."""

import json
import shutil
from pathlib import Path

import pytest

from fusedet.cli.main import main
from fusedet.train.evaluation.operating_point import OperatingPoint
from fusedet.train.evaluation.outputs import Output, write_outputs
from fusedet.train.run_folder import RunFolder
from tests.commands import Refused
from tests.train.evaluation.report.conftest import evil_data, finished, run

__all__ = ["evil_data", "finished", "run"]


def test_a_report_is_not_replaced_unasked(run: Path, capsys: pytest.CaptureFixture[str], refused: Refused) -> None:
    (run / "report.html").write_text("mine")
    refused(["report", run], "add --force")
    assert main(["report", str(run), "--force"]) == 0
    printed = capsys.readouterr().out
    assert f"report in {run / 'report.html'}" in printed
    assert "recommended score threshold" in printed
    assert "s for 4 images" in printed
    assert (run / "report.html").read_text().startswith("<!doctype html>")
    assert not list(run.glob("*.part"))


def test_a_checkpoint_stands_for_its_run(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert main(["report", str(finished / "best.pt"), "--out", str(out), "--no-eval"]) == 0
    assert "Made without the data" in out.read_text()


def test_latency_is_measured_on_an_export_that_does_not_stay(finished: Path, tmp_path: Path) -> None:
    before = sorted(finished.iterdir())
    out = tmp_path / "page.html"
    assert main(["report", str(finished), "--out", str(out), "--latency"]) == 0
    assert "best.fused.onnx</td>" in out.read_text()
    assert sorted(finished.iterdir()) == before


def test_the_comparison_is_printed_and_written(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], refused: Refused
) -> None:
    other, out = tmp_path / "other", tmp_path / "page.html"
    shutil.copytree(finished, other)
    config = other / "config.yaml"
    config.write_text(config.read_text().replace("seed: 0", "seed: 7"))
    assert main(["compare", str(finished), str(other), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [run["settings"]["train.seed"] for run in told["runs"]] == [0, 7]
    assert 0 <= told["runs"][0]["best"]["ap"] <= 1
    assert main(["compare", str(finished), str(other)]) == 0
    printed = capsys.readouterr().out
    assert "AP50-95" in printed.splitlines()[0]
    assert any(line.split() == ["train.seed", "0", "7"] for line in printed.splitlines())
    command = ["compare", str(finished), str(other), "--out", str(out)]
    assert main(command) == 0
    assert "train.seed" in out.read_text()
    refused(command, "add --force")
    assert main([*command, "--no-eval", "--force"]) == 0


def test_duplicates_and_count_error_are_compared(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    for folder in (new, old):
        shutil.copytree(finished, folder)
    figures = OperatingPoint(0.3, shown=80, objects=100, found=60, duplicates=10, miscounted=21)
    write_outputs(RunFolder(new), [Output(True, 0.5, 0.7, figures), Output(False, 0.4, 0.6, figures)])
    (old / "outputs.json").unlink()
    assert main(["compare", str(new), str(old)]) == 0
    titles, first, second = capsys.readouterr().out.splitlines()[:3]
    assert "threshold  duplicates  count error" in titles
    assert "0.30      12.5 %        0.210" in first
    assert second.split()[6:9] == ["-", "-", "-"], "a folder of an earlier version"


def test_runs_that_are_alike(finished: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(finished), str(run)]) == 0
    assert "No setting differs." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["report", "nowhere"], "nowhere: expected the folder of a training"),
        (["report", "RUN", "--out", "no/such/page.html"], "there is no folder no/such"),
        (["report", "RUN", "--out", "page.html", "--data", "nowhere"], "nowhere"),
        (["report", "RUN", "--out", "page.html", "--no-eval", "--latency"], "--no-eval"),
        (["compare", "RUN"], "expected two runs or more"),
        (["compare", "RUN", "nowhere"], "nowhere: expected the folder of a training"),
        (["compare", "RUN", "RUN"], "named twice"),
    ],
)
def test_mistakes(
    arguments: list[str], part: str, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.chdir(tmp_path)
    refused([finished if word == "RUN" else word for word in arguments], part)
