"""A logger that cannot stop a training."""

from collections.abc import Callable, Mapping
from textwrap import shorten
from typing import Any

from fusedet.train.loop.loggers.logger import Ending, Logger


class Steady:
    """Passes everything on to a logger, and tells once what goes wrong there.

    What could not be sent waits: it is tried again with every later epoch, so that a server that was away misses
    nothing.

    Args:
        name: for the message.
        logger: may fail.
        settings: of the training.
        say: is given the message.
    """

    def __init__(self, name: str, logger: Logger, settings: Mapping[str, Any], say: Callable[[str], None]) -> None:
        self._name, self._logger, self._settings, self._say = name, logger, settings, say
        self._unsent: list[tuple[Mapping[str, float], int]] = []
        self._begun = self._told = False

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        """See :class:`Logger`."""
        self._unsent.append((figures, epoch))
        self._try(self._send)

    def finish(self, ending: Ending) -> None:
        """See :class:`Logger`."""
        if self._try(self._send):
            self._try(lambda: self._logger.finish(ending))

    def close(self) -> None:
        """See :class:`Logger`."""
        self._try(self._logger.close)

    def _send(self) -> None:
        if not self._begun:
            self._logger.begin(self._settings)
            self._begun = True
        while self._unsent:
            self._logger.log(*self._unsent[0])
            self._unsent.pop(0)

    def _try(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except Exception as error:
            if not self._told:
                reason = shorten(str(error), 300, placeholder=" ...") or type(error).__name__
                self._say(f"{self._name}: {reason}; the training goes on, and what is missing is sent when it can be")
            self._told = True
            return False
        return True
