"""Reports of real run folders: what is in them, and that a training never fails over one."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fusedet.configs import InputError
from fusedet.model import load_checkpoint
from fusedet.train import resume, train
from fusedet.train.evaluation.operating_point import OperatingPoint
from fusedet.train.evaluation.outputs import Output, read_outputs, write_outputs
from fusedet.train.evaluation.report.write import ReportOptions, report_run
from fusedet.train.loop import trainer
from fusedet.train.loop.trainer import Trainer
from fusedet.train.run_folder import RunFolder
from tests.train.evaluation.report.conftest import EVIL
from tests.train.trainings import tiny_config

SECTIONS = ["outputs", "training", "curves", "classes", "sizes", "confusion", "labels", "origin"]
#: Elements without an end.
VOID = {"meta", "br", "img"}


class Page(HTMLParser):
    """Checks that elements are closed in order, and takes down what they are."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        self.links += [found[key] or "" for key in ("href", "src") if key in found]
        if "id" in found:
            assert found["id"] not in self.anchors
            self.anchors.add(found["id"] or "")
        assert not any(key.startswith("on") for key in found)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def check(path: Path) -> Page:
    """The page, which needs nothing else and holds nothing that runs."""
    text = path.read_text(encoding="utf-8")
    assert len(text) < 3_000_000
    page = Page(text)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert all(link.startswith(("#", "data:image/jpeg;base64,")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.anchors
    assert "url(" not in text
    assert not re.search(r"\bnan\b", page.text), "what is not known is a dash"
    return page


def test_a_training_that_is_done_leaves_its_report(finished: Path) -> None:
    page = check(finished / "report.html")
    assert set(SECTIONS) <= page.anchors
    best = load_checkpoint(finished / "best.pt").meta
    assert f"AP50-95 {best['metrics']['ap']:.3f}" in page.text
    assert "those of the best epoch's own evaluation" in page.text, "nothing was done twice"
    assert f"after epoch {best['best_epoch']} of 3" in page.text
    assert page.tags.count("image") >= 1, "images are shown"


def test_names_from_outside_are_only_text(finished: Path) -> None:
    text = (finished / "report.html").read_text()
    assert EVIL not in text
    assert "<i>val-" not in text
    assert "run<u>" not in text
    page = Page(text)
    assert EVIL in page.text
    assert "<i>val-1.png" in page.text
    assert "run<u>" in page.text


def test_a_report_made_later_says_the_same(finished: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    out = tmp_path / "page.html"
    content = report_run(finished, out, ReportOptions(on_batch=seen.append))
    assert sum(seen) == 4
    assert content.evaluation is not None
    best = load_checkpoint(finished / "best.pt").meta
    assert content.evaluation.metrics.ap == pytest.approx(best["metrics"]["ap"], abs=1e-6)
    assert {name: list(figures) for name, figures in content.evaluation.metrics.per_class.items()} == {
        name: pytest.approx(figures) for name, figures in best["per_class"].items()
    }

    def without_times(path: Path) -> str:
        text = re.sub(r"The evaluation took [\d.]+ s for this report\.", "", path.read_text())
        return text.replace("The detections are those of the best epoch's own evaluation.", "")

    assert without_times(out) == without_times(finished / "report.html")
    check(out)


def test_a_data_set_that_has_moved(run: Path, evil_data: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(evil_data, tmp_path / "elsewhere"))
    config = run / "config.yaml"
    config.write_text(config.read_text().replace(str(evil_data), str(tmp_path / "gone")))
    out = tmp_path / "page.html"
    with pytest.raises(InputError, match=r"gone.*--data.*--no-eval"):
        report_run(run, out)
    assert not out.exists()
    report_run(run, out, ReportOptions(data=moved))
    assert "curves" in check(out).anchors
    report_run(run, out, ReportOptions(evaluate=False))
    page = check(out)
    assert {"training", "origin"} <= page.anchors
    assert not {"curves", "labels"} & page.anchors
    assert "without the data" in page.text


def test_a_run_that_has_only_begun(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(finished / "config.yaml", run)
    out = run / "report.html"
    report_run(run, out)
    page = check(out)
    assert "No epoch was evaluated yet." in page.text
    assert "0 of 3 epochs are done" in page.text
    assert {"labels", "origin"} <= page.anchors
    rows = RunFolder(finished).metrics.read_text().splitlines()
    (run / "metrics.csv").write_text("\n".join(rows[:2]) + "\n")
    shutil.copy(finished / "best.pt", run)
    report_run(run, out)
    page = check(out)
    assert "1 of 3 epochs are done" in page.text
    assert f"fusedet train --resume {run}" in page.text


def with_ap(run: Path, *ap: float) -> None:
    """Makes the epochs' AP another one in the table of a run."""
    rows = RunFolder(run).read_metrics()
    RunFolder(run).metrics.unlink()
    for row, of_epoch in zip(rows, ap, strict=True):
        RunFolder(run).append_metrics(row | {"ap": of_epoch})


def test_weights_that_do_not_give_the_figures_of_the_training_are_told(run: Path, tmp_path: Path) -> None:
    with_ap(run, 0.9, 0.9, 0.9)
    report_run(run, tmp_path / "page.html")
    assert "but 0.900 in training" in check(tmp_path / "page.html").text


def test_exported_files_in_the_folder_are_timed(run: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from fusedet.deploy import Contract
    from tests.deploy.conftest import build_model

    onnx.save(build_model(Contract(names=("a", "b", "c"), input_size=(64, 64)), scores=(0.9,)), run / "mine.onnx")
    report_run(run, tmp_path / "page.html")
    page = check(tmp_path / "page.html")
    assert "time" in page.anchors
    assert "mine.onnx" in page.text


def test_both_outputs_are_compared(finished: Path) -> None:
    page = check(finished / "report.html")
    for output in read_outputs(RunFolder(finished)):
        assert f"{output.name}{output.ap:.3f}{output.ap50:.3f}{output.point.threshold:.2f}" in page.text
    assert "Export the output with NMS: AP " in page.text
    assert "--nms-free" not in page.text


def test_the_command_exports_the_output_that_is_better(run: Path, tmp_path: Path) -> None:
    figures = OperatingPoint(0.3, shown=10, objects=10, found=8, duplicates=1, miscounted=2)
    better = OperatingPoint(0.44, shown=10, objects=10, found=9, duplicates=0, miscounted=1)
    write_outputs(RunFolder(run), [Output(True, 0.5, 0.7, figures), Output(False, 0.6, 0.8, better)])
    report_run(run, tmp_path / "page.html", ReportOptions(evaluate=False))
    page = check(tmp_path / "page.html")
    assert "Export the output NMS-free: AP 0.600 against 0.500, 0 duplicates against 1." in page.text
    assert "10.0 %duplicates at score 0.30" in page.text, "the output that the training evaluated"
    assert " --nms-free\n" in page.text
    assert "--score 0.44" in page.text


def test_a_run_of_an_earlier_version_shows_the_output_that_is_evaluated(
    run: Path, finished: Path, tmp_path: Path
) -> None:
    (run / "outputs.json").unlink()
    out = tmp_path / "page.html"
    report_run(run, out)
    page = check(out)
    output = read_outputs(RunFolder(finished))[0]
    assert f"with NMS{output.ap:.3f}{output.ap50:.3f}{output.point.threshold:.2f}" in page.text
    assert "NMS-free" not in page.text
    report_run(run, out, ReportOptions(evaluate=False))
    assert "outputs" not in check(out).anchors


def test_a_report_that_fails_does_not_fail_the_training(
    evil_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object) -> Path:
        raise OSError(28, "No space left\non device")

    monkeypatch.setattr(trainer, "report_after_training", fail)
    result = train(tiny_config(evil_data, tmp_path / "run", epochs=1, report=True))
    assert result.finished
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("no report")]
    assert said == [f"no report: [Errno 28] No space left on device; fusedet report {tmp_path / 'run'} tries again"]


def test_it_can_be_left_out(evil_data: Path, tmp_path: Path) -> None:
    train(tiny_config(evil_data, tmp_path / "run", epochs=1, report=False))
    assert not (tmp_path / "run" / "report.html").exists()


def test_an_interrupted_training_has_none_until_it_is_done(
    evil_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    step = Trainer._train_epoch

    def stop_in_the_second(self: Trainer, progress):
        self.stop.requested = self.epoch == 1
        return step(self, progress)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_train_epoch", stop_in_the_second)
        assert not train(tiny_config(evil_data, run, epochs=2, report=True)).finished
    assert not (run / "report.html").exists()
    assert resume(run).finished
    report = run / "report.html"
    check(report)
    report.write_text("looked at already")
    assert resume(run).finished, "there is nothing left to do"
    assert report.read_text() == "looked at already"


def test_validation_images_without_an_object(evil_data: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(evil_data, data)
    val = data / "annotations" / "val.json"
    val.write_text(json.dumps(json.loads(val.read_text()) | {"annotations": []}))
    result = train(tiny_config(data, tmp_path / "run", epochs=1, report=True))
    assert result.best_epoch == 1
    assert "no object" in check(tmp_path / "run" / "report.html").text


def test_a_training_that_ran_out_of_patience_is_done(run: Path, tmp_path: Path) -> None:
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("epochs: 3", "epochs: 9").replace("patience: 0", "patience: 1"))
    with_ap(run, 0.1, 0.3, 0.2)
    report_run(run, tmp_path / "page.html", ReportOptions(evaluate=False))
    page = check(tmp_path / "page.html")
    assert "after epoch 2 of 9" in page.text
    assert "It stopped after epoch 3" in page.text
    assert "--resume" not in page.text
