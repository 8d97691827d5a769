"""The best epoch of a training so far."""

import math
from dataclasses import dataclass, field
from typing import Any

from fusedet.train.evaluation.metrics import Metrics
from fusedet.train.evaluation.report.analysis import Evaluation


@dataclass
class Best:
    """What ``best.pt`` holds."""

    ap: float = -1.0  # AP50-95 in 0..1; -1 before any epoch was evaluated, or where there is none
    epoch: int = 0  # its number, counted from 1; 0 before any was evaluated
    #: its :meth:`fusedet.train.evaluation.metrics.Metrics.summary`
    metrics: dict[str, float] = field(default_factory=dict)
    per_class: dict[str, list[float]] = field(default_factory=dict)  # its accuracy by the classes' names
    #: what was found in its images; not kept in checkpoints, so a resumed training may lack it
    evaluation: Evaluation | None = None

    def offer(self, metrics: Metrics, epoch: int, evaluation: Evaluation | None) -> bool:
        """Takes an epoch's evaluation if it is better; says whether it was.

        Where the validation set has no object, AP is NaN and tells nothing: then the latest epoch is the best.
        """
        if not (metrics.ap > self.ap or (math.isnan(metrics.ap) and self.ap < 0)):
            return False
        self.ap = -1.0 if math.isnan(metrics.ap) else metrics.ap
        self.epoch, self.metrics = epoch, metrics.summary()
        self.per_class = {name: list(figures) for name, figures in metrics.per_class.items()}
        self.evaluation = evaluation
        return True

    def to_meta(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "best_ap": self.ap,
            "best_epoch": self.epoch,
            "metrics": self.metrics,
            "per_class": self.per_class,
        }

    @classmethod
    def from_meta(cls, meta: dict[str, Any]) -> "Best":
        """Takes up :meth:`to_meta`. Raises KeyError if it is not of a training."""
        return cls(meta["best_ap"], meta["best_epoch"], meta["metrics"], meta.get("per_class", {}))
