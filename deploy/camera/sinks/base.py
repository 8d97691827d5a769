"""What all sinks have in common."""

from typing import Protocol

from fusedet.deploy.camera.result import Result

__all__ = ["Sink"]


class Sink(Protocol):
    """Takes the result of each frame.

    A sink is called from one thread. What cannot be written raises, an :class:`OSError` as a rule, and does not keep
    the next result from being written.
    """

    def write(self, result: Result) -> None:
        """Takes one result."""
        ...

    def close(self) -> None:
        """Finishes what is half written."""
        ...
