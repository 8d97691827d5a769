"""The benchmark book on tiny networks: every chapter gives rows that its table and its image can show."""

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import helper

from benchmarks.book.__main__ import main, measure_chapter, write_book
from benchmarks.book.chapters import CHAPTERS
from benchmarks.book.desk import QUICK, Desk
from benchmarks.book.page import PAGE, RESULTS, draw_all, publish, sections
from benchmarks.book.results import Results, better, here, read_results
from benchmarks.command import run_command
from benchmarks.pages import markers, section
from fusedet.common.errors import InputError

TINY = """\
model:
  stem_channels: 16
  stages: [{channels: 16, depth: 0}, {channels: 16, depth: 0}, {channels: 16, depth: 0}, {channels: 16, depth: 0}]
"""
PLAN = dataclasses.replace(QUICK, size=64, peer_sizes=(64,), sizes=(32, 64), classes=(1, 80), threads=(1,), rounds=2)
#: Chapters that start processes.
SLOW = ("startup", "training", "pipeline")


def old_style_peer(path: Path) -> None:
    """A network that lists its weights among its inputs, as old exporters did."""
    weight = onnx.numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    ends = [helper.make_tensor_value_info(name, 1, shape) for name, shape in (
        ("x", [1, 3, 64, 64]), ("w", [4, 3, 3, 3]), ("y", [1, 4, 62, 62]))]  # fmt: skip
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "g", ends[:2], ends[2:], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("book")
    (folder / "tiny.yaml").write_text(TINY)
    (folder / "peers").mkdir()
    old_style_peer(folder / "peers" / "old_net_64_coco.onnx")
    presets = {"tiny": str(folder / "tiny.yaml")}
    return Desk(folder / "out", PLAN, presets=presets, peers_folder=folder / "peers", say=lambda text: None)


@pytest.fixture(scope="module")
def book(desk: Desk) -> Results:
    """All chapters that start no processes, and those that cannot run without data."""
    desk.out.mkdir()
    return write_book(desk, [name for name in CHAPTERS if name not in SLOW], quick=True)


def test_every_chapter_has_rows_of_different_names(book: Results) -> None:
    assert list(book.chapters) == [name for name in CHAPTERS if name not in SLOW]
    for name, record in book.chapters.items():
        assert record.rows or name == "accuracy"
        labels = [json.dumps(row.what) for row in record.rows]
        assert len(set(labels)) == len(labels), name
        assert all(any(better(figure) for figure in row.values) for row in record.rows), name


def test_latency_stands_beside_the_peer_at_its_size(book: Results) -> None:
    record = book.chapters["latency"]
    ours, peer = (record.row(model=model, size=64, threads=1) for model in ("tiny", "old_net"))
    assert ours is not None
    assert peer is not None, "the size and the data set are no part of the name"
    assert ours["ratio_min"] == 1
    assert peer["ratio_min"] == pytest.approx(peer["ms_min"] / ours["ms_min"])
    assert 0 < peer["ms_min"] <= peer["ms_median"] <= peer["ms_p95"]
    assert peer.notes == {"left": "decoding, NMS", "by": "peer"}


def test_weights_are_taken_out_of_a_peers_inputs(desk: Desk) -> None:
    (peer,) = desk.peers
    assert [value.name for value in onnx.load(peer.path).graph.input] == ["x"]
    assert (peer.size, peer.trained, peer.ours) == (64, True, False)


def test_what_was_measured_is_not_measured_again(desk: Desk, book: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    again = write_book(desk, ["latency"], quick=True)
    assert again.chapters == book.chapters, "chapters that were not asked for come from before as well"
    others = dataclasses.replace(desk, plan=dataclasses.replace(PLAN, rounds=3))
    assert "fusion" not in write_book(others, [], quick=True).chapters, "other settings are another measurement"
    monkeypatch.setattr("benchmarks.book.__main__.date", type("Day", (), {"today": staticmethod(lambda: Day())}))
    assert write_book(desk, ["activation"], quick=True, again=True).chapters["activation"].date == "another day"
    assert write_book(desk, ["fusion"], quick=True).chapters["fusion"].date != "another day"


class Day:
    def isoformat(self) -> str:
        return "another day"


def test_images_and_tables(book: Results, tmp_path: Path) -> None:
    drawn = {path.stem for path in draw_all(book, tmp_path)}
    assert drawn == {f"book_{name}" for name in ("latency", "scaling", "peak", "fusion", "activation")}
    for path in tmp_path.glob("*.png"):
        assert cv2.imread(str(path)).std() > 5, "something is drawn"
    found = sections(book)
    assert "Only tried" in found["machine"]
    for name in book.chapters:
        assert f"`python -m benchmarks.book --only {name}`" in found[name]
    assert "| **tiny** | 64 | nothing | - |" in found["latency"]
    assert "NaN" not in "".join(found.values()).replace("nan", "NaN").replace("NaNo", "nano")


def test_a_page_loses_no_chapter(book: Results, tmp_path: Path) -> None:
    page = tmp_path / PAGE
    page.write_text("\n".join(line for name in ("machine", *CHAPTERS) for line in markers(name)))
    publish(book, tmp_path)
    assert section(page, "training").startswith("Not measured here yet")
    assert section(page, "latency") == sections(read_results(tmp_path / RESULTS))["latency"]
    assert (tmp_path / "images" / "book_latency.png").exists()
    before, fewer = page.read_text(), book.model_copy(update={"chapters": {"peak": book.chapters["peak"]}})
    with pytest.raises(InputError, match=r"benchmarks\.md shows latency, .*: measure that as well"):
        publish(fewer, tmp_path)
    assert page.read_text() == before


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_chapters_that_start_processes(desk: Desk, name: str) -> None:
    results = here(quick=True)
    desk.out.mkdir(exist_ok=True)
    record = measure_chapter(desk, CHAPTERS[name], results)
    assert record.rows
    assert all(value and value > 0 for row in record.rows for value in row.values.values())
    results.chapters[name] = record
    assert "| " in sections(results)[name]


@pytest.fixture
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FUSEDET_PEERS", "FUSEDET_DATA"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--peers", "nowhere"], "--peers nowhere: no such folder"),
        (["--coco", "nowhere"], "--coco nowhere: expected a folder with annotations/val.json in it"),
        (["--ultralytics", "nowhere"], "--ultralytics nowhere: expected a Python to run"),
        (["--docs", "nowhere"], "--docs nowhere: expected a folder with benchmarks.md in it"),
        (["--docs", "docs", "--quick"], "--docs: figures of --quick mean too little to be published"),
    ],
)
@pytest.mark.usefixtures("no_variables")
def test_wrong_arguments(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("book", lambda: main(arguments)) == 2
    assert capsys.readouterr().err == f"book: error: {message}\n"
