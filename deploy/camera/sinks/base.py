"""What all sinks have in common."""

from abc import ABC, abstractmethod

from fusedet.deploy.camera.events.places import Places
from fusedet.deploy.camera.result import Result


class Sink(ABC):
    """Takes the result of each frame.

    A sink is called from one thread. What cannot be written raises, an :class:`OSError` as a rule, and does not keep
    the next result from being written.

    Attributes:
        events_only: it needs only results with events.
    """

    events_only = False

    @abstractmethod
    def write(self, result: Result) -> None:
        """Takes one result."""

    def tend(self) -> None:  # noqa: B027 - most sinks have nothing of the kind
        """Does now and then what is due without a result, such as removing what is too old. It may raise likewise."""

    def close(self) -> None:  # noqa: B027 - most sinks hold nothing open
        """Finishes what is half written."""

    def set_places(self, camera: str, places: Places) -> None:  # noqa: B027 - most sinks need not know
        """A camera has other zones and lines from now on. May be called from any thread."""

    @property
    def error(self) -> str | None:
        """Why a sink with a queue of its own cannot send at present; None while all is well."""
        return None

    @property
    def waiting(self) -> int:
        """Events in a queue of its own."""
        return 0

    @property
    def dropped(self) -> int:
        """Events of a queue of its own that were given up since the start."""
        return 0
