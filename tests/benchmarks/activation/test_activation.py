"""The activation study's figures, tables and plots, from trainings written by hand; and a whole study of two."""

import dataclasses
import math
import sys
from pathlib import Path

import cv2
import pytest
import torch

from benchmarks.ablation.graphs import Graph, Latency
from benchmarks.activation import plots as activation_plots
from benchmarks.activation.__main__ import _graph, all_activations, collect, fill_page, main, parse_activation
from benchmarks.activation.results import ActivationResult, Results
from benchmarks.activation.tables import tables
from benchmarks.evaluation import Evaluation, OutputAccuracy, evaluate_best
from benchmarks.pages import markers
from benchmarks.study import Outcome, Piece, Study
from fusedet.configs import InputError
from fusedet.model import build_detector, save_checkpoint
from tests.benchmarks.studies import LAYERS, finish
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


@pytest.mark.parametrize("text", ["rleu", "relu:0.1", ""])
def test_activations_that_are_not_there(text: str) -> None:
    with pytest.raises(InputError, match="--activations"):
        parse_activation(text)


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
    assert other.grad_norm_by_layer == dict.fromkeys(LAYERS, 1.5)
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


def test_tables_without_the_reference(results: Results) -> None:
    text = tables(results.model_copy(update={"activations": results.activations[1:]}))
    assert "| relu | 2 | – | – | – | – |" in text
    assert "| relu | – | – | 0.188 ± 0.018 | 100 | – |" in text


def test_an_activation_that_learned_nothing_has_its_rows(tmp_path: Path) -> None:
    variant = parse_activation("sigmoid")
    plan = Study("pico", (variant,), (tmp_path / "cells",), (0,), tmp_path / "out", ("train.epochs=4",))
    [piece] = plan.pieces()
    finish(piece, [0.0, 0.0], dead=1.0)
    evaluate_by_hand(piece, 0.0, None)
    nothing = collect([Outcome(piece)], {"sigmoid": "sigmoid"})
    facts = {"preset": "pico", "input_size": (96, 96), "epochs": 2, "reference": "sigmoid", "rounds": 1, "machine": {}}
    whole = Results(**facts, activations=nothing)
    assert "| sigmoid | 1 | 0.000 | 0.000 | – | 0.100 | 0.000 | – |" in tables(whole)
    assert "| sigmoid | 50.0% | 50.0% | 100.0% |" in tables(whole)
    assert len(activation_plots.draw_all(whole, tmp_path / "plots")) == 5


def test_a_network_without_a_difference_in_its_scores_is_evaluated_and_has_no_graph(tmp_path: Path) -> None:
    data = draw_set(tmp_path / "drawn")
    common = ("train.epochs=1", "model.input_size=64")
    [piece] = Study("pico", (parse_activation("sigmoid"),), (data,), (0,), tmp_path / "out", common).pieces()
    finish(piece, [0.0])
    net = build_detector(piece.config.model.model_copy(update={"classes": 2}))
    for predictors in (net.head.class_predictors, net.head.class_corrections, net.head.selector_predictors):
        for predictor in predictors:
            torch.nn.init.zeros_(predictor.weight)
    meta = {"names": ["box", "disc"], "model": net.config.model_dump(mode="json")}
    save_checkpoint(piece.run.best, {"ema": net.state_dict()}, meta)
    evaluation = evaluate_best(Outcome(piece))
    assert 0 <= evaluation.nms_free.ap < 0.1
    assert evaluate_best(Outcome(piece)) == evaluation, "it is read the second time"
    assert _graph([Outcome(piece)]) is None


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


def test_what_has_been_begun_before_is_reported(tmp_path: Path) -> None:
    for name in ("cells/leaky_relu-0.3/seed-0", "cells/relu/seed-1", "cells/export", "cats/elu/seed-0"):
        (tmp_path / name).mkdir(parents=True)
    activations = all_activations(["tanh", "leaky_relu:0.1"], [Path("data/cells")], tmp_path)
    assert activations == ["leaky_relu:0.1", "relu", "tanh", "leaky_relu:0.3"]


def test_results_survive_their_file(results: Results) -> None:
    whole = with_graphs(results)
    assert Results.model_validate_json(whole.model_dump_json()) == whole


def test_plots(results: Results, tmp_path: Path) -> None:
    paths = activation_plots.draw_all(with_graphs(results), tmp_path / "images")
    assert [path.stem for path in paths] == list(activation_plots.TITLES)
    for path in paths:
        image = cv2.imread(str(path))
        assert min(image.shape[:2]) > 200
        assert image.std() > 5, "it is not blank"
    missing = {path.stem for path in paths} - {path.stem for path in activation_plots.draw_all(results, tmp_path)}
    assert missing == {"leaky_relu_latency"}, "nothing was measured"


def test_only_those_near_the_best_are_in_the_close_view(results: Results) -> None:
    assert [result.name for result in activation_plots._near(results, "cells")] == ["leaky_relu 0.1"]
    assert activation_plots._near(results, "cells")[0].runs[0].best_ap == 0.4


def test_a_layer_without_a_gradient_is_a_gap(results: Results) -> None:
    leaky = results.activations[0]
    leaky.runs[0].grad_norm_by_layer["neck.mix"] = 0.0
    leaky.runs[1].grad_norm_by_layer["neck.mix"] = 0.0
    leaky.runs[1].grad_norm_by_layer["backbone.stem"] = 6.0
    assert activation_plots._mean_norms(leaky, ["backbone.stem", "neck.mix"]) == pytest.approx(
        [3.0, math.nan], nan_ok=True
    )


def test_a_page_is_filled_between_its_markers(results: Results, tmp_path: Path) -> None:
    page = tmp_path / "docs" / "leaky_relu.md"
    with pytest.raises(InputError, match="no such page"):
        fill_page(page, "", [])
    page.parent.mkdir()
    page.write_text("# Title\n")
    with pytest.raises(InputError, match=r"expected the lines '<!-- results: begin"):
        fill_page(page, "", [])
    page.write_text("# Title\n\n<!-- results: begin -->\nold\n<!-- results: end -->\n\nThe end.\n")
    picture = page.parent / "images" / "leaky_relu_ap.png"
    for _ in range(2):
        fill_page(page, "| new |\n", [picture])
        text = page.read_text()
        assert text.startswith("# Title\n\n<!-- results: begin -->\n\n| new |\n")
        assert "![AP over the epochs of the training, by activation](images/leaky_relu_ap.png)" in text
        assert text.endswith("<!-- results: end -->\n\nThe end.\n")
        assert "old" not in text


@pytest.mark.parametrize(
    ("places", "apart"),
    [
        ([0.5], [0.5]),
        ([0.9, 0.1], [0.9, 0.1]),
        ([0.5, 0.5], [0.45, 0.55]),
        ([0.52, 0.5, 0.48], [0.6, 0.5, 0.4]),
        ([0.0, 0.06, 0.5, 0.12], [-0.04, 0.06, 0.5, 0.16]),
    ],
)
def test_labels_are_moved_apart(places: list[float], apart: list[float]) -> None:
    assert activation_plots._apart(places, 0.1) == pytest.approx(apart)


def test_a_folder_without_the_page_is_told_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["activation", "--out", str(tmp_path / "out"), "--docs", str(tmp_path)])
    with pytest.raises(InputError, match=r"--docs .*: has no leaky_relu.md to fill"):
        main()
    assert not (tmp_path / "out").exists()


def test_an_activation_without_a_color_of_its_own_gets_one(results: Results) -> None:
    first, second = (ActivationResult(name=f"new {i}", runs=[], graph=None, latency=None) for i in range(2))
    more = results.model_copy(update={"activations": [*results.activations, first, second]})
    assert activation_plots._color(more, first) != activation_plots._color(more, second)
