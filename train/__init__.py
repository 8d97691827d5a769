"""Training on COCO-format data, and evaluation of what came out.

The package can be called: ``from fusedet import train`` and ``train("nano", data="my_data")``, see
:func:`fusedet.facade.train`. The function ``train`` in it takes a whole :class:`TrainConfig`.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import fusedet.common.privacy  # noqa: F401  before anything imports ONNX Runtime
from fusedet.common.lazy import imported_on_use
from fusedet.train.config import TrainConfig

__all__ = ["Metrics", "TrainConfig", "TrainResult", "evaluate_model", "resume", "train"]

if TYPE_CHECKING:
    from fusedet.train.evaluation.evaluate import evaluate_model
    from fusedet.train.evaluation.metrics import Metrics
    from fusedet.train.loop.start import resume, train
    from fusedet.train.loop.trainer import TrainResult
else:
    __getattr__ = imported_on_use(
        __name__,
        {
            "Metrics": "evaluation.metrics",
            "TrainResult": "loop.trainer",
            "evaluate_model": "evaluation.evaluate",
            "resume": "loop.start",
            "train": "loop.start",
        },
    )


class _Package(ModuleType):
    """A package that can be called: ``fusedet.train`` is the name of this one and of the function that people want."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """See :func:`fusedet.facade.train`."""
        from fusedet.facade import train as train_by_name

        return train_by_name(*args, **kwargs)


sys.modules[__name__].__class__ = _Package
