from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fusedet.common.errors import InputError
from fusedet.configs.reader.edit import set_value

DOOR = {"name": "door", "points": [[0.1, 0.2], [0.5, 0.2], [0.5, 0.9]]}
PATH = ("cameras", "a", "zones")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", "cameras:\n  a:\n    zones: [1]\n", id="empty file"),
        pytest.param("model: x\n", "model: x\ncameras:\n  a:\n    zones: [1]\n", id="no cameras"),
        pytest.param("model: x", "model: x\ncameras:\n  a:\n    zones: [1]\n", id="no line break at the end"),
        pytest.param(
            "cameras:\n    a:\n        source: 0\n",
            "cameras:\n    a:\n        source: 0\n        zones: [1]\n",
            id="indent",
        ),
        pytest.param("cameras:\n  a:\n    zones:\n", "cameras:\n  a:\n    zones: [1]\n", id="nothing there"),
        pytest.param(
            "cameras:\n  a:\n    zones:\n  b: {}\n",
            "cameras:\n  a:\n    zones: [1]\n  b: {}\n",
            id="nothing, then more",
        ),
        pytest.param("cameras: {a: {source: 0}}\n", "cameras: {a: {source: 0, zones: [1]}}\n", id="flow"),
        pytest.param("cameras: {a: {}}\n", "cameras: {a: {zones: [1]}}\n", id="empty flow"),
        pytest.param("cameras: {a: {zones: [2], x: 1}}", "cameras: {a: {zones: [1], x: 1}}", id="flow, replaced"),
        pytest.param(
            "cameras:\n  a:\n    zones: [2]  # mine\n", "cameras:\n  a:\n    zones: [1]  # mine\n", id="comment behind"
        ),
        pytest.param(
            "cameras:\n  a:\n    zones:\n      - 2\n      # of the lines\n    lines: []\n",
            "cameras:\n  a:\n    zones: [1]\n      # of the lines\n    lines: []\n",
            id="comment below",
        ),
        pytest.param("cameras:\n  a: &x\n    zones: [2]\n", "cameras:\n  a: &x\n    zones: [1]\n", id="anchor"),
        pytest.param(
            "cameras:\n  ä: 1\n  a:\n    zones: 2\n", "cameras:\n  ä: 1\n  a:\n    zones: [1]\n", id="letters"
        ),
    ],
)
def test_everything_else_stays(before: str, after: str) -> None:
    assert set_value(before, PATH, [1], "my.yaml") == after


def test_a_long_list_has_an_item_a_line() -> None:
    text = set_value("cameras:\n  a:\n    source: 0\n    zones: []\n# end\n", PATH, [DOOR, DOOR], "my.yaml")
    line = "      - {name: door, points: [[0.1, 0.2], [0.5, 0.2], [0.5, 0.9]]}\n"
    assert text == f"cameras:\n  a:\n    source: 0\n    zones:\n{line}{line}# end\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("base: &a {source: 0}\ncameras:\n  a: *a\n", id="an alias"),
        pytest.param("cameras: [1]\n", id="a list"),
        pytest.param("cameras: {a: text}\n", id="text"),
    ],
)
def test_what_cannot_be_changed_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"my\.yaml: cameras\.a\.zones cannot be written"):
        set_value(text, PATH, [1], "my.yaml")


WORDS = st.sampled_from(
    ["yes", "no", "null", "1", "a b", "", "ä", "x: y", "#", "door", "true", "0x1", "it's", '"', "\\"]
)
VALUES = st.recursive(
    WORDS | st.floats(0, 1).map(lambda x: round(x, 4)) | st.none() | st.booleans() | st.integers(-5, 5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, VALUES, st.booleans())
def test_any_value_comes_back(old: Any, new: Any, flow: bool) -> None:
    data = {"model": "x", "cameras": {"a": {"source": "0", "zones": old, "fps": 3}}, "score": 0.5}
    text = yaml.safe_dump(data, default_flow_style=flow, sort_keys=False)
    data["cameras"]["a"]["zones"] = new  # type: ignore[index]
    assert yaml.safe_load(set_value(text, PATH, new, "my.yaml")) == data
