"""The network: built from a config, trained with branches that fold away, saved and loaded.

from fusedet.model import build_detector, load_detector
"""

from typing import TYPE_CHECKING

from fusedet.common.lazy import imported_on_use
from fusedet.model.config import ModelConfig

__all__ = [
    "STRIDES",
    "Checkpoint",
    "DetectorNet",
    "InferenceGraph",
    "ModelConfig",
    "Predictions",
    "build_detector",
    "count_macs",
    "count_parameters",
    "fold",
    "load_checkpoint",
    "load_detector",
    "save_checkpoint",
]

if TYPE_CHECKING:
    from fusedet.model.checkpoint import Checkpoint, load_checkpoint, load_detector, save_checkpoint
    from fusedet.model.complexity import count_macs, count_parameters
    from fusedet.model.detector import STRIDES, DetectorNet, Predictions, build_detector
    from fusedet.model.inference import InferenceGraph
    from fusedet.model.reparam import fold
else:
    __getattr__ = imported_on_use(
        __name__,
        {
            "STRIDES": "detector",
            "Checkpoint": "checkpoint",
            "DetectorNet": "detector",
            "InferenceGraph": "inference",
            "Predictions": "detector",
            "build_detector": "detector",
            "count_macs": "complexity",
            "count_parameters": "complexity",
            "fold": "reparam",
            "load_checkpoint": "checkpoint",
            "load_detector": "checkpoint",
            "save_checkpoint": "checkpoint",
        },
    )
