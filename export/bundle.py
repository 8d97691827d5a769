"""Writes what a board needs of a model into one folder or zip: see :mod:`fusedet.deploy.detector.bundle`."""

import json
import logging
import os
import shutil
import tempfile
import warnings
import zipfile
from importlib.metadata import version
from pathlib import Path

import onnxruntime as ort

from fusedet.common.atomic import naming
from fusedet.common.errors import InputError
from fusedet.common.hashing import sha256
from fusedet.common.text import counted, is_utf8
from fusedet.deploy.detector.bundle import BUNDLE_VERSION, MANIFEST, open_bundle
from fusedet.deploy.detector.contract import Contract
from fusedet.deploy.detector.session import open_session, read_contract
from fusedet.export.graph.external_data import whole_model
from fusedet.export.other_runtimes import OTHER_RUNTIMES

#: Every file in a zip has this time, so that the same models give the same bytes.
_TIME = (2000, 1, 1, 0, 0, 0)
_RUNTIMES = {
    "openvino": "OpenVINO",
    "openvino-bf16": "OpenVINO, in 16 bits where the processor can",
    "ncnn": "ncnn",
    "ncnn-f16": "ncnn, in 16 bits where the processor can",
}


def write_bundle(plain: Path, out: Path, *, ort_format: bool = False, overwrite: bool = False) -> Path:
    """Bundles an export: the plain file and what stands beside it under the same name.

    Weights that lie in files of their own (external data) are taken into their models.

    Args:
        plain: ``NAME.onnx`` of ``fusedet export``; ``NAME.fused.onnx`` must be there, other forms and the certificate
            may be.
        out: the folder to make, or a file that ends in ``.zip``.
        ort_format: also put in ``NAME.ort`` and the list of operators that a reduced build of ONNX Runtime needs.
        overwrite: replace what is there; a folder only where it is a bundle.

    Raises:
        InputError: a file is missing or is not what ``fusedet export`` writes, or ``out`` is there.
    """
    name = plain.name.removesuffix(".onnx")
    if not is_utf8(f"{name} {out if ort_format else out.name}"):  # ONNX Runtime's tool takes no other folder either
        raise InputError(f"{plain} to {out}: a bundle's names must be text in UTF-8: rename the files")
    if plain.suffix != ".onnx" or name.endswith((".fused", ".half", ".int8")):
        raise InputError(f"{plain}: expected the plain file of an export, NAME.onnx")
    models = {"plain": plain, "fused": plain.with_name(f"{name}.fused.onnx")}
    for path in models.values():
        if not path.is_file():
            raise InputError(f"{path}: no such file; a bundle holds the plain and the fused file of one export")
    contract = _same_contract(models)
    for kind in ("half", "int8"):
        if (plain.with_name(f"{name}.{kind}.onnx")).is_file():
            models[kind] = plain.with_name(f"{name}.{kind}.onnx")
    _refuse_to_replace(out, overwrite)

    out.parent.mkdir(parents=True, exist_ok=True)
    with naming(out), tempfile.TemporaryDirectory(prefix=".bundle-", dir=out.parent) as work:
        folder = Path(work) / name
        folder.mkdir()
        roles = {role: path.name for role, path in models.items()}
        for path in models.values():
            (folder / path.name).write_bytes(whole_model(path))
        roles |= _copy_other_runtimes(plain, folder)
        for kind in ("certificate.json", "certificate.html"):
            if (plain.with_name(f"{name}.{kind}")).is_file():
                shutil.copyfile(plain.with_name(f"{name}.{kind}"), folder / f"{name}.{kind}")
        if ort_format:
            roles["ort"] = f"{name}.ort"
            _write_ort(folder / models["fused"].name, folder / roles["ort"])
        (folder / "classes.txt").write_text("".join(f"{label}\n" for label in contract.names), encoding="utf-8")
        (folder / "README.md").write_text(_readme(name, contract, out, roles), encoding="utf-8")
        _write_manifest(folder, roles)
        made = _zip(folder, Path(work) / "bundle.zip") if out.suffix == ".zip" else folder
        if out.is_dir():
            shutil.rmtree(out)
        os.replace(made, out)
    open_bundle(out)  # what was written is what can be read
    return out


def _copy_other_runtimes(plain: Path, folder: Path) -> dict[str, str]:
    """Copies the forms for other runtimes that lie beside ``plain``; gives their roles and main files."""
    roles = {}
    for role, runtime in OTHER_RUNTIMES.items():
        main = plain.with_suffix(runtime.suffix)
        if not main.is_file():
            continue
        for path in runtime.files(main):
            if not path.is_file():
                raise InputError(f"{path}: no such file; {main.name} needs it")
            shutil.copyfile(path, folder / path.name)
        roles[role] = main.name
    return roles


def _same_contract(models: dict[str, Path]) -> Contract:
    contracts = {role: read_contract(open_session(path, threads=1), str(path)) for role, path in models.items()}
    if contracts["plain"] != contracts["fused"]:
        raise InputError(f"{models['fused']}: is not of the same export as {models['plain']}")
    return contracts["plain"]


def _refuse_to_replace(out: Path, overwrite: bool) -> None:
    if out.is_dir() and not (overwrite and (out / MANIFEST).is_file()):
        hint = "--force replaces it" if (out / MANIFEST).is_file() else "it is no bundle, and is left as it is"
        raise InputError(f"{out}: this folder is already there; {hint}")
    if out.is_file() and not (overwrite and out.suffix == ".zip"):
        hint = "--force replaces it" if out.suffix == ".zip" else "choose a folder, or a name that ends in .zip"
        raise InputError(f"{out}: this file is already there; {hint}")


def _write_ort(fused: Path, out: Path) -> None:
    """The fused file in ONNX Runtime's own form, and the operators that a build for it alone must have.

    Optimised as far as every processor understands: the blocked layout of x86, which ONNX Runtime would choose when it
    opens an ONNX file, is not in it, so that x86 runs it more slowly.
    """
    from onnxruntime.tools.ort_format_model import create_config_from_models

    logging.getLogger("ort_format_model.utils").setLevel(logging.WARNING)  # it tells of every file, on the terminal
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(out)
    options.log_severity_level = 3
    options.add_session_config_entry("session.save_model_format", "ORT")
    ort.InferenceSession(fused.read_bytes(), options, providers=["CPUExecutionProvider"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # ONNX Runtime's tool leaves closing its file to Python
        create_config_from_models([out], out.with_suffix(".required_operators.config"), True)


def _write_manifest(folder: Path, roles: dict[str, str]) -> None:
    files = {path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in sorted(folder.iterdir())}
    manifest = {
        "format_version": BUNDLE_VERSION,
        "made_by": f"fusedet {version('fusedet')}",
        "models": roles,
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _zip(folder: Path, out: Path) -> Path:
    """Stored, not packed: weights do not shrink, and the board opens it faster."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.iterdir()):
            archive.writestr(zipfile.ZipInfo(path.name, _TIME), path.read_bytes())
    return out


def _readme(name: str, contract: Contract, out: Path, roles: dict[str, str]) -> str:
    height, width = contract.input_size
    lines = [
        f"# {name}",
        "",
        f"A detector of {counted(len(contract.names), 'class', 'classes')} (`classes.txt`), "
        f"input {width} x {height} px, {'followed by' if contract.nms else 'without'} non-maximum suppression.",
        "",
        "On the board, with Python 3.10 or newer:",
        "",
        "    pip install 'fusedet[headless]'",
        f"    fusedet check {out.name}          # does it find here what it found when it was made?",
        f"    fusedet detect {out.name} 0       # the first camera",
        "",
        "In a program:",
        "",
        "    from fusedet.deploy import Detector",
        f'    detections = Detector("{out.name}")(image_bgr)',
        "",
        "| file | for |",
        "| --- | --- |",
        f"| `{roles['fused']}` | CPUs, x86 and ARM: every activation lives in its convolution |",
        f"| `{roles['plain']}` | everything else: GPUs, other runtimes, converters |",
    ]
    if "half" in roles:
        lines.append(f"| `{roles['half']}` | the fused file with weights of 16 bits: half the size, the same speed |")
    if "int8" in roles:
        lines.append(f"| `{roles['int8']}` | where memory counts more than a little accuracy |")
    if "ort" in roles:
        lines.append(
            f"| `{roles['ort']}` | builds of ONNX Runtime with these operators only "
            f"(`{name}.required_operators.config`); on x86 slower than the fused file |"
        )
    for role in OTHER_RUNTIMES:
        if role in roles:
            lines.append(
                f"| `{roles[role]}` | {_RUNTIMES[role]}; `fusedet bench --all {out.name}` finds the quickest |"
            )
    lines += [f"| `{MANIFEST}` | checksums: a damaged file is refused before it runs |", ""]
    return "\n".join(lines)
