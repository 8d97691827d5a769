"""Opens an exported file, and says in one line what is wrong with a file that cannot be used.

ONNX Runtime computes it, or what :mod:`fusedet.deploy.detector.runtimes` has for a file of another form. Each is
imported when a file needs it: a board that runs ncnn alone has no ONNX Runtime.
"""

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from fusedet.common.arguments import check_whole
from fusedet.common.errors import InputError
from fusedet.common.machine import physical_cores
from fusedet.common.plain_json import short
from fusedet.common.text import counted, is_utf8
from fusedet.configs.inputs import EXPORTED_FIRST, model_file
from fusedet.deploy.detector.bundle import is_bundle, open_bundle
from fusedet.deploy.detector.contract import FUSED_KEY, OUTPUT_NAMES, Contract
from fusedet.deploy.detector.runtimes.ncnn import NcnnSession
from fusedet.deploy.detector.runtimes.openvino import OpenVinoSession
from fusedet.deploy.detector.runtimes.protocol import Session
from fusedet.deploy.detector.weights import check_weights

if TYPE_CHECKING:
    import onnxruntime as ort

CPU = "CPUExecutionProvider"
#: Runtimes beside ONNX Runtime, by how their files end.
OTHER_RUNTIMES: dict[str, Callable[[Path, int], Session]] = {".xml": OpenVinoSession, ".param": NcnnSession}
#: Forms of a network that nothing here runs, by how their files end, and what they are for.
_FOREIGN = {
    ".engine": "TensorRT",
    ".h5": "Keras",
    ".hef": "Hailo's chips",
    ".keras": "Keras",
    ".mlmodel": "Core ML",
    ".mlpackage": "Core ML",
    ".mnn": "MNN",
    ".pb": "TensorFlow",
    ".rknn": "Rockchip's chips",
    ".safetensors": "PyTorch",
    ".tflite": "TensorFlow Lite",
    ".torchscript": "PyTorch",
    ".trt": "TensorRT",
}
#: More threads than this gain little on networks of this size.
MOST_THREADS = 4
_CONCEIVABLE_THREADS = 1024

#: What ONNX Runtime's messages begin with that tells a user nothing: its code, the file again, a line of its source.
_OF_ITS_OWN = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from .*? failed:\s*)?"
    r"|/?onnxruntime_src/\S+:\d+ [\w:<>~&* ]+\(.*?\) (?=[A-Z])"
)
_MOST_OF_A_REASON = 300

_INPUT_TYPES = {"uint8_nhwc_bgr": "tensor(uint8)", "float32_nchw_rgb": "tensor(float)"}
_OUTPUT_TYPES = {"boxes": "tensor(float)", "scores": "tensor(float)", "class_ids": "tensor(int64)"}


def default_threads() -> int:
    """Physical cores that this process may use, at most 4: hyper-threads do not help convolutions."""
    return min(physical_cores(), MOST_THREADS)


def open_session(
    path: str | Path,
    threads: int | None = None,
    *,
    allow_spinning: bool = False,
    provider: str = CPU,
    adjust: "Callable[[ort.SessionOptions], None] | None" = None,
) -> Session:
    """Opens an ONNX file, a bundle, a file of another runtime, a run's export, or a preset's starter weights.

    Args:
        path: the file, the run folder, the preset's name, or the bundle's folder or zip: of it the fused model runs
            on a CPU, the plain one elsewhere; ``BUNDLE/FILE`` is another one of it.
            ``NAME.xml`` runs in OpenVINO, ``NAME.ncnn.param`` in ncnn; what follows ``threads`` means nothing to them.
        threads: threads that share the work of one convolution; left out, :func:`default_threads`.
        allow_spinning: ONNX Runtime's threads burn their cores while they wait for work. It saves some
            microseconds an image, and costs a board's idle time, heat and battery.
        provider: who computes, one of ONNX Runtime's execution providers; what it cannot do the CPU does.
        adjust: changes ONNX Runtime's options just before it opens the file.

    Raises:
        InputError: no such file, not an ONNX file, a damaged one, one that this ONNX Runtime cannot run, no such
            provider, a fused file for another provider than the CPU, weights that are no finite numbers, or more or
            fewer class names than the network tells apart.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"a model must be given by its file's name, text or a Path, but got {short(path)}")
    path = Path(path)
    if threads is not None:
        check_whole("threads", threads, _CONCEIVABLE_THREADS)
    if (whose := _FOREIGN.get(path.suffix.lower())) is not None:
        raise InputError(
            f"{path}: a file for {whose}; expected an ONNX file, or one for OpenVINO (NAME.xml) or ncnn "
            "(NAME.ncnn.param): the program that made it can export ONNX"
        )
    if not is_bundle(path.parent):
        path = model_file(path, of_run=EXPORTED_FIRST)
    if path.suffix in OTHER_RUNTIMES:
        return _open_other(path, threads or default_threads())
    providers = _import_onnxruntime(path).get_available_providers()
    if provider not in providers:
        raise InputError(f"provider {provider}: this ONNX Runtime has {', '.join(providers)} only")
    name, model = _model(path, provider)
    if provider != CPU:
        _refuse_fused(name, _start(name, model, threads, allow_spinning, CPU))
    return _start(name, model, threads, allow_spinning, provider, adjust)


def _import_onnxruntime(path: str | Path) -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise InputError(f"{path}: needs ONNX Runtime, which is not installed: pip install onnxruntime") from error
    return onnxruntime


def _open_other(path: Path, threads: int) -> Session:
    """A file of another runtime. Out of a bundle's zip it is unpacked for as long as it takes to open it."""
    if path.exists():
        return OTHER_RUNTIMES[path.suffix](path, threads)
    bundle = open_bundle(path.parent)
    with tempfile.TemporaryDirectory(prefix="fusedet-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / path.name).write_bytes(bundle.file(path.name))
        for beside in (path.with_suffix(".bin").name, path.with_suffix(".json").name):
            if beside in bundle.files:
                (Path(folder) / beside).write_bytes(bundle.files[beside])
        return OTHER_RUNTIMES[path.suffix](Path(folder) / path.name, threads)


def _model(path: Path, provider: str) -> tuple[str, str | bytes]:
    """What to call the model, and what ONNX Runtime is to open: a path, or a bundle's model."""
    if is_bundle(path):
        return open_bundle(path).model("fused" if provider == CPU else "plain")
    if not path.exists():
        return str(path), open_bundle(path.parent).file(path.name)
    return str(path), str(path)


def _refuse_fused(name: str, session: "ort.InferenceSession") -> None:
    """Only the CPU computes LeakyReLU inside a FusedConv; CUDA's kernel fails on it (onnxruntime#22947)."""
    if FUSED_KEY in session.get_modelmeta().custom_metadata_map:
        plain = name.replace(".fused.onnx", ".onnx")
        other = f"take {plain}" if plain != name else "take the plain file of the same export"
        raise InputError(f"{name}: a fused file runs on the CPU only: {other}")


def _start(
    name: str,
    model: str | bytes,
    threads: int | None,
    allow_spinning: bool,
    provider: str,
    adjust: "Callable[[ort.SessionOptions], None] | None" = None,
) -> "ort.InferenceSession":
    ort = _import_onnxruntime(name)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or default_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal only: what goes wrong is raised, and said once
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(allow_spinning)))
    if adjust is not None:
        adjust(options)
    folder = None if isinstance(model, bytes) else Path(model).parent
    try:
        content = Path(model).read_bytes() if isinstance(model, str) else model
    except OSError as error:
        raise InputError(f"{model!s}: cannot be read: {error.strerror}") from error
    classes = check_weights(content, folder, name)
    if isinstance(model, str) and not is_utf8(model):  # ONNX Runtime takes no such name: it gets the bytes
        model = content
        if is_utf8(str(folder)):
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    providers = [provider] if provider == CPU else [provider, CPU]
    try:
        session = ort.InferenceSession(model, options, providers=providers)
    except Exception as error:  # ONNX Runtime's errors share no base class
        hint = " (a checkpoint becomes one by `fusedet export`)" if name.endswith((".pt", ".pth", ".ckpt")) else ""
        reason = _reason(error)
        if "External data path" in reason:
            raise InputError(f"{name}: the weights beside it (external data) cannot be read: {reason}") from error
        raise InputError(
            f"{name}: not an ONNX file that ONNX Runtime {ort.__version__} can run{hint}: {reason}"
        ) from error
    _refuse_damaged_text(name, session)
    _refuse_other_names(name, session, classes)
    return session


def _reason(error: Exception) -> str:
    """What ONNX Runtime says, without codes and places in its own source; the end of it tells the most."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    reason = _OF_ITS_OWN.sub("", reason)
    return reason if len(reason) <= _MOST_OF_A_REASON else f"{reason[:100]} ... {reason[105 - _MOST_OF_A_REASON :]}"


def _refuse_other_names(name: str, session: "ort.InferenceSession", classes: int | None) -> None:
    """A contract that somebody edited may name other classes than the network tells apart."""
    metadata = session.get_modelmeta().custom_metadata_map
    if classes is None or not Contract.stands_in(metadata):
        return
    names = Contract.from_metadata(metadata, name).names
    if len(names) != classes:
        raise InputError(
            f"{name}: its network tells {counted(classes, 'class', 'classes')} apart, but its metadata name "
            f"{len(names)}: {shorten(', '.join(names), 100, placeholder=' ...')}"
        )


def _refuse_damaged_text(name: str, session: "ort.InferenceSession") -> None:
    """ONNX Runtime reads text only when it is asked for it, and takes bytes that are none until then."""
    try:
        session.get_modelmeta().custom_metadata_map  # noqa: B018
        for tensor in (*session.get_inputs(), *session.get_outputs()):
            tensor.name, tensor.shape  # noqa: B018
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: a damaged ONNX file: its text is not UTF-8") from error


def read_contract(session: Session, source: str) -> Contract:
    """The contract in a session of :func:`open_session`, checked against the graph's input and outputs.

    ``source`` is the file's name, for the error message.

    Raises:
        InputError: the file is not fusedet's, or its graph is not what its contract says.
    """
    contract = read_input_contract(session, source)
    outputs = {output.name: output.type for output in session.get_outputs()}
    if {name: outputs.get(name) for name in OUTPUT_NAMES} != _OUTPUT_TYPES:
        raise InputError(f"{source}: expected the outputs {_OUTPUT_TYPES}, but the graph gives {outputs}")
    return contract


def read_input_contract(session: Session, source: str) -> Contract:
    """As :func:`read_contract`, but the outputs may be any."""
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
    return contract
