"""What a running pipeline shows and lets others change: the web page and the metrics need no more than this."""

from typing import Any, Protocol

from fusedet.deploy.camera.events.event import Event
from fusedet.deploy.camera.events.places import Places
from fusedet.deploy.camera.result import Result


class Monitor(Protocol):
    """A running pipeline, seen from outside. Every method may be called from any thread."""

    def status(self) -> dict[str, Any]:
        """Plain values for JSON.

        ``uptime_s``, ``memory_mb`` (resident), ``cpu_share`` (of one core, since the last call);
        ``model``: ``name``, ``input_size`` ``[height, width]``, ``names``; ``score``; ``classes`` (list or null);
        ``cameras``: name -> ``state`` (``running``, ``waiting``: opens its source again, ``ended``), ``error`` (text or
        null; of a running camera why every frame fails), ``captured``, ``processed``, ``dropped``, ``failed``,
        ``unreadable`` (left out by the source, not captured) and ``reconnects`` (counts), ``fps`` (processed, lately),
        ``inference_ms`` and ``age_ms`` (each ``p50``, ``p95``, ``p99`` of the last frames, null before the
        first), ``visible`` (class -> objects in the last frame), ``places`` (see ``Rules.counts``);
        ``sinks``: name -> ``written``, ``dropped``, ``waiting`` (counts) and ``error`` (text or null).
        """
        ...

    def healthy(self) -> tuple[bool, str]:
        """Whether cameras deliver, frames get results and sinks take them, and in one line what does not."""
        ...

    def latest(self, camera: str) -> Result | None:
        """The newest result of a camera; None before the first.

        Raises:
            KeyError: no such camera.
        """
        ...

    def wait_for_newer(self, camera: str, than: Result | None, timeout_s: float) -> Result | None:
        """Waits for a result after ``than``; None when there was none in time, or the pipeline has ended.

        Raises:
            KeyError: no such camera.
        """
        ...

    def recent_events(self) -> list[tuple[Event, bytes]]:
        """The last events, newest first, each with a small JPEG image of its moment with the box drawn."""
        ...

    def set_score(self, score: float) -> None:
        """Lowest score that counts, from the next frame on.

        Raises:
            InputError: not in 0..1.
        """
        ...

    def set_classes(self, classes: list[str] | None) -> None:
        """Only these classes are reported, from the next frame on; None: all.

        Raises:
            InputError: the model has no such class.
        """
        ...

    def places(self, camera: str) -> Places:
        """Zones and lines of a camera.

        Raises:
            KeyError: no such camera.
        """
        ...

    def set_places(self, camera: str, places: Places) -> None:
        """Replaces zones and lines, from the next frame on, and saves them to the YAML where there is one.

        Raises:
            KeyError: no such camera.
            InputError: names that stand twice, or the YAML cannot be written.
        """
        ...
