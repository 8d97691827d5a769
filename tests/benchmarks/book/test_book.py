"""The benchmark book on tiny networks: every chapter gives rows that its table and its picture can show."""

import dataclasses
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import helper

from benchmarks.book.__main__ import main, measure_chapter, write_book
from benchmarks.book.chapters import CHAPTERS
from benchmarks.book.chapters.peak import convolution_gmac
from benchmarks.book.desk import QUICK, Desk
from benchmarks.book.page import PAGE, RESULTS, draw_all, publish, sections
from benchmarks.book.results import Record, Results, Row, better, here, read_results, write_results
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


def test_what_is_missing_is_said(book: Results) -> None:
    assert book.chapters["accuracy"].remarks == ["No COCO pictures at hand (`--coco`): nothing is graded."]
    for name in ("latency", "peak"):
        assert "Ultralytics is not installed" in str(book.chapters[name].remarks)


def test_it_is_said_again_when_a_chapter_is_measured_again(desk: Desk, book: Results, tmp_path: Path) -> None:
    """Who looks for what was measured before asks for the peers, too."""
    shutil.copytree(desk.out, tmp_path / "out")
    later = dataclasses.replace(desk, out=tmp_path / "out", plan=dataclasses.replace(PLAN, rounds=1), remarks=[])
    latency = write_book(later, ["latency"], quick=True).chapters["latency"]
    assert latency.settings["rounds"] == 1
    assert latency.remarks == book.chapters["latency"].remarks


def test_a_peer_without_a_picture_is_refused(desk: Desk, tmp_path: Path) -> None:
    ends = [helper.make_tensor_value_info(name, 1, [4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "sound.onnx")
    with pytest.raises(InputError, match=r"sound\.onnx: cannot take part: it has no input for pictures"):
        dataclasses.replace(desk, peers_folder=tmp_path).peers  # noqa: B018


def test_multiply_accumulates_of_a_file(desk: Desk) -> None:
    assert convolution_gmac(desk.peers[0].path) == pytest.approx(62 * 62 * 4 * 27 / 1e9)
    network = desk.network("tiny")
    assert convolution_gmac(network.fused) == pytest.approx(network.gmac, rel=0.01)


def test_more_pixels_and_more_classes_are_more_work(book: Results) -> None:
    record = book.chapters["scaling"]
    small, usual, few = (record.row(size=s, classes=c) for s, c in ((32, 80), (64, 80), (64, 1)))
    assert small is not None
    assert usual is not None
    assert few is not None
    assert small["gmac"] < usual["gmac"] > few["gmac"]


def test_activations_that_cannot_be_fused_are_counted(book: Results) -> None:
    record = book.chapters["activation"]
    leaky, elu = (record.row(activation=name) for name in ("leaky_relu", "elu"))
    assert leaky is not None
    assert elu is not None
    assert (leaky["standing"], leaky["ratio_min"]) == (0, 1)
    assert elu["standing"] > 0


def test_smaller_numbers_make_smaller_files(book: Results) -> None:
    record = book.chapters["int8"]
    full, half = (record.row(numbers=numbers) for numbers in ("float32", "float16 weights"))
    assert full is not None
    assert half is not None
    assert half["file_mb"] < full["file_mb"]


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


def test_pictures_and_tables(book: Results, tmp_path: Path) -> None:
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


def test_results_come_back_from_their_file(book: Results, tmp_path: Path) -> None:
    write_results(tmp_path / "results.json", book)
    found = read_results(tmp_path / "results.json")
    assert list(found.chapters) == list(book.chapters)
    one, other = (one.chapters["latency"].rows[0]["ms_min"] for one in (book, found))
    assert one == pytest.approx(other, rel=1e-4)


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


def test_what_would_lose_a_chapter_is_refused_before_it_is_measured(
    desk: Desk, book: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_results(tmp_path / RESULTS, book)
    fresh = dataclasses.replace(desk, out=tmp_path / "out", remarks=[])
    monkeypatch.setattr("benchmarks.book.__main__.measure_chapter", lambda *_: pytest.fail("measured"))
    with pytest.raises(InputError, match=r"benchmarks\.md shows latency, .*: measure that as well"):
        write_book(fresh, ["peak"], quick=True, docs=tmp_path)


@pytest.mark.parametrize(("busy", "shown"), [(0.0, True), (None, True), (1.5, False)])
def test_what_other_programs_lengthened_is_left_out(busy: float | None, shown: bool) -> None:
    rows = [
        Row(what={"model": "nano", "threads": threads}, values={"images_per_s": 20.5, "images_per_cpu_s": 19.5})
        for threads in (1, 2)
    ]
    results = here(quick=False)
    results.machine["cores"] = 2
    results.chapters["training"] = Record(date="", seconds=1, busy_elsewhere=busy, settings={}, rows=rows)
    text = sections(results)["training"]
    assert "| 19.5 |" in text, "computing time is right on a busy machine, too"
    assert ("2 threads" in text) is shown
    assert ("so **rates by the clock of the wall are left out**" in text) is not shown


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


def test_a_broken_peer_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    desk = Desk(tmp_path / "out", PLAN, peers_folder=tmp_path)
    with pytest.raises(InputError, match=r"broken\.onnx: cannot take part"):
        _ = desk.peers
