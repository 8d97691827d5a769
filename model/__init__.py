"""The network: built from a config, trained with branches that fold away, saved and loaded.

from fusedet.model import build_detector, load_detector
"""

from fusedet.model.checkpoint import Checkpoint, load_checkpoint, load_detector, save_checkpoint
from fusedet.model.complexity import count_macs, count_parameters
from fusedet.model.config import ModelConfig
from fusedet.model.detector import STRIDES, DetectorNet, Predictions, build_detector
from fusedet.model.inference import InferenceGraph
from fusedet.model.reparam import fold

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
