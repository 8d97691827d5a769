"""The weights in an ONNX file, read without the onnx package, which a board does not have.

An ONNX file is protobuf: fields of a number, a kind and a content, messages within messages. Only the way to the
weights is walked, everything else is stepped over, and the weights themselves are views of the file's bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: Numbers of fields in onnx.proto3 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_INPUT, _NODE_OUTPUT, _NODE_TYPE, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_TENSOR = 5
_DIMS, _TYPE, _FLOATS, _INT32S, _NAME, _RAW, _DOUBLES, _EXTERNAL = 1, 2, 4, 5, 8, 9, 10, 13
_KEY, _VALUE = 1, 2
#: ``TensorProto.DataType`` -> how its raw bytes are read; bfloat16 is the upper half of a float32.
_DTYPES = {1: "<f4", 10: "<f2", 11: "<f8", 16: "<u2"}
_BFLOAT16 = 16
#: How a node says that it is a Constant: looked for as bytes, because most nodes are none.
_CONSTANT = bytes([_NODE_TYPE << 3 | 2, len("Constant")]) + b"Constant"


@dataclass(frozen=True)
class StoredTensor:
    """A constant of the graph, as nodes call it.

    ``values`` are its floating-point numbers ``[N]``, bfloat16 as float32; empty where it holds integers, or where the
    file beside the model that holds them cannot be read.
    """

    name: str
    dims: tuple[int, ...]
    values: NDArray[np.floating]


def read_tensors(content: memoryview, folder: Path | None) -> Iterator[StoredTensor]:
    """The initialisers and constants in the content of an ONNX file, subgraphs left out.

    Weights that are not in it lie in ``folder``; None: nowhere.

    Raises:
        ValueError: the content is no protobuf, or not of ONNX.
    """
    for graph in _all(content, _MODEL_GRAPH):
        for number, part in _fields(graph):
            if number == _GRAPH_INITIALIZER:
                yield _tensor(_message(part), folder, "")
            elif number == _GRAPH_NODE and _CONSTANT in bytes(_message(part)):
                name = _text(_last(_message(part), _NODE_OUTPUT))
                for attribute in _all(_message(part), _NODE_ATTRIBUTE):
                    for tensor in _all(attribute, _ATTRIBUTE_TENSOR):
                        yield _tensor(tensor, folder, name)


def readers_of(content: memoryview, name: str) -> set[str]:
    """Types of the nodes that read the value ``name``."""
    return {
        _text(_last(node, _NODE_TYPE))
        for graph in _all(content, _MODEL_GRAPH)
        for node in _all(graph, _GRAPH_NODE)
        if name in map(_text, _all(node, _NODE_INPUT))
    }


def _tensor(message: memoryview, folder: Path | None, name: str) -> StoredTensor:
    dims: list[int] = []
    kind, found = 0, memoryview(b"")
    external: dict[str, str] = {}
    numbers: list[int] = []
    for number, part in _fields(message):
        if number == _DIMS:
            dims += [part] if isinstance(part, int) else _varints(part)
        elif number == _TYPE and isinstance(part, int):
            kind = part
        elif number == _NAME:
            name = _text(_message(part))
        elif number in (_RAW, _FLOATS, _DOUBLES) and not isinstance(part, int):
            found = part
        elif number == _INT32S:
            numbers += [part] if isinstance(part, int) else _varints(part)
        elif number == _EXTERNAL:
            external[_text(_last(_message(part), _KEY))] = _text(_last(_message(part), _VALUE))
    if kind not in _DTYPES:
        return StoredTensor(name, tuple(dims), np.zeros(0, np.float32))
    if external:
        values = _beside(external, folder, _DTYPES[kind])
    elif numbers:  # 16 bits each
        values = np.array(numbers, np.uint16).view(_DTYPES[kind])
    else:
        values = np.frombuffer(found[: len(found) - len(found) % np.dtype(_DTYPES[kind]).itemsize], _DTYPES[kind])
    if kind == _BFLOAT16:
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return StoredTensor(name, tuple(dims), values)


def _beside(external: dict[str, str], folder: Path | None, dtype: str) -> NDArray[np.floating]:
    """The numbers of a tensor that lie in another file; none where that cannot be read: opening the model says so."""
    place = Path(external.get("location", ""))
    if folder is None or place.is_absolute() or ".." in place.parts:
        return np.zeros(0, dtype)
    offset, length = int(external.get("offset", 0)), int(external.get("length", 0))
    count = length // np.dtype(dtype).itemsize or -1
    try:
        return np.fromfile(folder / place, dtype, count, offset=offset)
    except OSError:
        return np.zeros(0, dtype)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and content of each field; a content of fixed length is passed over as bytes too."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at) if message[at] > 0x7F else (message[at], at + 1)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == 2:
            length, at = _varint(message, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"not protobuf: a field of kind {kind}")
        if at + length > end:
            raise ValueError("not protobuf: a field reaches beyond the end")
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number, and where it ends: seven bits a byte, the lowest first."""
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("not protobuf: a number does not end")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _varints(message: memoryview) -> Iterator[int]:
    at = 0
    while at < len(message):
        value, at = _varint(message, at)
        yield value


def _all(message: memoryview, wanted: int) -> Iterator[memoryview]:
    return (_message(part) for number, part in _fields(message) if number == wanted)


def _last(message: memoryview, wanted: int) -> memoryview:
    """The field ``wanted``, the last one of several; empty where there is none."""
    found = memoryview(b"")
    for part in _all(message, wanted):
        found = part
    return found


def _message(part: int | memoryview) -> memoryview:
    if isinstance(part, int):
        raise ValueError("not ONNX: a number where a message is expected")
    return part


def _text(part: memoryview) -> str:
    return bytes(part).decode("utf-8", "replace")
