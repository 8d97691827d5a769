"""Exported graphs of a study: what makes them differ, and their race."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from benchmarks.ablation.graphs import Graph, export_best, race, read_race
from benchmarks.study import Outcome
from fusedet.model import ModelConfig, build_detector, save_checkpoint
from tests.benchmarks.studies import study

CONFIG = {"input_size": 64, "classes": 2, "stages": [{"channels": 16, "depth": 0}] * 4}


def model(kernel: int = 3, slope: float = 0.1, seed: int = 0) -> onnx.ModelProto:
    weight = np.random.default_rng(seed).standard_normal((2, 1, kernel, kernel)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], pads=[kernel // 2] * 4),
        helper.make_node("LeakyRelu", ["y"], ["z"], alpha=slope),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n, 8, 8]) for name, n in (("x", 1), ("z", 2))]
    return helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], [numpy_helper.from_array(weight, "w")]))


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Graph]:
    """Exported as trainings leave them."""
    pieces = study(tmp_path_factory.mktemp("study") / "out", "leaky_relu", "elu", "branches").pieces()
    exported = {}
    for piece in pieces:
        name = piece.variant.name
        activation = {"activation": "elu"} if name == "elu" else {}
        config = ModelConfig.model_validate({**CONFIG, **activation, "reparam": name == "branches"})
        torch.manual_seed(len(exported))
        piece.run.path.mkdir(parents=True)
        meta = {"names": ["a", "b"], "model": config.model_dump(mode="json"), "epoch": 1, "metrics": {}}
        save_checkpoint(piece.run.best, {"ema": build_detector(config).state_dict()}, meta)
        exported[name] = export_best(Outcome(piece))
        piece.run.best.unlink()
        assert export_best(Outcome(piece)) == exported[name], "it is not exported again"
    return exported


def test_what_becomes_of_activations(graphs: dict[str, Graph]) -> None:
    leaky, elu = graphs["leaky_relu"], graphs["elu"]
    assert leaky.fused.exists()
    assert leaky.plain.exists()
    assert (leaky.outside, leaky.standing, leaky.reason) == (0, 0, None)
    assert (elu.inside, elu.outside) == (0, leaky.inside)
    assert elu.reason == "Elu is not an activation FusedConv knows"
    assert elu.standing == elu.outside
    assert leaky.fingerprint == graphs["branches"].fingerprint, "branches fold away"
    assert leaky.fingerprint != elu.fingerprint


def test_a_race_is_run_once(graphs: dict[str, Graph], tmp_path: Path) -> None:
    record = tmp_path / "latency.json"
    assert read_race(record) is None
    runners = {name: graphs[name] for name in ("leaky_relu", "elu")}
    first = race(runners, "leaky_relu", record, size=64, rounds=3)
    assert (first["leaky_relu"].ratio_min, first["leaky_relu"].ratio_median) == (1.0, 1.0)
    assert first["elu"].ratio_min == pytest.approx(first["elu"].ms_min / first["leaky_relu"].ms_min)
    before = record.read_bytes()
    assert race(runners, "leaky_relu", record, size=64, rounds=3) == first == read_race(record)
    assert record.read_bytes() == before
    again = race(runners, "elu", record, size=64, rounds=3)
    assert again["elu"].ratio_min == 1.0, "another reference is another race"
