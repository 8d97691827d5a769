"""The figures of each epoch: as CSV, as curves, and to the loggers that the config names."""

import math
from collections.abc import Callable

from fusedet.common.atomic import whole_file
from fusedet.configs.reader.validate import flat_settings
from fusedet.train.config import TrainConfig
from fusedet.train.loop.curve_plots import draw_curves
from fusedet.train.loop.loggers.logger import Ending, open_loggers
from fusedet.train.run_folder import RunFolder


class MetricLog:
    """Writes one row an epoch to ``metrics.csv``, ``curves.png`` and the loggers of the config, if it is ``active``.

    ``say`` is given what goes wrong in a logger, which stops nothing.
    """

    def __init__(self, run: RunFolder, active: bool, config: TrainConfig, say: Callable[[str], None]) -> None:
        self._run, self._active = run, active
        self._loggers = open_loggers(config.train.loggers, run, flat_settings(config), say) if active else []

    def __enter__(self) -> "MetricLog":
        return self

    def __exit__(self, *_: object) -> None:
        for logger in self._loggers:
            logger.close()

    def write(self, row: dict[str, float], epoch: int) -> None:
        """Adds the row of ``epoch``; ``row["epoch"]`` is the same number."""
        if not self._active:
            return
        self._run.append_metrics(row)
        figures = {name: value for name, value in row.items() if name != "epoch" and not math.isnan(value)}
        for logger in self._loggers:
            logger.log(figures, epoch)

    def draw(self) -> None:
        """Draws ``curves.png`` from all rows so far."""
        rows = self._run.read_metrics() if self._active else []
        if rows:
            with whole_file(self._run.curves, sync=False) as part:  # drawn anew after each epoch
                draw_curves(rows, part)

    def finish(self, best: dict[str, float], finished: bool) -> None:
        """Tells the loggers how it ended."""
        run = self._run
        files = tuple(path for path in (run.report, run.curves, run.config) if path.is_file())
        figures = {name: value for name, value in best.items() if not math.isnan(value)}
        for logger in self._loggers:
            logger.finish(Ending(finished, figures, run.best, files))
