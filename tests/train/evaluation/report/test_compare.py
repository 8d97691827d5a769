import math
import shutil
from pathlib import Path

import pytest

from fusedet.model import load_checkpoint, save_checkpoint
from fusedet.train.evaluation.operating_point import OperatingPoint
from fusedet.train.evaluation.outputs import Output, write_outputs
from fusedet.train.evaluation.report.compare import compare_page, compare_runs, short_names
from fusedet.train.run_folder import RunFolder
from tests.train.evaluation.report.conftest import EVIL
from tests.train.evaluation.report.test_write import Page


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        (["/a/one", "/a/two"], ["one", "two"]),
        (["/a/one/run", "/a/two/run"], ["one", "two"]),
        (["/a/b/run", "/a/run"], ["b", "run"]),
        (["/a/x/seed-0/run", "/a/y/seed-1/run"], ["x/seed-0", "y/seed-1"]),
    ],
)
def test_names_tell_runs_apart(folders: list[str], names: list[str]) -> None:
    assert short_names([Path(folder) for folder in folders]) == names


@pytest.fixture
def other(finished: Path, tmp_path: Path) -> Path:
    """A copy with another learning rate, whose checkpoint does not tell AP by class."""
    run = tmp_path / "other"
    shutil.copytree(finished, run)
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("momentum: 0.9", "momentum: 0.8"))
    best = load_checkpoint(run / "best.pt")
    del best.meta["per_class"]
    save_checkpoint(run / "best.pt", best.state, best.meta)
    return run


def test_only_what_differs_is_told(finished: Path, other: Path) -> None:
    comparison = compare_runs([finished, other])
    assert comparison.differing == {"optim.momentum": [0.9, 0.8]}
    assert comparison.same_images
    assert all(run.per_class == {} for run in comparison.runs)


def test_ap_by_class_is_read_or_worked_out(finished: Path, other: Path) -> None:
    seen: list[int] = []
    first, second = compare_runs([finished, other], by_class=True, on_batch=seen.append).runs
    assert sum(seen) == 4, "the checkpoint of the first tells it"
    assert first.per_class.keys() == {EVIL, "disc"}
    assert second.per_class == pytest.approx(first.per_class)


def test_other_annotations_are_told(finished: Path, other: Path, evil_data: Path, tmp_path: Path) -> None:
    shutil.copytree(evil_data, tmp_path / "data")
    config = other / "config.yaml"
    config.write_text(config.read_text().replace(str(evil_data), str(tmp_path / "data")))
    comparison = compare_runs([finished, other])
    assert not comparison.same_images
    assert "their figures do not compare" in Page(compare_page(comparison)).text


def test_the_page(finished: Path, other: Path) -> None:
    text = compare_page(compare_runs([finished, other], by_class=True))
    page = Page(text)
    assert page.links == []
    assert "script" not in page.tags
    for part in ("Results", "Curves", "optim.momentum", EVIL, "+0.000", "3 of 3"):
        assert part in page.text
    assert EVIL not in text
    assert text.count("<svg") == 6


def test_what_is_shown_is_compared_and_a_run_of_an_earlier_version_has_a_dash(
    finished: Path, other: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    shutil.copytree(finished, own)
    figures = OperatingPoint(0.3, shown=80, objects=100, found=60, duplicates=10, miscounted=21)
    write_outputs(RunFolder(own), [Output(True, 0.5, 0.7, figures), Output(False, 0.4, 0.6, figures)])
    (other / "outputs.json").unlink()
    comparison = compare_runs([own, other])
    assert comparison.runs[0].record.evaluated_output == Output(True, 0.5, 0.7, figures)
    assert comparison.runs[1].record.evaluated_output is None
    text = Page(compare_page(comparison)).text
    assert "0.3012.5 %0.210" in text
    assert text.count("–––") == 1


def test_a_run_that_has_only_begun(finished: Path, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    shutil.copy(finished / "config.yaml", begun)
    comparison = compare_runs([begun, finished], by_class=True)
    assert comparison.runs[0].per_class == {}
    text = Page(compare_page(comparison)).text
    assert "0 of 3" in text
    assert str(math.nan) not in text.split()
