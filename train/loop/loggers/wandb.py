"""Weights & Biases: one run for each training, in the project that ``WANDB_PROJECT`` names, or fusedet."""

import os
import secrets
from collections.abc import Mapping
from typing import Any

import wandb

from fusedet.train.loop.loggers.logger import Ending, Logger, keep_id, known_id
from fusedet.train.run_folder import RunFolder

#: Seconds after which a server is taken for gone.
_PATIENCE_S = 20


class WandbLogger(Logger):
    """Settings, figures, report and curves. ``WANDB_MODE=offline`` keeps all in the run folder, for ``wandb sync``."""

    def __init__(self, run: RunFolder) -> None:
        self._folder = run
        self._run: Any = None

    def begin(self, settings: Mapping[str, Any]) -> None:
        """See :class:`Logger`."""
        identity = known_id(self._folder, "wandb") or secrets.token_hex(4)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "fusedet"),
            name=self._folder.path.resolve().name,
            id=identity,
            resume="allow",
            dir=str(self._folder.path),
            config=dict(settings),
            settings=wandb.Settings(console="off", silent=True, init_timeout=_PATIENCE_S),
        )
        keep_id(self._folder, "wandb", identity)

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        """See :class:`Logger`."""
        self._run.log(dict(figures), step=epoch)

    def finish(self, ending: Ending) -> None:
        """See :class:`Logger`."""
        best = {f"best_{name}": value for name, value in ending.best.items()}
        self._run.summary.update({**best, "best_checkpoint": str(ending.best_checkpoint.resolve())})
        artifact = wandb.Artifact(f"training-{self._run.id}", type="training")
        for path in ending.artifacts:
            artifact.add_file(str(path))
        self._run.log_artifact(artifact)
        self._run.finish(0 if ending.finished else 1)
        self._run = None

    def close(self) -> None:
        """A training that failed is marked as failed."""
        if self._run is not None:
            self._run.finish(1)
