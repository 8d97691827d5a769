"""MLflow: one run for each training, at the server or folder that ``MLFLOW_TRACKING_URI`` names."""

import os
import time
from collections.abc import Mapping
from typing import Any

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

from fusedet.train.loop.loggers.logger import Ending, Logger, keep_id, known_id
from fusedet.train.run_folder import RunFolder

#: MLflow takes so many settings at once, each so long.
_PARAMS_AT_ONCE, _PARAM_LENGTH = 100, 500
#: A server that is away must not hold up the training for long; what the user says wins.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


class MLflowLogger(Logger):
    """Settings, figures, report and curves; the experiment is that of ``MLFLOW_EXPERIMENT_NAME``, or fusedet."""

    def __init__(self, run: RunFolder) -> None:
        self._run, self._id = run, ""
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)

    def begin(self, settings: Mapping[str, Any]) -> None:
        """See :class:`Logger`."""
        self._client = MlflowClient()
        known = known_id(self._run, "mlflow")
        if known is not None:
            self._client.update_run(known, status="RUNNING")
            self._id = known
            return
        self._id = self._client.create_run(self._experiment(), run_name=self._run.path.resolve().name).info.run_id
        keep_id(self._run, "mlflow", self._id)
        params = [Param(key, str(value)[:_PARAM_LENGTH]) for key, value in settings.items()]
        for first in range(0, len(params), _PARAMS_AT_ONCE):
            self._client.log_batch(self._id, params=params[first : first + _PARAMS_AT_ONCE])

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        """See :class:`Logger`."""
        now_ms = int(time.time() * 1000)
        self._client.log_batch(self._id, [Metric(name, value, now_ms, epoch) for name, value in figures.items()])

    def finish(self, ending: Ending) -> None:
        """See :class:`Logger`."""
        self._client.set_tag(self._id, "best_checkpoint", str(ending.best_checkpoint.resolve()))
        for name, value in ending.best.items():
            self._client.set_tag(self._id, f"best_{name}", f"{value:.4f}")
        for path in ending.artifacts:
            self._client.log_artifact(self._id, str(path))
        self._client.set_terminated(self._id, "FINISHED" if ending.finished else "KILLED")

    def _experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "fusedet")
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))
