"""An exported file in OpenVINO's form, which is faster on processors of Intel and AMD that compute in bf16."""

from collections.abc import Mapping
from pathlib import Path

import onnx

from fusedet.common.errors import InputError
from fusedet.deploy.detector.runtimes.openvino import PRECISION, SECTION
from fusedet.export.graph.nodes import metadata_of


def check_openvino() -> None:
    """Raises InputError: OpenVINO is not installed."""
    try:
        import openvino  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError("OpenVINO is not installed: pip install 'fusedet[openvino]'") from error


def to_openvino(plain: Path, out: Path, precision: str, more: Mapping[str, str]) -> None:
    """Writes ``NAME.xml`` and ``NAME.bin`` with what the ONNX file says of itself, and ``more``.

    It takes the plain file: OpenVINO fuses activations itself, and knows no FusedConv. ``precision`` is ``f32``, or
    ``bf16``, which is f32 where the processor cannot compute in it.
    """
    import openvino

    model = openvino.Core().read_model(plain)  # not convert_model, which may tell Intel that it was called
    entries = metadata_of(onnx.load(plain, load_external_data=False))
    for key, value in {**entries, **more, PRECISION: precision}.items():
        model.set_rt_info(value, [SECTION, key])
    openvino.save_model(model, out, compress_to_fp16=False)
