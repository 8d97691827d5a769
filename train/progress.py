"""What a person sees while a network trains: one bar for the epoch, one line for each epoch that is done."""

import math
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["TrainingProgress"]


class TrainingProgress:
    """A live bar on a terminal; plain lines in a log file.

    Args:
        epochs: of the whole training.
        visible: False for all processes but the first.
    """

    def __init__(self, epochs: int, visible: bool = True) -> None:
        self._console = Console(quiet=not visible, soft_wrap=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[figures]}"),
            console=self._console,
            transient=True,
            disable=not (visible and self._console.is_terminal),
        )
        self._epochs = epochs
        self._task = self._progress.add_task("", total=1, figures="")

    def __enter__(self) -> "TrainingProgress":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, what: str, epoch: int, steps: int, done: int = 0) -> None:
        """Starts the bar anew: ``what`` is training or validation."""
        description = f"epoch {epoch + 1}/{self._epochs} {what}"
        self._progress.reset(self._task, description=description, total=steps, completed=done, figures="")

    def advance(self, steps: int = 1, **figures: float) -> None:
        """Moves the bar and shows ``figures`` beside it."""
        text = "  ".join(f"{name} {value:.3g}" for name, value in figures.items())
        self._progress.update(self._task, advance=steps, figures=text)

    def say(self, line: str) -> None:
        """A line that stays."""
        self._console.print(line, highlight=False, markup=False)

    def finish_epoch(self, epoch: int, loss: float, ap: float, ap50: float, rate: float, eta: float) -> None:
        """The line of an epoch that is done.

        ``ap`` and ``ap50`` are NaN where it was not graded; ``rate`` is images/s; ``eta`` is seconds to the end.
        """
        graded = "" if math.isnan(ap) else f"  AP {ap:.3f}  AP50 {ap50:.3f}"
        self.say(
            f"epoch {epoch + 1:>{len(str(self._epochs))}}/{self._epochs}  loss {loss:.3f}{graded}  "
            f"{rate:.1f} images/s  {_duration(eta)} left"
        )


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
