"""A file whose weights are no numbers is refused when it is opened, wherever they lie."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fusedet.common.errors import InputError
from fusedet.deploy import Detector, open_session
from fusedet.deploy.detector.onnx_tensors import read_tensors

Spoil = Callable[[NDArray[Any]], None]
SHAPE = (4, 4, 3, 3)


def network(weights: onnx.TensorProto, extra: Any = ()) -> onnx.ModelProto:
    """One convolution whose weights ``w`` are ``weights``, perhaps handed on by further nodes."""
    shape = [1, 4, 8, 8]
    graph = helper.make_graph(
        [*extra, helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [weights] if weights.name else [],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def weights(value: float) -> NDArray[np.float32]:
    array = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    array[1, 2, 0, 1] = value
    return array


def in_raw_bytes(array: NDArray[np.float32]) -> onnx.ModelProto:
    return network(numpy_helper.from_array(array, "w"))


def in_a_list(array: NDArray[np.float32]) -> onnx.ModelProto:
    return network(helper.make_tensor("w", TensorProto.FLOAT, SHAPE, array.ravel().tolist()))


def in_16_bits(array: NDArray[np.float32]) -> onnx.ModelProto:
    cast = helper.make_node("Cast", ["half"], ["w"], to=TensorProto.FLOAT)
    return network(numpy_helper.from_array(array.astype(np.float16), "half"), [cast])


def in_a_constant(array: NDArray[np.float32]) -> onnx.ModelProto:
    constant = helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(array))
    return network(onnx.TensorProto(), [constant])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("form", [in_raw_bytes, in_a_list, in_16_bits, in_a_constant])
def test_a_weight_that_is_no_finite_number_is_named(form: Callable[..., Any], value: float, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(form(weights(0.5)), path)
    open_session(path)

    onnx.save(form(weights(value)), path)
    with pytest.raises(InputError, match=rf"{path}: .* of the 144 numbers of (w|half), 1 is (NaN|infinite)"):
        open_session(path)


@pytest.mark.parametrize("place", ["net.onnx.data", "weights/all.bin"])
def test_weights_beside_the_file_are_looked_at(place: str, tmp_path: Path) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    settings = {"save_as_external_data": True, "location": place, "size_threshold": 1}
    onnx.save(in_raw_bytes(weights(0.5)), tmp_path / "net.onnx", **settings)
    open_session(tmp_path / "net.onnx")

    (tmp_path / place).unlink()
    onnx.save(in_raw_bytes(weights(np.nan)), tmp_path / "net.onnx", **settings)
    with pytest.raises(InputError, match="w, 1 is NaN"):
        open_session(tmp_path / "net.onnx")

    (tmp_path / place).unlink()
    with pytest.raises(InputError, match=r"net\.onnx: the weights beside it .* cannot be read"):
        open_session(tmp_path / "net.onnx")


def test_an_infinite_number_that_is_no_weight_may_be(tmp_path: Path) -> None:
    model = in_raw_bytes(weights(0.5))
    model.graph.initializer.append(numpy_helper.from_array(np.array(np.inf, np.float32), "limit"))
    model.graph.node[0].output[0] = "c"
    model.graph.node.append(helper.make_node("Min", ["c", "limit"], ["y"]))
    onnx.save(model, tmp_path / "net.onnx")

    open_session(tmp_path / "net.onnx")


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_tensors_are_read_as_the_onnx_package_reads_them(dtype: type) -> None:
    array = np.linspace(-3, 3, 300, dtype=dtype).reshape(3, 100)
    content = network(numpy_helper.from_array(array, "w")).SerializeToString()

    (tensor,) = read_tensors(memoryview(content), None)

    assert (tensor.name, tensor.dims) == ("w", (3, 100))
    np.testing.assert_array_equal(tensor.values, array.ravel())


@pytest.mark.parametrize("content", [b"", b"\x00" * 50, b"ORTM" * 20, os.urandom(300)])
def test_what_is_no_onnx_file_stays_an_error_of_opening(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(InputError, match="not an ONNX file"):
        open_session(tmp_path / "net.onnx")


def test_a_network_that_gives_nan_is_told_once(model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    network = onnx.load(model)
    for tensor in network.graph.initializer:
        if len(tensor.dims) == 4:  # numbers that are finite themselves, and whose sums are not
            tensor.CopyFrom(numpy_helper.from_array(np.full(tensor.dims, 3e38, np.float32), tensor.name))
    onnx.save(network, tmp_path / "net.onnx")
    detector = Detector(tmp_path / "net.onnx")
    image = np.full((64, 64, 3), 90, np.uint8)
    assert [len(detector(image)) for _ in range(2)] == [0, 0]
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/net.onnx: the network gives NaN, which is no score: it misses objects; export it anew"
    ]


def test_a_name_that_is_no_text_opens(model: Path, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/d\xe8/mod\xe8le.onnx"))
    try:
        odd.parent.mkdir()
    except OSError:
        pytest.skip("this file system takes no such name")
    odd.write_bytes(model.read_bytes())

    assert Detector(odd).names == Detector(model).names
