"""What a person sees while a network trains: one bar for what is going on, one line for each epoch that is done."""

import math
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


class TrainingProgress:
    """A live bar on a terminal; plain lines in a log file. ``visible`` is False for all processes but the first."""

    def __init__(self, epochs: int, visible: bool = True) -> None:
        self._console = Console(quiet=not visible, soft_wrap=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=6),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            console=self._console,
            transient=True,
            disable=not (visible and self._console.is_terminal),
        )
        self._epochs = epochs
        self._task = self._progress.add_task("", total=1, figures="", visible=False)

    def __enter__(self) -> "TrainingProgress":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def counter(self, what: str) -> Callable[[int, int], None]:
        """Starts the bar anew; to be called with what is done and the total, for example of the images read."""

        def count(done: int, total: int) -> None:
            self._progress.update(self._task, description=what, total=total, completed=done, visible=True, figures="")

        return count

    def begin(self, what: str, epoch: int, steps: int, done: int = 0) -> None:
        """Starts the bar anew: ``what`` is "epoch" while it trains, or "evaluating"; ``epoch`` counts from 1."""
        description = f"{what} {epoch}/{self._epochs}"
        self._progress.reset(self._task, description=description, total=steps, completed=done, visible=True, figures="")

    def advance(self, steps: int) -> None:
        """Moves the bar."""
        self._progress.advance(self._task, steps)

    def finish_step(self, loss: float, best_ap: float, rate: float, seconds_left: float) -> None:
        """Moves the bar by one step, and shows how the training goes.

        ``best_ap`` is below 0 before the first evaluation; ``rate`` is images/s; ``seconds_left`` is to the end.
        """
        ap = f"  best AP {best_ap:.3f}" if best_ap >= 0 else ""
        # Short enough for a terminal of 80 columns.
        figures = f"loss {loss:.2f}{ap}  {rate:.0f} img/s  {_duration(seconds_left)} left"
        self._progress.update(self._task, advance=1, figures=figures)

    def say(self, line: str) -> None:
        """A line that stays."""
        self._console.print(line, highlight=False, markup=False)

    def finish_epoch(self, epoch: int, loss: float, ap: float, ap50: float, rate: float, seconds_left: float) -> None:
        """The line of an epoch that is done, counted from 1.

        ``ap`` and ``ap50`` are NaN where it was not evaluated; ``rate`` is images/s.
        """
        accuracy = "" if math.isnan(ap) else f"  AP {ap:.3f}  AP50 {ap50:.3f}"
        self.say(
            f"epoch {epoch:>{len(str(self._epochs))}}/{self._epochs}  loss {loss:.3f}{accuracy}  "
            f"{rate:.1f} images/s  {_duration(seconds_left)} left"
        )


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
