"""Weights that lie beside their ONNX file, in one file or many, as exporters of large models write them."""

from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import TensorProto

from fusedet.common.errors import InputError
from fusedet.export.graph.nodes import subgraphs

#: Bytes that protobuf can hold.
_LARGEST_FILE = 2**31 - 1


def whole_model(path: Path) -> bytes:
    """A file that needs no other: as it is, or with the weights beside it taken in; errors as of :func:`load_whole`."""
    content = path.read_bytes()
    model = _parse(content, path)
    if not any(tensor.data_location == TensorProto.EXTERNAL for tensor in _tensors(model.graph)):
        return content
    return load_whole(path).SerializeToString(deterministic=True)


def load_whole(path: Path) -> onnx.ModelProto:
    """A model in memory, with the weights beside its file.

    Raises:
        InputError: not an ONNX file, weights that cannot be read, or too many of them for one file.
    """
    try:
        model = onnx.load(path)
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        _parse(path.read_bytes(), path)
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: the weights beside it (external data) cannot be read: {reason}") from error
    except Exception as error:  # protobuf's own, which has moved between its releases
        raise InputError(f"{path}: not an ONNX file, or a damaged one") from error
    if model.ByteSize() > _LARGEST_FILE:
        raise InputError(f"{path}: expected at most 2 GB with its weights, but it has {model.ByteSize() / 1e9:.1f} GB")
    return model


def _parse(content: bytes, path: Path) -> onnx.ModelProto:
    try:
        return onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own, which has moved between its releases
        raise InputError(f"{path}: not an ONNX file, or a damaged one") from error


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    """Initialisers and the tensors of attributes, those of subgraphs included."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
        for subgraph in subgraphs(node):
            yield from _tensors(subgraph)
