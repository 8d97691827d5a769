"""Where the figures of a training go beside ``metrics.csv``: TensorBoard, MLflow, Weights & Biases."""

from fusedet.train.loop.loggers.logger import Ending, Logger
from fusedet.train.loop.loggers.open import check_loggers, open_loggers
from fusedet.train.loop.loggers.steady import Steady

__all__ = ["Ending", "Logger", "Steady", "check_loggers", "open_loggers"]
