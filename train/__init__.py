"""Training on COCO-format data and grading of what came out.

from fusedet.train import TrainConfig, evaluate_model, resume, train
"""

from fusedet.train.config import TrainConfig
from fusedet.train.evaluate import evaluate_model
from fusedet.train.loop import TrainResult, resume, train
from fusedet.train.metrics import Metrics

__all__ = ["Metrics", "TrainConfig", "TrainResult", "evaluate_model", "resume", "train"]
