"""Opens an exported file in ONNX Runtime, and says in one line what is wrong with a file that cannot be used."""

import os
from pathlib import Path

import onnxruntime as ort

from fusedet.configs.errors import InputError
from fusedet.deploy.contract import OUTPUT_NAMES, Contract

__all__ = ["default_threads", "open_session", "read_contract"]

#: More threads than this gain little on networks of this size.
MOST_THREADS = 4

_INPUT_TYPES = {"uint8_nhwc_bgr": "tensor(uint8)", "float32_nchw_rgb": "tensor(float)"}
_OUTPUT_TYPES = {"boxes": "tensor(float)", "scores": "tensor(float)", "class_ids": "tensor(int64)"}


def default_threads() -> int:
    """Physical cores that this process may use, at most 4: hyper-threads do not help convolutions."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    cores = set()
    for cpu in allowed:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        try:
            cores.add(siblings.read_text().strip())
        except OSError:  # not Linux, or a container that hides it: each logical CPU counts as a core
            cores.add(str(cpu))
    return max(1, min(len(cores), MOST_THREADS))


def open_session(path: str | Path, threads: int | None = None, *, allow_spinning: bool = False) -> ort.InferenceSession:
    """Opens an ONNX file on the CPU.

    Args:
        path: the ONNX file.
        threads: threads that share the work of one convolution; left out, :func:`default_threads`.
        allow_spinning: ONNX Runtime's threads burn their cores while they wait for work. It saves some
            microseconds a picture, and costs a board's idle time, heat and battery.

    Raises:
        InputError: no such file, not an ONNX file, a damaged one, or one that this ONNX Runtime cannot run.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such model file")
    if not path.is_file():
        raise InputError(f"{path}: expected an ONNX file, but this is a folder")
    if threads is not None and threads < 1:
        raise InputError(f"threads must be at least 1, but got {threads}")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or default_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal only: what goes wrong is raised, and said once
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(allow_spinning)))
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no base class
        hint = " (a checkpoint becomes one by `fusedet export`)" if path.suffix in (".pt", ".pth", ".ckpt") else ""
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: not an ONNX file that ONNX Runtime {ort.__version__} can run{hint}: {reason}"
        ) from error


def read_contract(session: ort.InferenceSession, source: str) -> Contract:
    """The contract in an opened file, checked against the graph's input and outputs.

    Args:
        session: of :func:`open_session`.
        source: the file's name, for the error message.

    Raises:
        InputError: the file is not fusedet's, or its graph is not what its contract says.
    """
    contract = Contract.from_metadata(session.get_modelmeta().custom_metadata_map, source)
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise InputError(f"{source}: expected one input, but the graph has {[i.name for i in inputs]}")
    height, width = contract.input_size
    sides = (height, width, 3) if contract.input_format == "uint8_nhwc_bgr" else (3, height, width)
    found_type, found_shape = inputs[0].type, inputs[0].shape
    batch = found_shape[0] if found_shape else None
    shape_fits = tuple(found_shape[1:]) == sides and (batch == 1 or not isinstance(batch, int))
    if found_type != _INPUT_TYPES[contract.input_format] or not shape_fits:
        raise InputError(
            f"{source}: expected {_INPUT_TYPES[contract.input_format]} [1 or any, {', '.join(map(str, sides))}] "
            f"for {contract.input_format}, but the graph takes {found_type} {found_shape}"
        )
    outputs = {output.name: output.type for output in session.get_outputs()}
    if {name: outputs.get(name) for name in OUTPUT_NAMES} != _OUTPUT_TYPES:
        raise InputError(f"{source}: expected the outputs {_OUTPUT_TYPES}, but the graph gives {outputs}")
    return contract
