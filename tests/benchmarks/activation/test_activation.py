"""The activation study's figures, tables and plots, from trainings written by hand; and a whole study of two."""

import dataclasses
import math
import sys
from pathlib import Path

import cv2
import pytest

from benchmarks.ablation.graphs import Graph, Latency
from benchmarks.activation import plots as activation_plots
from benchmarks.activation.__main__ import collect, main, parse_activation
from benchmarks.activation.results import Results
from benchmarks.activation.tables import tables
from benchmarks.evaluation import Evaluation, OutputAccuracy
from benchmarks.pages import markers
from benchmarks.study import Outcome, Piece, Study
from tests.benchmarks.studies import finish
from tests.train.drawing import draw_set


def evaluate_by_hand(piece: Piece, ap: float, duplicates: float | None) -> None:
    """Leaves an evaluation behind: with NMS AP is better by 0.1, and there are no duplicates."""
    nms_free = OutputAccuracy(ap=ap, ap50=1.5 * ap, duplicates=duplicates)
    with_nms = OutputAccuracy(ap=ap + 0.1, ap50=1.5 * ap, duplicates=None if duplicates is None else 0.0)
    evaluation = Evaluation(nms_free=nms_free, nms=with_nms)
    (piece.folder / "evaluation.json").write_text(evaluation.model_dump_json())


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Two activations, two seeds, four epochs."""
    texts = ("leaky_relu:0.1", "relu")
    variants = tuple(map(parse_activation, texts))
    plan = Study("pico", variants, (tmp_path / "cells",), (0, 1), tmp_path / "out", ("train.epochs=4",))
    pieces = plan.pieces()
    for piece, (aps, dead, duplicates, seconds) in zip(
        pieces,
        [
            ([0.1, 0.2, 0.4, 0.3], 0.0, 0.125, 100.0),  # leaky_relu, seed 0
            ([0.1, math.nan, 0.2, 0.3], 0.5, None, 100.0),  # relu, seed 0
            ([0.2, 0.3, 0.5, 0.6], 0.02, 0.25, 50.0),
            ([0.0, 0.1, 0.2, 0.4], 0.3, None, 100.0),
        ],
        strict=True,
    ):
        finish(piece, aps, dead, seconds)
        evaluate_by_hand(piece, max(ap for ap in aps if ap == ap), duplicates)
    names = {variant.name: text.replace(":", " ") for variant, text in zip(variants, texts, strict=True)}
    return Results(
        preset="pico",
        input_size=(96, 128),
        epochs=4,
        reference="leaky_relu 0.1",
        rounds=10,
        machine={"cpu": "a slow one"},
        activations=collect([Outcome(piece) for piece in pieces], names),
    )


def with_graphs(results: Results) -> Results:
    def graph(inside: int, reason: str | None) -> Graph:
        counts = {"inside": inside, "outside": 44 - inside, "standing": 44 - inside, "reorders": 6}
        return Graph(plain=Path("a.onnx"), fused=Path("b.onnx"), fingerprint=str(inside), reason=reason, **counts)

    leaky, relu = results.activations
    latency = Latency(ms_min=2.0, ms_median=2.5, ratio_min=1.0, ratio_median=1.0)
    slower = Latency(ms_min=3.0, ms_median=3.2, ratio_min=1.5, ratio_median=1.28)
    changed = [
        leaky.model_copy(update={"graph": graph(44, None), "latency": latency}),
        relu.model_copy(update={"graph": graph(0, "it is too good"), "latency": slower}),
    ]
    return results.model_copy(update={"activations": changed})


@pytest.mark.parametrize(
    ("text", "name", "overrides"),
    [
        ("relu", "relu", ("model.activation=relu",)),
        ("leaky_relu:0.01", "leaky_relu-0.01", ("model.activation=leaky_relu", "model.negative_slope=0.01")),
    ],
)
def test_activations_are_parsed(text: str, name: str, overrides: tuple[str, ...]) -> None:
    assert dataclasses.astuple(parse_activation(text)) == (name, overrides)


def test_what_is_collected(results: Results) -> None:
    leaky, relu = results.activations
    run = leaky.runs[0]
    assert (run.data, run.seed, run.epochs, run.ap) == ("cells", 0, [1, 2, 3, 4], [0.1, 0.2, 0.4, 0.3])
    assert (run.best_ap, run.mean_ap) == (0.4, pytest.approx(0.25))
    assert [run.epochs_to(ap) for ap in (0.05, 0.2, 0.35, 0.9)] == [1, 2, 3, None]
    other = relu.runs[0]
    assert (other.epochs, other.dead) == ([1, 3, 4], [0.25, 0.25, 0.5])
    assert [other.dead_at(part) for part in (0.1, 0.5, 1.0)] == [0.25, 0.25, 0.5]
    assert other.dead_by_layer == {"backbone.stem": 0.5, "neck.mix": 0.5}, "a layer without activation has no units"
    assert other.evaluation.nms.ap == pytest.approx(0.4)
    assert (other.grad_norm, other.clipped, other.grad_spread, other.seconds) == (5.0, 0.5, 0.75, 100.0)
    assert results.reference_ap("cells") == pytest.approx(0.5)
    assert results.data == ["cells"]


def test_tables(results: Results) -> None:
    text = tables(results)
    assert "`pico` at 128 x 96 px, 4 epochs, seeds 0, 1." in text
    # Without NMS 0.3 - 0.4 and 0.4 - 0.6; with NMS the same.
    assert "| relu | 2 | -0.150 ± 0.071 | 0 of 2 | -0.150 ± 0.071 | 0 of 2 |" in text
    assert "| leaky_relu 0.1 | 2 | 0.500 ± 0.141 | 0.750 ± 0.212 | 18.8% | 0.600 ± 0.141 |" in text
    assert "| relu | 2 | 0.350 ± 0.071 | 0.525 ± 0.106 | – | 0.450 ± 0.071 |" in text
    # Half of the reference's 0.5: its seeds come there in epochs 3 and 2. Nine tenths of it: one seed never does.
    assert "| leaky_relu 0.1 | 2.5 | – | 0.325 ± 0.106 | 75 | 1.00 |" in text
    assert "| relu | 4.0 | – | 0.188 ± 0.018 | 100 | 1.50 |" in text
    assert "| relu | 20.0% | 20.0% | 40.0% | 20.0% | 5.00 | 50.0% | 0.75 |" in text
    assert "reorders" not in text
    measured = tables(with_graphs(results))
    assert "| relu | 3.00 (3.20) | 1.50 (1.28) | 0 | 44 | 44 | 6 |" in measured
    assert "Why some are not fused: it is too good." in measured


@pytest.mark.slow
def test_a_study_in_two_parts_reports_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out, docs = draw_set(tmp_path / "drawn"), tmp_path / "out", tmp_path / "docs"
    docs.mkdir()
    (docs / "leaky_relu.md").write_text("\n".join(markers("results")))

    def call(*arguments: str) -> str:
        settings = [
            "--epochs",
            "1",
            "--size",
            "64",
            "--seeds",
            "0",
            "--rounds",
            "2",
            "--set",
            "data.workers=0",
            "train.report=false",
        ]
        command = ["activation", "--data", str(data), "--out", str(out), *settings, *arguments]
        monkeypatch.setattr(sys, "argv", command)
        assert main() == 0
        return capsys.readouterr().out

    assert "1 trainings, 0 of them done before" in call("--activations", "tanh")
    assert "1 trainings, 0 of them done before" in call("--activations", "leaky_relu:0.1", "--docs", str(docs))
    results = Results.model_validate_json((out / "results.json").read_text())
    assert [result.name for result in results.activations] == ["leaky_relu 0.1", "tanh"]
    assert results.reference == "leaky_relu 0.1"
    for result in results.activations:
        assert result.graph is not None
        assert result.graph.outside == 0
        assert result.latency is not None
        assert result.runs[0].evaluation.nms_free.ap == pytest.approx(result.runs[0].best_ap, abs=1e-5)
    page = (docs / "leaky_relu.md").read_text()
    assert tables(results) in page
    assert "trainings," not in call("--only-report"), "nothing is trained"


def test_plots(results: Results, tmp_path: Path) -> None:
    paths = activation_plots.draw_all(with_graphs(results), tmp_path / "images")
    assert [path.stem for path in paths] == list(activation_plots.TITLES)
    for path in paths:
        image = cv2.imread(str(path))
        assert min(image.shape[:2]) > 200
        assert image.std() > 5, "it is not blank"
    missing = {path.stem for path in paths} - {path.stem for path in activation_plots.draw_all(results, tmp_path)}
    assert missing == {"leaky_relu_latency"}, "nothing was measured"
