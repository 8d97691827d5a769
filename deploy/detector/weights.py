"""Looks at a file's weights before it runs: some files open and run as if nothing were wrong, and find nothing.

It takes a few milliseconds, a fraction of what ONNX Runtime takes to open the same file.
"""

import re
from pathlib import Path

import numpy as np

from fusedet.common.errors import InputError
from fusedet.deploy.detector.onnx_tensors import StoredTensor, read_tensors, readers_of

#: Nodes that compute with weights, or hand them on. Others may read a number that is none for good reason, as a mask.
_COMPUTING = frozenset(
    {"BatchNormalization", "Cast", "Conv", "ConvTranspose", "DequantizeLinear", "FusedConv", "Gemm", "Identity"}
    | {"MatMul", "PRelu", "QLinearConv", "Reshape", "Transpose"}
)
#: Weights of the convolutions that tell classes apart, one row a class, in every file of ``fusedet export``.
_CLASSES = re.compile(r"head\.class_predictors\.\d+\.weight")


def check_weights(content: bytes, folder: Path | None, source: str) -> int | None:
    """Refuses weights that are NaN or infinite.

    Args:
        content: of the ONNX file; of what is none nothing is said, since opening it will.
        folder: where weights lie that are not in it; None: nowhere.
        source: the file's name, for the error message.

    Returns:
        How many classes a network of fusedet tells apart; None of other networks.

    Raises:
        InputError: a weight is no finite number.
    """
    classes = None
    view = memoryview(content)
    try:
        for tensor in read_tensors(view, folder):
            if not np.isfinite(tensor.values).all():
                _refuse_if_computed_with(tensor, view, source)
            if _CLASSES.match(tensor.name) and tensor.dims:
                classes = tensor.dims[0]
    except InputError:
        raise
    except ValueError:  # not an ONNX file
        return None
    return classes


def _refuse_if_computed_with(tensor: StoredTensor, view: memoryview, source: str) -> None:
    if not readers_of(view, tensor.name) & _COMPUTING:
        return
    broken = int((~np.isfinite(tensor.values)).sum())
    what = "NaN" if np.isnan(tensor.values).any() else "infinite"
    raise InputError(
        f"{source}: its weights are damaged: of the {tensor.values.size:,} numbers of {tensor.name}, {broken:,} "
        f"{'is' if broken == 1 else 'are'} {what}, so that it finds nothing or anything; export it anew"
    )
