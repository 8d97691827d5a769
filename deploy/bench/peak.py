"""The most multiply-accumulates a second that this machine reaches: what a network's share is measured by.

A chain of dense 3x3 convolutions in ONNX Runtime, with as many threads as the network has, is bound by arithmetic
alone: weights and maps stay in the cache. The file of such a chain is a few fields of protobuf; boards do not have the
onnx package, so they are written here.
"""

import time
from collections.abc import Iterable

import numpy as np

from fusedet.deploy.detector.session import CPU

_CHANNELS, _SIDE, _LAYERS = 128, 40, 4
_GMAC = _LAYERS * _CHANNELS * _CHANNELS * 9 * _SIDE * _SIDE / 1e9
_LEAST_RUNS, _LEAST_S = 4, 0.15

#: Numbers of fields and types in onnx.proto3 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
_FLOAT, _INTS = 1, 7
_IR_VERSION, _OPSET = 8, 17


def measure_peak(threads: int) -> float:
    """GMAC a second in the quickest of a few runs, in a session that is gone afterwards; 0 without ONNX Runtime."""
    try:
        import onnxruntime as ort
    except ModuleNotFoundError:
        return 0.0
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    session = ort.InferenceSession(convolution_chain(_CHANNELS, _SIDE, _LAYERS), options, providers=[CPU])
    maps = np.random.default_rng(0).random((1, _CHANNELS, _SIDE, _SIDE), np.float32)
    times = list[float]()
    while len(times) < _LEAST_RUNS or sum(times) < _LEAST_S:
        start = time.perf_counter()
        session.run(None, {"x0": maps})
        times.append(time.perf_counter() - start)
    return _GMAC / min(times)


def convolution_chain(channels: int, side: int, layers: int) -> bytes:
    """An ONNX file: ``x0`` -> ``layers`` 3x3 convolutions of the same weights, one after the other -> ``x<layers>``.

    Each map has ``channels`` channels and ``side`` x ``side`` points.
    """
    weights = np.random.default_rng(0).standard_normal((channels, channels, 3, 3)) / (channels * 9) ** 0.5
    pads = _text(1, "pads") + b"".join(_number(8, 1) for _ in range(4)) + _number(20, _INTS)  # AttributeProto
    nodes = [
        _text(1, f"x{i}") + _text(1, "w") + _text(2, f"x{i + 1}") + _text(4, "Conv") + _field(5, pads)
        for i in range(layers)
    ]
    tensor = (
        b"".join(_number(1, size) for size in weights.shape)
        + _number(2, _FLOAT)
        + _text(8, "w")
        + _field(9, weights.astype("<f4").tobytes())
    )
    shape = (1, channels, side, side)
    graph = _join((1, node) for node in nodes) + _text(2, "chain")
    graph += _field(5, tensor) + _field(11, _value("x0", shape)) + _field(12, _value(f"x{layers}", shape))
    return _number(1, _IR_VERSION) + _field(7, graph) + _field(8, _number(2, _OPSET))  # ModelProto


def _value(name: str, shape: Iterable[int]) -> bytes:
    """ValueInfoProto of a float tensor."""
    dimensions = _join((1, _number(1, size)) for size in shape)
    return _text(1, name) + _field(2, _field(1, _number(1, _FLOAT) + _field(2, dimensions)))


def _join(fields: Iterable[tuple[int, bytes]]) -> bytes:
    return b"".join(_field(number, content) for number, content in fields)


def _field(number: int, content: bytes) -> bytes:
    """A message, a text or bytes: length-delimited."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last have the eighth bit set."""
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
