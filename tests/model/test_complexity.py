import pytest

from fusedet.configs import preset_names
from fusedet.configs.reader.loader import load_config
from fusedet.model import ModelConfig, build_detector, count_macs, count_parameters
from fusedet.model.inference import InferenceGraph
from tests.model.conftest import tiny_config


def test_parameters_are_those_of_the_exported_network(net):
    graph = InferenceGraph(net)
    assert count_parameters(net) == sum(p.numel() for p in graph.parameters())
    assert count_parameters(net) < sum(p.numel() for p in net.parameters()), "one branch of the head is left out"


def test_macs_of_a_network_grow_with_its_input(net):
    assert count_macs(net, (128, 128)) == 4 * count_macs(net, (64, 64))


def test_macs_by_hand():
    """One more residual block of 16 channels and expansion 2 at stride 32, where a 64-px image has 2 x 2 cells."""
    deeper = [{"channels": 16, "block": "fused"}, *({"channels": 16} for _ in range(2))]
    one, two = (
        count_macs(build_detector(tiny_config(stages=[*deeper, {"channels": 16, "depth": depth}]))) for depth in (1, 2)
    )
    assert two - one == 4 * (16 * 32 + 9 * 32 + 32 * 16)


@pytest.mark.parametrize("name", [name for name in preset_names() if name != "demo"])
def test_presets_hold_to_their_budget(name: str):
    """Classes of latency: pico about 0.15, nano 0.35, small 0.8 GMAC at 320 px and 80 classes."""
    budget = {"pico": 0.16, "nano": 0.35, "small": 0.8}[name]
    config = ModelConfig.model_validate({**load_config(name, []).data["model"], "classes": 80})
    assert 0.5 * budget < count_macs(build_detector(config), (320, 320)) / 1e9 <= budget
