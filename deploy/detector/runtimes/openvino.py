"""OpenVINO, which computes on processors and graphics of Intel, and on ARM: ``NAME.xml`` with its ``NAME.bin``."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusedet.common.errors import InputError
from fusedet.common.text import in_one_line
from fusedet.deploy.detector.runtimes.protocol import Feed, Metadata, Tensor

#: Where the contract stands among what an OpenVINO file may say of itself.
SECTION = "fusedet"
#: The entry there that says in which precision the network computes, ``f32`` or ``bf16``.
PRECISION = "precision"

_TYPES = {"u8": "tensor(uint8)", "f32": "tensor(float)", "i64": "tensor(int64)", "i32": "tensor(int32)"}


class OpenVinoSession:
    """A network in OpenVINO; see :class:`fusedet.deploy.detector.runtimes.protocol.Session`.

    ``NAME.xml`` is opened; ``NAME.bin`` lies beside it.
    """

    def __init__(self, path: Path, threads: int) -> None:
        """Raises:
        InputError: OpenVINO is not installed, or cannot run the file.
        """
        try:
            import openvino
        except ModuleNotFoundError as error:
            raise InputError(f"{path}: needs OpenVINO, which is not installed: pip install openvino") from error
        if not path.with_suffix(".bin").is_file():
            raise InputError(f"{path}: its weights, {path.with_suffix('.bin').name}, must lie beside it")
        core = openvino.Core()
        try:
            model = core.read_model(path)
            section = model.get_rt_info([SECTION]).value if model.has_rt_info([SECTION]) else {}
            entries = {name: str(getattr(value, "value", value)) for name, value in section.items()}
            settings = {
                "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": entries.pop(PRECISION, "f32"),
                "PERFORMANCE_HINT": "LATENCY",
            }
            self._compiled = core.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise InputError(f"{path}: not a file that OpenVINO can run: {in_one_line(error):.300}") from error
        self._metadata = Metadata(entries)
        self._of_this_thread = threading.local()

    def get_inputs(self) -> Sequence[Tensor]:
        """The network's inputs."""
        return [_tensor(port) for port in self._compiled.inputs]

    def get_outputs(self) -> Sequence[Tensor]:
        """The network's outputs."""
        return [_tensor(port) for port in self._compiled.outputs]

    def get_modelmeta(self) -> Metadata:
        """What the file says of itself."""
        return self._metadata

    def run(self, output_names: Sequence[str] | None, input_feed: Feed) -> list[NDArray[Any]]:
        """Arrays of the named outputs."""
        if not hasattr(self._of_this_thread, "request"):
            self._of_this_thread.request = self._compiled.create_infer_request()
        found = self._of_this_thread.request.infer(dict(input_feed))
        wanted = output_names if output_names is not None else [tensor.name for tensor in self.get_outputs()]
        return [np.array(found[name]) for name in wanted]  # copies: the request's own are written over


def _tensor(port: Any) -> Tensor:
    shape = [size.get_length() if size.is_static else "any" for size in port.get_partial_shape()]
    kind = port.get_element_type().get_type_name()
    return Tensor(port.get_any_name(), shape, _TYPES.get(kind, f"tensor({kind})"))
