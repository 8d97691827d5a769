"""A checkpoint where an exported file is needed."""

import atexit
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from fusedet.common.errors import InputError


def exported_from(checkpoint: Path) -> Path:
    """The fused file of a checkpoint, made for this command alone and removed when it ends.

    Raises:
        InputError: the checkpoint cannot be exported, or what exports is not installed here.
    """
    if find_spec("torch") is None or find_spec("onnx") is None:
        raise InputError(
            f"{checkpoint}: this is a checkpoint; `fusedet export` makes the file that runs of it, where training is "
            "installed"
        )
    from fusedet.export import export_onnx

    print(f"note: {checkpoint} is exported for this time; `fusedet export` makes a file to keep", file=sys.stderr)
    folder = Path(tempfile.mkdtemp(prefix="fusedet-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return export_onnx(checkpoint, folder).fused
