import pytest
from pydantic import ValidationError

from tests.model.conftest import tiny_config


def test_a_single_number_is_a_square_input():
    assert tiny_config(input_size=96).input_size == (96, 96)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"input_size": 100}, "multiple of 32"),
        ({"input_size": [64, 0]}, "greater than or equal to 32"),
        ({"activation": "gelu"}, "leaky_relu"),
        ({"stages": [{"channels": 16}]}, "at least 4"),
        ({"neck": {"channels": 24}}, "multiple of 16"),
        ({"head": {"channels": 16, "kernel": 4}}, "3, 5 or 7"),
        ({"classes": 0}, "greater than or equal to 1"),
        ({"activation": "relu", "negative_slope": 0.2}, "negative_slope is a setting of leaky_relu"),
        ({"colour": 1}, "Extra inputs"),
    ],
)
def test_wrong_values_are_refused(changes: dict[str, object], complaint: str):
    with pytest.raises(ValidationError, match=complaint):
        tiny_config(**changes)
