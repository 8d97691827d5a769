"""A lightweight detector for edge hardware: train, export, run.

    from fusedet import Detector, evaluate, export_onnx, train

    run = train("nano", data="my_data", epochs=50)
    model = run.export().fused
    detections = Detector(model)(cv2.imread("street.jpg"))
    print(evaluate(model, data="my_data").ap)

Names are imported when they are used: a board that only detects needs no torch.
"""

import importlib
from typing import TYPE_CHECKING

import fusedet.common.privacy  # noqa: F401  before anything imports ONNX Runtime

__all__ = ["Detections", "Detector", "InputError", "TrainedModel", "__version__", "evaluate", "export_onnx", "train"]

if TYPE_CHECKING:
    from fusedet.common.errors import InputError
    from fusedet.deploy.detector.detections import Detections
    from fusedet.deploy.detector.detector import Detector
    from fusedet.export.pipeline import export_onnx
    from fusedet.facade import TrainedModel, evaluate, train

    __version__: str

#: Name -> module that defines it.
_HOMES = {
    "Detections": "fusedet.deploy.detector.detections",
    "Detector": "fusedet.deploy.detector.detector",
    "InputError": "fusedet.common.errors",
    "TrainedModel": "fusedet.facade",
    "evaluate": "fusedet.facade",
    "export_onnx": "fusedet.export.pipeline",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("fusedet")
    if name == "train":  # the package, which can be called
        return importlib.import_module("fusedet.train")
    if name not in _HOMES:
        raise AttributeError(f"module 'fusedet' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
