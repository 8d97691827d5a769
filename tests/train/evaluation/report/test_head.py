import pytest

from fusedet.train.config import load_train_config
from fusedet.train.evaluation.report.head import preset_of


@pytest.mark.parametrize(
    ("config", "settings", "name"),
    [
        ("nano", ["model.input_size=256", "model.classes=3"], "nano"),
        ("demo", [], "pico"),
        ("small", ["model.neck.depth=2"], None),
    ],
)
def test_a_network_is_called_by_its_preset_where_it_has_one(config: str, settings: list[str], name: str | None) -> None:
    assert preset_of(load_train_config(config, settings).model) == name
