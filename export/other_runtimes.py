"""Forms of an export for other runtimes than ONNX Runtime: what they are called, and who writes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from fusedet.common.errors import InputError
from fusedet.deploy.detector.contract import INPUT_FORMATS
from fusedet.export.graph.ncnn import check_ncnn, to_ncnn
from fusedet.export.graph.openvino import check_openvino, to_openvino
from fusedet.export.pipeline import ExportResult
from fusedet.model import DetectorNet, InferenceGraph


@dataclass(frozen=True)
class OtherRuntime:
    """One form for one runtime.

    Attributes:
        suffix: the main file is ``NAME`` with this.
        beside: suffixes that take the place of the last one in the names of the files beside it.
        exact: it must find what the ONNX file finds; else it may lose a little AP.
        check: raises InputError where what writes it is not installed.
        write: writes it: network, result, main file, more entries of metadata.
    """

    suffix: str
    beside: tuple[str, ...]
    input_formats: tuple[str, ...]
    exact: bool
    check: Callable[[], None]
    write: Callable[[DetectorNet, ExportResult, Path, Mapping[str, str]], None]

    def files(self, main: Path) -> tuple[Path, ...]:
        """All files, the main one last, so that it never lies there without the others."""
        return (*(main.with_suffix(suffix) for suffix in self.beside), main)

    def refuse(self, name: str, input_format: str) -> None:
        """Raises InputError where it cannot be written: not installed, or of another input; called before any work."""
        if input_format not in self.input_formats:
            raise InputError(
                f"{name}: takes a camera's bytes, {' or '.join(self.input_formats)}, but the export was asked for "
                f"{input_format}; leave out --float-input"
            )
        self.check()


def _openvino(precision: str) -> OtherRuntime:
    def write(net: DetectorNet, result: ExportResult, out: Path, more: Mapping[str, str]) -> None:
        to_openvino(result.plain, out, precision, more)

    suffix = ".xml" if precision == "f32" else f".{precision}.xml"
    return OtherRuntime(suffix, (".bin",), INPUT_FORMATS, precision == "f32", check_openvino, write)


def _ncnn(precision: str) -> OtherRuntime:
    def write(net: DetectorNet, result: ExportResult, out: Path, more: Mapping[str, str]) -> None:
        contract, boxes = result.contract, onnx.load(result.plain).graph.output[0].type.tensor_type.shape.dim[1]
        graph = InferenceGraph(
            net, nms=contract.nms, max_detections=boxes.dim_value, input_size=contract.input_size
        ).eval()
        to_ncnn(graph, result.plain, out, precision, more)

    suffix = ".ncnn.param" if precision == "f32" else f".{precision}.ncnn.param"
    return OtherRuntime(suffix, (".bin", ".json"), ("uint8_nhwc_bgr",), precision == "f32", check_ncnn, write)


#: By the names that ``fusedet export --also`` takes.
OTHER_RUNTIMES = {
    "openvino": _openvino("f32"),
    "openvino-bf16": _openvino("bf16"),
    "ncnn": _ncnn("f32"),
    "ncnn-f16": _ncnn("f16"),
}
