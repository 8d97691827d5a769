"""Training on COCO-format data and grading of what came out.

from fusedet.train import TrainConfig, evaluate_model, resume, train
"""

from typing import TYPE_CHECKING

import fusedet.configs.privacy  # noqa: F401  before anything imports ONNX Runtime
from fusedet.configs.lazy import imported_on_use
from fusedet.train.config import TrainConfig

__all__ = ["Metrics", "TrainConfig", "TrainResult", "evaluate_model", "resume", "train"]

if TYPE_CHECKING:
    from fusedet.train.evaluate import evaluate_model
    from fusedet.train.metrics import Metrics
    from fusedet.train.start import resume, train
    from fusedet.train.trainer import TrainResult
else:
    __getattr__ = imported_on_use(
        __name__,
        {
            "Metrics": "metrics",
            "TrainResult": "trainer",
            "evaluate_model": "evaluate",
            "resume": "start",
            "train": "start",
        },
    )
