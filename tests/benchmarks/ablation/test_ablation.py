"""The plan of the ablation study, and its tables from trainings written by hand."""

import math
from pathlib import Path

import pytest

from benchmarks.ablation.__main__ import PLAN, Results, collect, read_plan, table
from benchmarks.ablation.graphs import Latency
from benchmarks.study import Outcome
from fusedet.configs import InputError
from fusedet.train.config import load_train_config
from tests.benchmarks.studies import finish, study


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """A baseline and two variants on two data sets; the second variant lacks a training."""
    plan = study(tmp_path / "out", "baseline", "better", "slower", seeds=(0, 1), data=("cats", "cells"))
    pieces = plan.pieces()
    best = {
        ("baseline", "cats"): (0.30, 0.34),
        ("better", "cats"): (0.40, 0.42),
        ("slower", "cats"): (0.30, None),
        ("baseline", "cells"): (0.50, 0.50),
        ("better", "cells"): (0.50, 0.54),
        ("slower", "cells"): (0.40, 0.42),
    }
    done = []
    for piece in pieces:
        ap = best[piece.variant.name, piece.data.name][piece.seed]
        if ap is not None:
            finish(piece, [0.1, ap, ap / 2], seconds=150 if piece.variant.name == "slower" else 100)
            done.append(Outcome(piece))
    variants = collect(done, plan.variants)
    variants[2].other_graph = True
    variants[2].latency = Latency(ms_min=3.0, ms_median=3.3, ratio_min=1.5, ratio_median=1.25)
    return Results(preset="pico", input_size=(96, 96), epochs=3, machine={"cpu": "a slow one"}, variants=variants)


PLANS = [PLAN, PLAN.with_name("finetuning.yaml"), PLAN.with_name("kernels.yaml")]


@pytest.mark.parametrize(("path", "name"), [(path, name) for path in PLANS for name in read_plan(path).variants])
def test_each_variant_of_a_plan_changes_the_preset(path: Path, name: str) -> None:
    plan = read_plan(path)
    config, base = load_train_config(plan.preset, plan.variants[name]), load_train_config(plan.preset)
    assert (config == base) == (not plan.variants[name])
    for override in plan.variants[name]:
        others = [other for other in plan.variants[name] if other != override]
        if override.startswith("train.init="):
            others = [other for other in others if not other.startswith("train.freeze=")]  # needs train.init
        assert load_train_config(plan.preset, others) != config, f"{override} changes nothing"


def test_the_baseline_is_always_among_the_chosen() -> None:
    assert next(iter(read_plan(PLAN).variants)) == "baseline"
    assert list(read_plan(PLAN, ["topk-7", "giou"]).variants) == ["baseline", "giou", "topk-7"]
    with pytest.raises(InputError, match="has no variant 'gio', did you mean 'giou'"):
        read_plan(PLAN, ["gio"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("preset: pico\nvariants: {}", "expected at least one"),
        ("preset: pico\nvariants: {a: 3}", r"plan.yaml:2: variants\.a: must be a list"),
        ("variants: {a: []}", "preset: required"),
        ("preset: pico\nvariant: {a: []}", "unknown key, did you mean 'variants'"),
    ],
)
def test_mistakes_in_a_plan(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_plan(tmp_path / "plan.yaml")


def test_the_table(results: Results) -> None:
    text = table(results)
    # Pooled over the data sets: variances of 0.0008 and 0.
    assert f"itself the standard deviation is {math.sqrt(0.0004):.3f}." in text
    assert "| baseline | `optim.lr=0.001` | 4 | 0.410 |  | 0.615 | 1 | 1.00 |" in text
    assert "| better | `optim.lr=0.002` | 4 | 0.465 | +0.055 ± 0.044 | 0.698 | 1 | 1.00 |" in text
    assert "| slower | `optim.lr=0.003` | 3 | 0.373 | -0.060 ± 0.053 | 0.560 | 1.50 (1.25) | 1.50 |" in text
    assert Results.model_validate_json(results.model_dump_json()) == results
