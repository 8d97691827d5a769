from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusedet.configs import InputError
from fusedet.deploy import Contract

FULL = Contract(
    names=("Löwe", "猫"),
    input_size=(320, 416),
    input_format="float32_nchw_rgb",
    nms=True,
    nms_iou=0.55,
    pad_value=0,
    strides=(8, 16),
    activation="relu",
    negative_slope=0.0,
    extra={"licence": "Apache-2.0"},
)


def test_keys_of_a_later_writer_are_ignored() -> None:
    assert Contract.from_metadata({**FULL.to_metadata(), "fusedet.colour": '"blue"'}, "model.onnx") == FULL


def test_keys_with_a_default_may_be_missing() -> None:
    metadata = FULL.to_metadata()
    del metadata["fusedet.pad_value"]
    assert Contract.from_metadata(metadata, "model.onnx").pad_value == 114


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"names": ()}, "names is empty"),
        ({"names": ("cat", 3)}, "names must be a tuple of text"),
        ({"names": "cat"}, "names must be a tuple of text"),
        ({"input_size": (320,)}, r"input_size must be \(height, width\)"),
        ({"input_size": (320, 0)}, r"input_size must be \(height, width\)"),
        ({"input_format": "rgb"}, "input_format must be one of .*, but got 'rgb'"),
        ({"input_size": None}, r"input_size must be \(height, width\)"),
        ({"input_size": ("320", 320)}, r"input_size must be \(height, width\)"),
        ({"nms": "false"}, "nms must be true or false, but got 'false'"),
        ({"nms_iou": 10**400}, r"nms_iou must be in 0\.\.1, but got 1000"),
        ({"nms_iou": None}, r"nms_iou must be in 0\.\.1, but got None"),
        ({"pad_value": [114]}, r"pad_value must be in 0\.\.255"),
        ({"nms_iou": 1.5}, r"nms_iou must be in 0\.\.1, but got 1\.5"),
        ({"pad_value": 256}, r"pad_value must be in 0\.\.255, but got 256"),
    ],
)
def test_wrong_fields_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Contract(**{"names": ("cat",), "input_size": (32, 32), **fields})


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("format_version", None, "not a fusedet model: its metadata has no fusedet.format_version"),
        ("format_version", "2", "written in form 2 of the metadata, this fusedet reads form 1"),
        ("names", None, "damaged metadata: lacks names"),
        ("names", "[", "damaged metadata: "),
        ("names", "5", "damaged metadata: "),
        ("names", "[]", "damaged metadata: a detector needs at least one class name"),
        ("input_size", '["a", "b"]', "damaged metadata: "),
        ("input_size", "320", "damaged metadata: "),
        ("pad_value", "null", "damaged metadata: "),
    ],
)
def test_damaged_metadata_names_the_file(key: str, text: str | None, message: str) -> None:
    metadata = FULL.to_metadata()
    if text is None:
        del metadata[f"fusedet.{key}"]
    else:
        metadata[f"fusedet.{key}"] = text
    with pytest.raises(InputError, match=f"^model.onnx: {message}"):
        Contract.from_metadata(metadata, "model.onnx")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "9" * 5000, "[320, 1000000]", "[0, 320]", '["' + "x" * 5000 + '", 3]', "[1, 2, 3]"]
)
def test_an_input_size_that_cannot_be_is_one_short_line(text: str) -> None:
    metadata = Contract(("a",), (64, 64)).to_metadata() | {"fusedet.input_size": text}
    with pytest.raises(InputError, match="damaged metadata") as caught:
        Contract.from_metadata(metadata, "m.onnx")
    assert len(str(caught.value)) < 300


NAMES = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=5).map(tuple)


@settings(max_examples=30)
@given(
    names=NAMES,
    input_size=st.tuples(st.integers(1, 1 << 14), st.integers(1, 1 << 14)),
    input_format=st.sampled_from(["uint8_nhwc_bgr", "float32_nchw_rgb"]),
    nms=st.booleans(),
    nms_iou=st.floats(0, 1),
    pad_value=st.integers(0, 255),
    negative_slope=st.floats(0, 1, exclude_max=True),
    extra=st.dictionaries(st.text(max_size=10), st.text(max_size=30), max_size=3),
)
def test_any_contract_survives_its_metadata(**fields: Any) -> None:
    contract = Contract(**fields)
    assert Contract.from_metadata(contract.to_metadata(), "m.onnx") == contract
